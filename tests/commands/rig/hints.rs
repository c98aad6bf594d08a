//! Every command that a run tells a person or a script to run is one that this program takes: no placeholder in it, no argument
//! missing, whatever the license is called.

use biotrack_auth::cli;
use serde_json::Value;

/// What stands for something that a person would have to fill in.
const PLACEHOLDERS: [&str; 5] = ["LICENSE", "SELECTOR", "EMAIL", "UBI", "NAME"];

/// What a run printed: each hint below an error on standard error, each hint and `next_command` in a document.
#[track_caller]
pub fn check(words: &[&str], out: &str, err: &str) {
    let mut below_an_error = false;
    for line in err.lines() {
        let is_hint = below_an_error && line.starts_with("  ");
        below_an_error = is_hint || line.starts_with("error: ");
        if is_hint {
            told(words, line);
        }
    }
    let whole = serde_json::from_str::<Value>(out).map(|document| vec![document]);
    let lines = || out.lines().map(serde_json::from_str).collect();
    let documents: Vec<Value> = whole.or_else(|_| lines()).unwrap_or_default();
    documents.iter().for_each(|document| in_document(words, document));
}

#[track_caller]
fn in_document(words: &[&str], value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| in_document(words, item)),
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("next_command", Value::String(command)) => {
                        let next = shlex::split(command).unwrap_or_default();
                        assert!(parses(&next), "{words:?}: next_command can't be run: {command}");
                    }
                    ("hint" | "fix", Value::String(hint)) => told(words, hint),
                    _ => in_document(words, member),
                }
            }
        }
        _ => {}
    }
}

/// Each command that stands in a sentence: it may have words of the sentence behind it.
#[track_caller]
fn told(words: &[&str], hint: &str) {
    for (at, _) in hint.match_indices("biotrack-auth ") {
        if hint[..at].ends_with("Usage: ") {
            continue;
        }
        let rest = &hint[at..];
        let ends = [". ", "; ", ", ", ": ", ")", "`", "\n"];
        let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        let command = rest[..end].trim_end_matches(['.', ',', ':', ';']);
        // Quotes that the sentence's end has cut leave no command to judge by its words alone.
        let Some(told) = shlex::split(command) else { continue };
        let placeholder = told.iter().find(|word| PLACEHOLDERS.contains(&word.as_str()));
        assert_eq!(placeholder, None, "{words:?}: a hint leaves something to be filled in: {hint}");
        let taken = (2..=told.len()).rev().any(|end| parses(&told[..end]));
        assert!(taken, "{words:?}: a hint names what can't be run: {command}");
    }
}

fn parses(command: &[String]) -> bool {
    match cli::tree().try_get_matches_from(command) {
        Ok(_) => true,
        // Help that is asked for is as good as any.
        Err(e) => e.kind() == clap::error::ErrorKind::DisplayHelp,
    }
}
