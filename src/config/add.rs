//! Writes a new profile: into a fresh file with its explanations, or behind what a file has already.

use super::change::{NewVault, accepted, document, set};
use super::configuration::Config;
use super::load::read_file;
use super::presets::Preset;
use super::reader::check_name;
use super::settings::{CommentedSetting, default_lines, preset_lines, remark};
use crate::error::{ConfigError, Error, Result};
use crate::model::provider::Provider;
use crate::system::{Paths, files};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use toml::Value;

/// A profile to be made; what isn't given stays with the preset, or open.
#[derive(Debug, Clone)]
pub struct NewProfile {
    pub name: String,
    pub preset: Preset,
    /// The settings that are given, all of them texts.
    pub given: Vec<(&'static str, String)>,
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

    /// The profile as TOML: what was given, then everything else there is to change, switched off by a `#`.
    fn section(&self) -> String {
        let preset = self.preset.name();
        let mut text = format!("[profiles.{}]\npreset = \"{preset}\"\n", self.name);
        let mut shown = BTreeSet::new();
        for (key, value) in &self.given {
            shown.insert((*key).to_owned());
            // Writing to a String can't fail.
            let _ = writeln!(text, "{key} = {}", Value::String(value.clone()));
        }
        let _ = writeln!(
            text,
            "\n# Values from the preset {preset}. To change one, remove the # and edit the line."
        );
        let mut off = |text: &mut String, lines: Vec<CommentedSetting>| {
            for line in lines.into_iter().filter(|line| shown.insert(line.key.clone())) {
                let _ = writeln!(text, "{line}");
            }
        };
        off(&mut text, preset_lines(self.preset));
        text.push_str("\n# Defaults.\n");
        off(&mut text, default_lines());
        text
    }
}

/// Adds the profile; the first one becomes the default. Comments and order of what is there already stay.
pub fn add_profile(paths: &Paths, new: &NewProfile, vault: Option<&NewVault>) -> Result<Config> {
    new.check()?;
    let file = &paths.config;
    let text = match read_file(file) {
        Ok(text) => extended(file, &text, new, vault)?,
        Err(Error::Config(ConfigError::Missing { .. })) => fresh(new, vault),
        Err(e) => return Err(e),
    };
    // An existing file may be shaped so that nothing can be added behind it (an inline table).
    let config = accepted(file, &text)?;
    // A folder that --config names is somebody's own, and stays as it is; a missing one becomes ours.
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        files::ensure_folder(folder)?;
    }
    files::replace_settings(file, text.as_bytes())?;
    Ok(config)
}

fn fresh(new: &NewProfile, vault: Option<&NewVault>) -> String {
    let mut text = String::from(
        "# biotrack-auth. No secret stands here: `biotrack-auth config set-secret` puts the client's into the vault.\n\
         # What holds, and who gave it: biotrack-auth config show --origin. Whether it's right: biotrack-auth config check.\n\n",
    );
    let _ = writeln!(text, "default_profile = \"{}\"", new.name);
    if let Some(vault) = vault {
        let _ = writeln!(text, "vault = \"{}\"  # {}", vault.kind, remark("vault"));
        if !vault.recipients.is_empty() {
            let recipients = Value::Array(vault.recipients.iter().cloned().map(Value::String).collect());
            let remark = remark("sealed.recipients");
            let _ = writeln!(text, "\n[sealed]\n# {remark}\nrecipients = {recipients}");
        }
    }
    text + "\n" + &new.section()
}

fn extended(file: &Path, text: &str, new: &NewProfile, vault: Option<&NewVault>) -> Result<String> {
    let config = accepted(file, text)?;
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
                set(&mut document, "default_profile", new.name.as_str().into());
            }
            if let Some(vault) = vault {
                vault.name_in(&mut document);
            }
            document.to_string()
        }
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text + "\n" + &new.section())
}
