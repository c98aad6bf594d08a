//! The vault: keeps secrets in the OS keyring, or sealed with age beside the record they belong to.

mod bundle;
#[cfg(test)]
mod damage;
mod envelope;
mod keyring;
mod parts;
mod sealed;

#[doc(hidden)]
pub use bundle::unarmored;
pub use bundle::{is_sealed, open_with, seal_to};
pub use envelope::{Envelope, Opener, Seal};
pub use keyring::Keyring;
pub use sealed::{
    IdentityFile, SealedVault, check_recipient, create_identity, find_or_create_identity, recipient_of,
};

use crate::error::{Result, VaultError};
use crate::model::flow::{Place, Sealed};
use crate::model::secret::Sealable;
use crate::model::vault_kind::VaultKind;
use crate::system::{KeyringThread, Random};
use std::sync::Arc;

/// How many random bytes a probe keeps: as many as a generous set of tokens, so that a limit on size shows.
const PROBE: usize = 4096;

/// Where secrets are kept. Making one touches nothing: the first use does.
pub enum Vault {
    /// In the OS keyring.
    Keyring(Keyring),
    /// Sealed, in the ledger's rows.
    Sealed(SealedVault),
}

impl Vault {
    /// The OS keyring, behind its thread.
    pub fn keyring(thread: Arc<KeyringThread>) -> Self {
        Self::Keyring(Keyring::over(thread))
    }

    /// Sealed to the recipients; this host opens with the identity in that file. No recipients: this host alone.
    pub fn sealed(identity: impl Into<IdentityFile>, recipients: Vec<String>) -> Self {
        Self::Sealed(SealedVault::new(identity.into(), recipients))
    }

    /// Which of the two it is.
    pub fn kind(&self) -> VaultKind {
        match self {
            Self::Keyring(_) => VaultKind::Keyring,
            Self::Sealed(_) => VaultKind::Sealed,
        }
    }

    /// Proves, before a consent is asked for, that the vault keeps and gives back; `item` is free to be used for it.
    pub fn probe(&self, item: &str, random: &dyn Random) -> Result<()> {
        let mut bytes = vec![0; PROBE];
        random.fill(&mut bytes)?;
        let secret = Sealable::from_bytes(bytes);
        match self {
            Self::Keyring(keyring) => keyring.probe(item, secret),
            Self::Sealed(sealed) => sealed.probe(&secret),
        }
    }

    /// Keeps the memo durably, and makes what seals the code and the answer later without I/O or waiting.
    /// A sealed vault's `answer` is sealed as [`Self::put`] seals: the record may take it as its blob.
    pub fn envelope(&self, item: &str, memo: &Sealable) -> Result<(Envelope, Place)> {
        self.envelope_for(item, memo, &[])
    }

    /// The same, with a memo that these recipients open, too. A keyring's stays on its machine.
    pub fn envelope_for(&self, item: &str, memo: &Sealable, also: &[String]) -> Result<(Envelope, Place)> {
        match self {
            Self::Keyring(keyring) => keyring.envelope(item, memo),
            Self::Sealed(sealed) => sealed.envelope(memo, also),
        }
    }

    /// Reads the memo back after a crash, with what opens the envelope's content.
    pub fn unfold(&self, memo: &Place, whose: &str) -> Result<(Sealable, Opener)> {
        match (self, memo) {
            (Self::Keyring(keyring), Place::Item(item)) => keyring.unfold(item, whose),
            (Self::Sealed(sealed), Place::Blob(blob)) => sealed.unfold(blob, whose),
            _ => self.misplaced(whose),
        }
    }

    /// What opens what is sealed to this host's identity, without a memo; a keyring has nothing of the kind.
    pub fn opener(&self) -> Option<Result<Opener>> {
        match self {
            Self::Keyring(_) => None,
            Self::Sealed(sealed) => Some(sealed.opener()),
        }
    }

    /// What seals to this host alone; a keyring needs no such thing.
    pub fn own_recipient(&self) -> Result<Option<String>> {
        match self {
            Self::Keyring(_) => Ok(None),
            Self::Sealed(sealed) => sealed.own_recipient().map(Some),
        }
    }

    /// To whom token sets are sealed; a keyring seals to nobody.
    pub fn recipients(&self) -> Result<Option<Vec<String>>> {
        match self {
            Self::Keyring(_) => Ok(None),
            Self::Sealed(sealed) => sealed.recipients().map(Some),
        }
    }

    /// Another envelope for a question whose memo was unfolded. The memo stays: what this seals, its opener opens.
    pub fn another_envelope(&self, opener: &Opener) -> Result<Envelope> {
        match self {
            Self::Keyring(_) => {
                let to = opener.recipients();
                Ok(Envelope { code: Seal::to(&to)?, answer: Seal::to(&to)? })
            }
            Self::Sealed(sealed) => sealed.another_envelope(),
        }
    }

    /// Keeps a secret: a new item of the keyring, or a blob sealed to the recipients.
    pub fn put(&self, item: &str, secret: &Sealable) -> Result<Place> {
        match self {
            Self::Keyring(keyring) => keyring.put(item, secret.clone()),
            Self::Sealed(sealed) => sealed.seal(secret).map(Place::Blob),
        }
    }

    /// Keeps a secret that only this host may ever read, whatever the recipients are: the client's own.
    pub fn put_own(&self, item: &str, secret: &Sealable) -> Result<Place> {
        match self {
            Self::Keyring(keyring) => keyring.put(item, secret.clone()),
            Self::Sealed(sealed) => sealed.seal_own(secret).map(Place::Blob),
        }
    }

    /// Gives a secret back.
    pub fn get(&self, place: &Place, whose: &str) -> Result<Sealable> {
        match (self, place) {
            (Self::Keyring(keyring), Place::Item(item)) => keyring.get(item, whose),
            (Self::Sealed(sealed), Place::Blob(blob)) => sealed.open(blob, whose),
            _ => self.misplaced(whose),
        }
    }

    /// The keyring's items whose names begin so; `None` where the store can't search. A sealed vault has none.
    pub fn items(&self, beginning: &str) -> Result<Option<Vec<String>>> {
        match self {
            Self::Keyring(keyring) => keyring.items(beginning),
            Self::Sealed(_) => Ok(Some(Vec::new())),
        }
    }

    /// Removes a secret. One that isn't there is forgotten already; a blob goes with its row.
    pub fn forget(&self, place: &Place) -> Result<()> {
        match (self, place) {
            (_, Place::Blob(_)) => Ok(()),
            (Self::Keyring(keyring), Place::Item(item)) => keyring.forget(item),
            (Self::Sealed(_), Place::Item(item)) => self.misplaced(item),
        }
    }

    fn misplaced<T>(&self, what: &str) -> Result<T> {
        let (kept, used) = match self {
            Self::Keyring(_) => (VaultKind::Sealed, VaultKind::Keyring),
            Self::Sealed(_) => (VaultKind::Keyring, VaultKind::Sealed),
        };
        Err(VaultError::OtherVault { what: what.into(), kept: kept.word(), used: used.word() }.into())
    }
}
