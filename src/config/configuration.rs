//! The configuration as it was read: the file's own settings, its profiles, and which of them a command acts on.

use super::layer::{Layer, Origin};
use super::server;
use crate::error::{ConfigError, Result, clean};
use crate::model::provider::Provider;
use crate::model::reminder::{HookEventKind, Hooks};
use crate::model::seal::ClientRegistration;
use crate::model::server::LedgerPlace;
use crate::model::vault_kind::VaultKind;
use crate::system::Variables;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole configuration.
#[derive(Debug, Default)]
pub struct Config {
    pub file: PathBuf,
    pub vault: VaultKind,
    /// The sealed vault's recipients; the first is this host's own.
    pub recipients: Vec<String>,
    pub hooks: Hooks,
    /// The address of the ledger's server, where it has one.
    pub ledger: Option<String>,
    pub(super) default_profile: Option<String>,
    /// What stands outside the profiles, over the defaults.
    pub(super) outside_profiles: Layer,
    pub(super) profiles: BTreeMap<String, Profile>,
}

/// A profile: its values, over the preset's and the defaults, and what they make of a provider.
#[derive(Debug)]
pub(super) struct Profile {
    pub values: Layer,
    pub provider: Provider,
}

impl Config {
    /// Whether the file itself says which vault it is.
    pub fn names_vault(&self) -> bool {
        self.outside_profiles.get("vault").is_some_and(|vault| vault.line().is_some())
    }

    pub(super) fn set_hook(&mut self, occasion: HookEventKind, words: Vec<String>) {
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

    /// Which client of which provider each profile's secrets belong to.
    pub fn registrations(&self) -> BTreeMap<String, ClientRegistration> {
        self.profiles.iter().map(|(name, profile)| (name.clone(), (&profile.provider).into())).collect()
    }

    /// The profile that a bare command acts on.
    fn bare(&self) -> Option<(String, Origin)> {
        let only = || match self.profiles.len() {
            1 => self.profiles.keys().next().map(|name| (name.clone(), Origin::OnlyOne)),
            _ => None,
        };
        let default = || {
            let origin = self.outside_profiles.get("default_profile")?.origin.clone();
            Some((self.default_profile.clone()?, origin))
        };
        default().or_else(only)
    }

    pub(super) fn profile(&self, name: &str) -> Result<&Profile> {
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
