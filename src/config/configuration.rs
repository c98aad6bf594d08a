//! File, environment and flags become settings and Providers, each value with where it came from.

mod add;
mod address;
mod change;
mod layer;
pub mod presets;
mod provider;
mod read;
mod reader;
mod ready;
#[cfg(test)]
mod reference;
mod server;
#[path = "settings/setting.rs"]
mod settings;
mod settle;
mod suggest;
#[cfg(test)]
mod tests;

pub use add::{NewProfile, add_profile};
pub use change::{NewVault, change_ledger, change_vault};
pub use layer::{Origin, Setting};
pub use presets::Preset;
pub use ready::{missing, needs_secret, ready};

use crate::error::clean;
use crate::error::{ConfigError, Result};
use crate::model::provider::Provider;
use crate::model::reminder::{Hooks, Occasion};
use crate::model::server::LedgerPlace;
use crate::model::vault_kind::VaultKind;
use crate::system::{Paths, Variables, files};
use layer::{Entry, Layer};
use settings::{FILE, Scope};
use settle::Settling;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The whole configuration.
#[derive(Debug, Default)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// The vault in use.
    pub vault: VaultKind,
    /// The sealed vault's recipients; the first is this host's own.
    pub recipients: Vec<String>,
    /// What is run on which occasion.
    pub hooks: Hooks,
    /// The address of the ledger's server, where it has one.
    pub ledger: Option<String>,
    default_profile: Option<String>,
    /// What stands outside the profiles, over the defaults.
    own: Layer,
    profiles: BTreeMap<String, Profile>,
}

#[derive(Debug)]
struct Profile {
    values: Layer,
    provider: Provider,
}

impl Config {
    /// Reads the file; the first thing wrong with it is the error.
    pub fn load(paths: &Paths) -> Result<Self> {
        let (config, problems) = Self::examine(paths)?;
        problems.into_iter().next().map_or(Ok(config), |problem| Err(problem.into()))
    }

    /// Reads the file and everything that is wrong with it, in the order of its lines.
    pub fn examine(paths: &Paths) -> Result<(Self, Vec<ConfigError>)> {
        Ok(Self::parse(&paths.config, &read_file(&paths.config)?))
    }

    /// Reads a text that stands, or will stand, in the file.
    #[doc(hidden)]
    pub fn parse(file: &Path, text: &str) -> (Self, Vec<ConfigError>) {
        let name = clean(&file.display().to_string());
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut reader = reader::Reader::new(&name, text);
        let document = reader.document();
        let mut problems = reader.problems;
        let mut config = Self { file: file.to_owned(), ..Self::default() };

        let own = settings::defaults(FILE.iter()).under(document.own);
        let mut settling = Settling::new(&name, folder, 1, &own);
        FILE.iter().for_each(|setting| settling.settle(setting, &mut config));
        if config.ledger.is_some() && config.vault == VaultKind::Keyring {
            settling.refuse("ledger", on_one_machine());
        }
        problems.append(&mut settling.problems);

        let defaults = settings::defaults(settings::profile());
        let mut names = Vec::new();
        for written in document.profiles {
            names.push(written.name.clone());
            let mut first = Settling::new(&name, folder, written.line, &written.values);
            let preset = provider::preset(&mut first);
            problems.append(&mut first.problems);
            let Some(preset) = preset else { continue };
            let values = defaults.clone().under(settings::preset_layer(preset)).under(written.values);
            let mut settling = Settling::new(&name, folder, written.line, &values);
            let provider = provider::settle(&mut settling, &written.name, preset);
            problems.append(&mut settling.problems);
            config.profiles.insert(written.name, Profile { values, provider });
        }
        if let Some(default) = &config.default_profile
            && !names.contains(default)
        {
            let known: Vec<_> = names.iter().map(String::as_str).collect();
            let right = (!known.is_empty()).then(|| suggest::did_you_mean(default, &known));
            let problem = format!("there is no profile \"{default}\"");
            let line = own.get("default_profile").and_then(Entry::line).unwrap_or(1);
            problems.push(ConfigError::invalid(name, line, problem, right));
        }
        problems.sort_by_key(|problem| match problem {
            ConfigError::Invalid { line, .. } => *line,
            _ => 0,
        });
        config.own = own;
        (config, problems)
    }

    /// Whether the file itself says which vault it is.
    pub fn names_vault(&self) -> bool {
        self.own.get("vault").is_some_and(|vault| vault.line().is_some())
    }

    fn set_hook(&mut self, occasion: Occasion, words: Vec<String>) {
        self.hooks.commands.insert(occasion, words);
    }

    /// Where the ledger is; its password comes out of the files that the address and the variables name, and `user` is
    /// who connects where neither says.
    pub fn ledger_place(&self, variables: &Variables, user: &str) -> Result<LedgerPlace> {
        match &self.ledger {
            None => Ok(LedgerPlace::File),
            Some(address) => server_at(address, variables, user),
        }
    }

    /// The profiles' names.
    pub fn names(&self) -> Vec<String> {
        self.profiles.keys().cloned().collect()
    }

    /// The profile that a command acts on, and who chose it: flag, variable, the file's default, or there is only one.
    pub fn profile_name(&self, flag: Option<&str>, variables: &Variables) -> Result<(String, Origin)> {
        const VARIABLE: &str = "BIOTRACK_AUTH_PROFILE";
        let chosen = flag
            .map(|name| (name.to_owned(), Origin::Flag("--profile")))
            .or_else(|| Some((variables.get(VARIABLE)?.to_owned(), Origin::Environment(VARIABLE))))
            .or_else(|| self.bare());
        match chosen {
            Some((name, origin)) => {
                self.profile(&name)?;
                Ok((name, origin))
            }
            None if self.profiles.is_empty() => {
                Err(ConfigError::NoProfile { name: "default".into(), known: Vec::new() }.into())
            }
            None => Err(ConfigError::WhichProfile { known: self.names() }.into()),
        }
    }

    /// A profile's Provider; what is still open in it, `ready` says.
    pub fn provider(&self, name: &str) -> Result<Provider> {
        let mut provider = self.profile(name)?.provider.clone();
        // A variable may choose it here and be unset where a suggested command is run.
        provider.other_profile = self.bare().is_none_or(|(bare, _)| bare != name);
        Ok(provider)
    }

    /// Every setting that holds in a profile, and who gave it.
    pub fn settings(&self, name: &str) -> Result<Vec<Setting>> {
        let in_order = |scope: Scope, values: &Layer| {
            let mut settings: Vec<_> = values.settings().collect();
            settings.sort_by_key(|setting| scope.find(&setting.key));
            settings
        };
        let profile = self.profile(name)?;
        Ok([in_order(Scope::File, &self.own), in_order(Scope::Profile, &profile.values)].concat())
    }

    /// The profile that a bare command acts on.
    fn bare(&self) -> Option<(String, Origin)> {
        let only = || match self.profiles.len() {
            1 => self.profiles.keys().next().map(|name| (name.clone(), Origin::OnlyOne)),
            _ => None,
        };
        let default = || {
            let origin = self.own.get("default_profile")?.origin.clone();
            Some((self.default_profile.clone()?, origin))
        };
        default().or_else(only)
    }

    fn profile(&self, name: &str) -> Result<&Profile> {
        let unknown = || ConfigError::NoProfile { name: clean(name), known: self.names() };
        Ok(self.profiles.get(name).ok_or_else(unknown)?)
    }
}

/// Why a ledger on a server is refused beside a keyring.
fn on_one_machine() -> address::Wrong {
    address::Wrong::new(
        "is on a server, and needs the sealed vault: a keyring is on one machine alone",
        "Write vault = \"sealed\"; secrets that are in the keyring move by biotrack-auth config vault sealed, with the ledger still here.",
    )
}

/// A ledger's server by its address.
pub fn server_at(address: &str, variables: &Variables, user: &str) -> Result<LedgerPlace> {
    let written = server::check(address).map_err(|wrong| ConfigError::Ledger {
        reason: format!("the ledger's address {}", wrong.problem),
        hint: wrong.right.unwrap_or_default(),
    })?;
    Ok(LedgerPlace::Server(Box::new(written.server(address, variables, user)?)))
}

/// The file's text, where the file is private to its owner.
fn read_file(file: &Path) -> Result<String> {
    let fault = |reason: String| ConfigError::File { path: clean(&file.display().to_string()), reason };
    files::check_private_file(file).map_err(|e| match e {
        crate::error::Error::File { reason, .. } => fault(reason).into(),
        other => other,
    })?;
    fs::read_to_string(file).map_err(|e| match e.kind() {
        ErrorKind::NotFound => ConfigError::Missing { path: clean(&file.display().to_string()) }.into(),
        ErrorKind::InvalidData => fault("it isn't UTF-8 text".into()).into(),
        _ => fault(e.to_string()).into(),
    })
}
