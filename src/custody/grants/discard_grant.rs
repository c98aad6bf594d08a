//! Another admin's grant that awaits approval is discarded, and nothing else of its license is touched.

use super::accept_grant::still_awaits;
use crate::custody::revocation::deactivate::{Revocation, RevocationMode};
use crate::custody::writer::{Custody, event};
use crate::error::{Error, Result};
use crate::ledger::RetiredRole;
use crate::model::authorization::Authorization;
use crate::model::flow::{RecordCommit, SecretRole, SecretsChange};
use crate::model::granted::AwaitingGrant;
use crate::model::history::HistoryEventKind;
use crate::model::ids::LicenseId;
use crate::model::provider::RevocationScope;

impl Custody<'_> {
    /// Discards a grant that awaits approval: the one that was shown, and no other. Where a revocation can reach it without
    /// ending the living grant, its tokens are kept for that, and the record says so until the provider has answered: see
    /// [`revoke_discarded`](Self::revoke_discarded). Whether they are.
    ///
    /// # Errors
    /// [`LedgerError::Changed`](crate::error::LedgerError::Changed) where it isn't there anymore: accepted, discarded, or
    /// replaced by a newer one.
    pub fn discard(&mut self, shown: &AwaitingGrant, revoke: bool, reason: &str) -> Result<bool> {
        let key = &shown.key;
        let _claim = self.claim(key)?;
        let (profile, now) = (self.provider.profile.clone(), self.env.clock.now());
        let offered = revoke && self.offers_revocation();
        let alone = self.provider.revocation_scope == RevocationScope::Token;
        let reaches = |record: &Authorization| offered && (alone || !record.has_valid_grant(now));
        let held = still_awaits(&self.ledger, &profile, shown)?;
        if offered {
            // Tokens that can't be read now couldn't be revoked later either: then nothing is changed.
            self.read_grant(&held, key)?;
        }
        let detail = match reason {
            "" => format!("the grant from {} that awaited approval was discarded", shown.granted_by),
            reason => {
                format!("the grant from {} that awaited approval was discarded: {reason}", shown.granted_by)
            }
        };
        let (mut kept, mut gone) = (false, held.place);
        self.commit_if(key, |ledger, record| {
            gone = still_awaits(ledger, &profile, shown)?.place;
            kept = reaches(record);
            record.held_by = None;
            record.revocation_pending |= kept;
            record.generation = record.generation.next();
            let step = match kept {
                true => SecretsChange::Turn(SecretRole::Held, SecretRole::Unwanted),
                false => SecretsChange::Drop(shown.id),
            };
            let events = vec![event(record, HistoryEventKind::Failed, &detail, now)];
            Ok(RecordCommit { record: record.clone(), moves: vec![step], ends: None, events })
        })?;
        if !kept {
            self.forget(Some(gone));
        }
        Ok(kept)
    }

    /// Revokes what was discarded or refused, where that can't end the living grant; each is kept until the provider has
    /// answered. Where nobody is to be asked, or no revocation reaches it, it's only forgotten.
    pub fn revoke_discarded(&mut self, key: &LicenseId, asking: RevocationMode) -> Result<Revocation> {
        match asking {
            RevocationMode::Nobody => self.forget_unwanted(key).map(|()| Revocation::NotAsked),
            RevocationMode::Later(e) => Ok(Revocation::Pending(e)),
            RevocationMode::Provider(patience) => {
                if self.revocation_beside(key)?.is_none() {
                    return self.forget_unwanted(key).map(|()| Revocation::NotOffered);
                }
                match self.revoke_unwanted(key, patience) {
                    Ok(revocation) => Ok(revocation),
                    Err(e @ (Error::Vault(_) | Error::Ledger(_))) => Err(e),
                    Err(e) => Ok(Revocation::Pending(e)),
                }
            }
        }
    }

    /// What was discarded on a page is revoked when the command's work is done: nobody waits for the provider there.
    pub fn revoke_afterwards(&mut self, key: LicenseId) {
        self.discarded.insert(key);
    }

    /// Revokes what was discarded on a page; what the provider doesn't answer is left to the next command on the license.
    pub(in crate::custody) fn revoke_what_was_discarded(&mut self) {
        for key in std::mem::take(&mut self.discarded) {
            match self.revoke_discarded(&key, RevocationMode::Provider(crate::oauth::RetryPolicy::NONE)) {
                Ok(Revocation::Pending(e)) | Err(e) => {
                    tracing::warn!("the discarded grant of {key} isn't revoked yet: {e}");
                }
                Ok(_) => {}
            }
        }
    }

    /// Whether the provider revokes at all, as far as that is known.
    fn offers_revocation(&self) -> bool {
        match &self.online {
            Some(online) => online.endpoints.revocation.is_some(),
            None => self.provider.revocation_url.is_some() || self.provider.metadata,
        }
    }

    fn forget_unwanted(&mut self, key: &LicenseId) -> Result<()> {
        let unwanted =
            self.ledger.retired_secrets(&self.provider.profile, key, RetiredRole::Unwanted)?.spend();
        if unwanted.is_empty() {
            return Ok(());
        }
        self.commit(key, |record| {
            record.revocation_pending = false;
            let moves = unwanted.iter().map(|it| SecretsChange::Drop(it.id)).collect();
            RecordCommit { record: record.clone(), moves, ends: None, events: Vec::new() }
        })?;
        self.forget(unwanted.into_iter().map(|it| it.place));
        Ok(())
    }
}
