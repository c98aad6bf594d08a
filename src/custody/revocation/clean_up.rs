//! What is left to do once the answer has been given: what newer grants replaced goes.

use crate::custody::grants::granted_record::keeps_before;
use crate::custody::writer::Custody;
use crate::error::{Error, Result};
use crate::ledger::RetiredRole;
use crate::model::authorization::command_for;
use crate::model::flow::{RecordCommit, SecretRole, SecretsChange};
use crate::model::ids::LicenseId;
use crate::model::provider::RevocationScope;
use crate::oauth::RetryPolicy;

impl Custody<'_> {
    /// What is left to do once the answer has been given: closed flows' memos go, and the grants that newer ones
    /// replaced; those are revoked only where that reaches them alone. A failure, or Ctrl-C, leaves them to the next
    /// command on the license.
    pub fn clean_up(&mut self) {
        for place in std::mem::take(&mut self.orphaned_items) {
            self.forget(Some(place));
        }
        self.revoke_what_was_discarded();
        let keys = std::mem::take(&mut self.changed_keys);
        let settled = std::mem::take(&mut self.settled_keys);
        for key in keys {
            if !settled.contains(&key) {
                self.settle_record(&key);
            }
            if let Err(e) = self.drop_superseded(&key) {
                tracing::warn!("the replaced grant of {key} isn't cleaned up yet: {e}");
            }
        }
        for (key, refused) in std::mem::take(&mut self.refused_grants) {
            self.env.terminal.info(&format!("Note: {key}: {}.", refused.error()));
        }
        self.renew_old_seals();
    }

    /// What is still to be done about a license that has a new grant, and changes what its record says. Whoever tells of the
    /// license does so after this; the browser has its answer by then.
    ///
    /// # Errors
    /// The provider refused the new grant, of which nothing is left here.
    pub fn settle_new(&mut self, key: &LicenseId) -> Result<()> {
        if self.changed_keys.contains(key) && self.settled_keys.insert(key.clone()) {
            self.settle_record(key);
        }
        let Some(refused) = self.refused_grants.remove(key) else { return Ok(()) };
        let other = self.provider.other_profile;
        let next = self.standing(key)?.map(|it| command_for("renew", &it.record, other)).unwrap_or_default();
        let license = Some(key.license.to_string());
        Err(Error::NoGrant { license, error: Box::new(refused.error()), next })
    }

    /// Closes an unfinished refresh of the grant before, and tries a new one that waits for its proof.
    fn settle_record(&mut self, key: &LicenseId) {
        if let Err(e) = self.settle_moot_refresh(key) {
            tracing::warn!("an unfinished refresh of {key} isn't closed yet: {e}");
        }
        if let Err(e) = self.prove_new(key) {
            tracing::warn!("the new grant of {key} isn't verified yet: {e}");
        }
    }

    /// A newer grant stands: what a dead process left of a refresh of the old one is closed.
    fn settle_moot_refresh(&mut self, key: &LicenseId) -> Result<()> {
        if !self.standing(key)?.is_some_and(|it| it.has_lost_refresh()) {
            return Ok(());
        }
        let _claim = self.claim(key)?;
        let lost = self.settle_refreshes(key)?;
        lost.iter().for_each(|flow| self.give_back(flow));
        Ok(())
    }

    fn drop_superseded(&mut self, key: &LicenseId) -> Result<()> {
        let now = self.env.clock.now();
        if self.standing(key)?.is_some_and(|it| keeps_before(&it.record, now)) {
            return Ok(());
        }
        let superseded = self.ledger.retired_secrets(&self.provider.profile, key, RetiredRole::Superseded)?;
        if superseded.get().is_empty() {
            return Ok(());
        }
        // They stay for the next command that reaches the provider.
        if self.provider.revocation_scope == RevocationScope::Token && self.online.is_none() {
            return Ok(());
        }
        let mut told = None;
        if let Some(address) = self.revocation_of_one() {
            let found = self.read_to_revoke(superseded.get(), key)?;
            for granted in &found.grants {
                if let Err(e) = self.revoke_one(&address, granted, &superseded, RetryPolicy::NONE) {
                    return self.tell_not_revoked(key, &e);
                }
            }
            told = found.tell(self.env, &self.record(key)?.record);
        }
        let superseded = superseded.spend();
        self.commit(key, |record| RecordCommit {
            moves: superseded.iter().map(|it| SecretsChange::Drop(it.id)).collect(),
            ends: None,
            events: told.iter().cloned().collect(),
            record: record.clone(),
        })?;
        self.forget(superseded.into_iter().map(|it| it.place));
        Ok(())
    }

    /// Whether clearing away would need the provider, which wasn't reached yet.
    pub fn tidy_needs_provider(&self) -> Result<bool> {
        if self.online.is_some() || self.provider.revocation_scope != RevocationScope::Token {
            return Ok(false);
        }
        for key in &self.changed_keys {
            if !self.ledger.secrets(&self.provider.profile, key, SecretRole::Superseded)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
