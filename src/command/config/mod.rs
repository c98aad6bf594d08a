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
pub mod vault;
mod vaults;

pub use globals::Globals;

use crate::error::{Result, clean};
use crate::report::DOCUMENT_VERSION;
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
    /// Create a profile, and the configuration file if there is none
    ///
    /// In a terminal, the command asks for missing values. --profile names the profile; otherwise it has the preset's name. The
    /// client secret goes into the vault: it is never an argument, a variable or a line of the file. This program never asks for
    /// the admin's BioTrack password; the admin enters it on BioTrack's own page only.
    #[command(after_help = "\
Examples:
  biotrack-auth config init
  biotrack-auth config init --preset ny --url https://HOST --token-url https://HOST/TOKEN --vault sealed \\\n    --company \"Treez Inc\" --application Treez --client-id ID --client-secret-stdin < secret")]
    Init(init::Args),
    /// Show every setting in effect
    #[command(after_help = "\
Examples:
  biotrack-auth config show --origin")]
    Show(show::Args),
    /// Change one setting of the configuration file
    ///
    /// The file keeps its comments and its order. The command refuses an unknown key and suggests a similar one; it also refuses
    /// a value that `config check` would reject. Vault, ledger and recipients have their own commands, which also move the data.
    #[command(after_help = "\
Examples:
  biotrack-auth config set profiles.ny.due_window 21d
  biotrack-auth config set due_window 21d --profile ny
  biotrack-auth config set hooks.days 30,14,7,3,1
  biotrack-auth config set hooks.due 'notify-send BioTrack'")]
    Set(set::Args),
    /// Print the path of the configuration file
    #[command(after_help = "\
Examples:
  ls -l \"$(biotrack-auth config path)\"")]
    Path,
    /// Check the file and every profile in it
    #[command(after_help = "\
Examples:
  biotrack-auth config check && biotrack-auth status")]
    Check,
    /// Store a profile's client secret in the vault
    ///
    /// The command prompts for the secret in a terminal, without showing it, or reads it from standard input. The secret is
    /// never an argument, a variable or a line of the file. Never enter an admin's BioTrack password here.
    #[command(after_help = "\
Examples:
  biotrack-auth config set-secret --profile ny < secret")]
    SetSecret,
    /// Move every secret to the other vault: tokens, client secrets, and the secrets of open hand-offs
    ///
    /// The command first copies every secret, then switches the ledger in one commit, then changes the configuration, and only
    /// then deletes the old copies. If it is interrupted, run it again to continue. It refuses to run during a consent.
    ///
    /// When run again, it also reseals secrets from older versions. It asks before it takes over secrets that were sealed for
    /// another issuer or client, or by another host.
    #[command(after_help = "\
Examples:
  biotrack-auth config vault sealed
  biotrack-auth config vault keyring
  biotrack-auth config vault sealed --yes                  # after the profile was moved to another issuer")]
    Vault(vault::Args),
    /// Manage who may read the sealed tokens: age recipients, one for each host
    ///
    /// Adding or removing a recipient reseals all tokens in one commit. Client secrets and open links stay sealed to this host
    /// only.
    #[command(
        subcommand,
        after_help = "\
Examples:
  biotrack-auth config recipients list
  biotrack-auth config recipients add age1…
  biotrack-auth config recipients remove age1…"
    )]
    Recipients(recipients::Action),
    /// Move the ledger between this host's file and a PostgreSQL server that several hosts share
    ///
    /// The command copies records, sealed secrets, journal and history in one transaction while nothing else can write, and
    /// compares the copy. Then it marks the old ledger as moved and changes the configuration. If it is interrupted, run it again
    /// to continue. The address never contains a password: keep it in ~/.pgpass (on Windows
    /// %APPDATA%\postgresql\pgpass.conf) or in a service file, or use a client certificate. On every other host, set the new address in the configuration.
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
pub fn run(args: &Args, globals: Globals, env: &Env) -> Result<u8> {
    match &args.action {
        Action::Init(args) => init::run(args, globals, env),
        Action::Show(args) => show::run(args, globals, env),
        Action::Set(args) => set::run(args, globals, env),
        Action::Path => path(globals, env),
        Action::Check => check::run(globals, env),
        Action::SetSecret => set_secret::run(globals, env),
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
        answer_json(env, &PathAnswer { schema: DOCUMENT_VERSION, path })?;
    } else {
        env.terminal.answer(&format!("{path}\n"))?;
    }
    Ok(0)
}
