//! How far this process's own flows have come: noted, left, or kept where their proper place can't take them.

use super::engine::{Db, DbError};
use super::journal::{self, ClosedFlow};
use super::process_locks::Liveness;
use super::spool::Spool;
use super::store::Ledger;
use crate::error::{Error, LedgerError, Result};
use crate::model::flow::{Logged, Stage};
use crate::model::ids::FlowId;
use crate::model::secret::Fingerprint;
use crate::system::Step;

impl Ledger {
    /// Lets go of a question of ours that stays open, before this process ends.
    pub fn leave(&mut self, flow: &FlowId) -> Result<()> {
        let ours = self.mark()?.owner();
        self.relaxed(|tx| journal::leave(tx, flow, &ours))
    }

    /// How far a question has come; `None` where it's closed.
    pub fn stage(&self, flow: &FlowId) -> Result<Option<Stage>> {
        journal::stage_of(self.engine.db(), flow).map_err(|e| self.fault("read the journal", e))
    }

    /// Whether a question is open.
    pub fn is_open(&self, flow: &FlowId) -> Result<bool> {
        Ok(self.stage(flow)?.is_some())
    }

    /// Notes how far a question has come. Survives the process's end at once, a power cut only once something is
    /// committed: until then the synced intent stands, whose owner is of an earlier start of the machine, and
    /// whoever finds it takes it for one that was sent.
    pub fn note(&mut self, flow: &FlowId, stage: &Stage) -> Result<Logged<FlowId>> {
        let ours = self.mark()?.owner();
        let noted = self.relaxed(|tx| journal::note_own(tx, flow, stage, &ours))?;
        attested(noted, flow)
    }

    /// Notes that the code of an answer is being sent, or a revocation. Where starts of the machine can't be told apart it's
    /// synced, and where `synced` says that the synced row alone would look like one that still waits.
    ///
    /// # Errors
    /// [`Error::Busy`] where a living process exchanges another code of the license, or gives it up.
    pub fn note_sent(
        &mut self,
        flow: &FlowId,
        code: Option<&Fingerprint>,
        synced: bool,
    ) -> Result<Logged<FlowId>> {
        let (ours, living) = (self.mark()?.owner(), self.living());
        let note = |tx: Db<'_>| {
            if code.is_some() {
                is_its_turn(tx, flow, &living)?;
            }
            let noted = journal::note_own(tx, flow, &Stage::Sent, &ours)?;
            if let Some(code) = code.filter(|_| noted) {
                journal::code_is_sent(tx, flow, code)?;
            }
            Ok(noted)
        };
        // On a server nobody else may note the same at this moment.
        let noted = match synced || self.boot.is_none() || self.is_shared() {
            true => self.transaction("note", note),
            false => self.relaxed(note),
        };
        if let Err(Error::Busy { .. }) = noted {
            self.steps.reached(Step::AwaitingClaim);
        }
        attested(noted?, flow)
    }

    /// Notes a stage, synced: for a question whose synced row alone would say something else.
    pub fn note_synced(&mut self, flow: &FlowId, stage: &Stage) -> Result<Logged<FlowId>> {
        let ours = self.mark()?.owner();
        let noted = self.transaction("note", |tx| journal::note_own(tx, flow, stage, &ours))?;
        attested(noted, flow)
    }

    /// Whether a code was sent before: about which license, if so.
    pub fn sent_before(&self, code: &Fingerprint) -> Result<Option<ClosedFlow>> {
        self.spent(code)
    }

    /// Keeps an answer in the journal, synced, because its proper place couldn't take it.
    pub fn keep_answer(&mut self, flow: &FlowId, stage: &Stage) -> Result<()> {
        let ours = self.mark()?.owner();
        match self.transaction("keep the answer", |tx| journal::note_own(tx, flow, stage, &ours))? {
            true => Ok(()),
            false => Err(LedgerError::TakenOver.into()),
        }
    }

    /// Reserves room on the disk for answers that the ledger itself may not be able to take.
    pub fn reserve(&mut self, answers: usize) -> Result<Spool> {
        let mark = self.mark()?.owner().mark;
        Spool::reserve(&self.spool, &mark, answers).map_err(|e| self.unusable(e))
    }
}

/// The proof that a stage is noted, where this process still has the question.
fn attested(noted: bool, flow: &FlowId) -> Result<Logged<FlowId>> {
    match noted {
        true => Ok(Logged::attested_by_the_ledger(flow.clone())),
        false => Err(LedgerError::TakenOver.into()),
    }
}

/// One code of a license is exchanged at a time: where the provider keeps one grant for each, the last one it made must be the
/// last one that is stored.
///
/// # Errors
/// [`Error::Busy`] where a living process exchanges another one, or gives the license up.
fn is_its_turn(tx: Db<'_>, flow: &FlowId, living: &Liveness) -> std::result::Result<(), DbError> {
    for other in journal::beside(tx, flow)? {
        let acts = other.stage == Stage::Sent || !other.purpose.is_consent();
        if let Some(owner) = other.owner.filter(|_| acts)
            && living.has(tx, &owner)?
        {
            let license = other.key.license.to_string();
            return Err(Error::Busy { license, holder: owner.label }.into());
        }
    }
    Ok(())
}
