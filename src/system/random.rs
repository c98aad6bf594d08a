//! Unguessable bytes.

use crate::error::{Error, Result};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// A source of unguessable bytes.
pub trait Random: Send + Sync {
    fn fill(&self, bytes: &mut [u8]) -> Result<()>;

    /// 256 random bits in 43 characters that need no quoting anywhere: a state, a verifier, an id.
    fn token(&self) -> Result<String> {
        let mut bytes = [0; 32];
        self.fill(&mut bytes)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// 96 random bits in 16 characters: the name of a thing, not a secret. It never begins with a dash, which a keyring's
    /// or a shell's tools would take for a flag.
    fn name(&self) -> Result<String> {
        let mut bytes = [0; 12];
        loop {
            self.fill(&mut bytes)?;
            let name = BASE64_URL_SAFE_NO_PAD.encode(bytes);
            if !name.starts_with('-') {
                return Ok(name);
            }
        }
    }
}

/// The operating system's source.
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes)
            .map_err(|e| Error::System { what: "the system gives no random bytes", reason: e.to_string() })
    }
}
