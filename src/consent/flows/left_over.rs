//! Flows that are over here, and that the ledger couldn't be told of, or not as it should be: this process finishes them itself.

use super::exchangers::CodeExchanger;
use super::{Flows, UnrecordedEnd};
use crate::custody::{RecoveryOutcome, StoreOutcome};
use crate::error::Result;

impl<S: CodeExchanger> Flows<'_, '_, S> {
    /// Finishes what is over here about a license, and isn't as it should be in the ledger: how it ended, where that wasn't known.
    pub fn finish_left_over(&mut self, item: usize) -> Option<Result<StoreOutcome>> {
        for left in self.left_over.extract_if(.., |left| left.item == item).collect::<Vec<_>>() {
            match self.custody.finish_own(&left.flow) {
                Ok(Some(RecoveryOutcome::Finished { kept, .. })) => return Some(Ok(kept)),
                Ok(_) => {}
                Err(e) => {
                    self.left_over.push(left);
                    return Some(Err(e));
                }
            }
        }
        None
    }

    /// What is over here, and isn't as it should be in the ledger, since this was asked last.
    pub fn take_left_over(&mut self) -> Vec<UnrecordedEnd> {
        std::mem::take(&mut self.left_over)
    }
}
