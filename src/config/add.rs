//! Writes a new profile: into a fresh file with its explanations, or behind what a file has already.

use super::document::check_name;
use super::presets::DEFAULTS;
use super::{Config, Preset, read};
use crate::edge::{Paths, files};
use crate::error::{ConfigError, Error, Result};
use crate::model::provider::Provider;
use crate::model::vault_kind::VaultKind;
use std::fmt::Write;
use std::path::Path;
use toml::Value;

/// A profile to be made; what is `None` stays with the preset, or open.
#[derive(Debug, Clone)]
pub struct NewProfile {
    /// Its name.
    pub name: String,
    /// What it starts from.
    pub preset: Preset,
    /// The base address.
    pub url: Option<String>,
    /// The issuer.
    pub issuer: Option<String>,
    /// The token address.
    pub token_url: Option<String>,
    /// The client id.
    pub client_id: Option<String>,
    /// The integrator's company.
    pub company: Option<String>,
    /// The integrator's application.
    pub application: Option<String>,
}

/// The vault to be named in a file that names none.
#[derive(Debug, Clone)]
pub struct NewVault {
    /// Which.
    pub kind: VaultKind,
    /// The sealed vault's recipients; the first is this host's own.
    pub recipients: Vec<String>,
}

impl NewProfile {
    /// The Provider it will make; refuses what a file would be refused for, before anything is written or kept.
    pub fn check(&self) -> Result<Provider> {
        check_name(&self.name).map_err(|problem| Error::BadValue { name: "profile's name", problem })?;
        let (config, problems) = Config::parse(Path::new("new"), &self.section());
        match problems.into_iter().next() {
            None => config.provider(&self.name),
            Some(ConfigError::Invalid { problem, right, .. }) => {
                Err(Error::Usage { what: problem, hint: right.unwrap_or_else(|| "See --help.".into()) })
            }
            Some(other) => Err(other.into()),
        }
    }

    fn given(&self) -> Vec<(&'static str, &str)> {
        [
            ("preset", Some(self.preset.name())),
            ("url", self.url.as_deref()),
            ("issuer", self.issuer.as_deref()),
            ("token_url", self.token_url.as_deref()),
            ("client_id", self.client_id.as_deref()),
            ("company", self.company.as_deref()),
            ("application", self.application.as_deref()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }

    /// The profile as TOML: what was given, then everything else there is to change, switched off by a `#`.
    fn section(&self) -> String {
        let given = self.given();
        let mut text = format!("[profiles.{}]\n", self.name);
        for (key, value) in &given {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{key} = {}", Value::String((*value).to_owned()));
        }
        for key in ["client_id", "company", "application"] {
            if self.preset != Preset::Generic
                && !self.preset.gives(key)
                && !given.iter().any(|(k, _)| *k == key)
            {
                let _ = writeln!(text, "#{key} = \"…\"  # needed");
            }
        }
        let _ = writeln!(
            text,
            "\n# What the preset {} gives. To change a line, take its # away.",
            self.preset.name()
        );
        let mut shown: Vec<&str> = given.iter().map(|(key, _)| *key).collect();
        off(&mut text, self.preset.text(), &mut shown);
        let _ = writeln!(text, "\n# Defaults.");
        off(&mut text, DEFAULTS, &mut shown);
        text
    }
}

/// Adds each line that isn't shown yet, switched off.
fn off<'a>(text: &mut String, lines: &'a str, shown: &mut Vec<&'a str>) {
    for line in lines.lines() {
        let line = line.trim_start_matches('#');
        let key = line.split(" =").next().unwrap_or(line);
        if !shown.contains(&key) {
            shown.push(key);
            let _ = writeln!(text, "#{line}");
        }
    }
}

/// Adds the profile; the first one becomes the default. Comments and order of what is there already stay.
pub fn add_profile(paths: &Paths, new: &NewProfile, vault: Option<&NewVault>) -> Result<Config> {
    new.check()?;
    let file = &paths.config;
    let text = match read(file) {
        Ok(text) => extended(file, &text, new, vault)?,
        Err(Error::Config(ConfigError::Missing { .. })) => fresh(new, vault),
        Err(e) => return Err(e),
    };
    // An existing file may be shaped so that nothing can be added behind it (an inline table).
    let (config, problems) = Config::parse(file, &text);
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem.into());
    }
    // A folder that --config names is somebody's own, and stays as it is; a missing one becomes ours.
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        files::private_folder(folder)?;
    }
    files::replace(file, text.as_bytes(), 0o600)?;
    Ok(config)
}

fn fresh(new: &NewProfile, vault: Option<&NewVault>) -> String {
    let mut text = String::from(
        "# biotrack-auth. No secret stands here: `biotrack-auth config set-secret` puts the client's into the vault.\n\
         # What holds, and who gave it: biotrack-auth config show --origin. Whether it's right: biotrack-auth config check.\n\n",
    );
    let _ = writeln!(text, "default_profile = \"{}\"", new.name);
    if let Some(vault) = vault {
        let _ = writeln!(text, "vault = \"{}\"  # or \"{}\"", vault.kind, other(vault.kind));
        if !vault.recipients.is_empty() {
            let recipients = Value::Array(vault.recipients.iter().cloned().map(Value::String).collect());
            let _ = writeln!(
                text,
                "\n[sealed]\n# Public keys of those who may read the tokens; the first is this host's own.\nrecipients = {recipients}"
            );
        }
    }
    text + "\n" + &new.section()
}

fn other(kind: VaultKind) -> VaultKind {
    match kind {
        VaultKind::Keyring => VaultKind::Sealed,
        VaultKind::Sealed => VaultKind::Keyring,
    }
}

/// Names another vault, or other recipients, in a file that exists; comments and order of the rest stay.
pub fn change_vault(paths: &Paths, vault: &NewVault) -> Result<Config> {
    let file = &paths.config;
    let mut document = document(file, &read(file)?)?;
    name_vault(&mut document, vault);
    let text = document.to_string();
    let (config, problems) = Config::parse(file, &text);
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem.into());
    }
    files::replace(file, text.as_bytes(), 0o600)?;
    Ok(config)
}

/// Names where the ledger is in a file that exists; comments and order of the rest stay.
pub fn change_ledger(paths: &Paths, address: Option<&str>) -> Result<()> {
    let file = &paths.config;
    let mut document = document(file, &read(file)?)?;
    match (document.get_mut("ledger").and_then(toml_edit::Item::as_value_mut), address) {
        (Some(value), address) => {
            let decor = value.decor().clone();
            *value = address.unwrap_or("sqlite").into();
            *value.decor_mut() = decor;
        }
        (None, Some(address)) => document["ledger"] = toml_edit::value(address),
        (None, None) => return Ok(()),
    }
    let text = document.to_string();
    if let Some(problem) = Config::parse(file, &text).1.into_iter().next() {
        return Err(problem.into());
    }
    files::replace(file, text.as_bytes(), 0o600)
}

fn document(file: &Path, text: &str) -> Result<toml_edit::DocumentMut> {
    text.parse().map_err(|e: toml_edit::TomlError| {
        ConfigError::File { path: file.display().to_string(), reason: crate::error::clean(e.message()) }
            .into()
    })
}

fn name_vault(document: &mut toml_edit::DocumentMut, vault: &NewVault) {
    let kind = vault.kind.to_string();
    match document.get_mut("vault").and_then(toml_edit::Item::as_value_mut) {
        // What stands behind it on its line stays.
        Some(value) => {
            let mut decor = value.decor().clone();
            let behind = decor.suffix().and_then(|it| it.as_str()).unwrap_or_default();
            if behind.trim() == format!("# or \"{kind}\"") {
                // Our own words.
                decor.set_suffix(format!("  # or \"{}\"", other(vault.kind)));
            }
            *value = kind.into();
            *value.decor_mut() = decor;
        }
        None => document["vault"] = toml_edit::value(kind),
    }
    if !vault.recipients.is_empty() {
        let recipients: toml_edit::Array = vault.recipients.iter().collect();
        let sealed = document.entry("sealed").or_insert_with(toml_edit::table);
        sealed["recipients"] = toml_edit::value(recipients);
    }
}

fn extended(file: &Path, text: &str, new: &NewProfile, vault: Option<&NewVault>) -> Result<String> {
    let (config, problems) = Config::parse(file, text);
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem.into());
    }
    if config.profiles.contains_key(&new.name) {
        let path = file.display().to_string();
        return Err(ConfigError::ProfileExists { name: new.name.clone(), path }.into());
    }
    let mut text = match (config.profiles.is_empty(), vault) {
        // Nothing but the end changes, to the byte.
        (false, None) => text.to_owned(),
        (first, vault) => {
            let mut document = document(file, text)?;
            if first {
                document["default_profile"] = toml_edit::value(&new.name);
            }
            if let Some(vault) = vault {
                name_vault(&mut document, vault);
            }
            document.to_string()
        }
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text + "\n" + &new.section())
}
