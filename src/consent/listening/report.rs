//! What a server tells its operator.

use super::Listening;
use crate::consent::outcome::outcome_of;
use crate::custody::StoreOutcome;
use crate::error::{Error, HandoffError, Result};
use crate::model::plan::PlannedLicense;

impl Listening<'_, '_> {
    /// The admin can do nothing about it, so the operator is told; a flood of answers makes no flood of lines.
    pub(super) fn tell_untaken(&mut self, e: &Error) {
        let why = e.to_string();
        let is_ours_to_mend = matches!(
            e,
            Error::Vault(_) | Error::Ledger(_) | Error::Handoff(HandoffError::SealedElsewhere { .. })
        );
        if is_ours_to_mend && self.untaken.as_ref() != Some(&why) {
            self.reporter.not_taken(e);
            self.untaken = Some(why);
        }
    }

    /// What became of licenses, for the operator; what is left to the next run waits in the ledger.
    pub(super) fn tell_what_is_over(&mut self) {
        while let Some(over) = self.flows.next_over() {
            if over.waits_again {
                if let Some(Err(e)) = over.kept {
                    self.reporter.not_taken(&e);
                }
                continue;
            }
            let item = self.items.remove(&over.item);
            if let (Some(item), Some(kept)) = (item, over.kept) {
                self.ended(&item, kept);
            }
        }
    }

    pub(super) fn ended(&mut self, item: &PlannedLicense, kept: Result<StoreOutcome>) {
        self.untidy = true;
        let outcome = outcome_of(self.flows.custody, item, kept, |_| false);
        self.reporter.ended(&outcome, self.flows.custody);
    }
}
