//! Commands as people write and paste them: how a line is cut into words, and how words become a line again.

/// Whose rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandStyle {
    /// A POSIX shell's.
    Posix,
    /// Those of Windows: a line is cut as its programs cut theirs, and quoted so that cmd and PowerShell take it alike.
    Windows,
}

impl CommandStyle {
    /// This platform's.
    pub const HERE: Self = if cfg!(windows) { Self::Windows } else { Self::Posix };

    /// The words of a line, as a program gets them. `None` where a quote isn't closed.
    pub fn words(self, line: &str) -> Option<Vec<String>> {
        match self {
            Self::Posix => shlex::split(line),
            Self::Windows => windows_words(line),
        }
    }

    /// The line that a person pastes.
    pub fn line<'w>(self, words: impl IntoIterator<Item = &'w str>) -> String {
        match self {
            Self::Posix => posix_line(words),
            Self::Windows => words.into_iter().map(windows_word).collect::<Vec<_>>().join(" "),
        }
    }
}

/// The words of a command as a person pastes them into this platform's shell.
pub fn shell<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    CommandStyle::HERE.line(words)
}

fn posix_line<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    // Only a NUL can't be quoted, and no argument has one; where it came from elsewhere, the rest is still quoted.
    // defense: S51 command-is-quoted
    // defense: S51 nul-leaves-others-quoted
    let mut whole = shlex::Quoter::new().allow_nul(true).join(words).unwrap_or_default();
    if whole.contains('\0') {
        whole = whole.replace('\0', "\u{fffd}");
    }
    whole
}

/// A word in double quotes where it needs them: the only ones that cmd, PowerShell and the C runtime have in common.
///
/// PowerShell would run what stands behind a `$` there, and ends the text at a curly quote, so these are escaped for it. cmd
/// hands that backtick on: it's told of a name that there isn't, and runs nothing. Neither can be given a line break. cmd puts
/// the variable's value where the word holds the name of one between percent signs, and Windows PowerShell 5.1 takes a quote
/// away: no quoting that both take keeps these.
fn windows_word(word: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || "-_./\\:=+@".contains(c);
    // PowerShell splats what begins with @, and cuts what looks like one of its own parameters.
    let misread = word.starts_with('@')
        || word.starts_with('-') && !word.starts_with("--") && word.contains(['.', ':']);
    // defense: S51 windows-command-is-quoted
    if !word.is_empty() && word.chars().all(harmless) && !misread {
        return word.to_owned();
    }
    let mut quoted = String::from('"');
    let mut backslashes = 0;
    for c in word.chars() {
        match c {
            '"' => {
                // Backslashes before a quote would escape it.
                quoted.extend(std::iter::repeat_n('\\', backslashes));
                quoted.push_str("\"\"");
            }
            '$' | '`' | '\u{201c}'..='\u{201e}' => quoted.extend(['`', c]),
            c if c.is_control() => quoted.push('\u{fffd}'),
            c => quoted.push(c),
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
    quoted.extend(std::iter::repeat_n('\\', backslashes));
    quoted.push('"');
    quoted
}

/// The words as CommandLineToArgvW and the C runtime give them to a program: a backslash is a letter, but before a double quote;
/// two of those within quotes are one.
fn windows_words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                let mut count = 1;
                while rest.next_if_eq(&'\\').is_some() {
                    count += 1;
                }
                let escapes = rest.peek() == Some(&'"');
                let word = word.get_or_insert_default();
                word.extend(std::iter::repeat_n('\\', if escapes { count / 2 } else { count }));
                if escapes && count % 2 == 1 {
                    word.extend(rest.next());
                }
            }
            '"' if is_quoted && rest.next_if_eq(&'"').is_some() => word.get_or_insert_default().push('"'),
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' | '\t' | '\n' | '\r' if !is_quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    (!is_quoted).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_word_that_cannot_be_quoted_leaves_the_others_quoted() {
        let line = |words: [&str; 3]| CommandStyle::Posix.line(words);
        assert_eq!(line(["renew", "$(id)", "a'b"]), "renew '$(id)' \"a'b\"");
        assert_eq!(line(["renew", "$(id)", "a\0b"]), "renew '$(id)' 'a\u{fffd}b'");
    }

    #[test]
    fn windows_words_keep_their_backslashes() {
        for (line, words) in [
            (
                r#"C:\\a\b.exe -x "C:\Program Files\c d" "" \\srv\share"#,
                &[r"C:\\a\b.exe", "-x", r"C:\Program Files\c d", "", r"\\srv\share"][..],
            ),
            (r#"a\"b "c\\" d\\\"e "f""g""#, &["a\"b", r"c\", "d\\\"e", "f\"g"]),
            ("a\tb\r\nc 'd e'", &["a", "b", "c", "'d", "e'"]),
            (r#"x"y z"w"#, &["xy zw"]),
            ("  ", &[]),
        ] {
            assert_eq!(CommandStyle::Windows.words(line).unwrap(), words, "{line}");
        }
        for open in ["a \"b", "\"", r#""a\""#] {
            assert_eq!(CommandStyle::Windows.words(open), None, "{open}");
        }
    }

    #[test]
    fn windows_words_are_quoted_for_both_shells() {
        for (word, quoted) in [
            ("101-X0007-D1", "101-X0007-D1"),
            (r"C:\data\two.csv", r"C:\data\two.csv"),
            ("ann@x.example", "ann@x.example"),
            ("--user=ann@x.example", "--user=ann@x.example"),
            ("Rose Garden", "\"Rose Garden\""),
            (r"C:\a b\", r#""C:\a b\\""#),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("@a", "\"@a\""),
            ("-a.b", "\"-a.b\""),
            ("$(calc)", "\"`$(calc)\""),
            ("a\u{201d}; calc", "\"a`\u{201d}; calc\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("a\ncalc", "\"a\u{fffd}calc\""),
        ] {
            assert_eq!(CommandStyle::Windows.line([word]), quoted);
        }
    }

    /// What cmd gives a program for a line; `None` where it acts on a part of it.
    fn read_by_cmd(line: &str) -> Option<Vec<String>> {
        let mut is_quoted = false;
        for c in line.chars() {
            match c {
                '"' => is_quoted = !is_quoted,
                '\n' | '\r' => return None,
                c if !is_quoted && "&|<>^()%!,;'".contains(c) => return None,
                _ => {}
            }
        }
        windows_words(line)
    }

    /// What PowerShell 7 gives a program for a line; `None` where it acts on a part of it.
    fn read_by_powershell(line: &str) -> Option<Vec<String>> {
        let is_quote = |c: char| matches!(c, '"' | '\u{201c}'..='\u{201e}');
        let mut words = Vec::new();
        let mut rest = line.chars().peekable();
        loop {
            while rest.next_if_eq(&' ').is_some() {}
            let Some(&first) = rest.peek() else { return Some(words) };
            let mut word = String::new();
            if is_quote(first) {
                rest.next();
                loop {
                    match rest.next()? {
                        '`' => word.push(rest.next()?),
                        '$' | '\n' | '\r' => return None,
                        c if is_quote(c) => match rest.next_if(|next| is_quote(*next)) {
                            Some(_) => word.push(c),
                            None => break,
                        },
                        c => word.push(c),
                    }
                }
                if rest.peek().is_some_and(|next| *next != ' ') {
                    return None;
                }
            } else {
                while let Some(c) = rest.next_if(|next| *next != ' ') {
                    let acts =
                        is_quote(c) || "$`&|<>(){};,'#\u{2018}\u{2019}\u{201a}\u{201b}\n\r\t".contains(c);
                    if acts || word.is_empty() && c == '@' {
                        return None;
                    }
                    word.push(c);
                }
            }
            words.push(word);
        }
    }

    proptest! {
        #[test]
        fn a_windows_line_is_cut_without_a_panic_and_goes_there_and_back(
            words in prop::collection::vec(r#"[ -~"\\ \t\n\r\x00é“”„‘’€]{0,8}"#, 0..4),
            line in r#"[a"\\ \t\n]{0,24}"#,
        ) {
            let shown: Vec<_> = words
                .iter()
                .map(|word| word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>())
                .collect();
            let quoted = CommandStyle::Windows.line(words.iter().map(String::as_str));
            let of_cmd = read_by_cmd(&quoted).expect("cmd acts on it");
            let of_powershell = read_by_powershell(&quoted).expect("PowerShell acts on it");
            prop_assert_eq!((of_cmd.len(), of_powershell.len()), (words.len(), words.len()));
            for (at, word) in shown.iter().enumerate() {
                if !word.contains(['$', '`', '“', '”', '„']) {
                    prop_assert_eq!(&of_cmd[at], word);
                }
                if !word.contains("\\\"") && !word.ends_with('\\') {
                    prop_assert_eq!(&of_powershell[at], word);
                }
            }
            if let Some(read) = windows_words(&line) {
                let whole: String = read.concat();
                prop_assert!(whole.len() <= line.len());
            }
        }

        #[test]
        fn a_posix_line_goes_there_and_back(words in prop::collection::vec("[ -~é\n\t]{0,8}", 0..4)) {
            let line = CommandStyle::Posix.line(words.iter().map(String::as_str));
            prop_assert_eq!(CommandStyle::Posix.words(&line).unwrap(), words);
        }
    }
}
