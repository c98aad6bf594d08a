//! What becomes of flows without an answer: their time is over, they are sent later, or they aren't wanted any more.

use super::Flows;
use super::exchangers::CodeExchanger;
use crate::consent::engine::{FlowEvent, ProcessStage};
use crate::error::{Error, ProviderError};
use crate::model::provider::host_of;
use std::time::Instant;

impl<S: CodeExchanger> Flows<'_, '_, S> {
    /// Ends what nobody answered in time, with the error that says so; what was sent, and brought nothing in time, is lost. What
    /// waited to be sent again, waits for its turn. How many admins didn't answer.
    pub fn end_lapsed(&mut self, mut unanswered: impl FnMut(usize) -> Error) -> usize {
        let mut silent = 0;
        for id in self.engine.due(Instant::now()) {
            let Some((item, stage)) = self.engine.get(&id).map(|flow| (flow.item, flow.stage)) else {
                continue;
            };
            let error = match stage {
                ProcessStage::Deferred => {
                    self.on(&id, FlowEvent::Retry, None);
                    continue;
                }
                ProcessStage::Left => {
                    self.on(&id, FlowEvent::TimeOver, None);
                    continue;
                }
                ProcessStage::Asked => {
                    silent += 1;
                    let distrusted = self.engine.get_mut(&id).and_then(|flow| flow.distrusted.take());
                    distrusted.unwrap_or_else(|| unanswered(item))
                }
                // The code left: whether it brought a grant isn't known.
                _ => ProviderError::Lost {
                    host: host_of(&self.client.endpoints.token),
                    what: "the code",
                    reason: "no answer arrived in time".into(),
                }
                .into(),
            };
            self.on(&id, FlowEvent::TimeOver, Some(Err(error)));
        }
        self.send_queued();
        silent
    }

    /// An admin has longer to answer about a license.
    pub fn prolong(&mut self, item: usize, until: Instant) {
        if let Some(id) = self.engine.of_item(item).map(|(id, _)| id.clone()) {
            self.engine.prolong(&id, until);
        }
    }

    /// What couldn't leave is sent now; what the provider wants later waits until then.
    pub fn retry_deferred(&mut self, now: Instant) {
        self.engine.deferred(now).iter().for_each(|id| self.on(id, FlowEvent::Retry, None));
        self.send_queued();
    }

    /// The client is another one: what waited for that is sent now.
    pub fn retry_with_client(&mut self) {
        self.engine.waiting_for_client().iter().for_each(|id| self.on(id, FlowEvent::Retry, None));
        self.send_queued();
    }

    /// The command ends: what was answered is stored first.
    pub fn stop(&mut self, mut error: impl FnMut(usize) -> Error) {
        self.engine.stop();
        let mut left = self.engine.at(ProcessStage::Asked);
        left.extend(self.engine.at(ProcessStage::Left));
        left.extend(self.engine.at(ProcessStage::Deferred));
        for id in left {
            let Some(item) = self.engine.get(&id).map(|flow| flow.item) else { continue };
            self.on(&id, FlowEvent::Stopped, Some(Err(error(item))));
        }
    }

    /// Nobody wants an answer about a license any more.
    pub fn cancel(&mut self, item: usize) {
        if let Some(id) = self.engine.of_item(item).map(|(id, _)| id.clone()) {
            self.on(&id, FlowEvent::Canceled, None);
        }
    }

    /// Somebody else may have been led to the page about a license: its flow is waited for no more, and no answer to it is taken
    /// here.
    pub fn disown(&mut self, item: usize) {
        if let Some(id) = self.engine.of_item(item).map(|(id, _)| id.clone()) {
            self.on(&id, FlowEvent::Disowned, None);
        }
    }
}
