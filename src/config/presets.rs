//! Presets: what is known of a provider, as the same TOML that a profile holds.

use super::layer::{Layer, Origin};
use super::reader::Reader;

/// A provider that profiles start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// BioTrack New York, production
    Ny,
    /// BioTrack New York, the state's sandbox
    NySandbox,
    /// BioTrack Florida, production
    Fl,
    /// This program's own stand-in (`biotrack-auth sandbox serve`)
    LocalSandbox,
    /// Any RFC 6749 server with RFC 8414 metadata
    Generic,
}

/// What holds where neither preset nor file says otherwise.
pub(super) const DEFAULTS: &str = include_str!("presets/defaults.toml");

impl Preset {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ny, Self::NySandbox, Self::Fl, Self::LocalSandbox, Self::Generic];

    /// Its name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ny => "ny",
            Self::NySandbox => "ny-sandbox",
            Self::Fl => "fl",
            Self::LocalSandbox => "local-sandbox",
            Self::Generic => "generic",
        }
    }

    /// Whether it has a value for this key, so that nobody need be asked for one.
    pub fn gives(self, key: &str) -> bool {
        self.layer().get(key).is_some()
    }

    /// Its values as TOML, a line each, with a remark on those that nobody outside BioTrack could verify.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Ny => include_str!("presets/ny.toml"),
            Self::NySandbox => include_str!("presets/ny-sandbox.toml"),
            Self::Fl => include_str!("presets/fl.toml"),
            Self::LocalSandbox => include_str!("presets/local-sandbox.toml"),
            Self::Generic => include_str!("presets/generic.toml"),
        }
    }

    /// Its values.
    pub(super) fn layer(self) -> Layer {
        Reader::new(self.name(), self.text()).bare_layer(&Origin::Preset(self.name()))
    }

    /// The secret that its client id goes with, where that is no secret: the stand-in's alone.
    pub(super) fn published_secret(self) -> Option<&'static str> {
        (self == Self::LocalSandbox).then_some("sandbox-secret")
    }
}

/// The defaults' values.
pub(super) fn defaults() -> Layer {
    Reader::new("defaults", DEFAULTS).bare_layer(&Origin::Default)
}
