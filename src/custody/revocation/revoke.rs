//! Grants are revoked: one by one, each kept until the provider has answered.

use super::deactivate::Revocation;
use crate::custody::writer::{Custody, event};
use crate::error::{Error, Result};
use crate::ledger::RetiredRole;
use crate::model::flow::{Logged, RecordCommit, SecretRole, SecretsChange};
use crate::model::granted::Granted;
use crate::model::history::{HistoryEventKind, HistoryLine};
use crate::model::ids::LicenseId;
use crate::model::provider::RevocationScope;
use crate::oauth::{self, RetryPolicy};
use std::time::Duration;

impl Custody<'_> {
    /// Where a revocation ends one grant and no other.
    pub(in crate::custody) fn revocation_of_one(&self) -> Option<String> {
        match self.provider.revocation_scope {
            RevocationScope::Token => self.online.as_ref()?.endpoints.revocation.clone(),
            RevocationScope::Grant => None,
        }
    }

    /// Where a grant beside what a license has is revoked without ending that: anywhere, where nothing lives.
    pub(in crate::custody) fn revocation_beside(&self, key: &LicenseId) -> Result<Option<String>> {
        let now = self.env.clock.now();
        let lives = self.standing(key)?.is_some_and(|it| it.record.has_valid_grant(now));
        Ok(match lives {
            true => self.revocation_of_one(),
            false => self.online.as_ref().and_then(|online| online.endpoints.revocation.clone()),
        })
    }

    pub(super) fn revoke_one<T: Clone + Send + Sync + 'static>(
        &self,
        address: &str,
        granted: &Granted,
        go: &Logged<T>,
        patience: RetryPolicy,
    ) -> Result<()> {
        let (exchange, address, granted, go) =
            (self.online()?, address.to_owned(), granted.clone(), go.clone());
        let (clock, run) = (self.env.clock.clone(), self.interrupts.clone());
        self.env.wait_and_tell(self.interrupts.as_ref(), |tell| async move {
            let told = |e: &Error, wait: Duration| {
                tell(format!("{e}. Retrying in {} s.", wait.as_millis().div_ceil(1000)));
            };
            let (http, provider, secret) = (&exchange.http, &exchange.provider, exchange.secret.as_ref());
            oauth::retry(patience, clock, run, told, || {
                oauth::revoke(http, provider, &address, secret, &granted, &go)
            })
            .await
        })?
    }

    /// Why a grant isn't revoked yet, unless that's the last that is known of its license.
    pub(super) fn news_of_revocation(&self, key: &LicenseId, error: &Error) -> Result<Option<String>> {
        let why = error.to_string();
        let last = self.ledger.last_lines(&self.provider.profile, key, 1)?;
        let known =
            |line: &HistoryLine| line.event == HistoryEventKind::NotRevoked.word() && line.detail == why;
        Ok((!last.first().is_some_and(known)).then_some(why))
    }

    /// Tells that the grant which a new one replaced isn't revoked yet, and notes it.
    pub(super) fn tell_not_revoked(&mut self, key: &LicenseId, error: &Error) -> Result<()> {
        self.env.terminal.info(&format!(
            "Note: the previous grant of {key} isn't revoked yet: {error}. Its tokens are kept for a later try."
        ));
        let now = self.env.clock.now();
        let Some(why) = self.news_of_revocation(key, error)? else { return Ok(()) };
        self.commit(key, |record| RecordCommit {
            moves: Vec::new(),
            ends: None,
            events: vec![event(record, HistoryEventKind::NotRevoked, &why, now)],
            record: record.clone(),
        })
        .map(drop)
    }

    /// Revokes the grants that nobody wants, where that ends no living one; each is kept until the provider has answered. Nothing,
    /// where the vault has lost the tokens of all of them.
    pub(in crate::custody) fn revoke_unwanted(
        &mut self,
        key: &LicenseId,
        patience: RetryPolicy,
    ) -> Result<Revocation> {
        let unwanted = self.ledger.retired_secrets(&self.provider.profile, key, RetiredRole::Unwanted)?;
        let Some(address) = self.revocation_beside(key)? else { return Ok(Revocation::NotOffered) };
        if unwanted.get().is_empty() {
            return Ok(Revocation::Revoked);
        }
        let found = self.read_to_revoke(unwanted.get(), key)?;
        for granted in &found.grants {
            self.revoke_one(&address, granted, &unwanted, patience)?;
        }
        let unwanted = unwanted.spend();
        let now = self.env.clock.now();
        let told = found.tell(self.env, &self.record(key)?.record);
        let profile = self.provider.profile.clone();
        self.commit_if(key, |ledger, record| {
            // Others may have kept further ones for it meanwhile.
            let there = ledger.secrets(&profile, key, SecretRole::Unwanted)?;
            record.revocation_pending = there.iter().any(|it| unwanted.iter().all(|ours| ours.id != it.id));
            let revoked = (!found.grants.is_empty())
                .then(|| event(record, HistoryEventKind::Revoked, "a grant that wasn't wanted", now));
            Ok(RecordCommit {
                moves: unwanted.iter().map(|it| SecretsChange::Drop(it.id)).collect(),
                ends: None,
                events: told.iter().cloned().chain(revoked).collect(),
                record: record.clone(),
            })
        })?;
        self.forget(unwanted.into_iter().map(|it| it.place));
        Ok(if found.grants.is_empty() { Revocation::Nothing } else { Revocation::Revoked })
    }
}
