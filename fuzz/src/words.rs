//! Words that people type, and texts that are shown to them.

use biotrack_auth::error::{CommandStyle, clean};
use biotrack_auth::model::duration;
use biotrack_auth::model::ids::{License, Tag, Username, near_duplicates};
use biotrack_auth::model::odd_cell::{OddText, suspicious_text};

/// Times and names: what is accepted is bounded, can be shown, and means the same when it's typed again.
pub fn words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match duration::parse("time", &text) {
        Ok(time) => {
            assert!((0..=36_525 * 86_400).contains(&time.as_secs()));
            super::harmless(&duration::in_words(time));
        }
        Err(e) => super::printable(&e),
    }
    match duration::ago("time", &text, super::now()) {
        Ok(_) => {}
        Err(e) => super::printable(&e),
    }
    match License::parse(&text) {
        Ok(license) => {
            let shown = license.as_str();
            super::harmless(shown);
            assert!(!shown.is_empty() && shown.chars().count() <= 64 && shown.trim() == shown);
            assert_eq!(License::parse(shown).expect("the same again"), license);
            let other = super::key().license;
            assert_eq!(near_duplicates(&license, &other), near_duplicates(&other, &license));
            assert!(!near_duplicates(&license, &license));
            for column in ["license", "username"] {
                match suspicious_text(column, shown) {
                    Some(OddText::Wrong(why)) => super::harmless(&why),
                    Some(OddText::Unusual(why)) => super::harmless(why),
                    None => {}
                }
            }
            let _ = Tag::parse(shown).expect("as long as a license");
        }
        Err(e) => super::printable(&e),
    }
    if let Ok(user) = Username::parse(&text) {
        assert!(user.same_as(&text));
    }
    if let Err(e) = biotrack_auth::vault::check_recipient(&text) {
        super::printable(&e);
        assert!(!e.to_string().to_uppercase().contains("AGE-SECRET-KEY-1"));
    }
}

/// Server text on a terminal: as many characters, none of which steers it.
pub fn terminal(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let shown = clean(&text);
    super::harmless(&shown);
    assert_eq!(shown.chars().count(), text.chars().count());
    assert_eq!(clean(&shown), shown);
    assert!(text.chars().zip(shown.chars()).all(|(from, to)| from == to || to == '\u{fffd}'));
}

/// A command to paste: a shell reads the same words. They stand one after the other, with an 0xFF between. A line of Windows is
/// cut into as many, which are the same but for what PowerShell needs escaped; and any line can be cut.
pub fn shell(bytes: &[u8]) {
    let words: Vec<_> =
        bytes.split(|byte| *byte == 0xff).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let line = CommandStyle::Posix.line(words.iter().map(String::as_str));
    // No word holds a NUL; where one came from elsewhere, the others are still theirs.
    let read: Vec<_> = words.iter().map(|word| word.replace('\0', "\u{fffd}")).collect();
    assert_eq!(shlex::split(&line).as_deref(), Some(read.as_slice()), "{line:?}");

    let line = CommandStyle::Windows.line(words.iter().map(String::as_str));
    let read = CommandStyle::Windows.words(&line).expect("its quotes are closed");
    assert_eq!(read.len(), words.len(), "{line:?}");
    for (read, word) in read.iter().zip(&words) {
        let word: String = word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let escaped = word.contains(['$', '`', '\u{201c}', '\u{201d}', '\u{201e}']);
        assert!(escaped || *read == word, "{line:?}");
    }
    let _ = CommandStyle::Windows.words(&String::from_utf8_lossy(bytes));
}
