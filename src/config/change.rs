//! Changes settings in a file that exists. Comments, order and everything else stay, and a text that would be refused is
//! never written.

use super::configuration::Config;
use super::load::read_file;
use crate::error::{ConfigError, Error, Result, clean};
use crate::model::vault_kind::VaultKind;
use crate::system::{Paths, files};
use std::fs::File;
use std::path::Path;
use toml_edit::{DocumentMut, Item, TableLike, Value};

/// The vault to be named in the file.
#[derive(Debug, Clone)]
pub struct NewVault {
    pub kind: VaultKind,
    /// The sealed vault's recipients; the first is this host's own.
    pub recipients: Vec<String>,
}

impl NewVault {
    /// Names it in a document; the recipients of a keyring stay as they are.
    pub(super) fn name_in(&self, document: &mut DocumentMut) {
        set(document, "vault", self.kind.word().into());
        if !self.recipients.is_empty() {
            set(document, "sealed.recipients", self.recipients.iter().collect());
        }
    }
}

/// Names another vault, or other recipients, where the file still names those that it was `read` with.
///
/// # Errors
/// [`ConfigError::Changed`] where others have named something else since: what was decided on it is decided anew.
pub fn change_vault(paths: &Paths, read: &Config, vault: &NewVault) -> Result<()> {
    change(paths, |now, document| {
        if (now.vault, &now.recipients) != (read.vault, &read.recipients) {
            return Err(ConfigError::Changed { path: clean(&paths.config.display().to_string()) }.into());
        }
        vault.name_in(document);
        Ok(())
    })
}

/// Names where the ledger is: the address of a server, or the file of this host.
pub fn change_ledger(paths: &Paths, address: Option<&str>) -> Result<()> {
    change(paths, |_, document| {
        set(document, "ledger", address.unwrap_or("sqlite").into());
        Ok(())
    })
}

/// Writes the file with something changed, if it's right as a whole. Nobody else changes it so between its reading and its
/// writing.
fn change(paths: &Paths, change: impl FnOnce(&Config, &mut DocumentMut) -> Result<()>) -> Result<()> {
    let file = &paths.config;
    let _alone = alone(paths)?;
    let text = read_file(file)?;
    let mut document = document(file, &text)?;
    change(&accepted(file, &text)?, &mut document)?;
    let text = document.to_string();
    accepted(file, &text)?;
    files::replace_settings(file, text.as_bytes())
}

/// Nobody else changes the file as long as this is held.
pub(super) fn alone(paths: &Paths) -> Result<File> {
    files::ensure_folder(&paths.data)?;
    let path = paths.data.join("config.lock");
    let lock = files::open_private(&path)?;
    lock.lock().map_err(|e| Error::File {
        path: path.display().to_string(),
        reason: files::unlockable(&path, &e),
    })?;
    Ok(lock)
}

/// What a text holds that is to stand in the file; the first thing wrong with it is the error.
pub(super) fn accepted(file: &Path, text: &str) -> Result<Config> {
    let (config, problems) = Config::parse(file, text);
    problems.into_iter().next().map_or(Ok(config), |problem| Err(problem.into()))
}

/// A text that can be changed without losing what stands around it.
pub(super) fn document(file: &Path, text: &str) -> Result<DocumentMut> {
    text.parse().map_err(|e: toml_edit::TomlError| {
        ConfigError::File { path: file.display().to_string(), reason: clean(e.message()) }.into()
    })
}

/// Gives a key its value; the comment behind it stays.
pub(super) fn set(document: &mut DocumentMut, key: &str, mut value: Value) {
    let mut names: Vec<&str> = key.split('.').collect();
    let name = names.pop().unwrap_or(key);
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for section in names {
        let inside = table.entry(section).or_insert_with(toml_edit::table);
        // What isn't a table is refused when the whole is read again.
        let Some(inside) = inside.as_table_like_mut() else { return };
        table = inside;
    }
    if let Some(before) = table.get(name).and_then(Item::as_value) {
        *value.decor_mut() = before.decor().clone();
    }
    table.insert(name, Item::Value(value));
}
