//! Knows which requests are under way, so that stopping can wait for answers but not for silence.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How far a request has come behind the front server.
enum Stage {
    /// On its way through tiny_http; the permit is what keeps its thread pool from growing.
    Handing { _permit: OwnedSemaphorePermit },
    /// With the handler, which may take its time.
    Held,
    /// Its answer is being written or copied.
    Answering,
}

/// The two ends of the connection by which a request came: the browser's, and ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

/// The requests between the front server and the browser's whole answer.
#[derive(Default)]
pub(super) struct InFlightRequests {
    under_way: Mutex<HashMap<u64, (Stage, Ends)>>,
    changed: Condvar,
    last: AtomicU64,
}

impl InFlightRequests {
    /// A request leaves the front server; it counts until the answer's guard is dropped.
    pub(super) fn begin(
        self: &Arc<InFlightRequests>,
        permit: OwnedSemaphorePermit,
        ends: Ends,
    ) -> InFlightRequest {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(id, (Stage::Handing { _permit: permit }, ends));
        InFlightRequest { in_flight: self.clone(), id }
    }

    /// The handler has the request; by which connection it came. `None` where nobody waits for it.
    pub(super) fn held(&self, id: u64) -> Option<Ends> {
        self.advance(id, Stage::Held)
    }

    /// The handler is about to answer.
    pub(super) fn answering(&self, id: u64) {
        self.advance(id, Stage::Answering);
    }

    /// Waits until nothing moves, at most so long; requests held unanswered don't count.
    pub(super) fn settle(&self, limit: Duration) {
        let moving = |map: &mut HashMap<u64, (Stage, Ends)>| {
            map.values().any(|(stage, _)| !matches!(stage, Stage::Held))
        };
        let _ = self.changed.wait_timeout_while(self.lock(), limit, moving);
    }

    fn advance(&self, id: u64, stage: Stage) -> Option<Ends> {
        let mut map = self.lock();
        let known = map.get_mut(&id).map(|entry| {
            entry.0 = stage;
            entry.1
        });
        drop(map);
        self.changed.notify_all();
        known
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Stage, Ends)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request under way; dropped when its answer is with the browser, or never will be.
pub(super) struct InFlightRequest {
    in_flight: Arc<InFlightRequests>,
    pub(super) id: u64,
}

impl InFlightRequest {
    /// Whether the handler ever saw the request: if not, handing it over again is harmless.
    pub(super) fn arrived(&self) -> bool {
        !matches!(self.in_flight.lock().get(&self.id), Some((Stage::Handing { .. }, _)))
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        let gone = self.in_flight.lock().remove(&self.id);
        drop(gone);
        self.in_flight.changed.notify_all();
    }
}
