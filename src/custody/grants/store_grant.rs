//! A grant is stored and committed, in that order; or set aside, sealed.

use super::granted_record::{drop_unwanted, kept_before, make_live, summary, tokens_of_elsewhere};
use super::received_grant::{GrantRemarks, ReceivedGrant};
use super::token_sets::{TokenSealer, TokensToStore};
use crate::custody::writer::{Custody, event, unknown};
use crate::error::Result;
use crate::ledger::{CommitReceipt, Ledger};
use crate::model::authorization::Authorization;
use crate::model::flow::{FlowEnd, Purpose, RecordCommit, SecretPlace, SecretRole, SecretsChange};
use crate::model::granted::Granted;
use crate::model::history::HistoryEventKind;
use crate::model::ids::FlowId;
use crate::model::provider::Provider;
use std::collections::HashMap;

/// How a flow ended well.
#[derive(Debug)]
pub enum StoreOutcome {
    Live {
        remarks: GrantRemarks,
    },
    /// Another admin granted; that grant is set aside.
    Held {
        /// Who, cleaned.
        granted_by: String,
    },
}

/// How many grants are committed together at most: each waits until the vault has taken the others.
const TOGETHER: usize = 16;

/// One that the vault has taken.
struct Stored {
    came: ReceivedGrant,
    tokens: TokensToStore,
    sealer: TokenSealer,
}

/// What becomes of one.
enum VaultOutcome {
    /// It's the one that was asked for.
    Accepted(Box<Stored>),
    /// It isn't, and no vault has it.
    Rejected(Box<ReceivedGrant>),
}

impl Custody<'_> {
    /// Stores what an exchange brought. After this returns, the grant is durable, or its refusal is; the browser may be told.
    pub fn store_grant(&mut self, flow: &FlowId, result: Result<Granted>) -> Result<StoreOutcome> {
        self.store_grants(vec![(flow.clone(), result)]).pop().unwrap_or_else(|| Err(unknown()))
    }

    /// The same for several that came at about the same time, in their order: one commit for many.
    pub fn store_grants(&mut self, answers: Vec<(FlowId, Result<Granted>)>) -> Vec<Result<StoreOutcome>> {
        // Where each is looked up before it's kept, none waits for the others' looks.
        let together = if self.provider.introspect { 1 } else { TOGETHER };
        let mut ended = Vec::with_capacity(answers.len());
        let mut answers = answers.into_iter().peekable();
        while answers.peek().is_some() {
            let some = answers.by_ref().take(together);
            let came = some.map(|(flow, result)| self.receive(flow, result)).collect();
            ended.extend(self.keep(came));
        }
        ended
    }

    /// Vault first, then one synced commit: records, places, events and the closed flows together. What isn't as it
    /// was asked for is refused after that: the provider may take its time.
    pub(in crate::custody) fn keep(&mut self, came: Vec<Result<ReceivedGrant>>) -> Vec<Result<StoreOutcome>> {
        let handed: Vec<_> = came.into_iter().map(|came| self.write_to_vault(came?)).collect();
        let mut together = self.commit_together(handed.iter().flatten().filter_map(|it| match it {
            VaultOutcome::Accepted(stored) => Some(stored.as_ref()),
            VaultOutcome::Rejected(_) => None,
        }));
        let mut end = |handed| match handed {
            VaultOutcome::Accepted(stored) => self.finish_keeping(*stored, &mut together),
            VaultOutcome::Rejected(came) => Err(self.refuse(*came)),
        };
        handed.into_iter().map(|it| end(it?)).collect()
    }

    fn write_to_vault(&mut self, came: ReceivedGrant) -> Result<VaultOutcome> {
        if !came.differences.is_empty() {
            return Ok(VaultOutcome::Rejected(Box::new(came)));
        }
        let secret = came.granted.to_sealable(&came.key);
        let (sealed, label) = came.sealed.clone();
        let sealed = label.map(|label| (sealed, label));
        match self.tokens_to_store(&came.flow, &came.key, came.kind(), secret, sealed) {
            Ok(tokens) => {
                let sealer = self.token_sealer(&came.key, &came.flow);
                Ok(VaultOutcome::Accepted(Box::new(Stored { came, tokens, sealer })))
            }
            // defense: S32 unstored-grant-is-set-aside
            Err(e) => Err(self.quarantine_sealed(&came.flow, &came.key, came.sealed.0, &e)),
        }
    }

    /// Commits several in one. Those that aren't among what is returned are still to be committed, each alone: there its
    /// own failure is told, and a record that others changed is read again.
    fn commit_together<'s>(&mut self, stored: impl Iterator<Item = &'s Stored> + Clone) -> BatchCommit {
        let mut done = BatchCommit::default();
        if stored.clone().nth(1).is_none() {
            return done;
        }
        let (mut flows, mut changes) = (Vec::new(), Vec::new());
        for it in stored {
            if self.hand_in_code(&it.came.flow).is_ok()
                && let Ok(Some(standing)) = self.standing(&it.came.key)
                && let Ok((change, elsewhere)) =
                    it.change(&self.ledger, &mut { standing.record }, &self.provider)
            {
                flows.push((it.came.flow.clone(), elsewhere));
                changes.push(change);
            }
        }
        match self.ledger.commit(&changes) {
            Ok(kept) => {
                let kept = flows.into_iter().zip(kept);
                done.kept = kept
                    .filter_map(|((flow, elsewhere), kept)| Some((flow, (kept.ok()?, elsewhere))))
                    .collect();
                let is_kept = |end: &&FlowEnd| end.flow().is_some_and(|flow| done.kept.contains_key(flow));
                let ends = changes.iter().filter_map(|change| change.ends.as_ref());
                ends.filter(is_kept).for_each(|end| self.ended_in_the_ledger(end));
            }
            Err(e) => {
                tracing::info!("could not commit {} grants together: {e}", changes.len());
                done.may_show_up = e.may_have_committed();
            }
        }
        done
    }

    fn finish_keeping(&mut self, stored: Stored, together: &mut BatchCommit) -> Result<StoreOutcome> {
        let provider = self.provider.clone();
        let kept = match together.kept.remove(&stored.came.flow) {
            Some(kept) => Ok(kept),
            None => {
                let mut dropped = Vec::new();
                let kept = self.commit_if(&stored.came.key, |ledger, record| {
                    let (change, elsewhere) = stored.change(ledger, record, &provider)?;
                    dropped = elsewhere;
                    Ok(change)
                });
                kept.map(|kept| (kept, dropped))
            }
        };
        let Stored { came, tokens, .. } = stored;
        match kept {
            Ok((kept, elsewhere)) => {
                self.orphaned_items.extend(kept.memos);
                tracing::info!("the grant of {} is stored", came.key);
                self.changed_keys.insert(came.key.clone());
                let remarks = came.remarks();
                Ok(match came.other_admin {
                    Some(granted_by) => StoreOutcome::Held { granted_by },
                    None => {
                        self.orphaned_items.extend(elsewhere);
                        StoreOutcome::Live { remarks }
                    }
                })
            }
            Err(e) => {
                // The sealed answer is kept instead; an item that nothing names would only be an orphan.
                if !together.may_show_up {
                    tokens.item().cloned().into_iter().for_each(|item| self.forget_unless_needed(item, &e));
                }
                let sealed = tokens.sealed().unwrap_or(came.sealed.0);
                Err(self.quarantine_sealed(&came.flow, &came.key, sealed, &e))
            }
        }
    }
}

/// What was committed together.
#[derive(Default)]
struct BatchCommit {
    /// With the places of tokens that it dropped.
    kept: HashMap<FlowId, (CommitReceipt, Vec<SecretPlace>)>,
    /// It failed, and may show up all the same: what it named in the vault must stay.
    may_show_up: bool,
}

impl Stored {
    /// What is committed of it, over the record as it is now; and the places of tokens that it drops.
    fn change(
        &self,
        ledger: &Ledger,
        record: &mut Authorization,
        provider: &Provider,
    ) -> Result<(RecordCommit, Vec<SecretPlace>)> {
        let Self { came, tokens, sealer } = self;
        let (mut moves, mut dropped) = (Vec::new(), Vec::new());
        let (happened, detail) = if let Some(other) = &came.other_admin {
            record.held_by = Some(other.clone());
            record.generation = record.generation.next();
            moves.push(SecretsChange::Put(
                SecretRole::Held,
                sealer.place(tokens, came.kind(), record.generation)?,
            ));
            (HistoryEventKind::Held, format!("granted by {other}, not {}", came.username))
        } else {
            let renewed = came.purpose == Purpose::Renew;
            let elsewhere = tokens_of_elsewhere(ledger, record)?;
            let before = kept_before(ledger, record, came.proven, came.granted.received_at)?;
            // Who was asked for it is the admin from now on, unless somebody has named another one since it was compared.
            if came.named.as_ref().is_none_or(|named| *named == record.username) {
                record.username = came.username.clone();
            }
            make_live(record, provider, &came.granted, renewed, &came.unconfirmed);
            record.grant_before = before;
            moves.extend(drop_unwanted(record, provider));
            moves.extend(elsewhere.iter().map(|it| SecretsChange::Drop(it.id)));
            dropped.extend(elsewhere.into_iter().map(|it| it.place));
            let place = sealer.place(tokens, came.kind(), record.generation)?;
            moves.extend([
                SecretsChange::Put(SecretRole::Live, place),
                SecretsChange::Turn(SecretRole::Held, SecretRole::Superseded),
            ]);
            let happened = if renewed { HistoryEventKind::Renewed } else { HistoryEventKind::Granted };
            (happened, summary(record))
        };
        let events = vec![event(record, happened, &detail, came.granted.received_at)];
        // A grant that waits for a yes answers no other flow, and the admin who was asked may still grant.
        let ends = match came.other_admin {
            Some(_) => FlowEnd::Reopened(came.flow.clone(), came.open_until),
            None => FlowEnd::Granted(came.flow.clone()),
        };
        Ok((RecordCommit { record: record.clone(), moves, ends: Some(ends), events }, dropped))
    }
}
