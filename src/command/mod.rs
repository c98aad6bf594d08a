//! The commands: a file each; its arguments' docs are its help.

mod bulk;
mod complete;
pub mod completions;
pub mod config;
mod consent;
mod deactivate;
mod doctor;
pub mod exec;
pub mod export;
mod file;
mod form;
mod history;
mod hooks;
mod import;
mod listen;
mod man;
mod online;
mod register;
mod remind;
mod renew;
pub mod sandbox;
mod status;
mod token;

use crate::config::Config;
use crate::custody::Custody;
use crate::error::{ConfigError, Error, Kind, Result};
use crate::ledger::Ledger;
use crate::model::authorization::Standing;
use crate::model::ids::Key;
use crate::model::outcome::{Ending, Outcome, exit_of};
use crate::model::provider::Provider;
use crate::model::reminder::Hooks;
use crate::model::server::LedgerPlace;
use crate::model::vault_kind::VaultKind;
use crate::report::{ErrorDocument, Row, View, card, results, unknown};
use crate::system::Env;
use crate::vault::{IdentityFile, Vault};
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
    /// The command line itself, quoted for a shell: what a person runs again.
    pub line: String,
    /// The whole command line's definition, for the pages made from it.
    pub tree: fn() -> clap::Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "docs here would take the place of the arguments' own, which are the help")]
pub enum Command {
    Register(register::Args),
    Renew(renew::Args),
    Complete(complete::Args),
    Listen(listen::Args),
    Deactivate(deactivate::Args),
    Status(status::Args),
    Remind(remind::Args),
    History(history::Args),
    Export(export::Args),
    Import(import::Args),
    Doctor(doctor::Args),
    Token(token::Args),
    Exec(exec::Args),
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
        Command::Complete(args) => complete::run(&args, call),
        Command::Listen(args) => listen::run(&args, call),
        Command::Deactivate(args) => deactivate::run(args, call),
        Command::Status(args) => status::run(args, call),
        Command::Remind(args) => remind::run_command(&args, call),
        Command::History(args) => history::run(&args, call),
        Command::Export(args) => export::run(&args, call),
        Command::Import(args) => import::run(&args, call),
        Command::Doctor(args) => doctor::run(&args, call),
        Command::Token(args) => token::run(args, call),
        Command::Exec(args) => exec::run(args, call),
        Command::Config(args) => {
            config::run(&args, call.globals(), call.env, &mut config::Vaults { env: call.env })
        }
        Command::Sandbox(args) => sandbox::run(args, call),
        Command::Completions(args) => completions::run(&args, call),
        Command::Man(args) => man::run(&args, call),
    }
}

/// A vault of a kind; nothing is touched yet.
fn vault(env: &Env, kind: VaultKind, recipients: &[String]) -> Vault {
    match kind {
        VaultKind::Keyring => Vault::keyring(env.keyring.clone()),
        VaultKind::Sealed => Vault::sealed(identity(env), recipients.to_vec()),
    }
}

/// This host's identity file; a person at the terminal is asked for the passphrase that wraps it.
fn identity(env: &Env) -> IdentityFile {
    IdentityFile::at(&env.paths.identity).handed_over(env.paths.credential).asking(env.terminal.asker())
}

/// What came of writing JSON, as an answer or the program's own error.
fn as_json(written: serde_json::Result<String>) -> Result<String> {
    written.map_err(|e| Error::Internal(format!("the answer can't be written as JSON: {e}")))
}

/// An error as a script gets it, with the code that the process ends with.
pub fn error_as_json(error: &Error, exit: u8) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&ErrorDocument::of(error, exit))
}

/// An error as a monitoring daemon gets it: one line, UNKNOWN.
pub fn error_for_monitoring(error: &Error) -> String {
    unknown(&match error.hint() {
        Some(hint) => format!("{error}. {hint}"),
        None => error.to_string(),
    })
}

/// The ledger that the configuration names, for writing.
fn open_ledger(env: &Env, config: &Config) -> Result<Ledger> {
    Ledger::open(env, &config.ledger_place(&env.variables, &env.who.user)?)
}

/// The same for reading; `None` where there is none yet.
fn read_ledger(env: &Env, config: &Config) -> Result<Option<Ledger>> {
    Ledger::read(env, &config.ledger_place(&env.variables, &env.who.user)?)
}

/// The ledger for writing, for who needs no other setting: here, where there is no configuration.
fn ledger_of(env: &Env) -> Result<Ledger> {
    Ledger::open(env, &ledger_place(env)?)
}

/// The same for reading.
fn ledger_to_read(env: &Env) -> Result<Option<Ledger>> {
    Ledger::read(env, &ledger_place(env)?)
}

fn ledger_place(env: &Env) -> Result<LedgerPlace> {
    match Config::load(&env.paths) {
        Ok(config) => config.ledger_place(&env.variables, &env.who.user),
        Err(Error::Config(ConfigError::Missing { .. })) => Ok(LedgerPlace::File),
        Err(e) => Err(e),
    }
}

impl<'a> Call<'a> {
    /// The configuration with the profile that this call acts on.
    fn provider(&self) -> Result<(Config, Arc<Provider>)> {
        let config = Config::load(&self.env.paths)?;
        let (name, _) = config.profile_name(self.profile.as_deref(), &self.env.variables)?;
        let provider = config.provider(&name)?;
        tracing::info!("profile {name} of {}", self.env.paths.config.display());
        Ok((config, Arc::new(provider)))
    }

    /// The vault that the configuration names; nothing is touched yet.
    fn vault(&self, config: &Config) -> Vault {
        vault(self.env, config.vault, &config.recipients)
    }

    /// Vault and ledger of this call's profile, ready to change something.
    fn bench(&self) -> Result<Bench<'a>> {
        let (config, provider) = self.provider()?;
        self.bench_at(config, provider)
    }

    /// The same for who may be new here: where nothing is configured yet, `config init` is offered.
    fn first_bench(&self) -> Result<Bench<'a>> {
        self.bench().or_else(|nothing| {
            config::offer_init(nothing, self.globals(), self.env, &mut config::Vaults { env: self.env })?;
            self.bench()
        })
    }

    fn globals(&self) -> config::Globals<'_> {
        config::Globals { profile: self.profile.as_deref(), config_given: self.config_given, json: self.json }
    }

    /// The same of a profile by its name.
    fn bench_of(&self, profile: &str) -> Result<Bench<'a>> {
        let config = Config::load(&self.env.paths)?;
        let provider = Arc::new(config.provider(profile)?);
        self.bench_at(config, provider)
    }

    fn bench_at(&self, config: Config, provider: Arc<Provider>) -> Result<Bench<'a>> {
        let mut ledger = open_ledger(self.env, &config)?;
        ledger.want_hooks(config.hooks.commands.keys().copied());
        let mut custody = Custody::new(self.env, provider.clone(), self.vault(&config), ledger);
        for told in custody.finish_exports()? {
            self.env.terminal.insist(&told);
        }
        Ok(Bench { provider, custody, hooks: config.hooks })
    }

    /// How the answer is shown.
    fn view(&self, profile: Option<&str>) -> View {
        View {
            now: self.env.clock.now(),
            profile: profile.map(str::to_owned),
            color: self.env.terminal.color_out(),
            width: self.env.terminal.width(),
        }
    }

    /// Answers with what became of each license.
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

    fn json_line(&self, document: &impl serde::Serialize) -> Result<String> {
        as_json(serde_json::to_string(document)).map(|text| text + "\n")
    }

    fn json_text(&self, document: &impl serde::Serialize) -> Result<String> {
        as_json(serde_json::to_string_pretty(document)).map(|text| text + "\n")
    }

    /// The card of a record, with its last events.
    fn card(&self, ledger: &Ledger, row: &Row<'_>, now: Timestamp) -> Result<String> {
        const SHOWN: u32 = 6;
        let record = &row.standing.record;
        Ok(card(row, &ledger.last_lines(&record.profile, &record.key, SHOWN)?, now))
    }
}

/// What a command that changes something works with.
struct Bench<'a> {
    provider: Arc<Provider>,
    custody: Custody<'a>,
    hooks: Hooks,
}

impl<'a> Bench<'a> {
    /// Works, then clears away what newer grants replaced and runs the hooks of what happened, whether the work
    /// succeeded or not. The answer has been given by then.
    fn work(mut self, call: &Call<'a>, work: impl FnOnce(&mut Self) -> Result<u8>) -> Result<u8> {
        let done = work(&mut self);
        // The answer has been given: what goes wrong from here on doesn't change how the work ended.
        if matches!(self.custody.tidy_needs_provider(), Ok(true))
            && let Ok(exchange) = online::exchange(call, &self.provider, &self.custody)
        {
            self.custody.connect(exchange);
        }
        self.custody.tidy();
        let ran = hooks::after_change(call, &self.hooks, &self.provider, self.custody.ledger_mut());
        // The work's own error is what the operator must hear.
        done.and_then(|code| ran.map(|()| code))
    }
}

impl Bench<'_> {
    /// Answers with what became of one license: its card, where it went well.
    fn finish(&self, call: &Call<'_>, outcome: Outcome) -> Result<u8> {
        let said = match (&outcome.standing, &outcome.error) {
            (Some(standing), None) => {
                let now = call.env.clock.now();
                call.card(self.custody.ledger(), &Row::at(now, standing, &self.provider), now)?
            }
            _ => String::new(),
        };
        call.finish(&self.provider, &[outcome], &said)
    }
}

/// An error about one license becomes its outcome; one about the call itself stays the call's.
fn outcome_or_error(key: &Key, standing: Option<Standing>, error: Error) -> Result<Outcome> {
    match error.kind() {
        Kind::Usage | Kind::Config | Kind::NotFound | Kind::Ambiguous | Kind::NeedsPerson => Err(error),
        _ => Ok(Outcome {
            key: key.clone(),
            ending: Ending::Failed,
            authorize_url: None,
            standing,
            error: Some(error),
        }),
    }
}
