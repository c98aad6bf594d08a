//! A command that somebody writes on one line: its words, for it's started without a shell.

use crate::error::CommandStyle;

/// Why it isn't one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandFault {
    /// It has no words, or a quote that isn't closed.
    Unreadable,
    /// It has what only a shell understands: that, and how a shell is given it.
    ForAShell {
        /// As it's written: `|`, `> file`, `$(date)`.
        what: String,
        instead: String,
    },
}

/// A command's words, as this platform's people write them. Outside of quotes nothing may stand in it that a shell would act
/// on: passed on as words it would be printed, or mailed, and nobody would notice.
///
/// # Errors
/// It can't be used.
pub fn command_words(text: &str) -> Result<Vec<String>, CommandFault> {
    words_of(text, CommandStyle::HERE)
}

fn words_of(text: &str, style: CommandStyle) -> Result<Vec<String>, CommandFault> {
    let words = style.words(text).filter(|words| !words.is_empty()).ok_or(CommandFault::Unreadable)?;
    match for_a_shell(text, &words, style) {
        None => Ok(words),
        Some(what) => {
            let instead = match style {
                CommandStyle::Posix => style.line(["sh", "-c", text.trim()]),
                // cmd takes all that follows as it stands.
                CommandStyle::Windows => format!("cmd /c {}", text.trim()),
            };
            Err(CommandFault::ForAShell { what, instead })
        }
    }
}

/// The first thing in it that only a shell understands.
fn for_a_shell(text: &str, words: &[String], style: CommandStyle) -> Option<String> {
    let is_shell = words.len() > 2 && names_a_shell(&words[0], style);
    // What a shell is given is its own business; but for what stands outside of its quotes, where it doesn't get that.
    if is_shell && style == CommandStyle::Windows {
        return None;
    }
    raw_words(text, style)
        .into_iter()
        .find(|word| {
            let bare: String =
                word.iter().filter(|(_, quoted)| *quoted == Quoting::No).map(|(c, _)| *c).collect();
            let first_last = [word.first(), word.last()];
            let at_an_end = |c: char| first_last.iter().flatten().any(|it| **it == (c, Quoting::No));
            let open: String =
                word.iter().filter(|(_, quoted)| *quoted != Quoting::Single).map(|(c, _)| *c).collect();
            bare.contains(['|', '<', '>'])
                || bare.contains("&&")
                || at_an_end(';')
                || at_an_end('&')
                || !is_shell && (open.contains('`') || expands(&open))
                || style == CommandStyle::Windows && names_a_variable(&open)
        })
        .map(|word| word.into_iter().map(|(c, _)| c).collect())
}

fn names_a_shell(program: &str, style: CommandStyle) -> bool {
    const OF_UNIX: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "fish"];
    match style {
        CommandStyle::Posix => OF_UNIX.contains(&program.rsplit('/').next().unwrap_or_default()),
        CommandStyle::Windows => {
            let name = program.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
            let name = name.strip_suffix(".exe").unwrap_or(&name);
            OF_UNIX.contains(&name) || matches!(name, "cmd" | "powershell" | "pwsh")
        }
    }
}

/// Whether cmd would put something in a variable's place: `%NAME%`.
fn names_a_variable(text: &str) -> bool {
    let parts: Vec<_> = text.split('%').collect();
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    parts.len() > 2 && parts[1..parts.len() - 1].iter().any(is_name)
}

/// Whether a shell would put something in a variable's place.
fn expands(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '(')) {
            return true;
        }
    }
    false
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    No,
    Double,
    Single,
}

/// The words with how each of their characters is quoted. What a backslash protects counts as quoted.
fn raw_words(text: &str, style: CommandStyle) -> Vec<Vec<(char, Quoting)>> {
    let mut words = vec![Vec::new()];
    let mut quote = Quoting::No;
    let mut signs = text.chars().peekable();
    while let Some(c) = signs.next() {
        let (c, quoted) = match (c, quote) {
            ('\'', quote) if style == CommandStyle::Windows => ('\'', quote),
            ('\\', quote) if style == CommandStyle::Windows => {
                let mut count = 1;
                while signs.next_if_eq(&'\\').is_some() {
                    count += 1;
                }
                // They are letters, but before a double quote.
                match signs.next_if(|next| *next == '"' && count % 2 == 1) {
                    Some(next) => (next, Quoting::Single),
                    None => ('\\', quote),
                }
            }
            (c, Quoting::No) if c.is_whitespace() => {
                words.push(Vec::new());
                continue;
            }
            ('\'', Quoting::No) => {
                quote = Quoting::Single;
                continue;
            }
            ('"', Quoting::No) => {
                quote = Quoting::Double;
                continue;
            }
            ('\'', Quoting::Single) | ('"', Quoting::Double) => {
                quote = Quoting::No;
                continue;
            }
            ('\\', Quoting::No | Quoting::Double) => match signs.next() {
                Some(next) => (next, Quoting::Single),
                None => break,
            },
            (c, quote) => (c, quote),
        };
        words.last_mut().into_iter().for_each(|word| word.push((c, quoted)));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line as people on Unix write it.
    fn command_words(text: &str) -> Result<Vec<String>, CommandFault> {
        words_of(text, CommandStyle::Posix)
    }

    #[test]
    fn on_windows_a_path_keeps_its_backslashes_and_only_what_a_shell_understands_is_refused() {
        let read = |text: &str| words_of(text, CommandStyle::Windows);
        for (text, words) in [
            (
                r#"C:\tools\notify.exe --to "Ann's store" 100%"#,
                &[r"C:\tools\notify.exe", "--to", "Ann's store", "100%"][..],
            ),
            (r#""C:\Program Files\n.exe" \\srv\share\"#, &[r"C:\Program Files\n.exe", r"\\srv\share\"]),
            (r#"curl "https://x.example/?a=1&b=%20c%20""#, &["curl", "https://x.example/?a=1&b=%20c%20"]),
            ("cmd /c echo %DATE% | clip", &["cmd", "/c", "echo", "%DATE%", "|", "clip"]),
            (
                r#"C:\Windows\System32\WindowsPowerShell\v1.0\PowerShell.exe -Command "$input > x.txt""#,
                &[r"C:\Windows\System32\WindowsPowerShell\v1.0\PowerShell.exe", "-Command", "$input > x.txt"],
            ),
        ] {
            assert_eq!(read(text).unwrap(), words, "{text}");
        }
        for (text, what) in [
            ("echo due | clip", "|"),
            (r"type C:\a.txt > C:\b.txt", ">"),
            (r"%USERPROFILE%\notify.exe", r"%USERPROFILE%\notify.exe"),
            (r#"notify.exe "%USERNAME%""#, "%USERNAME%"),
            (r"$env:USERPROFILE\notify.exe", r"$env:USERPROFILE\notify.exe"),
            ("a && b", "&&"),
            ("a & b", "&"),
            (r#""C:\a b\\" | clip"#, "|"),
            (r#"echo "a\" b" | clip"#, "|"),
        ] {
            let Err(CommandFault::ForAShell { what: told, instead }) = read(text) else { panic!("{text}") };
            assert_eq!((told.as_str(), instead), (what, format!("cmd /c {text}")));
            assert!(read(&format!("cmd /c {text}")).is_ok());
        }
        for text in ["", " ", "echo \"open"] {
            assert_eq!(read(text), Err(CommandFault::Unreadable));
        }
    }

    #[test]
    fn what_only_a_shell_understands_is_refused_with_the_shell_that_does() {
        for (text, what) in [
            ("echo due | mail -s due ann@x.example", "|"),
            ("tee -a log >> other", ">>"),
            ("jq .license >/tmp/x", ">/tmp/x"),
            ("notify 2>&1", "2>&1"),
            ("mail ann < /dev/stdin", "<"),
            ("a && b", "&&"),
            ("a; b", "a;"),
            ("a &", "&"),
            ("mail -s \"$(date)\" ann", "$(date)"),
            ("mail -s $SUBJECT ann", "$SUBJECT"),
            ("mail -s `date` ann", "`date`"),
            ("sh -c 'cat' | mail ann", "|"),
        ] {
            let Err(CommandFault::ForAShell { what: told, instead }) = command_words(text) else {
                panic!("{text}")
            };
            assert_eq!(told, what, "{text}");
            let words = command_words(&instead).unwrap();
            assert_eq!(words, ["sh", "-c", text], "{instead}");
        }
        for (text, words) in [
            ("sh -c 'jq . | mail -s \"$(date)\" ann; echo > x'", 3),
            ("bash -c \"mail ann > $HOME/x\"", 3),
            ("curl https://x.example/?a=1&b=2;c", 2),
            ("mail -s 'a | b; $5' ann\\|x", 4),
            ("logger -t biotrack \"5 $ > 4 €\"", 4),
        ] {
            assert_eq!(command_words(text).map(|it| it.len()), Ok(words), "{text}");
        }
        for text in ["", "  ", "echo 'open"] {
            assert_eq!(command_words(text), Err(CommandFault::Unreadable));
        }
    }
}
