//! Visits to the one-time addresses by which browsers were started, that led nowhere: told, and a new flow on request.

use super::{ConsentRun, OpenTrigger};
use crate::consent::engine::ProcessStage;
use crate::model::ids::FlowId;
use crate::web::LaunchProblem;

impl ConsentRun<'_, '_> {
    /// Says what happened, once; what can be done, while there is something to do.
    pub(super) fn launched(&mut self, flow: &FlowId, problem: LaunchProblem) {
        let Some(at) = self.flows.item(flow) else { return };
        let license = &self.items[at].1.key.license;
        match problem {
            LaunchProblem::OpenedTwice if self.opened_twice.insert(at) => {
                let next = match self.options.reopens {
                    true => "press r to open a new one and cancel the old one",
                    false => "stop this command and run it again",
                };
                self.reporter.notice(&format!(
                    "{license}: the one-time address was opened twice. If that wasn't you, or BioTrack's page did not open, {next}."
                ));
            }
            LaunchProblem::AnotherUser if !std::mem::replace(&mut self.told_of_another_user, true) => {
                self.reporter.notice(&format!(
                    "{license}: another user of this machine tried the one-time address and was refused. It still works for you. If your browser runs as another user, open the address that is shown here."
                ));
            }
            _ => {}
        }
    }

    /// Asks anew about the first license whose one-time address was opened twice: with a new flow, so that what the other
    /// visitor was led to counts no longer. Whether there was one.
    pub(super) fn renew_opened_twice(&mut self) -> bool {
        while let Some(at) = self.opened_twice.pop_first() {
            if self.flows.about(at).is_some_and(|flow| flow.stage == ProcessStage::Asked) {
                self.flows.disown(at);
                self.try_again(at);
                self.ask(&[at], OpenTrigger::Key);
                return true;
            }
        }
        false
    }
}
