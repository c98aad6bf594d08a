//! A command that somebody writes on one line: its words, for it's started without a shell.

use crate::error::shell;

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

/// A command's words. Outside of quotes nothing may stand in it that a shell would act on: passed on as words it would be
/// printed, or mailed, and nobody would notice.
///
/// # Errors
/// It can't be used.
pub fn command_words(text: &str) -> Result<Vec<String>, CommandFault> {
    let words = shlex::split(text).filter(|words| !words.is_empty()).ok_or(CommandFault::Unreadable)?;
    match for_a_shell(text, &words) {
        None => Ok(words),
        Some(what) => Err(CommandFault::ForAShell { what, instead: shell(["sh", "-c", text.trim()]) }),
    }
}

/// The first thing in it that only a shell understands.
fn for_a_shell(text: &str, words: &[String]) -> Option<String> {
    // What a shell is given is its own business, but for what stands outside of its quotes.
    let program = words.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    let is_shell = matches!(program, "sh" | "bash" | "dash" | "zsh" | "ksh" | "fish") && words.len() > 2;
    raw_words(text)
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
        })
        .map(|word| word.into_iter().map(|(c, _)| c).collect())
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
fn raw_words(text: &str) -> Vec<Vec<(char, Quoting)>> {
    let mut words = vec![Vec::new()];
    let mut quote = Quoting::No;
    let mut signs = text.chars();
    while let Some(c) = signs.next() {
        let (c, quoted) = match (c, quote) {
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
