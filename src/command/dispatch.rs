//! Which command runs.

use super::context::Invocation;
use super::{
    complete, completions, config, deactivate, doctor, edit, exec, export, history, import, listen, man,
    register, remind, remove, renew, sandbox, status, token,
};
use crate::error::{Error, Result};
use clap::{FromArgMatches, Subcommand};

/// What to do.
#[derive(Debug, Subcommand)]
// No documentation on the variants: it would take the place of the arguments' own, which is the help.
pub enum Command {
    Register(register::Args),
    Renew(renew::Args),
    Complete(complete::Args),
    Listen(listen::Args),
    Deactivate(deactivate::Args),
    Edit(edit::Args),
    Remove(remove::Args),
    Status(status::Args),
    Remind(remind::Args),
    History(history::Args),
    Export(export::Args),
    Import(import::Args),
    Doctor(doctor::Args),
    Token(token::Args),
    Exec(exec::Args),
    /// Create, show, change and check the configuration
    #[command(after_help = "\
Examples:
  biotrack-auth config init
  biotrack-auth config show --origin")]
    Config(config::Args),
    /// Run a stand-in BioTrack on this machine: for training, demos and tests
    #[command(
        subcommand,
        after_help = "\
Examples:
  biotrack-auth sandbox demo
  biotrack-auth sandbox serve --port 8990"
    )]
    Sandbox(sandbox::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs a command; the exit code of one that ran, or of the command that `exec` ran beside this process.
pub fn run(command: Command, call: &Invocation<'_>) -> Result<u32> {
    let own = match command {
        Command::Exec(args) => return exec::run(args, call),
        Command::Register(args) => register::run(args, call),
        Command::Renew(args) => renew::run(args, call),
        Command::Complete(args) => complete::run(&args, call),
        Command::Listen(args) => listen::run(&args, call),
        Command::Deactivate(args) => deactivate::run(args, call),
        Command::Edit(args) => edit::run(args, call),
        Command::Remove(args) => remove::run(&args, call),
        Command::Status(args) => status::run(args, call),
        Command::Remind(args) => remind::run_command(&args, call),
        Command::History(args) => history::run(&args, call),
        Command::Export(args) => export::run(args, call),
        Command::Import(args) => import::run(&args, call),
        Command::Doctor(args) => doctor::run(&args, call),
        Command::Token(args) => token::run(args, call),
        Command::Config(args) => config::run(&args, call.globals(), call.env),
        Command::Sandbox(args) => sandbox::run(args, call, run_words),
        Command::Completions(args) => completions::run(&args, call),
        Command::Man(args) => man::run(&args, call),
    };
    own.map(u32::from)
}

/// Parses the words of a command line without global flags, and runs its command.
fn run_words(words: &[&str], call: &Invocation<'_>) -> Result<u8> {
    let tree = Command::augment_subcommands(clap::Command::new("biotrack-auth").no_binary_name(true));
    let unparsed = |e: clap::Error| Error::Internal(e.to_string());
    let matches = tree.try_get_matches_from(words).map_err(unparsed)?;
    let code = run(Command::from_arg_matches(&matches).map_err(unparsed)?, call)?;
    Ok(u8::try_from(code).unwrap_or(u8::MAX))
}
