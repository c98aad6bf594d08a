//! Presets: the providers that profiles start from. What each of them gives stands with the settings.

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

    /// The preset of a name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The secret that its client id goes with, where that is no secret: the stand-in's alone.
    pub(super) fn published_secret(self) -> Option<&'static str> {
        (self == Self::LocalSandbox).then_some("sandbox-secret")
    }
}
