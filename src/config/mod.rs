//! File, environment and flags become settings and Providers, each value with where it came from.

mod add;
mod address;
mod document;
mod hooks;
mod keys;
mod layer;
pub mod presets;
mod provider;
mod reader;
mod ready;
mod server;
mod settle;
#[cfg(test)]
mod tests;

pub use add::{NewProfile, NewVault, add_profile, change_ledger, change_vault};
pub use layer::{Origin, Setting};
pub use presets::Preset;
pub use ready::{missing, needs_secret, ready};

use crate::edge::{Paths, Variables, files};
use crate::error::clean;
use crate::error::{ConfigError, Result};
use crate::model::provider::Provider;
use crate::model::reminder::Hooks;
use crate::model::server::LedgerPlace;
use crate::model::vault_kind::VaultKind;
use layer::Layer;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::Value;

/// The whole configuration.
#[derive(Debug)]
pub struct Config {
    /// The file it came from.
    pub file: PathBuf,
    /// The vault that the file names.
    pub vault: Option<VaultKind>,
    /// The sealed vault's recipients; the first is this host's own.
    pub recipients: Vec<String>,
    /// What is run on which occasion.
    pub hooks: Hooks,
    /// The address of the ledger's server, where it has one.
    pub ledger: Option<String>,
    document: Vec<Setting>,
    default_profile: Option<(String, Origin)>,
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
        Ok(Self::parse(&paths.config, &read(&paths.config)?))
    }

    /// Reads a text that stands, or will stand, in the file.
    #[doc(hidden)]
    pub fn parse(file: &Path, text: &str) -> (Self, Vec<ConfigError>) {
        let name = clean(&file.display().to_string());
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut reader = reader::Reader::new(&name, text);
        let document = reader.document();
        let mut problems = reader.problems;
        let mut profiles = BTreeMap::new();
        let mut names = Vec::new();
        let defaults = presets::defaults();
        for (profile, line, given) in document.profiles {
            names.push(profile.clone());
            let mut first = settle::Settling::new(&name, line, &given);
            let preset = provider::preset(&mut first);
            problems.append(&mut first.problems);
            let Some(preset) = preset else { continue };
            let values = defaults.clone().under(preset.layer()).under(given);
            let mut settling = settle::Settling::new(&name, line, &values);
            let provider = provider::settle(&mut settling, &profile, preset, folder);
            problems.append(&mut settling.problems);
            profiles.insert(profile, Profile { values, provider });
        }
        if let Some((default, Origin::File { path, line })) = &document.default_profile
            && !names.contains(default)
        {
            let known: Vec<_> = names.iter().map(String::as_str).collect();
            let right = (!known.is_empty()).then(|| keys::did_you_mean(default, &known));
            let problem = format!("there is no profile \"{default}\"");
            problems.push(ConfigError::invalid(path.clone(), *line, problem, right));
        }
        problems.sort_by_key(|problem| match problem {
            ConfigError::Invalid { line, .. } => *line,
            _ => 0,
        });
        let vault = document.vault.as_ref().map(|(kind, _)| *kind);
        let mut settings = Vec::new();
        let (kind, origin) = document.vault.unwrap_or((VaultKind::Keyring, Origin::Default));
        settings.push(Setting { key: "vault".into(), value: Value::String(kind.to_string()), origin });
        let ledger = document.ledger.as_ref().map(|(address, _)| address.clone());
        if let Some((address, origin)) = document.ledger {
            settings.push(Setting { key: "ledger".into(), value: Value::String(address), origin });
        }
        let mut recipients = Vec::new();
        if let Some((given, origin)) = document.recipients {
            let value = Value::Array(given.iter().cloned().map(Value::String).collect());
            settings.push(Setting { key: "sealed.recipients".into(), value, origin });
            recipients = given;
        }
        settings.extend(document.hook_settings);
        let config = Self {
            file: file.to_owned(),
            hooks: document.hooks,
            vault,
            ledger,
            recipients,
            document: settings,
            default_profile: document.default_profile,
            profiles,
        };
        (config, problems)
    }

    /// The vault in use: the keyring, where the file names none.
    pub fn vault_kind(&self) -> VaultKind {
        self.vault.unwrap_or(VaultKind::Keyring)
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
        let mut settings = self.document.clone();
        let mut own: Vec<_> = self.profile(name)?.values.settings().collect();
        own.sort_by_key(|setting| keys::place(&setting.key));
        settings.extend(own);
        Ok(settings)
    }

    /// The profile that a bare command acts on.
    fn bare(&self) -> Option<(String, Origin)> {
        let only = || match self.profiles.len() {
            1 => self.profiles.keys().next().map(|name| (name.clone(), Origin::OnlyOne)),
            _ => None,
        };
        self.default_profile.clone().or_else(only)
    }

    fn profile(&self, name: &str) -> Result<&Profile> {
        let unknown = || ConfigError::NoProfile { name: clean(name), known: self.names() };
        Ok(self.profiles.get(name).ok_or_else(unknown)?)
    }
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
fn read(file: &Path) -> Result<String> {
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
