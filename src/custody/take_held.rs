//! The held grant of another admin becomes the living one, without a new consent.

use super::granted_record::{drop_unwanted, make_live, summary, tokens_of_elsewhere};
use super::writer::{Custody, event};
use crate::error::{LedgerError, Result};
use crate::model::flow::{Change, FlowEnd, Move, Role};
use crate::model::granted::Granted;
use crate::model::history::Happened;
use crate::model::ids::Key;

impl Custody<'_> {
    /// Takes the held grant of another admin as it is, without a new consent.
    ///
    /// # Errors
    /// [`LedgerError::Changed`] where another process was quicker: took it, or gave the license up.
    pub fn take_held(&mut self, key: &Key) -> Result<()> {
        // Until it's committed: whoever takes it too, or gives the license up, waits, and looks again.
        let _claim = self.claim(key)?;
        let profile = self.provider.profile.clone();
        let gone = || LedgerError::Changed { license: key.license.to_string() };
        let (held, place) = self.ledger.secrets(&profile, key, Role::Held)?.pop().ok_or_else(gone)?;
        let granted = Granted::from_sealable(&self.vault.get(&place, key.license.as_str())?, key)?;
        let provider = self.provider.clone();
        let now = self.env.clock.now();
        for flow in self.ledger.unfinished(&profile, Some(key))? {
            self.clear_lapsed(&flow)?;
        }
        let mut dropped = Vec::new();
        let kept = self.commit_if(key, |ledger, record| {
            if !ledger.secrets(&profile, key, Role::Held)?.iter().any(|(id, _)| *id == held) {
                return Err(gone().into());
            }
            let renewed = record.created_at.is_some() && record.deactivated_at.is_none();
            // It was granted before: what became uncertain since, such as whether it was revoked, it doesn't settle.
            let uncertain_at = record.uncertain_at;
            let elsewhere = tokens_of_elsewhere(ledger, record)?;
            make_live(record, &provider, &granted, renewed);
            record.uncertain_at = uncertain_at;
            let mut moves = drop_unwanted(record, &provider);
            moves.extend(elsewhere.iter().map(|(id, _)| Move::Drop(*id)));
            dropped = elsewhere.into_iter().map(|(_, place)| place).collect();
            moves.extend([Move::Turn(Role::Live, Role::Superseded), Move::Turn(Role::Held, Role::Live)]);
            let happened = if renewed { Happened::Renewed } else { Happened::Granted };
            let events = vec![event(record, happened, &summary(record, &[]), now)];
            Ok(Change { record: record.clone(), moves, ends: Some(FlowEnd::Unanswered), events })
        })?;
        self.orphaned_items.extend(kept.memos);
        self.orphaned_items.extend(dropped);
        self.changed_keys.insert(key.clone());
        Ok(())
    }
}
