//! A start after a crash: what a dead process left is finished or reported, before anything new is asked.

use crate::custody::flows::in_flight::{EndReason, InFlight};
use crate::custody::grants::received_grant::AnswerSeal;
use crate::custody::grants::store_grant::StoreOutcome;
use crate::custody::writer::{Custody, unknown};
use crate::error::{Error, ErrorCode, Result};
use crate::model::flow::{CODE_LIVES, Flow, FlowEnd, FlowStage, Purpose, SealedBytes};
use crate::model::granted::Granted;
use crate::model::history::HistoryEventKind;
use crate::model::ids::{LicenseId, Username};
use crate::model::secret::Secret;
use crate::oauth::{FlowSecrets, RetryPolicy};
use crate::vault::Opener;
use jiff::Timestamp;

/// What became of a flow that a dead process had left.
#[derive(Debug)]
pub enum RecoveryOutcome {
    /// Nothing had come back: it was only asked, and may still be answered.
    Unanswered,
    /// The grant was there, and is stored now.
    Finished { kept: StoreOutcome, username: Username },
    /// Its code had been sent, and the answer is lost: it's marked uncertain.
    Uncertain,
    /// The license was being given up, and whether the provider revoked its grant is unknown: it's marked uncertain.
    UncertainDeactivation,
    /// It had been granted, and the vault has lost what opens the answer: that grant may live on at the provider.
    Lost(Error),
    /// Its grant or code could not be used.
    Failed(Error),
}

/// What is done about a flow that a dead process left, whose sentence goes into the history.
#[derive(Debug, PartialEq, Eq)]
enum NextStep<'f> {
    /// Nothing came back: it waits for whoever brings its answer.
    Leave,
    /// What became of it can't be known: the record says so.
    Uncertain(&'static str),
    /// Its code was never sent: it's sent now.
    Send(&'f SealedBytes),
    /// Its answer is there: it's stored now.
    Store(&'f SealedBytes),
}

/// What the stage of a flow that a dead process left leads to: where the provider may be asked, and where the process was of
/// this host, which alone can open a code and knows whether it was sent.
fn next_step(stage: &FlowStage, online: bool, of_this_host: bool) -> NextStep<'_> {
    match stage {
        FlowStage::Sent | FlowStage::Refused => {
            NextStep::Uncertain("the program ended before the answer was stored")
        }
        FlowStage::Asked => NextStep::Leave,
        // Not a byte of its code has left.
        FlowStage::Arrived(_) if !online && of_this_host => NextStep::Leave,
        FlowStage::Arrived(_) | FlowStage::Answered(_) if !online => {
            NextStep::Uncertain("canceled without asking the provider")
        }
        FlowStage::Arrived(_) if !of_this_host => NextStep::Uncertain("its host did not return in time"),
        FlowStage::Arrived(code) => NextStep::Send(code),
        FlowStage::Answered(answer) => NextStep::Store(answer),
    }
}

impl Custody<'_> {
    /// Whether a dead process left a grant of a license that can be finished without a person.
    pub fn can_finish_alone(&mut self, key: &LicenseId) -> Result<bool> {
        let open = self.ledger.unfinished(&self.provider.profile, Some(key))?;
        Ok(open.iter().any(|flow| {
            flow.owner.is_some()
                && matches!(flow.purpose, Purpose::Register | Purpose::Renew)
                && matches!(flow.stage, FlowStage::Arrived(_) | FlowStage::Answered(_))
        }))
    }

    /// Finishes or reports what dead processes left of a license. An error leaves it open for the next run.
    pub fn recover(&mut self, key: &LicenseId) -> Result<Vec<RecoveryOutcome>> {
        let recovered = self.take_over(true, key)?;
        if let Some(standing) = self.standing(key)?
            && standing.record.revocation_pending
            && standing.record.deactivated_at.is_none()
            && let Err(e) = self.revoke_unwanted(key, RetryPolicy::NONE)
        {
            tracing::warn!("a discarded grant of {key} isn't revoked yet: {e}");
        }
        self.changed_keys.insert(key.clone());
        Ok(recovered)
    }

    /// Closes what dead processes left of a license that is given up without asking the provider.
    pub fn close_abandoned(&mut self, key: &LicenseId) -> Result<Vec<RecoveryOutcome>> {
        self.take_over(false, key)
    }

    fn take_over(&mut self, online: bool, key: &LicenseId) -> Result<Vec<RecoveryOutcome>> {
        let mut recovered = Vec::new();
        for flow in self.ledger.unfinished(&self.provider.profile, Some(key))? {
            // A hand-off waits for its answer; it isn't left over until its time is. A refresh is finished by the next one, or
            // when a newer grant stands.
            self.clear_lapsed(&flow)?;
            if flow.owner.is_none() || flow.purpose == Purpose::Refresh {
                continue;
            }
            self.leave_to_its_host(&flow)?;
            if !self.ledger.take_over(&flow)? {
                continue;
            }
            let resumed = self.resume(online, flow.clone());
            if resumed.is_err() {
                self.give_back(&flow);
            }
            recovered.push(resumed?);
        }
        Ok(recovered)
    }

    /// A flow that was taken over and can't be finished here is again whose it was.
    pub(in crate::custody) fn give_back(&mut self, flow: &Flow) {
        if let Err(e) = self.ledger.release(&flow.id) {
            tracing::warn!("could not release the unfinished work on {}: {e}", flow.key);
        }
    }

    /// A code on another host is that host's: it alone can open it, and knows whether it was sent. Once it must have lapsed,
    /// what became of it is uncertain.
    fn leave_to_its_host(&self, flow: &Flow) -> Result<()> {
        let lapsed =
            flow.deadline.saturating_add(CODE_LIVES).unwrap_or(flow.deadline) <= self.env.clock.now();
        match (&flow.stage, &flow.owner) {
            (FlowStage::Arrived(_), Some(owner)) if !lapsed && !self.ledger.is_of_this_host(flow) => {
                let why = format!(
                    "its answer waits on the host of {}, which alone can store it. Run the same command there",
                    owner.label
                );
                Err(Error::Busy { license: flow.key.license.to_string(), why })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn resume(&mut self, online: bool, flow: Flow) -> Result<RecoveryOutcome> {
        match next_step(&flow.stage, online, self.ledger.is_of_this_host(&flow)) {
            NextStep::Leave => {
                // Its own deadline stands: nobody has it for longer because a process died.
                let why = (flow.deadline <= self.env.clock.now() || !flow.purpose.is_consent()).then(|| {
                    EndReason {
                        happened: HistoryEventKind::Failed,
                        detail: "the program ended before an answer came".into(),
                        failure: Some(ErrorCode::Interrupted),
                    }
                });
                let end = match why {
                    Some(_) => FlowEnd::Closed(flow.id.clone()),
                    None => FlowEnd::LeftOpen(flow.id.clone(), flow.deadline),
                };
                self.end(end, &flow.key, why)?;
                Ok(RecoveryOutcome::Unanswered)
            }
            NextStep::Uncertain(why) => {
                // Where that it was sent is only inferred, which code it was isn't known, and none is sent twice.
                let is_noted = self.ledger.stage(&flow.id)?.is_some_and(|noted| noted == flow.stage);
                let end = match flow.purpose.is_consent() && is_noted {
                    true => FlowEnd::Reopened(flow.id.clone(), self.open_until()),
                    false => FlowEnd::Closed(flow.id.clone()),
                };
                let why = EndReason {
                    happened: HistoryEventKind::Uncertain,
                    detail: why.into(),
                    failure: Some(ErrorCode::Network),
                };
                self.end(end, &flow.key, Some(why))?;
                Ok(match flow.purpose {
                    Purpose::Deactivate | Purpose::BreakFirst => RecoveryOutcome::UncertainDeactivation,
                    _ => RecoveryOutcome::Uncertain,
                })
            }
            NextStep::Send(code) => match self.reopen_memo(&flow) {
                // Not a byte of its code has left, so that nothing was granted by it.
                Err(e) if e.is_lost_for_good() => {
                    self.end_unopened(&flow, HistoryEventKind::Failed, &e)?;
                    Ok(RecoveryOutcome::Failed(e))
                }
                opened => self.send(&flow, code, opened?),
            },
            NextStep::Store(answer) => match self.reopen_memo(&flow) {
                Err(e) if e.is_lost_for_good() => {
                    self.end_unopened(&flow, HistoryEventKind::Uncertain, &e)?;
                    Ok(RecoveryOutcome::Lost(e))
                }
                opened => self.store_answer(&flow, answer, opened),
            },
        }
    }

    /// The vault has lost what opens a flow's code or answer: nothing ever will, and it bars nobody's way.
    fn end_unopened(&mut self, flow: &Flow, happened: HistoryEventKind, lost: &Error) -> Result<()> {
        let kept = match happened {
            HistoryEventKind::Uncertain => "the grant can't be opened anymore, and may still be valid",
            _ => "the code can't be opened anymore, and was never sent",
        };
        let why = EndReason { happened, detail: format!("{kept}: {lost}"), failure: Some(lost.kind()) };
        self.end(FlowEnd::Closed(flow.id.clone()), &flow.key, Some(why))
    }

    /// A code that was never sent is sent.
    fn send(
        &mut self,
        flow: &Flow,
        sealed: &SealedBytes,
        (memo, opener): (FlowSecrets, Opener),
    ) -> Result<RecoveryOutcome> {
        let kept = flow.memo.clone().ok_or_else(unknown)?;
        let code = opener.open(sealed, &self.seals.row_of_code(flow))?;
        let code: String = code.read(flow.key.license.as_str())?;
        if self.spool.is_none() {
            self.spool = Some(self.ledger.reserve(1)?);
        }
        self.spool.iter_mut().for_each(|spool| spool.about(flow));
        // Of the same memo: it's what opens the answer if this very run is cut short, too.
        let envelope = self.vault.another_envelope(&opener)?;
        let in_flight = InFlight {
            answer_seal: Some(envelope.answer),
            code: Some(sealed.clone()),
            handed_in: true,
            ..InFlight::of(flow, Some(memo), kept, self.memo_row(flow)?)
        };
        self.in_flight.insert(flow.id.clone(), in_flight);
        let go = self.sending(&flow.id, &Secret::new(code))?;
        let exchange = self.online()?;
        let result = self.env.wait(async move { exchange.exchange(go).await })?;
        let kept = self.store_grant(&flow.id, result);
        self.finished(flow, kept)
    }

    /// An answer that couldn't be stored is stored; should that fail again, the journal's own bytes stay as they are.
    fn store_answer(
        &mut self,
        flow: &Flow,
        sealed: &SealedBytes,
        opened: Result<(FlowSecrets, Opener)>,
    ) -> Result<RecoveryOutcome> {
        let row = self.seals.row_of_answer(flow);
        let (memo, opener, row) = match opened {
            Ok((memo, opener)) => (Some(memo), opener, row),
            // The memo is its host's alone; the answer is everybody's who may read the tokens.
            Err(e) => {
                let row = self.seals.or_of_any_host(row, &flow.profile, &flow.key);
                (None, self.vault.opener().ok_or(e)??, row)
            }
        };
        let (content, label) = opener.open_labeled(sealed, &row)?;
        let granted = Granted::from_sealable(&content, &flow.key)?;
        let kept = flow.memo.clone().ok_or_else(unknown)?;
        let row = self.memo_row(flow)?;
        self.in_flight.insert(flow.id.clone(), InFlight::of(flow, memo, kept, row));
        let mut came = self.compared(flow.id.clone(), granted, AnswerSeal::Closed(sealed.clone(), label));
        if let Ok(came) = &mut came
            && let Some(newer) = self.granted_since(flow, came.granted.received_at)?
        {
            came.overtaken_by(newer);
        }
        let kept = self.keep(vec![came]).pop().unwrap_or_else(|| Err(unknown()));
        self.finished(flow, kept)
    }

    /// When a license was granted after an answer came: by another flow about it, while this one's waited to be stored.
    fn granted_since(&self, flow: &Flow, received: Timestamp) -> Result<Option<Timestamp>> {
        let record = self.standing(&flow.key)?.map(|standing| standing.record);
        let granted = record.and_then(|record| record.renewed_at.max(record.created_at));
        Ok(granted.filter(|at| *at > received))
    }

    fn finished(&mut self, flow: &Flow, kept: Result<StoreOutcome>) -> Result<RecoveryOutcome> {
        match kept {
            Ok(kept) => Ok(RecoveryOutcome::Finished { kept, username: flow.username.clone() }),
            // Set aside once more: nothing new may be asked before that is finished.
            Err(e) if self.in_flight.contains_key(&flow.id) => Err(e),
            Err(e) => Ok(RecoveryOutcome::Failed(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> SealedBytes {
        SealedBytes(b"sealed".to_vec())
    }

    #[test]
    fn a_code_that_may_have_been_sent_is_never_sent_again() {
        for (online, of_this_host) in [(false, false), (false, true), (true, false), (true, true)] {
            for stage in [FlowStage::Sent, FlowStage::Refused] {
                let step = next_step(&stage, online, of_this_host);
                assert!(matches!(step, NextStep::Uncertain(_)), "{stage:?}: {step:?}");
            }
        }
    }

    #[test]
    fn a_code_is_sent_by_its_own_host_alone_and_an_answer_is_stored_by_any() {
        let (arrived, answered) = (FlowStage::Arrived(sealed()), FlowStage::Answered(sealed()));
        assert_eq!(next_step(&arrived, true, true), NextStep::Send(&sealed()));
        assert!(matches!(next_step(&arrived, true, false), NextStep::Uncertain(_)));
        assert_eq!(next_step(&answered, true, true), NextStep::Store(&sealed()));
        assert_eq!(next_step(&answered, true, false), NextStep::Store(&sealed()));
    }

    #[test]
    fn what_came_is_uncertain_where_the_provider_is_not_asked() {
        assert!(matches!(next_step(&FlowStage::Answered(sealed()), false, true), NextStep::Uncertain(_)));
        assert!(matches!(next_step(&FlowStage::Arrived(sealed()), false, false), NextStep::Uncertain(_)));
        // Not a byte of it left, which its own host knows.
        assert_eq!(next_step(&FlowStage::Arrived(sealed()), false, true), NextStep::Leave);
        assert_eq!(next_step(&FlowStage::Asked, false, true), NextStep::Leave);
    }
}
