//! What a process that takes answers knows of the open flows while the ledger can't be read: enough to keep an answer that comes
//! then, sealed, until the ledger can be told of it.

use crate::model::authorization::Authorization;
use crate::model::flow::Flow;
use crate::model::secret::Fingerprint;
use std::collections::HashMap;

/// Open flows by their states, with their records; `None`: its answer doesn't come here.
#[derive(Default)]
pub(in crate::custody) struct OpenFlowCache(pub(super) HashMap<Fingerprint, Option<(Flow, Authorization)>>);

impl OpenFlowCache {
    pub(super) fn of(&self, state: &Fingerprint) -> Option<&Flow> {
        self.0.get(state)?.as_ref().map(|(flow, _)| flow)
    }
}
