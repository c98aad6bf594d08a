//! Turns a profile's values into a Provider, and refuses each value that can't be right at its own line.

use super::address::{self, Wrong};
use super::keys::did_you_mean;
use super::layer::{Entry, Layer, Origin};
use crate::edge::zone;
use crate::error::ConfigError;
use crate::error::clean;
use crate::model::duration;
use crate::model::provider::PLACEHOLDERS;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use toml::Value;

/// One profile's values on their way.
pub(super) struct Settling<'a> {
    file: &'a str,
    line: usize,
    pub values: &'a Layer,
    pub problems: Vec<ConfigError>,
}

impl<'a> Settling<'a> {
    /// Over a profile's values; it begins at that line, for what has none of its own.
    pub fn new(file: &'a str, line: usize, values: &'a Layer) -> Self {
        Self { file, line, values, problems: Vec::new() }
    }

    /// Notes a refusal at the key's line; a preset's or default's value can only be wrong through `url`.
    pub fn refuse(&mut self, key: &str, wrong: Wrong) {
        let line_of = |key: &str| match self.values.get(key) {
            Some(Entry { origin: Origin::File { line, .. }, .. }) => Some(*line),
            _ => None,
        };
        let line = line_of(key).or_else(|| line_of("url")).unwrap_or(self.line);
        let problem = format!("{} {}", clean(key), wrong.problem);
        self.problems.push(ConfigError::invalid(self.file.to_owned(), line, problem, wrong.right));
    }

    /// A text; an empty one is none, and so switches a preset's value off.
    pub fn text(&self, key: &str) -> Option<String> {
        match &self.values.get(key)?.value {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    /// A text that may stay open until a command needs it.
    pub fn text_or_empty(&self, key: &str) -> String {
        self.text(key).unwrap_or_default()
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some(Entry { value: Value::Boolean(true), .. }))
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Vec<String> {
        match self.values.get(key) {
            Some(Entry { value: Value::Array(items), .. }) => {
                items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// One of a few words; the first stands in for a refused one.
    pub fn choice<T: Copy>(&mut self, key: &str, first: (&str, T), others: &[(&str, T)]) -> T {
        let text = self.text_or_empty(key);
        if let Some((_, value)) = std::iter::once(&first).chain(others).find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<_> = std::iter::once(first.0).chain(others.iter().map(|(name, _)| *name)).collect();
        let right = did_you_mean(&text, &names);
        self.refuse(key, Wrong { problem: format!("can't be \"{text}\""), right: Some(right) });
        first.1
    }

    /// A length of time, not zero unless that means something.
    pub fn time(&mut self, key: &str, zero_too: bool) -> SignedDuration {
        let text = self.text_or_empty(key);
        match duration::parse("time", &text) {
            Ok(time) if zero_too || !time.is_zero() => return time,
            Ok(_) => self.refuse(key, Wrong::new("can't be zero", "Give a time such as 20s, 10m or 100d.")),
            Err(_) => self.refuse(
                key,
                Wrong::new(format!("can't be \"{text}\""), "Give a time such as 90s, 10m, 12h or 14d."),
            ),
        }
        SignedDuration::ZERO
    }

    /// A time zone by its name.
    pub fn zone(&mut self) -> (TimeZone, String) {
        let text = self.text_or_empty("time_zone");
        if let Some(zone) = zone(&text) {
            let name = zone.iana_name().unwrap_or(&text).to_owned();
            return (zone, name);
        }
        let right = if jiff::tz::db().is_definitively_empty() {
            "This machine has no time zones: install its tzdata package.".into()
        } else {
            let known: Vec<_> = jiff::tz::db().available().map(|name| name.to_string()).collect();
            super::keys::nearest(&text, known.iter().map(String::as_str))
                .map_or("Give a name such as America/New_York.".into(), |name| {
                    format!("Did you mean `{name}`?")
                })
        };
        self.refuse("time_zone", Wrong { problem: format!("can't be \"{text}\""), right: Some(right) });
        (TimeZone::UTC, "UTC".into())
    }

    /// An address without `{url}` in it, and without a query.
    pub fn base(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        match address::check_base(&text) {
            Ok(_) => Some(text),
            Err(wrong) => {
                self.refuse(key, wrong);
                None
            }
        }
    }

    /// An address that may begin with `{url}`; "none" is none, and so switches a preset's address off.
    pub fn address(&mut self, key: &str, url: Option<&str>, no_query: bool) -> Option<String> {
        let text = match &self.values.get(key)?.value {
            Value::String(text) if text == "none" => return None,
            Value::String(text) => text,
            _ => return None,
        };
        let checked = address::resolve(text, url).and_then(|resolved| {
            let Some(resolved) = resolved else { return Ok(None) };
            if no_query { address::check_base(&resolved) } else { address::check(&resolved) }?;
            Ok(Some(resolved))
        });
        checked.unwrap_or_else(|mut wrong| {
            if text.is_empty() {
                wrong = Wrong::new("is empty", "To have none, write \"none\".");
            }
            self.refuse(key, wrong);
            None
        })
    }

    /// Further parameters: templates over what a licence and a profile hold, under names that the protocol leaves free.
    pub fn parameters(&mut self, section: &str, reserved: &[&str]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let values = self.values;
        for (name, entry) in values.section(section) {
            let key = format!("{section}.{name}");
            let Some(template) = entry.value.as_str() else { continue };
            if reserved.contains(&name) {
                let right = "This program sets it itself; a secret or password never stands in the file.";
                self.refuse(&key, Wrong::new("isn't free", right));
            } else if let Some(unknown) = unknown_placeholder(template) {
                let problem = format!("has an unknown placeholder {{{unknown}}}");
                let right = match super::keys::nearest(unknown, PLACEHOLDERS) {
                    Some(near) => format!("Did you mean {{{near}}}?"),
                    None => format!("There are: {{{}}}.", PLACEHOLDERS.join("}, {")),
                };
                self.refuse(&key, Wrong { problem, right: Some(right) });
            } else if !template.is_empty() {
                found.push((name.to_owned(), template.to_owned()));
            }
        }
        found
    }
}

/// The first `{word}` that isn't known; other braces (JSON in a parameter) are text.
fn unknown_placeholder(template: &str) -> Option<&str> {
    template.split('{').skip(1).find_map(|after| {
        let (name, _) = after.split_once('}')?;
        let word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        (word && !PLACEHOLDERS.contains(&name)).then_some(name)
    })
}
