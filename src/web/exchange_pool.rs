//! The exchanges under way: a few at once, so that many in one moment are no storm at the provider.

use crate::error::Result;
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::oauth::{CodeExchange, MAX_PARALLEL, ProviderClient};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A place among the exchanges under way, until that one is over. Who has it sends at once: what still waits for one isn't
/// noted as sent.
#[derive(Debug)]
pub struct ExchangeSlot(
    #[expect(dead_code, reason = "it's given back by being dropped")] OwnedSemaphorePermit,
);

/// The exchanges under way: a few at once, whoever takes the answers.
pub(super) struct ExchangePool {
    pub(super) runtime: Handle,
    pub(super) client: ProviderClient,
    free: Arc<Semaphore>,
}

impl ExchangePool {
    pub(super) fn new(runtime: Handle, client: ProviderClient) -> Self {
        Self { runtime, client, free: Arc::new(Semaphore::new(MAX_PARALLEL)) }
    }

    /// From now on codes are exchanged by another client.
    pub(super) fn set_client(&mut self, client: ProviderClient) {
        self.client = client;
    }

    /// A place among them, where one is free.
    pub(super) fn slot(&self) -> Option<ExchangeSlot> {
        self.free.clone().try_acquire_owned().ok().map(ExchangeSlot)
    }

    /// Exchanges a code whose turn it is; what came of it is told as `told` makes it, once its place is free.
    pub(super) fn exchange<T: Send + 'static>(
        &self,
        slot: ExchangeSlot,
        go: Logged<(FlowId, CodeExchange)>,
        to: &Sender<T>,
        told: impl FnOnce(FlowId, Box<Result<Granted>>) -> T + Send + 'static,
    ) {
        let (client, to) = (self.client.clone(), to.clone());
        self.runtime.spawn(async move {
            let flow = go.get().0.clone();
            let result = Box::new(client.exchange(go).await);
            drop(slot);
            let _ = to.send(told(flow, result));
        });
    }
}
