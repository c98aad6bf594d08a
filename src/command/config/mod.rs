//! `config`: make, show and check the configuration, and put client secrets where they belong.

pub mod check;
mod globals;
pub mod init;
pub mod ledger;
mod offer;
pub mod recipients;
mod retry;
pub mod set;
pub mod set_secret;
pub mod show;
#[cfg(test)]
mod tests;
pub mod vault;
pub mod vault_chooser;
mod vaults;

pub use globals::Globals;
pub use vault_chooser::{VaultChoice, VaultChooser};
pub use vaults::Vaults;

use crate::error::{Result, clean};
use crate::report::SCHEMA;
use crate::system::Env;
use globals::answer_json;
use serde::Serialize;

/// What to do with the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a profile, and the file if there is none
    ///
    /// Asks for what is missing at a terminal. The profile is named by --profile, or like its preset. The client secret
    /// goes into the vault: it is never an argument, a variable or a line of the file. No OAuth client ever asks for the
    /// admin's BioTrack password; it is typed on BioTrack's own page and nowhere else.
    #[command(after_help = "\
Examples:
  biotrack-auth config init
  biotrack-auth config init --preset ny --url https://HOST --token-url https://HOST/TOKEN --vault sealed \\\n    --company \"Treez Inc\" --application Treez --client-id ID --client-secret-stdin < secret")]
    Init(init::Args),
    /// Show every setting that holds
    #[command(after_help = "\
Examples:
  biotrack-auth config show --origin")]
    Show(show::Args),
    /// Change one setting of the configuration file
    ///
    /// Comments and the order of the file stay. A key that there isn't is refused with the one that was probably meant, and so is a
    /// value that `config check` would complain about: nothing is written then. Vault, ledger and recipients have commands of
    /// their own, which move what hangs on them.
    #[command(after_help = "\
Examples:
  biotrack-auth config set profiles.ny.due_window 21d
  biotrack-auth config set due_window 21d --profile ny
  biotrack-auth config set hooks.days 30,14,7,3,1
  biotrack-auth config set hooks.due 'notify-send BioTrack'")]
    Set(set::Args),
    /// Print where the configuration file is
    #[command(after_help = "\
Examples:
  ls -l \"$(biotrack-auth config path)\"")]
    Path,
    /// Check the file and every profile in it
    #[command(after_help = "\
Examples:
  biotrack-auth config check && biotrack-auth status")]
    Check,
    /// Put a profile's client secret into the vault
    ///
    /// Asks for it at a terminal, without showing it; else reads it from standard input. It is never an argument, a
    /// variable or a line of the file. An admin's BioTrack password isn't wanted here or anywhere in this program.
    #[command(after_help = "\
Examples:
  biotrack-auth config set-secret --profile ny < secret")]
    SetSecret,
    /// Move every secret to the other vault: tokens, client secrets, and what waiting hand-offs need
    ///
    /// New places are made first, one commit of the ledger names them all, the configuration follows, and only then the old
    /// places are forgotten. Cut short anywhere, the same command goes on. While a consent is under way it's refused.
    ///
    /// Run again, it seals secrets of older versions anew. Secrets that were sealed for another issuer or client than the
    /// profile's, or not by this host, are taken over after a question.
    #[command(after_help = "\
Examples:
  biotrack-auth config vault sealed
  biotrack-auth config vault keyring
  biotrack-auth config vault sealed --yes                  # after the profile was moved to another issuer")]
    Vault(vault::Args),
    /// Who may read the sealed token sets: age recipients, one a host
    ///
    /// Adding or removing one seals every token set anew, in one commit. Client secrets and open questions stay sealed to
    /// this host alone.
    #[command(
        subcommand,
        after_help = "\
Examples:
  biotrack-auth config recipients list
  biotrack-auth config recipients add age1…
  biotrack-auth config recipients remove age1…"
    )]
    Recipients(recipients::Action),
    /// Where the ledger is: the file of this host, or a PostgreSQL server that several hosts share
    ///
    /// Records, sealed secrets, journal and history are copied in one transaction while nobody can write, and compared. Only
    /// then the old ledger is marked as moved, and the configuration follows. Cut short anywhere, the same command goes on.
    /// The address never has a password in it: that is in ~/.pgpass, in a service file, or not needed because of a client
    /// certificate. Other hosts name the new place in their own configuration.
    #[command(
        subcommand,
        after_help = "\
Examples:
  biotrack-auth config ledger move postgres://ann@db.example/ledger
  biotrack-auth config ledger move sqlite"
    )]
    Ledger(ledger::Action),
}

/// Runs it; the value is the exit code.
pub fn run(args: &Args, globals: Globals, env: &Env, keeper: &mut dyn VaultChooser) -> Result<u8> {
    match &args.action {
        Action::Init(args) => init::run(args, globals, env, keeper),
        Action::Show(args) => show::run(args, globals, env),
        Action::Set(args) => set::run(args, globals, env),
        Action::Path => path(globals, env),
        Action::Check => check::run(globals, env),
        Action::SetSecret => set_secret::run(globals, env, keeper),
        Action::Vault(args) => vault::run(args, globals, env),
        Action::Ledger(action) => ledger::run(action, globals, env),
        Action::Recipients(action) => recipients::run(action, globals, env),
    }
}

/// Where the configuration file is.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PathAnswer {
    schema: u8,
    path: String,
}

fn path(globals: Globals, env: &Env) -> Result<u8> {
    let path = clean(&env.paths.config.display().to_string());
    if globals.json {
        answer_json(env, &PathAnswer { schema: SCHEMA, path })?;
    } else {
        env.terminal.answer(&format!("{path}\n"))?;
    }
    Ok(0)
}
