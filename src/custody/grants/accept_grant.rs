//! Another admin's grant that awaits approval becomes the living one, without a new consent.

use super::granted_record::{drop_unwanted, kept_before, make_live, summary, tokens_of_elsewhere};
use super::proof::GrantCheck;
use super::received_grant::unconfirmed;
use crate::custody::writer::{Custody, event};
use crate::error::{LedgerError, Result};
use crate::ledger::Ledger;
use crate::model::consent::compare;
use crate::model::flow::{FlowEnd, RecordCommit, SecretRole, SecretsChange, StoredSecret};
use crate::model::granted::{AwaitingGrant, Granted};
use crate::model::history::HistoryEventKind;
use crate::model::ids::{FlowId, LicenseId};
use crate::model::seal::SealKind;

impl Custody<'_> {
    pub fn awaiting(&self, key: &LicenseId) -> Result<Option<AwaitingGrant>> {
        Ok(self.ledger.awaiting(&self.provider.profile, Some(key))?.pop())
    }

    /// Makes live what an admin has just granted, where it still awaits approval: for whom that admin was approved before.
    ///
    /// # Errors
    /// [`LedgerError::Changed`] where another grant awaits approval by now, or none.
    pub fn accept_of(&mut self, key: &LicenseId, granted_by: &str) -> Result<()> {
        let awaiting = self.awaiting(key)?.filter(|grant| grant.granted_by == granted_by);
        let gone = || LedgerError::Changed { license: key.license.to_string() };
        self.accept(&awaiting.ok_or_else(gone)?)
    }

    /// Makes a grant live that awaits approval: the one that was shown, and no other.
    ///
    /// # Errors
    /// [`LedgerError::Changed`] where it isn't there anymore: accepted, discarded, or replaced by a newer one.
    pub fn accept(&mut self, shown: &AwaitingGrant) -> Result<()> {
        let key = &shown.key;
        // Until it's committed: whoever accepts it too, or gives the license up, waits, and looks again.
        let _claim = self.claim(key)?;
        let profile = self.provider.profile.clone();
        let held = still_awaits(&self.ledger, &profile, shown)?;
        let kept = self.open_tokens(&profile, key, &held)?;
        let granted = Granted::from_sealable(&kept, key)?;
        // A grant that waits is sealed as one that waits, and nothing but this makes one of it that is used.
        self.prepare_vault_write()?;
        let flow = FlowId(self.env.random.name()?);
        let sealer = self.token_sealer(key, &flow);
        let tokens = self.tokens_to_store(&flow, key, SealKind::Tokens, kept, None)?;
        let provider = self.provider.clone();
        let proof = self.proof_of(&granted);
        let now = self.env.clock.now();
        for flow in self.ledger.unfinished(&profile, Some(key))? {
            self.clear_lapsed(&flow)?;
        }
        let mut dropped = Vec::new();
        let kept = self.commit_if(key, |ledger, record| {
            let held = still_awaits(ledger, &profile, shown)?;
            let renewed = record.created_at.is_some() && record.deactivated_at.is_none();
            // It was granted before: what became uncertain since, such as whether it was revoked, it doesn't settle.
            let uncertain_at = record.uncertain_at;
            let elsewhere = tokens_of_elsewhere(ledger, record)?;
            let mut unconfirmed =
                unconfirmed(&compare(&provider, key, &record.username, &granted.reported), &granted);
            unconfirmed.extend(proof.unconfirmed());
            let before = kept_before(ledger, record, proof == GrantCheck::Enough, now)?;
            make_live(record, &provider, &granted, renewed, &unconfirmed);
            record.grant_before = before;
            record.uncertain_at = uncertain_at;
            let mut moves = drop_unwanted(record, &provider);
            moves.extend(elsewhere.iter().map(|it| SecretsChange::Drop(it.id)));
            dropped = elsewhere.into_iter().map(|it| it.place).collect();
            let place = sealer.place(&tokens, SealKind::Tokens, record.generation)?;
            moves.extend([SecretsChange::Drop(held.id), SecretsChange::Put(SecretRole::Live, place)]);
            dropped.push(held.place);
            let happened = if renewed { HistoryEventKind::Renewed } else { HistoryEventKind::Granted };
            let events = vec![event(record, happened, &summary(record), now)];
            Ok(RecordCommit { record: record.clone(), moves, ends: Some(FlowEnd::Unanswered), events })
        });
        let kept = kept.inspect_err(|e| {
            tokens.item().cloned().into_iter().for_each(|item| self.forget_unless_needed(item, e));
        })?;
        self.orphaned_items.extend(kept.memos);
        self.orphaned_items.extend(dropped);
        self.changed_keys.insert(key.clone());
        Ok(())
    }
}

/// The tokens of a grant that was shown; an error where it doesn't await approval any more.
pub(super) fn still_awaits(ledger: &Ledger, profile: &str, shown: &AwaitingGrant) -> Result<StoredSecret> {
    let found =
        ledger.secrets(profile, &shown.key, SecretRole::Held)?.into_iter().find(|it| it.id == shown.id);
    found.ok_or_else(|| LedgerError::Changed { license: shown.key.license.to_string() }.into())
}
