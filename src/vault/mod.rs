//! The vault: keeps secrets in the OS keyring, or sealed with age beside the record they belong to.

mod binding;
mod bundle;
#[cfg(test)]
mod damage;
mod envelope;
mod keyring;
mod parts;
mod sealed;
#[cfg(test)]
mod trial;

#[doc(hidden)]
pub use bundle::unarmored;
pub use bundle::{is_sealed, open_with, seal_to};
pub use envelope::{Envelope, Opener, Sealer};
pub use keyring::Keyring;
pub use sealed::{
    IdentityFile, SealedVault, check_recipient, create_identity, find_or_create_identity, recipient_of,
};

use crate::error::{Result, VaultError};
use crate::model::flow::{SealedBytes, SecretPlace};
use crate::model::seal::{ExpectedSeal, SealLabel};
use crate::model::secret::Sealable;
use crate::model::vault_kind::VaultKind;
use crate::system::{KeyringThread, Random};
use std::sync::Arc;

/// How many random bytes a probe keeps: as many as a generous set of tokens, so that a limit on size shows.
const PROBE: usize = 4096;

pub struct FoundSecret {
    /// What it was kept for; 0.2.0's don't say.
    pub label: Option<SealLabel>,
    /// Whether one of this host's own identities sealed it; `None` where nothing could prove that.
    pub is_ours: Option<bool>,
    /// Nobody else may read what this host seals.
    pub alone: bool,
    pub secret: Sealable,
}

/// To how many recipients something is sealed: age's header has a line for each (age-encryption.org/v1).
fn stanzas(SealedBytes(bytes): &SealedBytes) -> usize {
    let header = bytes.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---"));
    header.filter(|line| line.starts_with(b"-> X25519 ")).count()
}

/// Where secrets are kept. Making one touches nothing: the first use does.
pub enum Vault {
    Keyring(Keyring),
    /// Sealed, in the ledger's rows.
    Sealed(Box<SealedVault>),
}

impl Vault {
    pub fn keyring(thread: Arc<KeyringThread>) -> Self {
        Self::Keyring(Keyring::over(thread))
    }

    /// Sealed to the recipients; this host opens with the identity in that file. No recipients: this host alone.
    pub fn sealed(identity: impl Into<IdentityFile>, recipients: Vec<String>) -> Self {
        Self::Sealed(Box::new(SealedVault::new(identity.into(), recipients)))
    }

    pub fn kind(&self) -> VaultKind {
        match self {
            Self::Keyring(_) => VaultKind::Keyring,
            Self::Sealed(_) => VaultKind::Sealed,
        }
    }

    /// Which program or part of the system keeps the secrets, where that is known by now; a sealed vault needs none.
    pub fn keeper(&self) -> Option<String> {
        match self {
            Self::Keyring(keyring) => keyring.keeper(),
            Self::Sealed(_) => None,
        }
    }

    /// A ledger names secrets in it: as long as they are there, no other vault is of any use.
    pub fn holds_secrets(&self) {
        if let Self::Keyring(keyring) = self {
            keyring.holds_secrets();
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
    /// `also` are further recipients that open the memo; a keyring's stays on its machine.
    pub fn envelope(
        &self,
        item: &str,
        label: &SealLabel,
        memo: &Sealable,
        also: &[String],
    ) -> Result<(Envelope, SecretPlace)> {
        match self {
            Self::Keyring(keyring) => keyring.envelope(item, label, memo),
            Self::Sealed(sealed) => sealed.envelope(label, memo, also),
        }
    }

    /// Keeps a memo anew of which nothing was sealed yet. A keyring's has what opens the envelope's content beside it.
    pub fn put_memo(
        &self,
        item: &str,
        label: &SealLabel,
        memo: &Sealable,
        also: &[String],
    ) -> Result<SecretPlace> {
        match self {
            Self::Keyring(keyring) => keyring.envelope(item, label, memo).map(|(_, place)| place),
            Self::Sealed(sealed) => sealed.seal_memo(label, memo, also).map(SecretPlace::Blob),
        }
    }

    /// Reads the memo back after a crash, with what opens the envelope's content.
    pub fn reopen_memo(&self, memo: &SecretPlace, row: &ExpectedSeal) -> Result<(Sealable, Opener)> {
        match (self, memo) {
            (Self::Keyring(keyring), SecretPlace::Item(item)) => keyring.reopen_memo(item, row),
            (Self::Sealed(sealed), SecretPlace::Blob(blob)) => sealed.reopen_memo(blob, row),
            _ => self.misplaced(&row.whose()),
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

    /// Another envelope for a flow whose memo was unfolded. The memo stays: what this seals, its opener opens.
    pub fn another_envelope(&self, opener: &Opener) -> Result<Envelope> {
        match self {
            Self::Keyring(_) => {
                let (to, sealer) = (opener.recipients(), opener.sealer());
                Ok(Envelope { code: Sealer::to(&to, sealer)?, answer: Sealer::to(&to, sealer)? })
            }
            Self::Sealed(sealed) => sealed.another_envelope(),
        }
    }

    /// Keeps a secret: a new item of the keyring, or a blob sealed to the recipients.
    pub fn put(&self, item: &str, label: &SealLabel, secret: &Sealable) -> Result<SecretPlace> {
        match self {
            Self::Keyring(keyring) => keyring.put(item, label, secret),
            Self::Sealed(sealed) => sealed.seal(label, secret).map(SecretPlace::Blob),
        }
    }

    /// Keeps a secret that only this host may ever read, whatever the recipients are: the client's own.
    pub fn put_for_this_host(&self, item: &str, label: &SealLabel, secret: &Sealable) -> Result<SecretPlace> {
        match self {
            Self::Keyring(keyring) => keyring.put(item, label, secret),
            Self::Sealed(sealed) => sealed.seal_own(label, secret).map(SecretPlace::Blob),
        }
    }

    /// Gives a secret back that was kept for this row; refused where it was kept for another.
    pub fn get(&self, place: &SecretPlace, row: &ExpectedSeal) -> Result<Sealable> {
        self.get_labeled(place, row).map(|(secret, _)| secret)
    }

    /// The same, with what was said of it when it was kept; 0.2.0 said nothing.
    pub fn get_labeled(
        &self,
        place: &SecretPlace,
        row: &ExpectedSeal,
    ) -> Result<(Sealable, Option<SealLabel>)> {
        match (self, place) {
            (Self::Keyring(keyring), SecretPlace::Item(item)) => keyring.get_labeled(item, row),
            (Self::Sealed(sealed), SecretPlace::Blob(blob)) => sealed.open_labeled(blob, row),
            _ => self.misplaced(&row.whose()),
        }
    }

    /// Whether a secret was given back, as [`Self::get`] would, without a keyring that would ask somebody for it: `false` where it
    /// would.
    pub fn look(&self, place: &SecretPlace, row: &ExpectedSeal) -> Result<bool> {
        match (self, place) {
            (Self::Keyring(keyring), SecretPlace::Item(item)) => keyring.look(item, row),
            _ => self.get(place, row).map(|_| true),
        }
    }

    /// Whether it was opened already: what is asked of it now asks nobody for a passphrase.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Keyring(_) => false,
            Self::Sealed(sealed) => sealed.is_open(),
        }
    }

    /// What a person is asked about before it's kept anew for its row: a secret that was kept for another one as well.
    pub fn read_unchecked(&self, place: &SecretPlace, whose: &str) -> Result<FoundSecret> {
        let (unbound, is_item, alone) = match (self, place) {
            (Self::Keyring(keyring), SecretPlace::Item(item)) => {
                (keyring.read_unchecked(item, whose)?, true, true)
            }
            (Self::Sealed(sealed), SecretPlace::Blob(blob)) => {
                (sealed.unseal(blob, whose)?, false, sealed.opener()?.is_alone())
            }
            _ => return self.misplaced(whose),
        };
        let is_ours = (!is_item).then_some(unbound.is_ours);
        Ok(FoundSecret { label: unbound.label, is_ours, alone, secret: unbound.secret })
    }

    /// Whether what was sealed may have readers whom the configuration doesn't name: sealed anew, they would lose it.
    pub fn has_further_readers(&self, place: &SecretPlace) -> Result<bool> {
        match (self, place) {
            (Self::Sealed(sealed), SecretPlace::Blob(blob)) => Ok(stanzas(blob) > sealed.count_recipients()?),
            _ => Ok(false),
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
    pub fn forget(&self, place: &SecretPlace) -> Result<()> {
        match (self, place) {
            (_, SecretPlace::Blob(_)) => Ok(()),
            (Self::Keyring(keyring), SecretPlace::Item(item)) => keyring.forget(item),
            (Self::Sealed(_), SecretPlace::Item(item)) => self.misplaced(item),
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
