//! What the worklist shows of the run: which grants await approval, and why nothing is opened for now.

use super::ConsentRun;
use crate::model::pace::PauseReason;

impl ConsentRun<'_, '_> {
    /// Which grants await approval before anybody is asked, on the worklist.
    pub(super) fn show_all_awaiting(&self) {
        let Some(worklist) = &self.options.worklist else { return };
        let custody = &self.flows.custody;
        match custody.ledger().awaiting(&custody.provider().profile, None) {
            Ok(grants) => {
                for grant in grants {
                    if let Some(at) = self.items.iter().position(|(_, item)| item.key == grant.key) {
                        worklist.awaits(at, Some(grant));
                    }
                }
            }
            Err(e) => tracing::warn!("could not show which grants await approval: {e}"),
        }
    }

    pub(super) fn show_awaiting(&self, at: usize) {
        let Some(worklist) = &self.options.worklist else { return };
        match self.flows.custody.awaiting(&self.items[at].1.key) {
            Ok(grant) => worklist.awaits(at, grant),
            Err(e) => tracing::warn!("could not show which grants await approval: {e}"),
        }
    }

    /// Why nothing is opened for now, on the worklist.
    pub(super) fn post_notice(&self) {
        let Some(worklist) = &self.options.worklist else { return };
        worklist.notice(self.pace.pause().map(|pause| match pause {
            PauseReason::Admin(next) => {
                format!(
                    "The next licenses belong to {next}. Sign out of BioTrack in the browser before you continue."
                )
            }
            PauseReason::Silence => "No admin answered in time. Continue when the admin is available.".into(),
            PauseReason::Outage { .. } => {
                "BioTrack is not responding. Retrying soon; nothing is lost.".into()
            }
        }));
    }
}
