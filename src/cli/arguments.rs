//! Arguments that can't be taken, told without repeating what may be a secret.

use crate::error::Error;
use crate::model::duration;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// What is wrong with arguments that don't parse. What may be a secret isn't repeated: a word that no flag asked for, or
/// that is no slip of a command's name.
pub(super) fn unparsed(e: &clap::Error) -> Error {
    let text = |kind| match e.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    // defense: S63 surplus-words-are-not-repeated
    let what = match e.kind() {
        ErrorKind::UnknownArgument if !text(ContextKind::InvalidArg).is_some_and(is_flag) => {
            match text(ContextKind::InvalidArg).is_some_and(|word| word.starts_with('-')) {
                true => "unknown flag; it isn't repeated here because it may be a secret",
                false => "unexpected extra argument; it isn't repeated here because it may be a secret",
            }
        }
        ErrorKind::InvalidSubcommand if e.get(ContextKind::SuggestedSubcommand).is_none() => {
            "unknown command; the word isn't repeated here because it may be a secret"
        }
        ErrorKind::TooManyValues => {
            let flag = text(ContextKind::InvalidArg).unwrap_or("a flag");
            return usage(e, &format!("{flag} takes no value"));
        }
        _ => return as_rendered(e),
    };
    usage(e, what)
}

/// Whether a word is a flag's name as anybody would choose it.
fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or_default();
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    plain && (1..=24).contains(&name.len()) || name.len() == 1
}

fn usage(e: &clap::Error, what: &str) -> Error {
    let usage = e.get(ContextKind::Usage).map(|usage| format!("{usage}\n")).unwrap_or_default();
    let hint = lines(&format!("{usage}For more information, try '--help'."));
    Error::Usage { what: what.to_owned(), hint }
}

fn as_rendered(e: &clap::Error) -> Error {
    let plain = e.render().to_string();
    let plain = plain.trim_start_matches("error: ");
    let (what, hint) = plain.split_once('\n').unwrap_or((plain, ""));
    // What ends in a colon is a list, up to the first empty line.
    let (what, hint) = match what.strip_suffix(':').and(hint.split_once("\n\n")) {
        Some((listed, hint)) => {
            let listed: Vec<_> = listed.lines().map(str::trim).collect();
            (format!("{what} {}", listed.join(", ")), hint)
        }
        None => (what.to_owned(), hint),
    };
    Error::Usage { what: what.trim().to_owned(), hint: lines(hint) }
}

fn lines(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// What is taken otherwise than it's meant, though it parses: a time that isn't bound to its flag by an equals sign, and a
/// flag that another one takes for its value.
pub(super) fn misread(tree: &clap::Command, arguments: &[OsString]) -> Option<Error> {
    let words: Vec<&str> = arguments
        .iter()
        .skip(1)
        .map(|word| word.to_str().unwrap_or_default())
        .take_while(|word| *word != "--")
        .collect();
    let command = words.iter().fold(tree, |command, word| command.find_subcommand(word).unwrap_or(command));
    let named = |word: &str| {
        let name = word.strip_prefix("--")?.split('=').next()?;
        command.get_arguments().chain(tree.get_arguments()).find(|it| it.get_long() == Some(name))
    };
    words.windows(2).find_map(|pair| {
        let [flag, next] = pair else { return None };
        let argument = named(flag).filter(|_| !flag.contains('='))?;
        if argument.is_require_equals_set() && duration::parse("time", next).is_ok() {
            return Some(Error::Usage {
                what: format!("{flag} needs an equals sign before its time"),
                hint: format!("Write {flag}={next}."),
            });
        }
        (argument.is_allow_hyphen_values_set() && named(next).is_some()).then(|| Error::Usage {
            what: format!("{flag} needs a value, and {} is a flag", next.split('=').next().unwrap_or(next)),
            hint: format!("Add a value for {flag}. If the value looks like a flag, write {flag}=VALUE."),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command};

    fn tree() -> Command {
        let register = Command::new("register")
            .arg(Arg::new("name").long("name").allow_hyphen_values(true))
            .arg(Arg::new("due").long("due").num_args(0..=1).require_equals(true))
            .arg(Arg::new("dry").long("dry-run").num_args(0));
        Command::new("it").arg(Arg::new("json").long("json").num_args(0)).subcommand(register)
    }

    fn told(words: &[&str]) -> String {
        let arguments: Vec<OsString> = std::iter::once(&"it").chain(words).map(Into::into).collect();
        let error = misread(&tree(), &arguments)
            .or_else(|| Some(unparsed(&tree().try_get_matches_from(arguments).err()?)));
        error.map(|e| format!("{e}. {}", e.hint().unwrap_or_default())).unwrap_or_default()
    }

    #[test]
    fn a_word_that_may_be_a_secret_is_never_repeated() {
        for words in [
            &["register", "hunter2"][..],
            &["register", "--hunter2"],
            &["register", "-", "hunter2"],
            &["register", "--dry-run=hunter2"],
            &["register", "--", "--hunter2"],
            &["hunter2"],
            &["https://127.0.0.1/callback?code=hunter2"],
        ] {
            let said = told(words);
            assert!(!said.is_empty() && !said.contains("hunter2"), "{said}");
        }
        for (words, expected) in [
            (&["regster"][..], "regster"),
            (&["register", "--nam"], "--nam"),
            (&["register", "-z"], "-z"),
            (&["register", "--dry-run=x"], "--dry-run takes no value"),
        ] {
            assert!(told(words).contains(expected), "{}", told(words));
        }
    }

    #[test]
    fn what_would_be_taken_for_something_else_is_told() {
        assert_eq!(
            told(&["register", "--due", "30d"]),
            "--due needs an equals sign before its time. Write --due=30d."
        );
        for swallowed in ["--dry-run", "--json", "--due=30d"] {
            assert!(told(&["register", "--name", swallowed]).starts_with("--name needs a value"));
        }
        for fine in [
            &["register", "--name", "-1"][..],
            &["register", "--name", "--x"],
            &["register", "--name=--json"],
        ] {
            assert_eq!(told(fine), "");
        }
    }
}
