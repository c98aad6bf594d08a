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

/// More than a token set comes to.
const USUAL: usize = 16 * 1024;

/// What a secret is looked up by: its SHA-256. Of a state, 256 random bits, it tells nothing.
pub type Fingerprint = [u8; 32];

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

/// A secret as a member of what is sealed: the one form in which it's written, and wiped there too.
// defense: S29 secrets-without-debug
#[derive(Clone)]
pub struct SecretText(Secret);

impl SecretText {
    pub fn into_secret(self) -> Secret {
        self.0
    }
}

impl From<&Secret> for SecretText {
    fn from(secret: &Secret) -> Self {
        Self(secret.clone())
    }
}

impl serde::Serialize for SecretText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> serde::Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The same memory, wiped from now on.
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

/// Several secrets that are kept as one item: JSON, in memory that is wiped.
#[derive(Clone)]
pub struct Sealable(Zeroizing<Vec<u8>>);

impl Sealable {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The members as JSON. A form that can't be JSON doesn't exist here: every one is a struct of texts.
    pub fn of(members: &impl serde::Serialize) -> Self {
        // Room for what is usual, so that the buffer doesn't move and leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(USUAL));
        if serde_json::to_writer(&mut *bytes, members).is_err() {
            bytes.clear();
        }
        Self(bytes)
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
                reason: crate::error::UnsealError::Content,
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
