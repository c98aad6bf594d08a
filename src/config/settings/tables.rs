//! The tables as a whole: a profile's settings in their order, and what defaults and presets give.

use super::own::INSTALLATION;
use super::provider::PROVIDER;
use super::setting::Setting;
use crate::config::layer::{Layer, Origin};
use crate::config::presets::Preset;
use crate::model::provider::Provider;

/// A profile's settings, in the order in which they are shown: the provider's, then this installation's own.
pub(in crate::config) fn profile() -> impl Iterator<Item = &'static Setting<Provider>> {
    PROVIDER.iter().chain(INSTALLATION)
}

/// The defaults of some settings.
pub(in crate::config) fn defaults<T: 'static>(settings: impl Iterator<Item = &'static Setting<T>>) -> Layer {
    let mut layer = Layer::default();
    for setting in settings {
        if let Some(value) = setting.default.value(setting.kind.form()) {
            layer.set(setting.key.into(), value, Origin::Default);
        }
    }
    layer
}

/// What a preset gives.
pub(in crate::config) fn preset_layer(preset: Preset) -> Layer {
    let mut layer = Layer::default();
    for setting in profile() {
        for by in setting.preset_values(preset) {
            if let Some(value) = by.given.value(setting.kind.form()) {
                layer.set(setting.key_of(by), value, Origin::Preset(preset.name()));
            }
        }
    }
    layer
}

/// Whether a preset has a value for this key, so that nobody need be asked for one.
pub fn preset_gives(preset: Preset, key: &str) -> bool {
    preset_layer(preset).get(key).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{DeclaredValue, FILE, SettingKind};
    use std::collections::BTreeSet;

    /// What must hold of every declaration, whatever it's of.
    fn sound<T: 'static>(settings: impl IntoIterator<Item = &'static Setting<T>>) {
        let mut keys = BTreeSet::new();
        for setting in settings {
            let (key, form) = (setting.key, setting.kind.form());
            assert!(keys.insert(key), "{key} is declared twice");
            assert!(setting.doc.ends_with('.') && !setting.doc.contains('|'), "{key}: {}", setting.doc);
            assert!(!setting.kind.takes().contains('|'), "{key}");
            for given in setting.presets.iter().map(|by| by.given).chain([setting.default]) {
                assert!(given.shown(form).is_some(), "{key}: what is declared isn't of its form");
            }
            // What can't be without a value has one.
            let needs = matches!(
                setting.kind,
                SettingKind::Flag(_)
                    | SettingKind::Numbers(..)
                    | SettingKind::Words(_)
                    | SettingKind::Time(_)
                    | SettingKind::TimeOrZero(_)
            );
            assert!(!needs || matches!(setting.default, DeclaredValue::Is(_)), "{key} has no default");
        }
    }

    #[test]
    fn every_declaration_is_sound() {
        sound(profile());
        sound(FILE);
    }

    #[test]
    fn a_description_of_a_provider_names_no_file_and_runs_nothing() {
        for setting in PROVIDER {
            assert!(
                !matches!(setting.kind, SettingKind::File(_) | SettingKind::Command(_)),
                "{}",
                setting.key
            );
        }
    }
}
