//! Flows that other processes left, or that wait for an answer from elsewhere: found, merged with their spools, taken over.

use super::engine::{Db, DbError};
use super::journal::{self, CloseReason, ClosedFlow};
use super::process_locks::{self, Liveness};
use super::secret_locations;
use super::spool::{Spool, SpooledFlow};
use super::store::Ledger;
use crate::error::{Error, Result};
use crate::model::authorization::Authorization;
use crate::model::flow::{Flow, FlowOwner, FlowStage, SecretPlace};
use crate::model::ids::{FlowId, LicenseId};
use crate::model::secret::Fingerprint;
use crate::model::vault_kind::VaultKind;
use crate::system::files;
use std::collections::BTreeSet;

/// Who may be at a license's flows: known before a transaction, asked within it.
pub(super) struct FlowOwners {
    living: Liveness,
    is_shared: bool,
    boot: Option<String>,
}

impl FlowOwners {
    /// A license's open flows, each of which waits for whoever brings its answer: a link, and what a dead process only asked
    /// and had noted for certain.
    ///
    /// # Errors
    /// [`Error::Busy`] where somebody is at one, or a process that has ended left it to be finished.
    pub(super) fn waiting_flows(&self, tx: Db<'_>, record: &Authorization) -> Result<Vec<Flow>, DbError> {
        let flows = journal::of_key(tx, &record.profile, &record.key)?;
        for flow in &flows {
            if let Some(owner) = &flow.owner
                && (!self.waits(flow, owner) || self.living.has(tx, owner)?)
            {
                let license = record.key.license.to_string();
                return Err(Error::busy(license, &owner.label).into());
            }
        }
        Ok(flows)
    }

    fn waits(&self, flow: &Flow, owner: &FlowOwner) -> bool {
        flow.purpose.is_consent()
            && flow.stage == FlowStage::Asked
            && (self.is_shared || process_locks::has_noted_all(owner, self.boot.as_deref()))
    }
}

impl Ledger {
    /// Who may be at flows now.
    pub(super) fn at_work(&self) -> FlowOwners {
        FlowOwners { living: self.living(), is_shared: self.is_shared(), boot: self.boot.clone() }
    }

    pub fn all_flows(&self) -> Result<Vec<Flow>> {
        journal::of_all(self.engine.db()).map_err(|e| self.fault("read the journal", e))
    }

    /// The open flow, of any profile, that a state belongs to. What a spool holds of it is merged first.
    pub fn flow_of(&mut self, state: &Fingerprint) -> Result<Option<Flow>> {
        self.merge_spools()?;
        let found =
            journal::of_state(self.engine.db(), state).map_err(|e| self.fault("read the journal", e))?;
        // A living process's own notes are all there.
        match found {
            Some(flow) if !self.is_worked_on(&flow)? => Ok(Some(self.as_it_may_be(flow))),
            found => Ok(found),
        }
    }

    /// The same as the journal has it, whatever a spool holds.
    pub fn flow_as_noted(&self, state: &Fingerprint) -> Result<Option<Flow>> {
        journal::of_state(self.engine.db(), state).map_err(|e| self.fault("read the journal", e))
    }

    /// The states of all open flows, by which their answers are told from strangers'.
    pub fn open_states(&self) -> Result<Vec<Fingerprint>> {
        journal::open_states(self.engine.db()).map_err(|e| self.fault("read the journal", e))
    }

    pub fn closed_flow(&self, state: &Fingerprint) -> Result<Option<ClosedFlow>> {
        journal::closed_flow(self.engine.db(), state).map_err(|e| self.fault("read the journal", e))
    }

    /// A flow that a dead process left, as far as it may have come. Where the machine has started anew since, the last
    /// notes may be gone, for they weren't synced: then one that wasn't sent, by what is there, counts as sent. On a server
    /// every note is synced.
    pub(super) fn as_it_may_be(&self, flow: Flow) -> Flow {
        let Some(owner) = &flow.owner else { return flow };
        Flow { stage: self.stage_it_may_be_at(owner, flow.stage), ..flow }
    }

    pub(super) fn stage_it_may_be_at(&self, owner: &FlowOwner, stage: FlowStage) -> FlowStage {
        let noted_all = self.is_shared() || process_locks::has_noted_all(owner, self.boot.as_deref());
        match stage {
            FlowStage::Asked | FlowStage::Arrived(_) if !noted_all => FlowStage::Sent,
            stage => stage,
        }
    }

    /// Whether a living process is at a flow.
    pub fn is_worked_on(&self, flow: &Flow) -> Result<bool> {
        let Some(owner) = &flow.owner else { return Ok(false) };
        self.living()
            .has(self.engine.db(), owner)
            .map_err(|e| self.fault("read which processes are running", e))
    }

    /// Takes a flow over that waits for its answer and that nobody is at, together with the sealed code that came:
    /// one commit, so that it's either still waiting or can be gone on with. Not synced: what is noted before the code
    /// is sent is. `false` where somebody else was quicker; refused where the secrets were moved to another vault than
    /// the one in which the grant will be kept.
    pub fn claim_answered(
        &mut self,
        flow: &FlowId,
        from: Option<&FlowOwner>,
        code: &FlowStage,
        vault: VaultKind,
    ) -> Result<bool> {
        let ours = self.mark()?.owner();
        self.relaxed(|tx| {
            secret_locations::is_the_vault(tx, [vault])?;
            journal::claim_answered(tx, flow, from, &ours, code)
        })
    }

    /// Flows about a license, or a whole profile, that nobody works on any more: a dead process left them,
    /// or they were handed off. What a spool holds of them is merged first.
    pub fn unfinished(&mut self, profile: &str, key: Option<&LicenseId>) -> Result<Vec<Flow>> {
        self.merge_spools()?;
        let mut left = Vec::new();
        for flow in self.open_flows(profile, key)? {
            if !self.is_worked_on(&flow)? {
                left.push(flow);
            }
        }
        let dead: BTreeSet<_> =
            left.iter().filter_map(|flow| flow.owner.as_ref()).map(|it| &it.mark).collect();
        if !dead.is_empty() {
            // Once more: an owner may have spooled an answer and ended between the two looks above. From here on none of
            // them does.
            self.merge_spools()?;
            let mut settled = self.open_flows(profile, key)?;
            settled.retain(|flow| flow.owner.as_ref().is_none_or(|owner| dead.contains(&owner.mark)));
            left = settled;
        }
        Ok(left.into_iter().map(|flow| self.as_it_may_be(flow)).collect())
    }

    pub(super) fn open_flows(&self, profile: &str, key: Option<&LicenseId>) -> Result<Vec<Flow>> {
        let open = match key {
            Some(key) => journal::of_key(self.engine.db(), profile, key),
            None => journal::of_profile(self.engine.db(), profile),
        };
        open.map_err(|e| self.fault("read the journal", e))
    }

    /// Closes a hand-off whose time is over. Its memo, for the vault to forget; nothing is closed where its answer was taken up
    /// meanwhile.
    pub fn close_lapsed(&mut self, flow: &FlowId) -> Result<Option<SecretPlace>> {
        self.transaction("close the request", |tx| {
            if !journal::waits_for_anybody(tx, flow)? {
                return Ok(None);
            }
            let memo = journal::memo(tx, flow)?;
            journal::close(tx, flow, CloseReason::Ended)?;
            Ok(memo)
        })
    }

    /// Takes over a flow that a dead process left. `false` where another process was quicker.
    pub fn take_over(&mut self, flow: &Flow) -> Result<bool> {
        let ours = self.mark()?.owner();
        let theirs = flow.owner.clone();
        let taken = self.transaction("take over the request", |tx| {
            journal::take_over(tx, &flow.id, theirs.as_ref(), &ours)
        })?;
        if let Some(theirs) = theirs.filter(|_| taken) {
            self.taken.insert(flow.id.clone(), theirs);
        }
        Ok(taken)
    }

    /// Leaves a flow that was taken over as it was found, to whoever can finish it: the mark of a host that couldn't would keep
    /// out the one whose answer it is. Nothing is done where it's closed, or wasn't taken over.
    pub fn release(&mut self, flow: &FlowId) -> Result<()> {
        let Some(theirs) = self.taken.get(flow).cloned() else { return Ok(()) };
        let ours = self.mark()?.owner();
        self.relaxed(|tx| journal::take_over(tx, flow, Some(&ours), &theirs).map(drop))?;
        self.taken.remove(flow);
        Ok(())
    }

    /// The same for all that this process has taken over and not finished, before it ends.
    pub(super) fn release_all_taken(&mut self) {
        for flow in self.taken.keys().cloned().collect::<Vec<_>>() {
            if let Err(e) = self.release(&flow) {
                tracing::info!("could not leave a request to the process that can finish it: {e}");
            }
        }
    }

    /// Notes what this process's own spool keeps of a flow of its own, now that the ledger can be written again.
    pub fn reject(&mut self, spool: &Spool, flow: &FlowId) -> Result<()> {
        let Some(SpooledFlow { stage, code, claims: false, .. }) = spool.kept(flow)? else { return Ok(()) };
        let ours = self.mark()?.owner();
        self.transaction("note what was done", |tx| {
            if let Some(code) = code.filter(|_| stage.order() >= FlowStage::Sent.order()) {
                journal::code_is_sent(tx, flow, &code)?;
            }
            match journal::stage_of(tx, flow)? {
                // Somebody took us for dead, and opened it again without the answer that we have.
                Some(FlowStage::Asked)
                    if matches!(stage, FlowStage::Answered(_))
                        && journal::take_over(tx, flow, None, &ours)? =>
                {
                    journal::note_own(tx, flow, &stage, &ours).map(drop)
                }
                Some(noted) if noted.order() < stage.order() => {
                    journal::note_own(tx, flow, &stage, &ours).map(drop)
                }
                _ => Ok(()),
            }
        })
    }

    /// A flow that is this process's own, as far as it has come; `None` where it's closed, or not its own any more.
    pub fn own_flow(&mut self, flow: &FlowId, key: &LicenseId, profile: &str) -> Result<Option<Flow>> {
        let ours = self.mark()?.owner();
        let mut open = self.open_flows(profile, Some(key))?;
        open.retain(|it| it.id == *flow && it.owner.as_ref() == Some(&ours));
        Ok(open.pop())
    }

    pub(super) fn merge_spools(&mut self) -> Result<()> {
        for left in Spool::left_behind(&self.spool, &self.paths.owners())? {
            let shared = self.is_shared();
            let mark = || match shared {
                true => left.mark().to_owned(),
                false => process_locks::with_notes_synced(left.mark()),
            };
            if shared && left.notes.iter().any(|it| it.claims) {
                // That it's of this host, which alone can open the code, is known by its mark.
                drop(files::create_private(&self.paths.owners().join(left.mark())));
            }
            let merged = self.transaction("merge the spool", |tx| {
                let mut merged = true;
                for spooled in &left.notes {
                    let SpooledFlow { flow, stage, code, claims, .. } = spooled;
                    if let Some(code) = code.as_ref().filter(|_| stage.order() >= FlowStage::Sent.order()) {
                        journal::code_is_sent(tx, flow, code)?;
                    }
                    match journal::stage_of(tx, flow)? {
                        // Never back: the ledger may have taken what came later. And not where the flow was opened again.
                        Some(noted) if noted.order() < stage.order() && journal::has_owner(tx, flow)? => {
                            journal::note_spooled(tx, spooled)?;
                        }
                        // Its answer came after it was opened again, and the ledger couldn't be told.
                        Some(FlowStage::Asked) if *claims && !was_sent(tx, code.as_ref())? => {
                            journal::claim_for_the_dead(tx, flow, stage, mark())?;
                        }
                        // A grant that came while somebody took the flow for lost: what is opened again here has no answer.
                        Some(FlowStage::Asked) if matches!(stage, FlowStage::Answered(_)) => {
                            journal::claim_for_the_dead(tx, flow, stage, mark())?;
                        }
                        Some(_) => {}
                        None if shared => merged &= journal::put_again(tx, spooled)?,
                        // Nobody else can have closed it here.
                        None => {}
                    }
                }
                Ok(merged)
            })?;
            if merged {
                left.remove();
            }
        }
        Ok(())
    }
}

/// Whether a code was sent, from whichever answer.
fn was_sent(tx: Db<'_>, code: Option<&Fingerprint>) -> std::result::Result<bool, DbError> {
    Ok(match code {
        Some(code) => journal::closed_flow(tx, code)?.is_some(),
        None => false,
    })
}
