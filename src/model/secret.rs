//! Secrets: never shown, never serialized by accident, wiped when dropped.

use crate::error::{Error, Result};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// A token, code, verifier or client secret. It has no `Display` and no `Serialize`; its `Debug` says nothing.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself: for the provider, the vault, and who asked for it in so many words.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it's that text; the time that takes tells nothing about where they differ.
    pub fn is(&self, text: &str) -> bool {
        self.expose().as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// What a secret is looked up by: its SHA-256. Of a state, 256 random bits, it tells nothing.
pub type Fingerprint = [u8; 32];

/// The fingerprint of a secret.
pub fn fingerprint(secret: &str) -> Fingerprint {
    Sha256::digest(secret).into()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<SecretString> for Secret {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

/// Several secrets that are kept as one item: JSON, in memory that is wiped.
#[derive(Clone)]
pub struct Sealable(Zeroizing<Vec<u8>>);

impl Sealable {
    /// The bytes as they came out of a vault.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The members as JSON. A form that can't be JSON doesn't exist here: every one is a struct of texts.
    pub fn of(members: &impl serde::Serialize) -> Self {
        Self(Zeroizing::new(serde_json::to_vec(members).unwrap_or_default()))
    }

    /// The bytes themselves: for a vault.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the members back; the error names whose they are, and never what they say.
    pub fn read<T: serde::de::DeserializeOwned>(&self, whose: &str) -> Result<T> {
        serde_json::from_slice(&self.0).map_err(|_| {
            Error::Vault(crate::error::VaultError::Sealed {
                what: whose.to_owned(),
                reason: "it isn't what this program seals".into(),
            })
        })
    }
}

impl fmt::Debug for Sealable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealable(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_shows_a_secret() {
        assert_eq!(format!("{:?}", Secret::new("canary")), "Secret(…)");
        assert_eq!(format!("{:?}", Sealable::from_bytes(b"canary".to_vec())), "Sealable(…)");
    }
}
