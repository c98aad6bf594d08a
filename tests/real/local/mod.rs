//! What others on the machine, or a careless start of the program, bring about: S28 to S31, S33, S34, S52.

mod arguments;
mod blobs;
mod memory;
mod names;
mod outputs;
mod places;
mod spoken;
mod streams;

use crate::support::Rig;
use biotrack_auth::cli;

/// All cases, not only CI's cut of them.
fn all() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    std::env::var_os("BIOTRACK_TEST_ALL").is_some()
}

/// A rig with a grant of each of these licenses.
fn granted(licenses: &[&str]) -> Rig {
    let rig = Rig::new();
    licenses.iter().for_each(|license| drop(rig.register(license).exits(0)));
    rig
}

/// Every command that does something, by its words.
fn commands() -> Vec<String> {
    fn below(command: &clap::Command, words: &str, found: &mut Vec<String>) {
        if !command.has_subcommands() || !command.is_subcommand_required_set() && !words.is_empty() {
            found.push(words.to_owned());
        }
        for next in command.get_subcommands().filter(|next| next.get_name() != "help") {
            below(next, format!("{words} {}", next.get_name()).trim(), found);
        }
    }
    let mut found = Vec::new();
    below(&cli::tree(), "", &mut found);
    found
}
