//! Who exchanges the codes of flows: a session of one command, or a server.

use crate::model::flow::Logged;
use crate::model::ids::FlowId;
use crate::oauth::CodeExchange;
use crate::web::{CallbackServer, ExchangeSlot, ListeningSession};

/// Where codes are exchanged, a few at once; what comes of one is brought back as an event.
pub trait CodeExchanger {
    /// Room for one exchange.
    type Slot;
    /// Room for one exchange, where there is any.
    fn slot(&self) -> Option<Self::Slot>;
    /// Exchanges a code whose sending the ledger knows of.
    fn exchange(&self, slot: Self::Slot, go: Logged<(FlowId, CodeExchange)>);
    /// An answer that still comes to a flow has no effect.
    fn unroute(&self, flow: &FlowId);
    /// Another answer to a flow counts like the first.
    fn route(&self, flow: &FlowId);
    /// The answer that came couldn't be taken: it counts when it comes again.
    fn untake(&self, flow: &FlowId);
}

impl CodeExchanger for &mut ListeningSession {
    type Slot = ExchangeSlot;

    fn slot(&self) -> Option<ExchangeSlot> {
        ListeningSession::slot(self)
    }

    fn exchange(&self, slot: ExchangeSlot, go: Logged<(FlowId, CodeExchange)>) {
        ListeningSession::exchange(self, slot, go);
    }

    fn unroute(&self, flow: &FlowId) {
        self.forget(flow);
    }

    fn route(&self, flow: &FlowId) {
        self.expect_again(flow);
    }

    fn untake(&self, flow: &FlowId) {
        self.expect_the_same(flow);
    }
}

impl CodeExchanger for CallbackServer {
    type Slot = ExchangeSlot;

    fn slot(&self) -> Option<ExchangeSlot> {
        Self::slot(self)
    }

    fn exchange(&self, slot: ExchangeSlot, go: Logged<(FlowId, CodeExchange)>) {
        Self::exchange(self, slot, go);
    }

    /// Whose flow an answer belongs to is looked up in the ledger each time.
    fn unroute(&self, _: &FlowId) {}

    fn route(&self, _: &FlowId) {}

    fn untake(&self, _: &FlowId) {}
}
