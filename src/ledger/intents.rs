//! What is committed before anything is asked or sent: a flow, with the record that it's about.

use super::engine::{Db, DbError};
use super::journal::{self, CloseReason};
use super::process_locks::Liveness;
use super::records::changed;
use super::store::Ledger;
use super::{doubts, records, secret_locations};
use crate::error::{Error, LedgerError, Result};
use crate::model::flow::{
    Flow, FlowStage, Logged, Purpose, RecordCommit, SecretPlace, SecretRole, StoredSecret,
};
use crate::model::ids::FlowId;
use crate::model::secret::Fingerprint;

/// A flow with the record it's about: what is committed before anything is asked.
#[derive(Debug, Clone)]
pub struct Intent {
    pub flow: Flow,
    /// The record as it shall be while the flow is open, and its event; a new license becomes pending here.
    pub change: RecordCommit,
    /// What an answer is matched by; `None` for a flow that no browser answers.
    pub state: Option<Fingerprint>,
}

#[derive(Debug)]
pub struct CommittedIntent {
    pub flow: Logged<FlowId>,
    /// The memos of those that it replaced: for the vault to forget.
    pub replaced: Vec<SecretPlace>,
}

impl Ledger {
    /// Records flows before they are asked, one commit for all, synced. A license may have several: but one that a living
    /// process is asking about has no second one that is waited for, what a dead process left must have been recovered before,
    /// and a record that others have written since it was read is refused. One that is handed out takes the place of an
    /// earlier one, and a deactivation ends all.
    pub fn record_flows(&mut self, intents: Vec<Intent>) -> Result<Vec<Result<CommittedIntent>>> {
        let owner = self.mark()?.owner();
        let living = self.living();
        let context = self.write_context();
        let mut outcomes = Vec::with_capacity(intents.len());
        if !std::mem::replace(&mut self.log_is_fresh, true) {
            // Now, and not after a redirect. This commit then begins the log anew, and pays the sync of its head.
            self.engine.checkpoint();
        }
        self.transaction("note the request", |tx| {
            let memos = intents.iter().filter_map(|intent| Some(intent.flow.memo.as_ref()?.vault()));
            secret_locations::is_the_vault(tx, memos)?;
            for mut intent in intents {
                intent.flow.owner = (!intent.flow.handed_off).then(|| owner.clone());
                let open = journal::of_license(tx, &intent.flow.profile, &intent.flow.key)?;
                if let Some(holder) = held_up_by(tx, &living, &intent.flow, &open)? {
                    let license = intent.flow.key.license.to_string();
                    outcomes.push(Err(Error::busy(license, holder)));
                    continue;
                }
                if let Err(damaged) = records::refuse_damaged_counters(&intent.change.record) {
                    outcomes.push(Err(damaged));
                    continue;
                }
                match records::apply(tx, &intent.change, &context)? {
                    true => {
                        let mut replaced = Vec::new();
                        for open in open {
                            if let Some(how) = ended_by(&intent.flow, &open) {
                                journal::close(tx, &open.id, how)?;
                                replaced.extend(open.memo);
                            }
                        }
                        journal::insert(tx, &intent.flow, intent.state.as_ref())?;
                        let flow = Logged::attested_by_the_ledger(intent.flow.id);
                        outcomes.push(Ok(CommittedIntent { flow, replaced }));
                    }
                    false => outcomes.push(Err(changed(&intent.change.record.key))),
                }
            }
            Ok(())
        })?;
        Ok(outcomes)
    }

    /// Records that a refresh token is about to be sent, synced; and that it may have been, for no later note is needed.
    /// Refused where the record isn't any more what it was read as, its tokens aren't any more where they were read
    /// (sealed to others, or in another vault), or another process is at it.
    pub fn record_refresh(&mut self, mut flow: Flow, read: &StoredSecret) -> Result<Logged<FlowId>> {
        flow.owner = Some(self.mark()?.owner());
        let living = self.living();
        self.transaction("note the request", |tx| {
            if let Some(open) = journal::refresh_of_license(tx, &flow.profile, &flow.key)? {
                let refused = match open.owner {
                    Some(owner) if living.has(tx, &owner)? => {
                        Error::busy(flow.key.license.to_string(), owner.label)
                    }
                    // It has ended just now: whoever asks looks again.
                    _ => changed(&flow.key),
                };
                return Err(refused.into());
            }
            doubts::refuse_doubted(tx, &flow.profile, &flow.key)?;
            let found = records::secrets(tx, &flow.profile, &flow.key, SecretRole::Live)?;
            let is_there = found.iter().any(|it| it.id == read.id && it.place == read.place);
            if !is_there || records::generation(tx, &flow.profile, &flow.key)? != Some(flow.base) {
                return Err(changed(&flow.key).into());
            }
            if !flow.base.is_sound() {
                return Err(records::damaged_counter(&flow.key).into());
            }
            journal::insert(tx, &flow, None)
        })?;
        Ok(Logged::attested_by_the_ledger(flow.id))
    }

    /// Records that a refresh token of ours is sent once more, synced. Refused where it may be spent, because the ledger went
    /// back in time, and where others have taken the flow over.
    pub fn record_refresh_again(&mut self, flow: &Flow) -> Result<Logged<FlowId>> {
        let ours = self.mark()?.owner();
        self.transaction("note the request", |tx| {
            doubts::refuse_doubted(tx, &flow.profile, &flow.key)?;
            match journal::again(tx, flow, &ours)? {
                true => Ok(()),
                false => Err(LedgerError::TakenOver.into()),
            }
        })?;
        Ok(Logged::attested_by_the_ledger(flow.id.clone()))
    }
}

/// Who holds a new flow up, if anybody does: one at its license that is dead or lives, but for a living one that only waits
/// while a link is made for elsewhere.
fn held_up_by(
    tx: Db<'_>,
    living: &Liveness,
    new: &Flow,
    open: &[Flow],
) -> std::result::Result<Option<String>, DbError> {
    for open in open {
        let Some(owner) = &open.owner else { continue };
        let waits = open.purpose.is_consent() && open.stage == FlowStage::Asked;
        match living.has(tx, owner)? {
            true if new.handed_off && waits => {}
            true => return Ok(Some(owner.label.clone())),
            false => {
                return Ok(Some(format!("{} (which has ended and left work unfinished)", owner.label)));
            }
        }
    }
    Ok(None)
}

/// How a new flow ends one that waits for whoever brings its answer, if it does.
fn ended_by(new: &Flow, open: &Flow) -> Option<CloseReason> {
    match (new.purpose, &open.owner) {
        (_, Some(_)) => None,
        (Purpose::Deactivate, None) => Some(CloseReason::Ended),
        (_, None) => (new.handed_off && open.handed_off).then_some(CloseReason::Replaced),
    }
}
