//! Every command that a run tells a person or a script to run is one that this program takes: no placeholder in it, no argument
//! missing, whatever the license is called. Each is run, there and then, in a copy of the test's world.

use super::transcript::{Captured, moved};
use super::{Person, Rig};
use biotrack_auth::cli;
use biotrack_auth::config::Config;
use biotrack_auth::error::{ConfigError, Error};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// What stands for something that a person would have to fill in.
const PLACEHOLDERS: [&str; 5] = ["LICENSE", "SELECTOR", "EMAIL", "UBI", "NAME"];

/// What no test can run where it is told, and why.
const NOT_RUN: [(&[&str], &str); 4] = [
    (&["listen"], "serves until it is stopped"),
    (&["sandbox", "serve"], "serves until it is stopped"),
    (&["complete", "-"], "reads what an admin user sends back"),
    (&["config", "set-secret"], "the profile of these tests has a published secret, and takes no other"),
];

impl Rig {
    /// Each command that a run of these words told its reader to run ends with whatever comes of it, but not as a wrong usage
    /// (2), and never with a license that isn't there (9). Whoever runs it answers every question with Ctrl-C.
    #[track_caller]
    pub(super) fn can_run(&self, words: &[&str], told: Vec<Told>) {
        // A copy of the home is no copy of a ledger on a server, or of a provider that really listens.
        if self.is_on_a_server() || *self.real_network.lock().unwrap() {
            return;
        }
        let mut seen = BTreeSet::new();
        for told in told.iter().filter(|told| told.can_be_run()) {
            if !seen.insert(told.form()) {
                continue;
            }
            let ends: Vec<_> =
                told.readings().into_iter().map_while(|command| self.end_of(command).err()).collect();
            assert!(
                ends.len() < told.readings().len(),
                "{words:?}: what is told can't be run: {:?}\n{}",
                told.0,
                ends.concat()
            );
        }
    }

    /// Runs a command in a copy of this world.
    ///
    /// # Errors
    /// It isn't right there; this is what it said.
    fn end_of(&self, command: &[String]) -> Result<(), String> {
        let copy = Self::of(self.world.killed_here());
        let there = |text: &str| moved(text, self.home(), copy.home());
        if let Ok(config) = std::fs::read_to_string(copy.file("config.toml")) {
            copy.write("config.toml", &there(&config));
        }
        match Config::load(&copy.env().paths) {
            Ok(_) => {}
            Err(Error::Config(ConfigError::Missing { .. }))
                if command[1] == "config" && command[2] == "init" => {}
            // Until that is put right, every command names what is wrong with the configuration.
            Err(_) => return Ok(()),
        }
        self.variables.lock().unwrap().iter().for_each(|(name, value)| copy.sets(name, &there(value)));
        copy.is_in(*self.surroundings.lock().unwrap());
        let (out, err, person) = (Captured::default(), Captured::default(), Person::interrupting());
        let mut env = copy.env();
        env.terminal = person.terminal(&out, &err);
        env.signals = person.hand().signals();
        copy.browser.is_beside(person.hand());
        let arguments: Vec<_> = command.iter().map(|word| there(word).into()).collect();
        // Nor does anybody wait for an admin: Ctrl-C again and again until it ends.
        let (running, over) = mpsc::channel::<()>();
        let hand = person.hand();
        let interrupting = std::thread::spawn(move || {
            while over.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                hand.interrupts();
            }
        });
        let code = cli::run(&arguments, env);
        drop(running);
        interrupting.join().unwrap();
        copy.browser.wait();
        match code {
            2 | 9 => Err(format!("{command:?} ended with {code}:\n{}", err.text())),
            _ => Ok(()),
        }
    }
}

/// A command that a run told somebody to run, with the words of the sentence that stand behind it.
pub struct Told(Vec<String>);

impl Told {
    /// What the program takes of it, longest first: words of a sentence look like selectors.
    fn readings(&self) -> Vec<&[String]> {
        let of_a_sentence = |word: &str| word.chars().all(|c| c.is_ascii_lowercase());
        let mut readings = Vec::new();
        for end in (2..=self.0.len()).rev() {
            if parses(&self.0[..end]) {
                readings.push(&self.0[..end]);
            }
            if !of_a_sentence(&self.0[end - 1]) {
                break;
            }
        }
        readings
    }

    /// Words of the sentence may stand behind it.
    fn has_words_behind(&self) -> bool {
        self.readings().last().is_some_and(|shortest| shortest.len() < self.0.len())
    }

    /// The same for all licenses: one of them is enough.
    fn form(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).filter(|word| !word.contains('/')).collect()
    }

    /// A test can run it to its end.
    fn can_be_run(&self) -> bool {
        let has = |words: &[&str]| words.iter().all(|word| self.0.iter().any(|it| it == word));
        !NOT_RUN.iter().any(|(words, _)| has(words))
    }
}

/// What a run printed: each command on standard error, in a hint of a document and in a `next_command`. Each is one that the
/// program takes.
#[track_caller]
pub fn told(words: &[&str], out: &str, err: &str) -> Vec<Told> {
    let mut told = Vec::new();
    // Help has examples, whose licenses are nobody's.
    let said = err.lines().take_while(|line| !line.starts_with("Usage:"));
    said.for_each(|line| in_a_sentence(words, line, &mut told));
    let whole = serde_json::from_str::<Value>(out).map(|document| vec![document]);
    let lines = || out.lines().map(serde_json::from_str).collect();
    let documents: Vec<Value> = whole.or_else(|_| lines()).unwrap_or_default();
    documents.iter().for_each(|document| in_document(words, document, &mut told));
    told
}

#[track_caller]
fn in_document(words: &[&str], value: &Value, told: &mut Vec<Told>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| in_document(words, item, told)),
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("next_command", Value::String(command)) => {
                        let next = split(command).unwrap_or_default();
                        assert!(parses(&next), "{words:?}: next_command can't be run: {command}");
                        told.push(Told(next));
                    }
                    ("hint" | "fix", Value::String(hint)) => in_a_sentence(words, hint, told),
                    _ => in_document(words, member, told),
                }
            }
        }
        _ => {}
    }
}

/// Each command that stands in a sentence: it may have words of the sentence behind it.
#[track_caller]
fn in_a_sentence(words: &[&str], hint: &str, told: &mut Vec<Told>) {
    for (at, _) in hint.match_indices("biotrack-auth ") {
        if hint[..at].ends_with("Usage: ") {
            continue;
        }
        let rest = &hint[at..];
        // A sentence may speak of the program.
        let word = rest.split([' ', '.', ',', ':', ';', '`', ')']).nth(1).unwrap_or_default();
        if !word.starts_with('-') && cli::tree().find_subcommand(word).is_none() {
            continue;
        }
        let ends = [". ", "; ", ", ", ": ", ")", "`", "\n"];
        let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        let command = rest[..end].trim_end_matches(['.', ',', ':', ';']);
        // Quotes that the sentence's end has cut leave no command to judge by its words alone.
        let Some(command) = split(command) else { continue };
        let placeholder = command.iter().find(|word| PLACEHOLDERS.contains(&word.as_str()));
        assert_eq!(placeholder, None, "{words:?}: a hint leaves something to be filled in: {hint}");
        let command = Told(command);
        assert!(!command.readings().is_empty(), "{words:?}: a hint names what can't be run: {hint}");
        let ends_the_hint = end == rest.len() && rest.ends_with('.');
        assert!(
            !ends_the_hint || command.has_words_behind(),
            "{words:?}: a command at the end of a hint is pasted with the full stop behind it: {hint}"
        );
        told.push(command);
    }
}

/// The words of a command that somebody pastes; `None` where a quotation doesn't end.
fn split(command: &str) -> Option<Vec<String>> {
    shlex::split(&if cfg!(windows) { command.replace('\\', "/") } else { command.to_owned() })
}

fn parses(command: &[String]) -> bool {
    match cli::tree().try_get_matches_from(command) {
        Ok(_) => true,
        // Help that is asked for is as good as any.
        Err(e) => e.kind() == clap::error::ErrorKind::DisplayHelp,
    }
}
