//! Text that came from elsewhere: an error, a record or a page shows it only after this.

/// Text that came from elsewhere, made harmless for a terminal: controls, escapes and direction marks become `�`.
pub fn clean(text: &str) -> String {
    if is_clean(text) {
        return text.to_owned();
    }
    // defense: S33 text-is-cleaned
    text.chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect()
}

/// Whether a text can be shown as it is.
pub fn is_clean(text: &str) -> bool {
    // Ten thousand records are read at once, and nearly all of them are plain ASCII.
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_unprintable)
}

/// A number of things: `1 link`, `2 links`.
pub fn counted(count: impl TryInto<u64>, one: &str, several: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A number of licenses.
pub fn licenses(count: usize) -> String {
    counted(count, "license", "licenses")
}

/// The first few of some names, and how many more there are.
pub fn first_few(names: &[impl AsRef<str>], most: usize) -> String {
    let shown: Vec<_> = names.iter().take(most).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(most);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// The beginning of a text that came from elsewhere, made harmless.
pub fn excerpt(text: &str, most: usize) -> String {
    clean(text).chars().take(most).collect()
}

/// Control characters (C0, DEL, C1) and those that change the direction or the place of what follows
/// (Unicode's bidirectional controls, separators, zero-width and tag characters).
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        let dirty = "a\x1b[31mred\x07\r\n\u{9b}2J\u{202e}gnp.exe\u{200b}";
        assert_eq!(clean(dirty), "a�[31mred����2J�gnp.exe�");
        assert_eq!(clean("Zoë's 店 №5"), "Zoë's 店 №5");
    }

    #[test]
    fn some_names_are_told_and_the_others_counted() {
        assert_eq!(first_few(&["a", "b"], 2), "a, b");
        assert_eq!(first_few(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
