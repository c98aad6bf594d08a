//! What is known of the flows under way; nothing is changed by looking.

use super::Flows;
use super::exchangers::CodeExchanger;
use crate::consent::engine::{ProcessFlow, ProcessStage};
use crate::error::Result;
use crate::model::duration::in_words;
use crate::model::ids::FlowId;
use crate::oauth::ReturnedAddress;
use jiff::SignedDuration;
use std::time::{Duration, Instant};

impl<S: CodeExchanger> Flows<'_, '_, S> {
    /// Whether an address is the answer to an open flow of the ledger.
    pub fn fits(&mut self, returned: &ReturnedAddress) -> Result<bool> {
        self.custody.fits(returned, Some(&self.client.endpoints))
    }

    /// The flow about a license, while it's under way.
    pub fn about(&self, item: usize) -> Option<&ProcessFlow> {
        self.engine.of_item(item).map(|(_, flow)| flow)
    }

    pub fn flow_of(&self, item: usize) -> Option<(&FlowId, &ProcessFlow)> {
        self.engine.of_item(item)
    }

    pub fn item(&self, flow: &FlowId) -> Option<usize> {
        self.engine.get(flow).map(|flow| flow.item)
    }

    /// How long a flow's code waits to be sent again, where it does.
    pub fn waits(&self, flow: &FlowId) -> Option<Duration> {
        let until = self.engine.get(flow).filter(|it| it.stage == ProcessStage::Deferred)?.until?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    pub fn first_asked(&self) -> Option<usize> {
        self.engine.at(ProcessStage::Asked).first().and_then(|id| self.item(id))
    }

    /// When something is to be done though nothing comes.
    pub fn soonest(&self) -> Option<Instant> {
        self.engine.soonest()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.engine.is_empty()
    }

    /// Whether codes wait until the client is right.
    pub fn wait_for_client(&self) -> bool {
        !self.engine.waiting_for_client().is_empty()
    }
}

/// What is told of a code that waits, because the provider wants it later.
pub fn wanted_later_in_words(wait: Duration) -> String {
    // Rounded up: it's sent by then.
    let seconds = i64::try_from(wait.as_secs()).unwrap_or_default().saturating_add(1);
    format!("BioTrack is busy. Sending the code again in {}.", in_words(SignedDuration::from_secs(seconds)))
}
