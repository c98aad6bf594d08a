//! The open flows, as a process knows them that takes answers from elsewhere: also while the ledger can't be read.

use crate::custody::writer::Custody;
use crate::error::{Error, Result};
use crate::model::authorization::Authorization;
use crate::model::flow::{Flow, FlowStage};
use crate::model::secret::Fingerprint;
use std::collections::HashSet;

/// How many are read at once: browsers wait meanwhile.
const AT_ONCE: usize = 256;

impl Custody<'_> {
    /// Looks up the states of all open flows, and gets to know those whose answers may come here. Room on the disk for an answer
    /// is there from then on.
    pub fn look_up_open(&mut self) -> Result<Vec<Fingerprint>> {
        let open = self.ledger.open_states()?;
        let all: HashSet<&Fingerprint> = open.iter().collect();
        self.known.0.retain(|state, _| all.contains(state));
        let new = open.iter().filter(|state| !self.known.0.contains_key(*state));
        for state in new.copied().take(AT_ONCE).collect::<Vec<_>>() {
            let found = self.looked_up(&state)?;
            self.known.0.insert(state, found);
        }
        if self.spool.is_none() {
            self.reserve_room(1)?;
        }
        Ok(open)
    }

    fn looked_up(&self, state: &Fingerprint) -> Result<Option<(Flow, Authorization)>> {
        let may_come = |flow: &Flow| {
            flow.profile == self.provider.profile && flow.owner.is_none() && flow.stage == FlowStage::Asked
        };
        let Some(flow) = self.ledger.flow_as_noted(state)?.filter(may_come) else { return Ok(None) };
        let standing = self.standing(&flow.key)?;
        Ok(standing.map(|standing| (flow, standing.record)))
    }

    /// The flow to a state. Where the ledger can't be read for the moment it's the one that is known: whoever closed it, or took
    /// it over, since it was read is seen to when it's claimed, before its code is sent.
    pub(super) fn flow_of(&mut self, state: &Fingerprint) -> Result<Option<Flow>> {
        match self.ledger.flow_of(state) {
            Err(Error::Ledger(e)) if e.is_transient() => match self.known.of(state) {
                // Its answer came before, and is being finished.
                Some(known) if self.is_left_over(&known.id) => Err(self.used(&known.key)),
                Some(known) => {
                    tracing::info!(
                        "an answer to a known request arrived while the ledger can't be read: {e}"
                    );
                    Ok(Some(known.clone()))
                }
                None => Err(e.into()),
            },
            found => found,
        }
    }

    pub fn record_of(&self, flow: &Flow) -> Result<Authorization> {
        match self.record(&flow.key) {
            Err(Error::Ledger(e)) if e.is_transient() => {
                let known = self.known.0.values().flatten().find(|(known, _)| known.id == flow.id);
                known.map(|(_, record)| record.clone()).ok_or_else(|| e.into())
            }
            found => Ok(found?.record),
        }
    }
}
