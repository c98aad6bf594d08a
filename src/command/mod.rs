//! The commands: a file each; its arguments' docs are its help.

pub mod completions;
pub mod config;
mod consent;
mod deactivate;
mod man;
mod online;
mod register;
mod renew;
mod sandbox;
mod status;

use crate::config::Config;
use crate::custody::Custody;
use crate::edge::Env;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::model::outcome::{Outcome, exit_of};
use crate::model::provider::Provider;
use crate::model::vault_kind::VaultKind;
use crate::report::{Row, View, card, results};
use crate::vault::Vault;
use clap::Subcommand;
use jiff::Timestamp;
use std::sync::Arc;

/// What every command is called with.
pub struct Call<'a> {
    /// The machine.
    pub env: &'a Env,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--json`.
    pub json: bool,
    /// `--quiet`.
    pub quiet: bool,
    /// `--config` was given; its path is in `env.paths` already.
    pub config_given: bool,
    /// The whole command line's definition, for the pages made from it.
    pub tree: fn() -> clap::Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "docs here would take the place of the arguments' own, which are the help")]
pub enum Command {
    Register(register::Args),
    Renew(renew::Args),
    Deactivate(deactivate::Args),
    Status(status::Args),
    /// Make, show and check the configuration
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

/// Runs a command; the exit code of one that ran.
pub fn run(command: Command, call: &Call<'_>) -> Result<u8> {
    match command {
        Command::Register(args) => register::run(args, call),
        Command::Renew(args) => renew::run(args, call),
        Command::Deactivate(args) => deactivate::run(args, call),
        Command::Status(args) => status::run(args, call),
        Command::Config(args) => {
            let globals = config::Globals {
                profile: call.profile.as_deref(),
                config_given: call.config_given,
                json: call.json,
            };
            config::run(&args, globals, call.env, &mut config::Vaults { env: call.env })
        }
        Command::Sandbox(args) => sandbox::run(args, call),
        Command::Completions(args) => completions::run(&args, call),
        Command::Man(args) => man::run(&args, call),
    }
}

impl<'a> Call<'a> {
    /// The configuration with the profile that this call acts on.
    fn provider(&self) -> Result<(Config, Arc<Provider>)> {
        let config = Config::load(&self.env.paths)?;
        let (name, _) = config.profile_name(self.profile.as_deref(), &self.env.variables)?;
        let provider = config.provider(&name)?;
        Ok((config, Arc::new(provider)))
    }

    /// The vault that the configuration names; nothing is touched yet.
    fn vault(&self, config: &Config) -> Vault {
        match config.vault_kind() {
            VaultKind::Keyring => Vault::keyring(),
            VaultKind::Sealed => Vault::sealed(&self.env.paths.identity, config.recipients.clone()),
        }
    }

    /// Vault and ledger of this call's profile, ready to change something.
    fn custody(&self) -> Result<(Arc<Provider>, Custody<'a>)> {
        let (config, provider) = self.provider()?;
        let ledger = Ledger::open(self.env)?;
        let custody = Custody::new(self.env, provider.clone(), self.vault(&config), ledger);
        Ok((provider, custody))
    }

    /// How the answer is shown.
    fn view(&self, profile: Option<&str>) -> View {
        View {
            now: self.env.clock.now(),
            profile: profile.map(str::to_owned),
            colour: self.env.terminal.colour_out(),
            width: self.env.terminal.width(),
        }
    }

    /// Answers with what became of each licence. An error of the only one is the command's own, told by the caller.
    fn finish(&self, provider: &Provider, outcomes: &[Outcome], said: &str) -> Result<u8> {
        if self.json {
            self.env.terminal.answer(&self.json_text(&results(
                outcomes,
                provider,
                self.env.clock.now(),
            ))?)?;
        } else if !said.is_empty() {
            self.env.terminal.answer(said)?;
        }
        for error in outcomes.iter().filter_map(|outcome| outcome.error.as_ref()) {
            self.env.terminal.complain(error);
        }
        Ok(exit_of(outcomes))
    }

    fn json_text(&self, document: &impl serde::Serialize) -> Result<String> {
        let text = serde_json::to_string_pretty(document)
            .map_err(|e| crate::error::Error::Failed(format!("the answer can't be written as JSON: {e}")))?;
        Ok(text + "\n")
    }

    /// The card of a record, with its last events.
    fn card(&self, ledger: &Ledger, row: &Row<'_>, now: Timestamp) -> Result<String> {
        const SHOWN: u32 = 6;
        let record = &row.standing.record;
        Ok(card(row, &ledger.last_lines(&record.profile, &record.key, SHOWN)?, now))
    }
}
