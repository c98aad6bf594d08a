//! Envelopes: what seals a code and an answer later with no I/O and no waiting, and what opens them after a crash.

use super::Sealed;
use crate::error::{Result, Unopened, VaultError};
use crate::model::secret::Sealable;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use secrecy::zeroize::Zeroizing;
use std::io::{Read, Write};
use std::sync::Arc;

/// What takes the code and the answer of one question.
pub struct Envelope {
    /// Takes the code.
    pub code: Seal,
    /// Takes the answer to the code.
    pub answer: Seal,
}

/// Seals one secret: keys are agreed on and the header is made already.
/// It holds the `Encryptor`, not its `StreamWriter`: that one reserves 64 KiB, and a bulk run has thousands open.
pub struct Seal(Encryptor);

impl Seal {
    pub(super) fn to(recipients: &[Recipient]) -> Result<Self> {
        Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn age::Recipient))
            .map(Self)
            .map_err(|e| VaultError::Sealing { reason: e.to_string() }.into())
    }

    /// Seals the secret: computes, and can't block.
    pub fn close(self, secret: &Sealable) -> Result<Sealed> {
        // age doesn't wipe its own buffer of the plaintext; ours are.
        let write = || {
            let mut writer = self.0.wrap_output(Vec::new())?;
            writer.write_all(secret.bytes())?;
            writer.finish()
        };
        write().map(Sealed).map_err(|e: std::io::Error| VaultError::Sealing { reason: e.to_string() }.into())
    }
}

/// Opens what was sealed to it.
#[derive(Clone)]
pub struct Opener(Arc<[Identity]>);

impl Opener {
    pub(super) fn with(identities: Vec<Identity>) -> Self {
        Self(identities.into())
    }

    /// What seals to it.
    pub(super) fn recipients(&self) -> Vec<Recipient> {
        self.0.iter().map(Identity::to_public).collect()
    }

    /// Opens sealed bytes; an error names whose they are.
    pub fn open(&self, sealed: &Sealed, whose: &str) -> Result<Sealable> {
        let read = || {
            let decryptor = Decryptor::new_buffered(sealed.0.as_slice())?;
            let mut reader = decryptor.decrypt(self.0.iter().map(|i| i as &dyn age::Identity))?;
            // Never longer than what was sealed, so the buffer never moves and leaves no copy behind.
            let mut secret = Zeroizing::new(Vec::with_capacity(sealed.0.len()));
            reader.read_to_end(&mut secret)?;
            Ok(secret)
        };
        let mut secret = read().map_err(|e: DecryptError| {
            let reason = match e {
                DecryptError::NoMatchingKeys => Unopened::OtherIdentity,
                DecryptError::UnknownFormat => Unopened::NewerAge,
                _ => Unopened::Damaged,
            };
            VaultError::Sealed { what: whose.into(), reason }
        })?;
        Ok(Sealable::from_bytes(std::mem::take(&mut *secret)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_flipped_or_cut_byte_anywhere_is_a_clean_error() {
        let identity = Identity::generate();
        let secret = Sealable::from_bytes(b"canary".to_vec());
        let sealed = Seal::to(&[identity.to_public()]).unwrap().close(&secret).unwrap();
        let opener = Opener::with(vec![identity]);
        assert_eq!(opener.open(&sealed, "x").unwrap().bytes(), secret.bytes());

        let refused = |bytes: Vec<u8>| {
            let error = opener.open(&Sealed(bytes), "6011/OCM-1").unwrap_err();
            assert!(
                matches!(&error, Error::Vault(VaultError::Sealed { what, .. }) if what == "6011/OCM-1"),
                "{error}"
            );
        };
        for at in 0..sealed.0.len() {
            for mask in [0x01, 0x20, 0x80, 0xff] {
                let mut bytes = sealed.0.clone();
                bytes[at] ^= mask;
                refused(bytes);
            }
            refused(sealed.0[..at].to_vec());
        }
        refused([sealed.0.as_slice(), b"\0"].concat());
    }

    #[test]
    fn long_secrets_come_back_whole() {
        let identity = Identity::generate();
        for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            let secret = Sealable::from_bytes(vec![7; length]);
            let sealed = Seal::to(&[identity.to_public()]).unwrap().close(&secret).unwrap();
            let opened = Opener::with(vec![identity.clone()]).open(&sealed, "x").unwrap();
            assert_eq!(opened.bytes(), secret.bytes());
        }
    }
}
