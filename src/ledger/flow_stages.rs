//! How far this process's own flows have come: noted, left, or kept where their proper place can't take them.

use super::journal;
use super::spool::Spool;
use super::store::Ledger;
use crate::error::{LedgerError, Result};
use crate::model::flow::{Logged, Stage};
use crate::model::ids::FlowId;

impl Ledger {
    /// Lets go of a question of ours that stays open, before this process ends.
    pub fn leave(&mut self, flow: &FlowId) -> Result<()> {
        let ours = self.mark()?.owner();
        self.relaxed(|tx| journal::leave(tx, flow, &ours))
    }

    /// Notes how far a question has come. Survives the process's end at once, a power cut only once something is
    /// committed: until then the synced intent stands, whose owner is of an earlier start of the machine, and
    /// whoever finds it takes it for one that was sent. Where starts can't be told apart, it's synced.
    pub fn note(&mut self, flow: &FlowId, stage: &Stage) -> Result<Logged<FlowId>> {
        if self.boot.is_none() && *stage == Stage::Sent {
            return self.note_synced(flow, stage);
        }
        let ours = self.mark()?.owner();
        match self.relaxed(|tx| journal::note_own(tx, flow, stage, &ours))? {
            true => Ok(Logged::attested_by_the_ledger(flow.clone())),
            false => Err(LedgerError::TakenOver.into()),
        }
    }

    /// The same, synced: for a question whose synced intent alone would look like one that still waits.
    pub fn note_synced(&mut self, flow: &FlowId, stage: &Stage) -> Result<Logged<FlowId>> {
        let ours = self.mark()?.owner();
        match self.transaction("note", |tx| journal::note_own(tx, flow, stage, &ours))? {
            true => Ok(Logged::attested_by_the_ledger(flow.clone())),
            false => Err(LedgerError::TakenOver.into()),
        }
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
