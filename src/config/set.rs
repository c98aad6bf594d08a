//! Changes one setting in the file, as its declaration says: a key that there isn't is named with the one that was probably
//! meant, a value that `config check` would refuse is never written, and everything else in the file stays as it is.

use super::change::{alone, document};
use super::configuration::Config;
use super::load::read_file;
use super::reader::without_secret;
use super::ready::missing;
use super::settings::{Scope, ValueForm};
use super::suggest::nearest;
use crate::error::{ConfigError, Error, Result, clean};
use crate::system::{Paths, files};
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, TableLike, Value};

/// Settings that something else hangs on: they change together with it, by the command that moves it.
const MOVED_BY: [(&str, &str); 3] = [
    ("vault", "To change it and move the secrets: biotrack-auth config vault --help"),
    ("ledger", "To change it and move the records: biotrack-auth config ledger move --help"),
    ("sealed.recipients", "To change it and reseal the tokens: biotrack-auth config recipients --help"),
];

#[derive(Debug)]
pub struct SettingChange {
    /// Its whole key: `profiles.NAME.KEY`, where it's a profile's.
    pub key: String,
    pub before: Option<toml::Value>,
    pub after: Option<toml::Value>,
    /// What was wrong with the file before, and still is.
    pub left: Vec<ConfigError>,
}

struct SettingPath {
    profile: Option<String>,
    key: String,
    form: ValueForm,
}

impl SettingPath {
    /// The names that lead to it.
    fn path(&self) -> Vec<&str> {
        let profile = self.profile.iter().flat_map(|name| ["profiles", name]);
        profile.chain(self.key.split('.')).collect()
    }
}

/// Gives a setting its value: one of the file's own, or a profile's, as `profiles.NAME.KEY` or by the profile that is named.
///
/// # Errors
/// There is no such key or profile, the value isn't one, or something would be wrong with the file that isn't now.
pub fn set_setting(paths: &Paths, profile: Option<&str>, key: &str, value: &str) -> Result<SettingChange> {
    let file = &paths.config;
    // Where there is none, not even the folder of its lock is made.
    drop(read_file(file)?);
    let _alone = alone(paths)?;
    let text = read_file(file)?;
    let (config, wrong) = Config::parse(file, &text);
    let place = place(&config, profile, key)?;
    let given = read_value(place.form, &place.key, value)?;
    let mut document = document(file, &text)?;
    let before = value_at(&text, &place);
    put(&mut document, &place.path(), given);
    let text = document.to_string();
    let left = nothing_new(file, (&config, wrong), &text)?;
    let after = value_at(&text, &place);
    let changed = SettingChange { key: place.path().join("."), before, after, left };
    if changed.before != changed.after {
        files::replace_settings(file, text.as_bytes())?;
    }
    Ok(changed)
}

/// Every key that can be set: the file's own and each profile's, or, without a prefix, those of the profile that is named.
pub fn settable_keys(config: &Config, profile: Option<&str>) -> Vec<String> {
    let keys = |scope: Scope| scope.keys().filter(|key| MOVED_BY.iter().all(|(moved, _)| moved != key));
    if profile.is_some() {
        return keys(Scope::Profile).map(str::to_owned).collect();
    }
    let of_profiles = config.names().into_iter().flat_map(|name| {
        keys(Scope::Profile).map(move |key| format!("profiles.{name}.{key}")).collect::<Vec<_>>()
    });
    keys(Scope::File).map(str::to_owned).chain(of_profiles).collect()
}

fn place(config: &Config, profile: Option<&str>, key: &str) -> Result<SettingPath> {
    let key = key.trim();
    let named = key.strip_prefix("profiles.").and_then(|rest| rest.split_once('.'));
    let (profile, key) = match (named, profile) {
        (Some((name, _)), Some(other)) if name != other => {
            return Err(Error::Usage {
                what: format!(
                    "the key belongs to profile \"{}\", but --profile is \"{}\"",
                    clean(name),
                    clean(other)
                ),
                hint: "Remove --profile.".into(),
            });
        }
        (Some((name, key)), _) => (Some(name), key),
        (None, profile) => (profile, key),
    };
    if let Some(name) = profile {
        config.profile(name)?;
    }
    let scope = if profile.is_some() { Scope::Profile } else { Scope::File };
    match scope.find(key) {
        Some((_, form)) => {
            let moved = MOVED_BY.iter().find(|(moved, _)| scope == Scope::File && *moved == key);
            match moved {
                Some((key, by)) => Err(Error::Usage {
                    what: format!("`{key}` can't be changed with config set"),
                    hint: (*by).into(),
                }),
                None => Ok(SettingPath { profile: profile.map(str::to_owned), key: key.to_owned(), form }),
            }
        }
        None => Err(unknown(config, profile, scope, key)),
    }
}

/// There is no such key; with the one that was probably meant.
fn unknown(config: &Config, profile: Option<&str>, scope: Scope, key: &str) -> Error {
    let what = format!("unknown key `{}`", clean(key));
    let whole = |key: &str| profile.map_or_else(|| key.to_owned(), |name| format!("profiles.{name}.{key}"));
    let hint = if without_secret(key).is_some() {
        "The file never contains a secret or an admin's password. To store the client secret in the vault: biotrack-auth config set-secret".into()
    } else if scope == Scope::Profile && Scope::File.find(key).is_some() {
        format!("It is a setting of the whole file. Did you mean `{key}`, without the profile?")
    } else if let Some(key) = nearest(key, scope.keys()) {
        format!("Did you mean `{}`?", whole(key))
    } else if let (Scope::File, Some(key)) = (scope, nearest(key, Scope::Profile.keys())) {
        match &config.names()[..] {
            [only] => format!("Did you mean `profiles.{only}.{key}`?"),
            _ => format!("It is a profile's setting. Did you mean `profiles.NAME.{key}`?"),
        }
    } else {
        "To see all keys: biotrack-auth config show".into()
    };
    Error::Usage { what, hint }
}

/// A value as it was typed: lists with commas between their items, or as TOML has them.
fn read_value(form: ValueForm, key: &str, typed: &str) -> Result<Value> {
    if typed.to_uppercase().contains("AGE-SECRET-KEY") {
        return Err(Error::Usage {
            what: format!("the value for `{}` is a secret key", clean(key)),
            hint:
                "The file must not contain secrets. Create a new identity: this one was typed in the clear."
                    .into(),
        });
    }
    let wrong = || Error::Usage {
        what: format!("`{}` can't be \"{}\"", clean(key), clean(typed.trim())),
        hint: format!("Give {}.", form.as_typed()),
    };
    let item = |form: ValueForm, text: &str| match form {
        ValueForm::Flag => text.parse().map(|flag: bool| flag.into()).map_err(|_| wrong()),
        ValueForm::Number => text.parse().map(|number: i64| number.into()).map_err(|_| wrong()),
        _ => Ok(Value::from(text)),
    };
    let Some(of_items) = form.of_items() else {
        return match form {
            ValueForm::Text => Ok(typed.into()),
            _ => item(form, typed.trim()),
        };
    };
    if typed.trim_start().starts_with('[') {
        return match typed.trim().parse() {
            Ok(list @ Value::Array(_)) => Ok(list),
            _ => Err(wrong()),
        };
    }
    let items = typed.split(',').map(str::trim).filter(|text| !text.is_empty());
    items.map(|text| item(of_items, text)).collect::<Result<Array>>().map(Value::Array)
}

fn value_at(text: &str, place: &SettingPath) -> Option<toml::Value> {
    let mut found: toml::Value = toml::from_str(text).ok()?;
    for name in place.path() {
        found = found.as_table_mut()?.remove(name)?;
    }
    Some(found)
}

/// Gives a key its value; comments around it stay. A table that isn't there yet becomes a key with a dot: one with a head of its
/// own would take in what stands below, switched off by a `#`.
fn put(document: &mut DocumentMut, path: &[&str], mut value: Value) {
    let Some((name, tables)) = path.split_last() else { return };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for section in tables {
        let inside = table.entry(section).or_insert_with(|| {
            let mut dotted = toml_edit::Table::new();
            dotted.set_dotted(true);
            Item::Table(dotted)
        });
        // What isn't a table is refused when the whole is read again.
        let Some(inside) = inside.as_table_like_mut() else { return };
        table = inside;
    }
    if let Some(before) = table.get(name).and_then(Item::as_value) {
        *value.decor_mut() = before.decor().clone();
    }
    table.insert(name, Item::Value(value));
}

/// What is wrong with a file, without where: a change moves lines.
fn problems(config: &Config, wrong: Vec<ConfigError>) -> Result<Vec<(String, ConfigError)>> {
    let mut all = wrong;
    for name in config.names() {
        all.extend(missing(&config.provider(&name)?));
    }
    let without_line = |e: &ConfigError| match e {
        ConfigError::Invalid { problem, .. } => problem.clone(),
        other => other.to_string(),
    };
    Ok(all.into_iter().map(|e| (without_line(&e), e)).collect())
}

/// The text as `config check` would judge it, beside the one that stands there: what is wrong with it and wasn't before refuses
/// it; what was wrong already is left.
fn nothing_new(
    file: &Path,
    (config, wrong): (&Config, Vec<ConfigError>),
    text: &str,
) -> Result<Vec<ConfigError>> {
    let before = problems(config, wrong)?;
    let (after, wrong) = Config::parse(file, text);
    let after = problems(&after, wrong)?;
    let is_new = |problem: &str| before.iter().all(|(known, _)| known != problem);
    match after.iter().find(|(problem, _)| is_new(problem)) {
        Some((_, ConfigError::Invalid { problem, right, .. })) => {
            let hint = right.clone().unwrap_or_else(|| "The file was not changed.".into());
            Err(Error::Usage { what: problem.clone(), hint })
        }
        Some((problem, other)) => {
            let hint = other.hint().unwrap_or_else(|| "The file was not changed.".into());
            Err(Error::Usage { what: problem.clone(), hint })
        }
        None => Ok(after.into_iter().map(|(_, e)| e).collect()),
    }
}
