//! Settings as `config init` writes them into a new profile: a line each, with what there is to know about it.

use super::file::FILE;
use super::setting::{DeclaredValue, PresetDefaults, Setting, SettingKind};
use super::tables::profile;
use crate::config::presets::Preset;
use crate::model::provider::Provider;
use std::fmt;
use toml::Value;

/// A line of a profile that `config init` writes: switched off by a `#`, to be looked at and changed.
pub(in crate::config) struct CommentedSetting {
    pub key: String,
    value: Value,
    remark: String,
}

impl fmt::Display for CommentedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} = {}", self.key, self.value)?;
        if self.remark.is_empty() { Ok(()) } else { write!(f, "  # {}", self.remark) }
    }
}

/// A preset's lines, those that it leaves open among them.
pub(in crate::config) fn preset_lines(preset: Preset) -> Vec<CommentedSetting> {
    let line = |setting: &'static Setting<Provider>, by: &PresetDefaults| {
        let value = by.given.shown(setting.kind.form())?;
        Some(CommentedSetting { key: setting.key_of(by), value, remark: by.remark.into() })
    };
    profile()
        .flat_map(|setting| setting.preset_values(preset).filter_map(move |by| line(setting, by)))
        .collect()
}

/// The defaults' lines, each with what it says.
pub(in crate::config) fn default_lines() -> Vec<CommentedSetting> {
    let line = |setting: &Setting<Provider>| {
        let named = !matches!(setting.kind, SettingKind::Preset(_) | SettingKind::Parameters(..));
        let value = setting.default.shown(setting.kind.form()).filter(|_| named)?;
        Some(CommentedSetting { key: setting.key.into(), value, remark: setting.remark() })
    };
    profile().filter_map(line).collect()
}

/// What stands beside a setting of the file's own.
pub(in crate::config) fn remark(key: &str) -> String {
    FILE.iter().find(|it| it.key == key).map(Setting::remark).unwrap_or_default()
}

/// What a profile's setting may look like, for whoever must give it.
pub(in crate::config) fn example(key: &str) -> &'static str {
    match profile().find(|it| it.key == key).map(|it| it.default) {
        Some(DeclaredValue::Is(example) | DeclaredValue::Open(example)) => example,
        None => "…",
    }
}
