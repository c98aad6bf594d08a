//! What is committed before anything is asked or sent: a flow, with the record that it's about.

use super::journal::{self, Closed};
use super::records::changed;
use super::store::Ledger;
use super::{doubts, records, secret_locations};
use crate::error::{Error, LedgerError, Result};
use crate::model::flow::{Change, Flow, Logged, Place, Role};
use crate::model::ids::FlowId;
use crate::model::secret::Fingerprint;

/// A question with the record it's about: what is committed before anything is asked.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The question.
    pub flow: Flow,
    /// The record as it shall be while the question is open, and its event; a new license becomes pending here.
    pub change: Change,
    /// What an answer is matched by; `None` for a question that no browser answers.
    pub state: Option<Fingerprint>,
    /// Its answer comes from elsewhere, whenever it comes: no process owns it.
    pub handed_off: bool,
}

/// A question that is on disk.
#[derive(Debug)]
pub struct Intended {
    /// The proof.
    pub flow: Logged<FlowId>,
    /// The memo of a hand-off that it replaced: for the vault to forget.
    pub replaced: Option<Place>,
}

impl Ledger {
    /// Commits questions before they are asked, one commit for all, synced. A license that a living process is
    /// asking about is refused, and so is one whose record others have written since it was read; a hand-off is replaced
    /// (also by one that is deactivated); what a dead process left must have been recovered before.
    pub fn intend(&mut self, intents: Vec<Intent>) -> Result<Vec<Result<Intended>>> {
        let owner = self.mark()?.owner();
        let living = self.living();
        let context = self.write_context();
        let mut outcomes = Vec::with_capacity(intents.len());
        if !std::mem::replace(&mut self.log_is_fresh, true) {
            // Now, and not after a redirect. This commit then begins the log anew, and pays the sync of its head.
            self.engine.checkpoint();
        }
        self.transaction("write the intent", |tx| {
            let memos = intents.iter().filter_map(|intent| Some(intent.flow.memo.as_ref()?.vault()));
            secret_locations::is_the_vault(tx, memos)?;
            for mut intent in intents {
                intent.flow.owner = (!intent.handed_off).then(|| owner.clone());
                let mut replaced = None;
                let license = intent.flow.key.license.to_string();
                match journal::of_license(tx, &intent.flow.profile, &intent.flow.key)? {
                    Some(open) if open.owner.is_none() => replaced = Some(open),
                    Some(open) => {
                        let holder = match open.owner {
                            Some(owner) if living.has(tx, &owner)? => owner.label,
                            Some(owner) => {
                                format!("{} (which has ended; its work is not recovered yet)", owner.label)
                            }
                            None => String::new(),
                        };
                        outcomes.push(Err(Error::Busy { license, holder }));
                        continue;
                    }
                    None => {}
                }
                match records::apply(tx, &intent.change, &context)? {
                    true => {
                        if let Some(open) = &replaced {
                            journal::close(tx, &open.id, Closed::Replaced)?;
                        }
                        journal::insert(tx, &intent.flow, intent.state.as_ref())?;
                        outcomes.push(Ok(Intended {
                            flow: Logged::attested_by_the_ledger(intent.flow.id),
                            replaced: replaced.and_then(|open| open.memo),
                        }));
                    }
                    false => outcomes.push(Err(changed(&intent.change.record.key))),
                }
            }
            Ok(())
        })?;
        Ok(outcomes)
    }

    /// Commits that a refresh token is about to be sent, synced; and that it may have been, for no later note is needed.
    /// Refused where the record isn't any more what it was read as, its tokens aren't any more where they were read
    /// (sealed to others, or in another vault), or another process is at it.
    pub fn intend_refresh(&mut self, mut flow: Flow, id: i64, place: &Place) -> Result<Logged<FlowId>> {
        flow.owner = Some(self.mark()?.owner());
        let living = self.living();
        self.transaction("write the intent", |tx| {
            if let Some(open) = journal::refresh_of_license(tx, &flow.profile, &flow.key)? {
                let refused = match open.owner {
                    Some(owner) if living.has(tx, &owner)? => {
                        Error::Busy { license: flow.key.license.to_string(), holder: owner.label }
                    }
                    // It has ended just now: whoever asks looks again.
                    _ => changed(&flow.key),
                };
                return Err(refused.into());
            }
            doubts::refuse_doubted(tx, &flow.profile, &flow.key)?;
            let found = records::secrets(tx, &flow.profile, &flow.key, Role::Live)?;
            let is_there = found.iter().any(|(found, there)| *found == id && there == place);
            if !is_there || records::generation(tx, &flow.profile, &flow.key)? != Some(flow.base) {
                return Err(changed(&flow.key).into());
            }
            journal::insert(tx, &flow, None)
        })?;
        Ok(Logged::attested_by_the_ledger(flow.id))
    }

    /// Commits that a refresh token of ours is sent once more, synced. Refused where it may be spent, because the ledger went
    /// back in time, and where others have taken the question over.
    pub fn intend_again(&mut self, flow: &Flow) -> Result<Logged<FlowId>> {
        let ours = self.mark()?.owner();
        self.transaction("write the intent", |tx| {
            doubts::refuse_doubted(tx, &flow.profile, &flow.key)?;
            match journal::again(tx, flow, &ours)? {
                true => Ok(()),
                false => Err(LedgerError::TakenOver.into()),
            }
        })?;
        Ok(Logged::attested_by_the_ledger(flow.id.clone()))
    }
}
