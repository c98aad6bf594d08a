//! Reads the configuration's file: defaults, presets and what stands in it become the settings that hold, and everything wrong
//! with it is told by its line.

use super::address::InvalidValue;
use super::configuration::{Config, Profile};
use super::layer::OriginEntry;
use super::profile_validator::ProfileValidator;
use super::provider;
use super::reader::Reader;
use super::settings::{FILE, defaults, preset_layer, profile};
use super::suggest::did_you_mean;
use crate::error::{ConfigError, Error, Result, clean};
use crate::model::vault_kind::VaultKind;
use crate::system::Paths;
use crate::system::files::{FileSensitivity, open_provided};
use std::io::{ErrorKind, Read};
use std::path::Path;

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
        let mut reader = Reader::new(&name, text);
        let document = reader.document();
        let mut problems = reader.problems;
        let mut config = Self { file: file.to_owned(), ..Self::default() };

        let own = defaults(FILE.iter()).merged_under(document.own);
        let mut settling = ProfileValidator::new(&name, folder, 1, &own);
        FILE.iter().for_each(|setting| settling.apply(setting, &mut config));
        // Where there is no profile yet, nothing is kept: `config init` says in which vault it will be.
        let is_settled =
            !document.profiles.is_empty() || own.get("vault").and_then(OriginEntry::line).is_some();
        if config.ledger.is_some() && config.vault == VaultKind::Keyring && is_settled {
            settling.refuse("ledger", on_one_machine());
        }
        problems.append(&mut settling.problems);

        let defaults = defaults(profile());
        let mut names = Vec::new();
        for written in document.profiles {
            names.push(written.name.clone());
            let mut first = ProfileValidator::new(&name, folder, written.line, &written.values);
            let preset = provider::preset(&mut first);
            problems.append(&mut first.problems);
            let Some(preset) = preset else { continue };
            let values = defaults.clone().merged_under(preset_layer(preset)).merged_under(written.values);
            let mut settling = ProfileValidator::new(&name, folder, written.line, &values);
            let provider = provider::settle(&mut settling, &written.name, preset);
            problems.append(&mut settling.problems);
            config.profiles.insert(written.name, Profile { values, provider });
        }
        if let Some(default) = &config.default_profile
            && !names.contains(default)
        {
            let known: Vec<_> = names.iter().map(String::as_str).collect();
            let right = (!known.is_empty()).then(|| did_you_mean(default, &known));
            let problem = format!("there is no profile \"{default}\"");
            let line = own.get("default_profile").and_then(OriginEntry::line).unwrap_or(1);
            problems.push(ConfigError::invalid(name, line, problem, right));
        }
        problems.sort_by_key(|problem| match problem {
            ConfigError::Invalid { line, .. } => *line,
            _ => 0,
        });
        config.outside_profiles = own;
        (config, problems)
    }
}

/// Why a ledger on a server is refused beside a keyring.
fn on_one_machine() -> InvalidValue {
    InvalidValue::new(
        "is on a server and needs the sealed vault, because a keyring works on one machine only",
        "Set vault = \"sealed\". If secrets are in the keyring, first move them with the ledger still here: biotrack-auth config vault sealed",
    )
}

/// The file's text. No secret stands in it, but commands that are run: nobody else may change it.
pub(super) fn read_file(file: &Path) -> Result<String> {
    let shown = || clean(&file.display().to_string());
    let opened = open_provided(file, FileSensitivity::Settings).map_err(|e| match e {
        Error::File { path, reason } => ConfigError::File { path: clean(&path), reason }.into(),
        other => other,
    })?;
    let mut opened = opened.ok_or_else(|| ConfigError::Missing { path: shown() })?;
    let mut text = String::new();
    opened.read_to_string(&mut text).map_err(|e| {
        let reason = match e.kind() {
            ErrorKind::InvalidData => "it isn't UTF-8 text".into(),
            _ => e.to_string(),
        };
        ConfigError::File { path: shown(), reason }
    })?;
    Ok(text)
}
