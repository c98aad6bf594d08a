//! The sandbox's clock: the real one, moved, and still ticking.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The real clock, handed in.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The real clock plus an offset that a demo may change while the sandbox runs.
pub(super) struct MovableClock {
    real: Clock,
    ahead: Mutex<SignedDuration>,
}

impl MovableClock {
    /// Starts at `start`, or with the real clock.
    pub(super) fn new(real: Clock, start: Option<Timestamp>) -> Self {
        let clock = Self { real, ahead: Mutex::new(SignedDuration::ZERO) };
        if let Some(start) = start {
            clock.set(start);
        }
        clock
    }

    pub(super) fn now(&self) -> Timestamp {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        later((self.real)(), ahead)
    }

    /// Moves the clock to `now`; it goes on ticking from there.
    pub(super) fn set(&self, now: Timestamp) {
        let ahead = now.duration_since((self.real)());
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
    }
}

/// `from` plus `by`, held at the ends of what can be written as a date.
pub(super) fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    let end = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    from.checked_add(by).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn it_starts_where_told_ticks_and_can_be_moved() {
        let seconds = Arc::new(AtomicI64::new(1_000));
        let real = Arc::clone(&seconds);
        let clock = MovableClock::new(
            Arc::new(move || Timestamp::from_second(real.load(Ordering::Relaxed)).unwrap()),
            Some("2026-01-01T00:00:00Z".parse().unwrap()),
        );
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00Z");
        seconds.fetch_add(5, Ordering::Relaxed);
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:05Z");
        clock.set("2026-04-11T00:00:00Z".parse().unwrap());
        seconds.fetch_add(1, Ordering::Relaxed);
        assert_eq!(clock.now().to_string(), "2026-04-11T00:00:01Z");
    }

    #[test]
    fn it_holds_at_the_ends_of_time() {
        assert_eq!(later(Timestamp::MAX, SignedDuration::from_hours(1)), Timestamp::MAX);
        assert_eq!(later(Timestamp::MIN, SignedDuration::from_hours(-1)), Timestamp::MIN);
    }
}
