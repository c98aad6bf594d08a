//! Takes a layer's values to where they are used, each as its declaration says; one that can't be right is refused at
//! its own line.

use super::address::{self, InvalidValue};
use super::layer::{Layer, OriginEntry};
use super::presets::Preset;
use super::read;
use super::settings::{QueryRule, Setting, SettingKind};
use super::suggest::{did_you_mean, nearest};
use crate::error::{ConfigError, clean};
use crate::model::blocked_ports::is_blocked;
use crate::model::provider::PLACEHOLDERS;
use std::path::Path;
use toml::Value;

/// Values on their way.
pub(super) struct ProfileValidator<'a> {
    file: &'a str,
    folder: &'a Path,
    line: usize,
    pub values: &'a Layer,
    pub problems: Vec<ConfigError>,
}

impl<'a> ProfileValidator<'a> {
    /// Over a layer of this file; it begins at that line, for what has none of its own.
    pub fn new(file: &'a str, folder: &'a Path, line: usize, values: &'a Layer) -> Self {
        Self { file, folder, line, values, problems: Vec::new() }
    }

    /// Notes a refusal at the key's line; a preset's or default's value can only be wrong through `url`.
    pub fn refuse(&mut self, key: &str, wrong: InvalidValue) {
        let line_of = |key: &str| self.values.get(key).and_then(OriginEntry::line);
        let line = line_of(key).or_else(|| line_of("url")).unwrap_or(self.line);
        self.refuse_at(line, key, wrong);
    }

    fn refuse_at(&mut self, line: usize, key: &str, wrong: InvalidValue) {
        let problem = format!("{} {}", clean(key), wrong.problem);
        self.problems.push(ConfigError::invalid(self.file.to_owned(), line, problem, wrong.right));
    }

    /// A text that isn't empty.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.values.get(key)?.value.as_str().and_then(filled)
    }

    /// Takes a setting's value to where it's used, if there is one.
    pub fn apply<T>(&mut self, setting: &Setting<T>, into: &mut T) {
        let (key, values) = (setting.key, self.values);
        if let SettingKind::Parameters(reserved, set) = setting.kind {
            return self.parameters(key.trim_end_matches(".NAME"), reserved, &mut |name, value| {
                set(into, name, value);
            });
        }
        let Some(entry) = values.get(key) else { return };
        if let Err(wrong) = self.put(setting, entry, into) {
            self.refuse(key, wrong);
        }
    }

    fn put<T>(
        &mut self,
        setting: &Setting<T>,
        entry: &OriginEntry,
        into: &mut T,
    ) -> Result<(), InvalidValue> {
        match (&setting.kind, &entry.value) {
            (SettingKind::Flag(set), Value::Boolean(on)) => set(into, *on),
            (SettingKind::Port(set), Value::Integer(number)) => match u16::try_from(*number) {
                Ok(port) if is_blocked(port) => {
                    let right = "Browsers refuse this port, so no answer would arrive. Choose another, for example 8990.";
                    return Err(InvalidValue::new(format!("can't be {port}"), right));
                }
                Ok(port) => set(into, port),
                Err(_) => return Err(out_of_range(number, &setting.kind)),
            },
            (SettingKind::Numbers(range, set), Value::Array(items)) => {
                let numbers: Vec<i64> = items.iter().filter_map(Value::as_integer).collect();
                if numbers.is_empty() {
                    return Err(InvalidValue::new("is empty", &format!("Give {}.", setting.kind.takes())));
                }
                if let Some(number) = numbers.iter().find(|it| !range.contains(it)) {
                    return Err(out_of_range(number, &setting.kind));
                }
                set(into, numbers);
            }
            (SettingKind::Texts(check, set), Value::Array(items)) => {
                let texts: Vec<_> = items.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect();
                let refused = texts
                    .iter()
                    .zip(&entry.lines)
                    .filter_map(|(text, line)| Some((*line, check(text).err()?)));
                let refused: Vec<_> = refused.collect();
                if refused.is_empty() {
                    set(into, texts);
                }
                refused.into_iter().for_each(|(line, wrong)| self.refuse_at(line, setting.key, wrong));
            }
            (kind, Value::String(text)) => self.put_text(kind, text, into)?,
            // The reader lets only the kind's own form through.
            _ => {}
        }
        Ok(())
    }

    fn put_text<T>(&self, kind: &SettingKind<T>, text: &str, into: &mut T) -> Result<(), InvalidValue> {
        match kind {
            SettingKind::Text(set) => filled(text).into_iter().for_each(|text| set(into, text.into())),
            SettingKind::Words(words) => match words.iter().find(|(word, _)| *word == text) {
                Some((_, set)) => set(into),
                None => {
                    let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                    return Err(InvalidValue::new(
                        format!("can't be \"{text}\""),
                        &did_you_mean(text, &words),
                    ));
                }
            },
            SettingKind::Time(set) => set(into, read::some_time(text)?),
            SettingKind::TimeOrZero(set) => set(into, read::time(text)?),
            SettingKind::Base(set) => {
                if let Some(text) = filled(text) {
                    address::check_base(text)?;
                    set(into, text.into());
                }
            }
            SettingKind::Address(query, set) => {
                if let Some(address) = self.address(text, *query)? {
                    set(into, address);
                }
            }
            SettingKind::File(set) => {
                filled(text).into_iter().for_each(|file| set(into, self.folder.join(file)))
            }
            SettingKind::Command(set) => {
                let mut words = read::command(text)?;
                // A name alone is looked for in PATH; a path begins at the folder of the file that it stands in.
                if let Some(program) = words.first_mut().filter(|it| it.contains('/')) {
                    *program = self.folder.join(&*program).display().to_string();
                }
                set(into, words);
            }
            SettingKind::Preset(set) => Preset::of(text).into_iter().for_each(|preset| set(into, preset)),
            SettingKind::Read(_, read) => read(into, text)?,
            SettingKind::Flag(_)
            | SettingKind::Port(_)
            | SettingKind::Numbers(..)
            | SettingKind::Texts(..)
            | SettingKind::Parameters(..) => {}
        }
        Ok(())
    }

    /// An address with `{url}` filled in; none where it's switched off, or there is no `url` to begin with.
    fn address(&self, text: &str, query: QueryRule) -> Result<Option<String>, InvalidValue> {
        match text {
            "none" => return Ok(None),
            "" => return Err(InvalidValue::new("is empty", "To turn it off, write \"none\".")),
            _ => {}
        }
        let url = self.text("url").filter(|url| address::check_base(url).is_ok());
        // A slash at the end would be doubled.
        let Some(address) = address::resolve(text, url.map(|url| url.trim_end_matches('/')))? else {
            return Ok(None);
        };
        match query {
            QueryRule::Allowed => address::check(&address)?,
            QueryRule::Refused => address::check_base(&address)?,
        };
        Ok(Some(address))
    }

    /// Further parameters: templates over what a license and a profile hold, under names that the protocol leaves free.
    fn parameters(&mut self, section: &str, reserved: &[&str], set: &mut dyn FnMut(String, String)) {
        let values = self.values;
        for (name, entry) in values.section(section) {
            let key = format!("{section}.{name}");
            let Some(template) = entry.value.as_str() else { continue };
            if reserved.contains(&name) {
                let right =
                    "This program sets it automatically; the file never contains a secret or a password.";
                self.refuse(&key, InvalidValue::new("isn't free", right));
            } else if let Some(unknown) = unknown_placeholder(template) {
                let problem = format!("contains an unknown placeholder {{{unknown}}}");
                let right = match nearest(unknown, PLACEHOLDERS) {
                    Some(near) => format!("Did you mean {{{near}}}?"),
                    None => format!("Known placeholders: {{{}}}.", PLACEHOLDERS.join("}, {")),
                };
                self.refuse(&key, InvalidValue { problem, right: Some(right) });
            } else if !template.is_empty() {
                set(name.to_owned(), template.to_owned());
            }
        }
    }
}

/// A text, unless it's empty.
fn filled(text: &str) -> Option<&str> {
    (!text.trim().is_empty()).then_some(text)
}

fn out_of_range<T>(number: &i64, kind: &SettingKind<T>) -> InvalidValue {
    InvalidValue::new(format!("can't be {number}"), &format!("Give {}.", kind.takes()))
}

/// The first `{word}` that isn't known; other braces (JSON in a parameter) are text.
fn unknown_placeholder(template: &str) -> Option<&str> {
    template.split('{').skip(1).find_map(|after| {
        let (name, _) = after.split_once('}')?;
        let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        (word && !PLACEHOLDERS.contains(&name)).then_some(name)
    })
}
