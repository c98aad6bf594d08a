//! How far a flow has come is noted before the next step is taken; and how it ends without a grant.

use super::writer::{Custody, event, unknown};
use crate::error::{Error, HandoffError, LedgerError, Result, UnusedCode};
use crate::model::flow::{Change, Flow, Logged, Stage};
use crate::model::history::Happened;
use crate::model::ids::{FlowId, Key};
use crate::model::secret::{Sealable, Secret};
use crate::oauth::Code;
use std::time::Duration;

impl Custody<'_> {
    /// A code came: it's sealed and noted. As long as no more is, whoever finds it may send it.
    pub fn arrived(&mut self, flow: &FlowId, code: &Secret) -> Result<()> {
        let asked = self.in_flight.get_mut(flow).ok_or_else(unknown)?;
        tracing::info!("a code for {} came", asked.key);
        if let Some(seal) = asked.code_seal.take() {
            asked.code = Some(seal.close(&Sealable::of(&code.expose()))?);
        }
        let Some(sealed) = asked.code.clone() else { return Ok(()) };
        let Some(from) = asked.from.take() else {
            return self.note(flow, &Stage::Arrived(sealed)).map(drop);
        };
        let license = asked.key.license.to_string();
        asked.taken_up = true;
        if !self.ledger.take_up(flow, from.as_ref(), &Stage::Arrived(sealed), self.vault.kind())? {
            return Err(HandoffError::Used { license }.into());
        }
        self.handed_in(flow);
        Ok(())
    }

    /// A code's turn has come: that it's being sent is noted, before a byte of it leaves, and no sooner than it really is.
    pub fn sending(&mut self, flow: &FlowId, code: &Secret) -> Result<Logged<(FlowId, Code)>> {
        let asked = self.in_flight.get(flow).ok_or_else(unknown)?;
        let whole = Code {
            key: asked.key.clone(),
            username: asked.username.clone(),
            code: code.clone(),
            verifier: asked.memo.as_ref().ok_or_else(unknown)?.verifier.clone(),
            redirect_uri: asked.redirect_uri.clone(),
        };
        // Of one that was taken up, the synced intent says that it waits: a power cut now must not bring that back.
        let noted = match asked.taken_up {
            true => self.ledger.note_synced(flow, &Stage::Sent)?,
            false => self.note(flow, &Stage::Sent)?,
        };
        tracing::info!("the code for {} is noted as being sent", whole.key);
        Ok(noted.with(whole))
    }

    /// Notes in the journal, or in the spool where the journal can't take it. But not that a code is being sent which others
    /// may send soon, because they take this process for one that has ended: it's left to them.
    fn note(&mut self, flow: &FlowId, stage: &Stage) -> Result<Logged<FlowId>> {
        /// Longer than an exchange takes.
        const SENDING: Duration = Duration::from_secs(40);
        let noted = self.ledger.note(flow, stage);
        match (&noted, stage) {
            (Ok(_), Stage::Arrived(_)) => self.handed_in(flow),
            (Err(Error::Ledger(LedgerError::TakenOver)), _) => return noted,
            (Err(_), Stage::Sent)
                if self.ledger.lease() < SENDING
                    && self.in_flight.get(flow).is_some_and(|asked| asked.handed_in) =>
            {
                return noted;
            }
            _ => {}
        }
        match (noted, &mut self.spool) {
            (Err(_), Some(spool)) => spool.keep(flow, stage),
            (noted, _) => noted,
        }
    }

    fn handed_in(&mut self, flow: &FlowId) {
        if let Some(asked) = self.in_flight.get_mut(flow) {
            asked.handed_in = true;
        }
    }

    /// A question ended without a grant: it's closed, and the history says why. What was lost on the way stays
    /// visible as uncertain; what is unused stays open for the next run.
    pub fn ended(&mut self, flow: &FlowId, error: Error) -> Error {
        let Some(asked) = self.in_flight.get(flow) else { return error };
        let unused = error.unused_code();
        if unused == Some(UnusedCode::WrongClient) {
            self.distrust_client();
        }
        if let (Some(_), Some(code)) = (unused, asked.code.clone()) {
            // It can still be sent within its few minutes.
            return self.note(flow, &Stage::Arrived(code)).err().unwrap_or(error);
        }
        let happened = if error.answer_lost() { Happened::Uncertain } else { Happened::Failed };
        let key = asked.key.clone();
        self.in_flight.remove(flow);
        self.close(flow, &key, Some((happened, &error.to_string()))).err().unwrap_or(error)
    }

    /// Nobody wants a question answered any more: it's closed, and nothing is said of it.
    pub fn dropped(&mut self, flow: &FlowId) -> Result<()> {
        let Some(asked) = self.in_flight.remove(flow) else { return Ok(()) };
        self.close(flow, &asked.key, None)
    }

    /// Closes a question, and says why where there is anything to say: its record is changed by nothing but an answer
    /// that was lost, which makes it uncertain. The memo goes with the question.
    pub(super) fn close(&mut self, flow: &FlowId, key: &Key, told: Option<(Happened, &str)>) -> Result<()> {
        let now = self.env.clock.now();
        let kept = self.commit(key, |record| {
            if matches!(told, Some((Happened::Uncertain, _))) {
                record.uncertain_at = Some(now);
            }
            Change {
                moves: Vec::new(),
                closes: Some(flow.clone()),
                events: told.iter().map(|(happened, detail)| event(record, *happened, detail, now)).collect(),
                record: record.clone(),
            }
        })?;
        self.forget(kept.memo);
        Ok(())
    }

    /// Closes a hand-off whose time is over, with its memo: whatever is done to a license next clears it away.
    pub(super) fn clear_lapsed(&mut self, flow: &Flow) -> Result<()> {
        if flow.owner.is_none() && flow.stage == Stage::Asked && flow.deadline <= self.env.clock.now() {
            let memo = self.ledger.close_lapsed(&flow.id)?;
            self.forget(memo);
        }
        Ok(())
    }
}
