//! File, environment and flags become settings and Providers, each value with where it came from.

mod add;
mod address;
mod change;
mod configuration;
mod layer;
mod load;
mod origins;
pub mod presets;
mod profile_validator;
mod provider;
mod read;
mod reader;
mod ready;
#[cfg(test)]
mod reference;
mod server;
mod set;
mod settings;
mod suggest;
#[cfg(test)]
mod tests;

pub use add::{NewProfile, add_profile};
pub use change::{NewVault, change_ledger, change_vault};
pub use configuration::{Config, server_at};
pub use layer::{EffectiveSetting, Origin};
pub use presets::Preset;
pub use ready::{check_complete, missing, needs_secret};
pub use set::{SettingChange, set_setting, settable_keys};
pub use settings::preset_gives;
