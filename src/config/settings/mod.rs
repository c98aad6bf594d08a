//! What can be set. Each setting is declared once, in one of three tables; reading, checking, showing, writing and
//! documenting settings all go by these declarations. To add a setting, copy an entry.

mod file;
mod lines;
mod own;
mod provider;
mod scope;
mod setting;
mod tables;

pub(super) use file::FILE;
pub(super) use lines::{CommentedSetting, default_lines, example, preset_lines, remark};
pub(super) use scope::Scope;
pub(super) use setting::{QueryRule, Setting, SettingKind, ValueForm};
pub use tables::preset_gives;
pub(super) use tables::{defaults, preset_layer, profile};
#[cfg(test)]
pub(super) use {own::INSTALLATION, provider::PROVIDER, setting::DeclaredValue};
