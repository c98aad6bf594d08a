//! Values by key, each with where it came from; a later layer wins over an earlier one.

use std::collections::BTreeMap;
use std::fmt;
use toml::Value;

/// Who gave a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The program's default.
    Default,
    Preset(&'static str),
    /// A line of the configuration file.
    File {
        path: String,
        /// The line, from 1.
        line: usize,
    },
    Environment(&'static str),
    Flag(&'static str),
    /// There was nothing to choose from.
    OnlyOne,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::OnlyOne => f.write_str("the only profile"),
        }
    }
}

/// A setting as it holds, and who won.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveSetting {
    /// The key as the file has it, with dots.
    pub key: String,
    pub value: Value,
    pub origin: Origin,
}

/// A value and who gave it.
#[derive(Debug, Clone)]
pub(super) struct OriginEntry {
    pub value: Value,
    pub origin: Origin,
    /// The lines of a list's items, which may stand below each other.
    pub lines: Vec<usize>,
}

impl OriginEntry {
    /// The line that the value begins at, where the file gave it.
    pub fn line(&self) -> Option<usize> {
        match self.origin {
            Origin::File { line, .. } => Some(line),
            _ => None,
        }
    }
}

/// Values by dotted key.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer(BTreeMap<String, OriginEntry>);

impl Layer {
    pub fn set(&mut self, key: String, value: Value, origin: Origin) {
        self.add(key, OriginEntry { value, origin, lines: Vec::new() });
    }

    /// Puts a value in, with the lines of its items.
    pub fn add(&mut self, key: String, entry: OriginEntry) {
        self.0.insert(key, entry);
    }

    /// One value.
    pub fn get(&self, key: &str) -> Option<&OriginEntry> {
        self.0.get(key)
    }

    /// The values under a section, by the name inside it.
    pub fn section<'a>(&'a self, section: &'a str) -> impl Iterator<Item = (&'a str, &'a OriginEntry)> {
        self.0
            .iter()
            .filter_map(move |(key, entry)| Some((key.strip_prefix(section)?.strip_prefix('.')?, entry)))
    }

    pub fn merged_under(mut self, upper: Layer) -> Layer {
        self.0.extend(upper.0);
        self
    }

    pub fn settings(&self) -> impl Iterator<Item = EffectiveSetting> + '_ {
        self.0.iter().map(|(key, entry)| EffectiveSetting {
            key: key.clone(),
            value: entry.value.clone(),
            origin: entry.origin.clone(),
        })
    }
}
