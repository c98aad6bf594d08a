//! What a command works with: its call, and the vault and ledger of a profile.

use crate::config::Config;
use crate::custody::Custody;
use crate::error::{ConfigError, Error, LedgerError, Result, clean, shell};
use crate::ledger::Ledger;
use crate::model::provider::Provider;
use crate::model::reminder::Hooks;
use crate::model::server::LedgerPlace;
use crate::model::vault_kind::VaultKind;
use crate::system::Env;
use crate::vault::{IdentityFile, Vault};
use std::sync::Arc;

/// What every command is called with.
pub struct Invocation<'a> {
    pub env: &'a Env,
    pub profile: Option<String>,
    pub json: bool,
    pub quiet: bool,
    /// `--config` was given; its path is in `env.paths` already.
    pub config_given: bool,
    /// The words of the command line itself, the program's name first: what a person runs again.
    pub words: Vec<String>,
    /// The whole command line's definition, for the pages made from it.
    pub tree: fn() -> clap::Command,
}

/// What a command that changes something works with.
pub(super) struct Workspace<'a> {
    pub(super) provider: Arc<Provider>,
    pub(super) custody: Custody<'a>,
    pub(super) hooks: Hooks,
}

impl<'a> Invocation<'a> {
    /// The command line, quoted for a shell.
    pub(super) fn line(&self) -> String {
        shell(self.words.iter().map(String::as_str))
    }

    /// The same as a person at a terminal runs it: there it may ask.
    pub(super) fn line_at_a_terminal(&self) -> String {
        shell(self.words.iter().map(String::as_str).filter(|word| *word != "--no-input"))
    }

    /// The configuration with the profile that this call acts on.
    pub(super) fn provider(&self) -> Result<(Config, Arc<Provider>)> {
        let config = Config::load(&self.env.paths)?;
        let (name, _) = config.profile_name(self.profile.as_deref(), &self.env.variables)?;
        let provider = config.provider(&name)?;
        tracing::info!(target: "biotrack_auth::command", "profile {name} of {}", self.env.paths.config.display());
        Ok((config, Arc::new(provider)))
    }

    /// The vault that the configuration names; nothing is touched yet.
    pub(super) fn vault(&self, config: &Config) -> Vault {
        vault(self.env, config.vault, &config.recipients)
    }

    /// Vault and ledger of this call's profile, ready to change something.
    pub(super) fn workspace(&self) -> Result<Workspace<'a>> {
        let (config, provider) = self.provider()?;
        self.workspace_at(config, provider)
    }

    pub(super) fn workspace_of(&self, profile: &str) -> Result<Workspace<'a>> {
        let config = Config::load(&self.env.paths)?;
        let provider = Arc::new(config.provider(profile)?);
        self.workspace_at(config, provider)
    }

    /// The same for whoever brings the first record: a ledger is made where there is none.
    pub(super) fn workspace_or_make(&self) -> Result<Workspace<'a>> {
        let (config, provider) = self.provider()?;
        let place = config.ledger_place(&self.env.variables, &self.env.who.user)?;
        match Ledger::open(self.env, &place) {
            Err(Error::Ledger(LedgerError::Missing { place: missing, .. })) => {
                drop(Ledger::open_or_make(self.env, &place)?);
                // It was made by `config init`: one that is missing now may be elsewhere.
                let made = format!("Note: there was no ledger at {}. A new one was made.", clean(&missing));
                self.env.terminal.print_always(&made);
            }
            Ok(there) => return self.workspace_over(config, provider, there),
            Err(e) => return Err(e),
        }
        self.workspace_at(config, provider)
    }

    /// The same for a dry run, over a ledger that nothing can be written to; `None` where there is none.
    pub(super) fn reading_bench(&self, config: &Config) -> Result<Option<Workspace<'a>>> {
        let (_, provider) = self.provider()?;
        let Some(ledger) = find_ledger(self, config)? else { return Ok(None) };
        let custody = Custody::new(self.env, provider.clone(), self.vault(config), ledger)
            .with_registrations(config.registrations());
        Ok(Some(Workspace { provider, custody, hooks: config.hooks.clone() }))
    }

    fn workspace_at(&self, config: Config, provider: Arc<Provider>) -> Result<Workspace<'a>> {
        let ledger = open_ledger(self.env, &config)?;
        self.workspace_over(config, provider, ledger)
    }

    fn workspace_over(
        &self,
        config: Config,
        provider: Arc<Provider>,
        mut ledger: Ledger,
    ) -> Result<Workspace<'a>> {
        ledger.want_hooks(config.hooks.commands.keys().copied());
        let mut custody = Custody::new(self.env, provider.clone(), self.vault(&config), ledger)
            .with_registrations(config.registrations());
        for told in custody.finish_exports()? {
            self.env.terminal.print_always(&told);
        }
        Ok(Workspace { provider, custody, hooks: config.hooks })
    }
}

/// A vault of a kind; nothing is touched yet.
pub(super) fn vault(env: &Env, kind: VaultKind, recipients: &[String]) -> Vault {
    match kind {
        VaultKind::Keyring => {
            if env.terminal.interactive() {
                env.keyring.waits_for_a_person(env.terminal.line_printer());
            }
            Vault::keyring(env.keyring.clone())
        }
        VaultKind::Sealed => Vault::sealed(identity(env), recipients.to_vec()),
    }
}

/// This host's identity file; a person at the terminal is asked for the passphrase that wraps it.
pub(super) fn identity(env: &Env) -> IdentityFile {
    IdentityFile::at(&env.paths.identity).from_systemd(env.paths.credential).asking(env.terminal.asker())
}

/// The ledger that the configuration names, for writing.
pub(super) fn open_ledger(env: &Env, config: &Config) -> Result<Ledger> {
    Ledger::open(env, &config.ledger_place(&env.variables, &env.who.user)?)
}

pub(super) fn read_ledger(env: &Env, config: &Config) -> Result<Ledger> {
    read_at(env, &config.ledger_place(&env.variables, &env.who.user)?)
}

/// The same for a dry run of what would make it: `None` where there is none, and that is told.
pub(super) fn find_ledger(call: &Invocation<'_>, config: &Config) -> Result<Option<Ledger>> {
    match read_ledger(call.env, config) {
        Err(Error::Ledger(missing @ LedgerError::Missing { .. })) => {
            call.env.terminal.print_always(&format!("Note: {missing}. A new one would be made."));
            Ok(None)
        }
        read => read.map(Some),
    }
}

fn read_at(env: &Env, place: &LedgerPlace) -> Result<Ledger> {
    Ledger::read(env, place)?.ok_or_else(|| missing(env, place))
}

pub(super) fn missing(env: &Env, place: &LedgerPlace) -> Error {
    let (place, on_a_server) = match place {
        LedgerPlace::File => (env.paths.ledger().display().to_string(), false),
        LedgerPlace::Server(server) => (server.address.clone(), true),
    };
    LedgerError::Missing { place, on_a_server }.into()
}

/// The ledger for writing, for who needs no other setting: here, where there is no configuration.
pub(super) fn ledger_of(env: &Env) -> Result<Ledger> {
    Ledger::open(env, &ledger_place(env)?)
}

pub(super) fn ledger_to_read(env: &Env) -> Result<Ledger> {
    read_at(env, &ledger_place(env)?)
}

/// Makes the ledger where there is none yet. One that has moved away, or comes here, is there.
pub(super) fn make_ledger(env: &Env) -> Result<()> {
    let place = ledger_place(env)?;
    match Ledger::read(env, &place) {
        Ok(Some(_)) | Err(Error::Ledger(LedgerError::Moved { .. } | LedgerError::Arriving { .. })) => Ok(()),
        Ok(None) => Ledger::open_or_make(env, &place).map(drop),
        Err(e) => Err(e),
    }
}

/// Where the ledger is: by the configuration, or here, where there is none.
pub fn ledger_place(env: &Env) -> Result<LedgerPlace> {
    match Config::load(&env.paths) {
        Ok(config) => config.ledger_place(&env.variables, &env.who.user),
        Err(Error::Config(ConfigError::Missing { .. })) => Ok(LedgerPlace::File),
        Err(e) => Err(e),
    }
}

/// This call's profile, and its ledger for reading: a dry run can write nothing then.
pub(super) fn reading(call: &Invocation<'_>) -> Result<(Arc<Provider>, Ledger)> {
    let (config, provider) = call.provider()?;
    Ok((provider, read_ledger(call.env, &config)?))
}
