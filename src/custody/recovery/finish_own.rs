//! What a process that goes on had answered, and couldn't bring to its end in the ledger: nobody else takes it over while that
//! process lives, so it finishes it itself.

use super::abandoned::RecoveryOutcome;
use crate::custody::writer::Custody;
use crate::error::Result;
use crate::model::flow::{FlowEnd, FlowStage};
use crate::model::ids::FlowId;

impl Custody<'_> {
    /// Whether a flow that is over here isn't as it should be in the ledger, where it's still this process's own.
    pub fn is_left_over(&self, flow: &FlowId) -> bool {
        // One that is open again is nobody's, unless its next code is here.
        self.in_flight.get(flow).is_some_and(|asked| asked.from.is_none() || asked.code.is_some())
    }

    /// A code that can't be sent any more isn't kept by a process that goes on: its flow is open again.
    pub fn reopen(&mut self, flow: &FlowId) -> Result<()> {
        let Some(asked) = self.in_flight.get(flow).filter(|asked| asked.code.is_some()) else {
            return Ok(());
        };
        let key = asked.key.clone();
        if !matches!(self.ledger.stage(flow)?, Some(FlowStage::Arrived(_))) {
            return Ok(());
        }
        self.end(FlowEnd::Reopened(flow.clone(), self.open_until()), &key, None)
    }

    /// Finishes a flow that is over here, as far as the ledger or the vault couldn't take its end; `None` where that had been told.
    ///
    /// # Errors
    /// What still keeps it from being finished: it's tried again later.
    pub fn finish_own(&mut self, flow: &FlowId) -> Result<Option<RecoveryOutcome>> {
        let Some(asked) = self.in_flight.get(flow) else { return Ok(None) };
        let (key, end) = (asked.key.clone(), asked.end.clone());
        self.hand_in_code(flow)?;
        if let Some(spool) = &self.spool {
            self.ledger.reject(spool, flow)?;
        }
        let Some(row) = self.ledger.own_flow(flow, &key, &self.provider.profile)? else {
            // Others have it, or it's closed. A grant that came to it stays where it is: the next process looks what became of it.
            self.in_flight.remove(flow);
            let spool = self.spool.as_mut().filter(|spool| !spool.has_answer(flow));
            spool.into_iter().for_each(|spool| spool.settled(flow));
            return Ok(None);
        };
        match (&row.stage, end) {
            (FlowStage::Answered(_), _) => self.resume(true, row).map(Some),
            (_, Some((end, told))) => self.end(end, &key, told).map(|()| None),
            (FlowStage::Arrived(_), None) => self.reopen(flow).map(|()| None),
            (_, None) => self.resume(true, row).map(Some),
        }
    }
}
