//! Which vault holds the secrets.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where secrets are kept.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum VaultKind {
    /// The operating system's keyring
    #[default]
    Keyring,
    /// Sealed to age recipients inside the ledger, for hosts with no keyring
    Sealed,
}

impl VaultKind {
    /// The word in configuration, flags and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Sealed => "sealed",
        }
    }
}

impl fmt::Display for VaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
