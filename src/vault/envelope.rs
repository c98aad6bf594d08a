//! Envelopes: what seals a code and an answer later with no I/O and no waiting, and what opens them after a crash.

use super::SealedBytes;
use super::binding::{OpenedSecret, SealerKey, bind, unbind};
use crate::error::{Result, UnsealError, VaultError};
use crate::model::seal::{ExpectedSeal, SealLabel};
use crate::model::secret::Sealable;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use secrecy::zeroize::Zeroizing;
use std::io::{Read, Write};
use std::sync::Arc;

/// What takes the code and the answer of one flow.
pub struct Envelope {
    pub code: Sealer,
    pub answer: Sealer,
}

/// Seals one secret: keys are agreed on and the header is made already.
/// It holds the `Encryptor`, not its `StreamWriter`: that one reserves 64 KiB, and a bulk run has thousands open.
pub struct Sealer {
    encryptor: Encryptor,
    /// Proves who sealed it.
    sealer: Option<SealerKey>,
}

impl Sealer {
    pub(super) fn to(recipients: &[Recipient], sealer: Option<&SealerKey>) -> Result<Self> {
        Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn age::Recipient))
            .map(|encryptor| Self { encryptor, sealer: sealer.cloned() })
            .map_err(|e| VaultError::Sealing { reason: e.to_string() }.into())
    }

    /// Seals the secret, with what it's for: computes, and can't block.
    pub fn close(self, label: &SealLabel, secret: &Sealable) -> Result<SealedBytes> {
        let bound = bind(label, None, self.sealer.as_ref(), secret)?;
        self.close_bare(&bound)
    }

    /// The same for what names its own purpose: a bundle, and a probe.
    pub(super) fn close_bare(self, secret: &Sealable) -> Result<SealedBytes> {
        // age doesn't wipe its own buffer of the plaintext; ours are.
        let write = || {
            let mut writer = self.encryptor.wrap_output(Vec::new())?;
            writer.write_all(secret.bytes())?;
            writer.finish()
        };
        write()
            .map(SealedBytes)
            .map_err(|e: std::io::Error| VaultError::Sealing { reason: e.to_string() }.into())
    }
}

/// Opens what was sealed to it.
#[derive(Clone)]
pub struct Opener {
    identities: Arc<[Identity]>,
    sealers: Arc<[SealerKey]>,
    /// Nobody else seals to it: what it opens was sealed with one of its own identities.
    alone: bool,
}

impl Opener {
    pub(super) fn with(identities: Vec<Identity>, alone: bool) -> Self {
        let sealers = identities.iter().map(SealerKey::of).collect();
        Self { identities: identities.into(), sealers, alone }
    }

    /// What seals to it.
    pub(super) fn recipients(&self) -> Vec<Recipient> {
        self.identities.iter().map(Identity::to_public).collect()
    }

    /// What proves that it sealed something itself.
    pub(super) fn sealer(&self) -> Option<&SealerKey> {
        self.sealers.first()
    }

    /// Opens what was sealed for this row; refused where it was sealed for another.
    pub fn open(&self, sealed: &SealedBytes, row: &ExpectedSeal) -> Result<Sealable> {
        self.open_labeled(sealed, row).map(|(secret, _)| secret)
    }

    /// The same, with what the seal says of itself; 0.2.0's say nothing.
    pub fn open_labeled(
        &self,
        sealed: &SealedBytes,
        row: &ExpectedSeal,
    ) -> Result<(Sealable, Option<SealLabel>)> {
        self.unseal(sealed, &row.whose())?.checked(row, None, row.is_proven_by_its_seal(self.alone))
    }

    /// Opens it wherever it stands, and judges nothing.
    pub(super) fn unseal(&self, sealed: &SealedBytes, whose: &str) -> Result<OpenedSecret> {
        let opened = self.open_bare(sealed, whose)?;
        unbind(opened, &self.sealers)
            .map_err(|reason| VaultError::Sealed { what: whose.into(), reason }.into())
    }

    /// Whether nobody else seals to it.
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Opens sealed bytes; an error names whose they are.
    pub(super) fn open_bare(&self, sealed: &SealedBytes, whose: &str) -> Result<Sealable> {
        let read = || {
            let decryptor = Decryptor::new_buffered(sealed.0.as_slice())?;
            let mut reader = decryptor.decrypt(self.identities.iter().map(|i| i as &dyn age::Identity))?;
            // Never longer than what was sealed, so the buffer never moves and leaves no copy behind.
            let mut secret = Zeroizing::new(Vec::with_capacity(sealed.0.len()));
            reader.read_to_end(&mut secret)?;
            Ok(secret)
        };
        let mut secret = read().map_err(|e: DecryptError| {
            let reason = match e {
                DecryptError::NoMatchingKeys => UnsealError::OtherIdentity,
                DecryptError::UnknownFormat => UnsealError::NewerAge,
                _ => UnsealError::Damaged,
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
        let sealed = Sealer::to(&[identity.to_public()], None).unwrap().close_bare(&secret).unwrap();
        let opener = Opener::with(vec![identity], true);
        assert_eq!(opener.open_bare(&sealed, "x").unwrap().bytes(), secret.bytes());

        let refused = |bytes: Vec<u8>| {
            let error = opener.open_bare(&SealedBytes(bytes), "6011/OCM-1").unwrap_err();
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
            let sealed = Sealer::to(&[identity.to_public()], None).unwrap().close_bare(&secret).unwrap();
            let opened = Opener::with(vec![identity.clone()], true).open_bare(&sealed, "x").unwrap();
            assert_eq!(opened.bytes(), secret.bytes());
        }
    }
}
