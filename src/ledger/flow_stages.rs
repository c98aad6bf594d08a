//! How far this process's own flows have come: noted, left, or kept where their proper place can't take them.

use super::engine::{Db, DbError};
use super::journal::{self, ClosedFlow};
use super::process_locks::Liveness;
use super::spool::Spool;
use super::store::Ledger;
use crate::error::{Error, LedgerError, Result};
use crate::model::flow::{FlowStage, Logged};
use crate::model::ids::{FlowId, Username};
use crate::model::secret::Fingerprint;
use crate::system::WatchedStep;
use std::path::Path;

impl Ledger {
    /// Lets go of a flow of ours that stays open, before this process ends; one that was taken over is again whose it was.
    pub fn release_own(&mut self, flow: &FlowId) -> Result<()> {
        if self.taken.contains_key(flow) {
            return self.release(flow);
        }
        let ours = self.mark()?.owner();
        self.relaxed(|tx| journal::release_own(tx, flow, &ours))
    }

    /// How far a flow has come; `None` where it's closed.
    pub fn stage(&self, flow: &FlowId) -> Result<Option<FlowStage>> {
        journal::stage_of(self.engine.db(), flow).map_err(|e| self.fault("read the journal", e))
    }

    /// Whom a flow asks: an edit of the license's record changes it.
    pub fn asked_user(&self, flow: &FlowId) -> Result<Option<Username>> {
        journal::asked_user(self.engine.db(), flow).map_err(|e| self.fault("read the journal", e))
    }

    pub fn is_open(&self, flow: &FlowId) -> Result<bool> {
        Ok(self.stage(flow)?.is_some())
    }

    /// Notes how far a flow has come. Survives the process's end at once, a power cut only once something is
    /// committed: until then the synced intent stands, whose owner is of an earlier start of the machine, and
    /// whoever finds it takes it for one that was sent.
    pub fn note(&mut self, flow: &FlowId, stage: &FlowStage) -> Result<Logged<FlowId>> {
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
        let (ours, living, spools) = (self.mark()?.owner(), self.living(), self.spool.clone());
        let note = |tx: Db<'_>| {
            if code.is_some() {
                is_its_turn(tx, flow, &living, &spools)?;
            }
            let noted = journal::note_own(tx, flow, &FlowStage::Sent, &ours)?;
            if let Some(code) = code.filter(|_| noted) {
                journal::code_is_sent(tx, flow, code)?;
            }
            Ok(noted)
        };
        // On a server nobody else may note the same at this moment.
        let noted = match synced || self.boot.is_none() || self.is_shared() {
            true => self.transaction("note what was done", note),
            false => self.relaxed(note),
        };
        if let Err(Error::Busy { .. }) = noted {
            self.steps.reached(WatchedStep::AwaitingClaim);
        }
        attested(noted?, flow)
    }

    /// Whether the code of a flow may be sent now, where that can't be noted in the ledger.
    ///
    /// # Errors
    /// [`Error::Busy`] where a living process exchanges another code of the license, or gives it up. None where the ledger can't
    /// even be read: then nobody else can note that they send one.
    pub fn may_send(&self, flow: &FlowId) -> Result<()> {
        match is_its_turn(self.engine.db(), flow, &self.living(), &self.spool) {
            Err(e) => match self.fault("read the journal", e) {
                busy @ Error::Busy { .. } => Err(busy),
                unread => {
                    tracing::info!("can't read which process is next: {unread}");
                    Ok(())
                }
            },
            Ok(()) => Ok(()),
        }
    }

    /// Remembers that the code of an answer was sent, which only the spool knows.
    pub fn remember_sent(&mut self, flow: &FlowId, code: &Fingerprint) -> Result<()> {
        self.relaxed(|tx| journal::code_is_sent(tx, flow, code))
    }

    /// Notes a stage, synced: of a flow whose synced row alone would say something else, or an answer that its proper place
    /// couldn't take.
    pub fn note_synced(&mut self, flow: &FlowId, stage: &FlowStage) -> Result<Logged<FlowId>> {
        let ours = self.mark()?.owner();
        let noted = self.transaction("note what was done", |tx| journal::note_own(tx, flow, stage, &ours))?;
        attested(noted, flow)
    }

    /// Whether a code was sent before: about which license, if so.
    pub fn flow_that_sent(&self, code: &Fingerprint) -> Result<Option<ClosedFlow>> {
        self.closed_flow(code)
    }

    /// Reserves room on the disk for answers that the ledger itself may not be able to take.
    pub fn reserve(&mut self, answers: usize) -> Result<Spool> {
        let mark = self.mark()?.owner().mark;
        Spool::reserve(&self.spool, &mark, answers).map_err(|e| self.unusable(e))
    }
}

/// The proof that a stage is noted, where this process still has the flow.
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
fn is_its_turn(
    tx: Db<'_>,
    flow: &FlowId,
    living: &Liveness,
    spools: &Path,
) -> std::result::Result<(), DbError> {
    for other in journal::other_flows_of(tx, flow)? {
        let Some(owner) = other.owner else { continue };
        // One of this host may have noted in its spool alone that it's sending.
        let acts = other.stage == FlowStage::Sent
            || !other.purpose.is_consent()
            || Spool::last_stage(spools, &owner.mark, &other.id)? == Some(FlowStage::Sent);
        if acts && living.has(tx, &owner)? {
            let license = other.key.license.to_string();
            return Err(Error::busy(license, owner.label).into());
        }
    }
    Ok(())
}
