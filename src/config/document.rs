//! The file's own frame: default profile, vault, recipients, and the profiles by name.

use super::keys::{self, Form, did_you_mean};
use super::layer::{Layer, Origin, Setting};
use super::reader::{Item, Reader, without_secret};
use super::server;
use crate::error::clean;
use crate::model::reminder::Hooks;
use crate::model::vault_kind::VaultKind;
use toml::Value;
use toml::de::DeValue;

/// What the file says, before presets and defaults.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub default_profile: Option<(String, Origin)>,
    pub vault: Option<(VaultKind, Origin)>,
    pub ledger: Option<(String, Origin)>,
    pub recipients: Option<(Vec<String>, Origin)>,
    pub hooks: Hooks,
    pub hook_settings: Vec<Setting>,
    /// Name, line of its header, values.
    pub profiles: Vec<(String, usize, Layer)>,
}

impl<'a> Reader<'a> {
    /// Reads a whole configuration.
    pub fn document(&mut self) -> Document {
        let mut document = Document::default();
        let mut ledger = None;
        let Some(root) = self.parse() else { return document };
        for (key, item) in root.get_ref() {
            let at = key.span().start;
            match key.get_ref().as_ref() {
                "default_profile" => document.default_profile = self.named(key.get_ref(), item),
                "vault" => document.vault = self.vault(item),
                "ledger" => {
                    document.ledger = self.ledger(item);
                    ledger = Some(at);
                }
                "sealed" => document.recipients = self.sealed(item),
                "hooks" => (document.hooks, document.hook_settings) = self.hooks(item),
                "profiles" => self.profiles(item, &mut document),
                unknown => {
                    let right = match keys::form(unknown).is_some() || keys::SECTIONS.contains(&unknown) {
                        true => "It belongs to a profile: put it under [profiles.NAME].".into(),
                        false => {
                            without_secret(unknown).unwrap_or_else(|| did_you_mean(unknown, &keys::ROOT))
                        }
                    };
                    self.refuse(at, format!("there is no key `{}`", clean(unknown)), Some(right));
                }
            }
        }
        if let (Some(at), None | Some((VaultKind::Keyring, _))) =
            (ledger.filter(|_| document.ledger.is_some()), &document.vault)
        {
            self.refuse(
                at,
                "a ledger on a server needs the sealed vault: a keyring is on one machine alone".into(),
                Some("Write vault = \"sealed\"; secrets that are in the keyring move by biotrack-auth config vault sealed, with the ledger still here.".into()),
            );
        }
        document
    }

    fn profiles(&mut self, item: &Item<'a>, document: &mut Document) {
        let Some(profiles) = self.table("profiles", "[profiles.NAME]", item) else { return };
        for (name, item) in profiles {
            let at = name.span().start;
            if let Err(problem) = check_name(name.get_ref()) {
                self.refuse(at, format!("the profile's name {problem}"), None);
                continue;
            }
            let name = name.get_ref().clone().into_owned();
            let Some(table) = self.table(&name, &format!("[profiles.{name}]"), item) else { continue };
            let mut layer = Layer::default();
            self.layer(table, "", &mut layer, None);
            document.profiles.push((name, self.line(at), layer));
        }
    }

    fn named(&mut self, key: &str, item: &Item<'a>) -> Option<(String, Origin)> {
        match self.value(key, Form::Text, item)? {
            Value::String(text) => Some((text, self.origin(item))),
            _ => None,
        }
    }

    fn vault(&mut self, item: &Item<'a>) -> Option<(VaultKind, Origin)> {
        let (text, origin) = self.named("vault", item)?;
        let kind = match text.as_str() {
            "keyring" => VaultKind::Keyring,
            "sealed" => VaultKind::Sealed,
            other => {
                let right = did_you_mean(other, &["keyring", "sealed"]);
                self.refuse(item.span().start, format!("there is no vault \"{other}\""), Some(right));
                return None;
            }
        };
        Some((kind, origin))
    }

    /// `sqlite`, as if nothing were said, or a PostgreSQL database.
    fn ledger(&mut self, item: &Item<'a>) -> Option<(String, Origin)> {
        let (text, origin) = self.named("ledger", item)?;
        if text == "sqlite" {
            return None;
        }
        match server::check(&text) {
            Ok(_) => Some((text, origin)),
            Err(wrong) => {
                let said = if text.contains("://") { "the ledger's address" } else { "the ledger" };
                self.refuse(item.span().start, format!("{said} {}", wrong.problem), wrong.right);
                None
            }
        }
    }

    fn sealed(&mut self, item: &Item<'a>) -> Option<(Vec<String>, Origin)> {
        let mut found = None;
        for (key, item) in self.table("sealed", "[sealed]", item)? {
            let name = key.get_ref().as_ref();
            if name != "recipients" {
                let right = without_secret(name).unwrap_or_else(|| did_you_mean(name, &["recipients"]));
                self.refuse(
                    key.span().start,
                    format!("there is no key `sealed.{}`", clean(name)),
                    Some(right),
                );
                continue;
            }
            let recipients = self.texts("sealed.recipients", item)?;
            if let DeValue::Array(items) = item.get_ref() {
                for (text, item) in recipients.iter().zip(items.iter()) {
                    self.recipient(text, item.span().start);
                }
            }
            found = Some((recipients, self.origin(item)));
        }
        found
    }

    /// The vault knows age; here only what can't be a recipient is told apart.
    fn recipient(&mut self, text: &str, at: usize) {
        if !text.starts_with("age1") || !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            let right = "A recipient is a public key that begins with `age1`.";
            self.refuse(at, format!("\"{text}\" is no age recipient"), Some(right.into()));
        }
    }
}

/// What a profile's name may be: it stands in flags, headers and the names of the vault's items.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match name {
        "" => Err("is empty".into()),
        _ if name.len() > 64 => Err("is longer than 64 characters".into()),
        _ if name.starts_with('-') || !name.chars().all(plain) => {
            Err(format!("\"{}\" may hold letters, digits, - and _ only, and not begin with -", clean(name)))
        }
        _ => Ok(()),
    }
}
