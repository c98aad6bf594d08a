//! Codes, tokens and ids: made at random, kept only as their SHA-256.

use std::fmt;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// A SHA-256; shown as lowercase hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::sandbox) struct Digest([u8; 32]);

impl Digest {
    pub(in crate::sandbox) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// The S256 challenge of a verifier (RFC 7636 4.2): base64url of the digest, unpadded.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(in crate::sandbox) fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// A new secret: 256 random bits in base64url after a word that says what it is, so that a leak is easy to find.
pub(in crate::sandbox) fn fresh(word: &str) -> io::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("sandbox-{word}-{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The two tokens of an answer, made before the state is locked.
pub(in crate::sandbox) struct MintedTokens {
    pub(in crate::sandbox) access: String,
    pub(in crate::sandbox) refresh: String,
}

impl MintedTokens {
    pub(in crate::sandbox) fn fresh() -> io::Result<Self> {
        Ok(Self { access: fresh("access")?, refresh: fresh("refresh")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_challenges_are_the_published_ones() {
        assert_eq!(
            Digest::of("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        // RFC 7636, appendix B.
        assert_eq!(
            Digest::of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(fresh("code").unwrap(), fresh("code").unwrap());
    }
}
