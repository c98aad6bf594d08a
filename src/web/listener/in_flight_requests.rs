//! Counts what moves between the front server and the handler, so that stopping can wait for answers but not for silence.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The requests on their way to the handler, and the answers on their way to the browser. What the handler has passed on,
/// and nobody has answered yet, doesn't move.
#[derive(Default)]
pub(super) struct InFlightRequests {
    moving: Mutex<usize>,
    changed: Condvar,
}

impl InFlightRequests {
    /// Something moves, until what is returned is dropped.
    pub(super) fn set_out(self: &Arc<InFlightRequests>) -> InFlightGuard {
        *self.lock() += 1;
        InFlightGuard(self.clone())
    }

    /// Waits until nothing moves, at most so long; whether it came to that.
    pub(super) fn settle(&self, limit: Duration) -> bool {
        let settled = self.changed.wait_timeout_while(self.lock(), limit, |moving| *moving > 0);
        *settled.map_or_else(|it| it.into_inner().0, |it| it.0) == 0
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct InFlightGuard(Arc<InFlightRequests>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_is_waited_for_and_nothing_else() {
        let in_flight = Arc::new(InFlightRequests::default());
        assert!(in_flight.settle(Duration::ZERO));
        let (request, answer) = (in_flight.set_out(), in_flight.set_out());
        assert!(!in_flight.settle(Duration::ZERO));
        drop(request);
        assert!(!in_flight.settle(Duration::ZERO));
        let waiting = std::thread::spawn(move || in_flight.settle(Duration::from_hours(1)));
        drop(answer);
        assert!(waiting.join().unwrap());
    }
}
