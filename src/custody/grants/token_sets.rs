//! Token sets on their way into a row, and out of it: sealed for it, and refused where they were sealed for another.

use crate::custody::seals::labeler::{ClientRegistrations, SealLabeler};
use crate::custody::writer::{Custody, event};
use crate::error::{Error, Result, UnsealError, VaultError};
use crate::model::authorization::Authorization;
use crate::model::flow::{Flow, SealedBytes, SecretPlace, SecretRole, StoredSecret};
use crate::model::granted::Granted;
use crate::model::history::{HistoryEvent, HistoryEventKind};
use crate::model::ids::{FlowId, Generation, LicenseId};
use crate::model::seal::{ExpectedSeal, SealKind, SealLabel};
use crate::model::secret::Sealable;
use crate::model::vault_kind::VaultKind;
use crate::system::Env;
use crate::vault::Vault;
use std::cell::RefCell;
use std::sync::Arc;

/// A token set on its way into a row: an item of the keyring already, or sealed once it's known as which number it's stored.
pub(in crate::custody) struct TokensToStore {
    /// The keyring's item that has them.
    item: Option<SecretPlace>,
    /// As they were sealed last, where what that seal says is known.
    sealed: RefCell<Option<(SealedBytes, SealLabel)>>,
    secret: Sealable,
}

/// Seals token sets for the rows that they go into, while nobody else can change these.
#[derive(Clone)]
pub(in crate::custody) struct TokenSealer {
    vault: Arc<Vault>,
    seals: SealLabeler,
    profile: String,
    key: LicenseId,
    flow: FlowId,
}

/// Grants as the vault gave them back, to be revoked.
pub(in crate::custody) struct GrantsToRevoke {
    pub(in crate::custody) grants: Vec<Granted>,
    /// It has lost the tokens of an earlier one, which may live on at the provider.
    pub(super) is_one_lost: bool,
}

impl GrantsToRevoke {
    /// Says what is lost, as it's dropped; and what the history gets of it.
    pub(in crate::custody) fn tell(&self, env: &Env, record: &Authorization) -> Option<HistoryEvent> {
        const LOST: &str = "the vault has lost the tokens of an earlier grant, which was to be revoked: it may still be valid at the provider until the admin removes it";
        self.is_one_lost.then(|| {
            env.terminal.info(&format!("{}: {LOST}.", record.key.license));
            event(record, HistoryEventKind::Uncertain, LOST, env.clock.now())
        })
    }
}

impl TokensToStore {
    /// Where they are before they are stored: to be forgotten where that fails.
    pub(super) fn item(&self) -> Option<&SecretPlace> {
        self.item.as_ref()
    }

    /// As they were sealed last: where whether they were stored isn't known, this is what the row would have.
    pub(in crate::custody) fn sealed(&self) -> Option<SealedBytes> {
        self.sealed.borrow().as_ref().map(|(sealed, _)| sealed.clone())
    }
}

impl TokenSealer {
    /// The place of a token set that is stored as this number: what was sealed as another is sealed anew.
    pub(in crate::custody) fn place(
        &self,
        tokens: &TokensToStore,
        kind: SealKind,
        generation: Generation,
    ) -> Result<SecretPlace> {
        if let Some(item) = &tokens.item {
            return Ok(item.clone());
        }
        // The envelope's content is the record's own blob: nothing is sealed twice.
        if let Some((sealed, label)) = &*tokens.sealed.borrow()
            && label.is(kind, generation)
        {
            return Ok(SecretPlace::Blob(sealed.clone()));
        }
        let label = self.seals.tokens(&self.profile, &self.key, kind, generation, Some(&self.flow));
        let place = self.vault.put("", &label, &tokens.secret)?;
        if let SecretPlace::Blob(sealed) = &place {
            tokens.sealed.replace(Some((sealed.clone(), label)));
        }
        Ok(place)
    }
}

impl Custody<'_> {
    /// Which client of which provider the other profiles' secrets belong to: where a command has to do with them, too.
    #[must_use]
    pub fn with_registrations(mut self, registrations: ClientRegistrations) -> Self {
        self.seals = SealLabeler::of(&self.ledger, registrations);
        self
    }

    /// A token set as its row has it; of this profile's license.
    pub(in crate::custody) fn open_tokens(
        &self,
        profile: &str,
        key: &LicenseId,
        secret: &StoredSecret,
    ) -> Result<Sealable> {
        let opened = self.vault.get(&secret.place, &self.seals.row(profile, key, secret));
        opened.map_err(|e| self.named(e, profile, key))
    }

    pub(super) fn read_grant(&self, secret: &StoredSecret, key: &LicenseId) -> Result<Granted> {
        Granted::from_sealable(&self.open_tokens(&self.provider.profile, key, secret)?, key)
    }

    /// The grants that are to be revoked. Of one that was retired, and that the vault has lost, there is no token to do that with,
    /// today or ever: it's told of, and bars nobody's way. What a license has or awaits is never given up like that.
    pub(in crate::custody) fn read_to_revoke(
        &self,
        secrets: &[StoredSecret],
        key: &LicenseId,
    ) -> Result<GrantsToRevoke> {
        let mut found = GrantsToRevoke { grants: Vec::with_capacity(secrets.len()), is_one_lost: false };
        for secret in secrets {
            let is_retired = matches!(secret.role, SecretRole::Superseded | SecretRole::Unwanted);
            match self.read_grant(secret, key) {
                Ok(granted) => found.grants.push(granted),
                Err(e) if is_retired && e.is_lost_for_good() => match self.named_now(secret, key)? {
                    // Another process has revoked it meanwhile.
                    None => {}
                    Some(place) if place == secret.place => found.is_one_lost = true,
                    // Another process has moved it to another vault: the next command finds it there.
                    Some(_) => return Err(e),
                },
                Err(e) => return Err(e),
            }
        }
        Ok(found)
    }

    /// Where the ledger says by now that a secret is, which was read a while ago; `None` where it names it no more.
    pub(super) fn named_now(&self, secret: &StoredSecret, key: &LicenseId) -> Result<Option<SecretPlace>> {
        let named = self.ledger.secrets(&self.provider.profile, key, secret.role)?;
        Ok(named.into_iter().find(|it| it.id == secret.id).map(|it| it.place))
    }

    /// The row of a flow's state and verifier, which is about to be opened.
    pub(in crate::custody) fn memo_row(&self, flow: &Flow) -> Result<ExpectedSeal> {
        let row = self.seals.row_of_verifier(flow);
        // A link that was handed out may be another listening host's; a ledger that no other host listens for has none.
        let others = || -> Result<bool> {
            let own = self.vault.own_recipient()?;
            Ok(own.is_some_and(|own| self.listeners().is_ok_and(|all| all.iter().any(|it| *it != own))))
        };
        Ok(if flow.handed_off && others()? { row.of_any_host() } else { row })
    }

    pub(in crate::custody) fn token_sealer(&self, key: &LicenseId, flow: &FlowId) -> TokenSealer {
        TokenSealer {
            vault: self.vault.clone(),
            seals: self.seals.clone(),
            profile: self.provider.profile.clone(),
            key: key.clone(),
            flow: flow.clone(),
        }
    }

    /// An error that names whose identity would open it, where the ledger knows who wrote the record last.
    pub(super) fn named(&self, e: Error, profile: &str, key: &LicenseId) -> Error {
        let Error::Vault(VaultError::Sealed { what, reason: UnsealError::OtherIdentity }) = e else {
            return e;
        };
        const LINES: u32 = 20;
        let written = self.ledger.last_lines(profile, key, LINES).unwrap_or_default();
        // What was changed here, was sealed here.
        let elsewhere =
            written.into_iter().rev().map(|line| line.host).find(|host| *host != self.env.who.host);
        match elsewhere {
            Some(host) => VaultError::OtherHost { what, host: crate::error::clean(&host) }.into(),
            None => VaultError::Sealed { what, reason: UnsealError::OtherIdentity }.into(),
        }
    }

    /// Tokens that go into a row of their own: into the keyring at once, and sealed with the commit that stores them.
    pub(super) fn tokens_to_store(
        &self,
        flow: &FlowId,
        key: &LicenseId,
        kind: SealKind,
        secret: Sealable,
        sealed: Option<(SealedBytes, SealLabel)>,
    ) -> Result<TokensToStore> {
        let base = match self.vault.kind() {
            VaultKind::Sealed => Generation::default(),
            VaultKind::Keyring => self.record(key)?.record.generation,
        };
        self.tokens_based_on(base, flow, key, kind, secret, sealed)
    }

    /// The same of a flow that began with this generation, by which its item is named.
    pub(in crate::custody) fn tokens_based_on(
        &self,
        base: Generation,
        flow: &FlowId,
        key: &LicenseId,
        kind: SealKind,
        secret: Sealable,
        sealed: Option<(SealedBytes, SealLabel)>,
    ) -> Result<TokensToStore> {
        let item = match self.vault.kind() {
            VaultKind::Sealed => None,
            VaultKind::Keyring => {
                let label = self.seals.tokens(&self.provider.profile, key, kind, base.next(), Some(flow));
                Some(self.vault.put(&self.item_of_answer(key, base, flow), &label, &secret)?)
            }
        };
        Ok(TokensToStore { item, sealed: RefCell::new(sealed), secret })
    }

    /// Tokens that the keyring has already, in this item.
    pub(in crate::custody) fn tokens_in(item: SecretPlace, secret: Sealable) -> TokensToStore {
        TokensToStore { item: Some(item), sealed: RefCell::new(None), secret }
    }
}
