//! Records and tokens that come in a file: those out of a backup aren't used until someone says that this is their home now.

use crate::custody::seals::renew_seals::is_out_of_place;
use crate::custody::writer::{Custody, event};
use crate::error::{Error, Result, VaultError};
use crate::model::authorization::Authorization;
use crate::model::flow::{RecordCommit, SecretPlace, SecretRole, SecretsChange};
use crate::model::granted::Granted;
use crate::model::history::HistoryEventKind;
use crate::model::ids::{LicenseId, Revision};
use crate::model::seal::SealKind;
use crate::model::secret::Sealable;
use crate::model::transfer::{ImportEffect, MergedRecord, TokensHere};
use std::cmp::Ordering;

#[derive(Debug)]
pub struct RecordToImport<'f> {
    /// The record as it shall be, merged into the one that was read.
    pub merged: MergedRecord,
    pub tokens: Option<&'f Sealable>,
}

impl Custody<'_> {
    /// Which tokens of a license are here, beside those that a file has of it.
    pub fn tokens_beside(&self, record: &Authorization, theirs: Option<&Sealable>) -> Result<TokensHere> {
        let key = &record.key;
        let Some(live) = self.ledger.secrets(&record.profile, key, SecretRole::Live)?.pop() else {
            return Ok(TokensHere::None);
        };
        let Some(theirs) = theirs else { return Ok(TokensHere::Same) };
        let ours = match self.open_tokens(&record.profile, key, &live) {
            Ok(ours) => Granted::from_sealable(&ours, key)?,
            Err(Error::Vault(VaultError::Gone { .. } | VaultError::Broken { .. })) => {
                return Ok(TokensHere::None);
            }
            // Sealed to other hosts alone: only they can tell.
            Err(Error::Vault(VaultError::Foreign { .. } | VaultError::OtherHost { .. })) => {
                return Ok(TokensHere::Same);
            }
            // What isn't this row's is no grant: the one that comes takes its place.
            Err(e) if is_out_of_place(&e) && !matches!(e, Error::Vault(VaultError::Moved { .. })) => {
                return Ok(TokensHere::None);
            }
            Err(e) => return Err(e),
        };
        Ok(match ours.received_at.cmp(&Granted::from_sealable(theirs, key)?.received_at) {
            Ordering::Less => TokensHere::Older,
            Ordering::Equal => TokensHere::Same,
            Ordering::Greater => TokensHere::Newer,
        })
    }

    /// Takes records in: the vault first, then one synced commit for all of them, or none.
    ///
    /// # Errors
    /// [`crate::error::LedgerError::Changed`] where others have written a record since it was merged with what the file says.
    pub fn take_in(&mut self, rows: Vec<RecordToImport<'_>>, from: &str) -> Result<()> {
        self.prepare_vault_write()?;
        let now = self.env.clock.now();
        let mut changes = Vec::with_capacity(rows.len());
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for RecordToImport { merged, tokens } in rows {
            let MergedRecord { mut record, effect, changes: fields, takes_tokens, .. } = merged;
            let mut moves = Vec::new();
            if record.revision == Revision::default() {
                let removed = self.ledger.generation_when_removed(&record.profile, &record.key)?;
                record.generation = removed.unwrap_or_default();
            }
            if let Some(tokens) = tokens.filter(|_| takes_tokens) {
                record.generation = record.generation.next();
                let (kind, generation) = (SealKind::Tokens, record.generation);
                let label = self.seals.tokens(&record.profile, &record.key, kind, generation, None);
                let kept = Granted::from_sealable(tokens, &record.key)
                    .and_then(|_| self.vault.put(&self.new_item_of(&record)?, &label, tokens));
                let place = match kept {
                    Ok(place) => place,
                    Err(e) => return Err(self.undo(new, e)),
                };
                // An older grant's tokens aren't revoked: that could end the one that takes their place.
                for it in self.ledger.secrets(&record.profile, &record.key, SecretRole::Live)? {
                    moves.push(SecretsChange::Drop(it.id));
                    old.push(it.place);
                }
                moves.push(SecretsChange::Put(SecretRole::Live, place.clone()));
                new.push(place);
            }
            let what: Vec<_> = fields.iter().map(|it| it.field).collect();
            let what = match (effect, takes_tokens) {
                (ImportEffect::Add, false) => format!("from {from}"),
                (ImportEffect::Add, true) => format!("from {from}, with its tokens"),
                (_, false) => format!("from {from}: {}", what.join(", ")),
                (_, true) => format!("from {from}, with its tokens: {}", what.join(", ")),
            };
            changes.push(RecordCommit {
                moves,
                ends: None,
                events: vec![event(&record, HistoryEventKind::Imported, what.trim_end_matches(": "), now)],
                record,
            });
        }
        if let Err(e) = self.ledger.commit_all(&changes) {
            return Err(self.undo(new, e));
        }
        for place in old {
            self.forget(Some(place));
        }
        Ok(())
    }

    /// An item of its own: what an import left that was killed is never named by a later one.
    fn new_item_of(&self, record: &Authorization) -> Result<String> {
        let LicenseId { ubi, license } = &record.key;
        let (generation, own) = (record.generation.0, self.env.random.name()?);
        Ok(format!("{}/{}/{ubi}/{license}/{generation}-{own}", self.ledger.id(), record.profile))
    }

    /// Nothing was committed: what was put into the vault goes again, unless it may show up committed after all.
    fn undo(&self, places: Vec<SecretPlace>, e: Error) -> Error {
        for place in places {
            self.forget_unless_needed(place, &e);
        }
        e
    }
}
