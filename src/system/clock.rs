//! The time.

use jiff::Timestamp;
use std::pin::Pin;
use std::time::Duration;

pub type OnceEvent = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What tells the time, and lets it pass.
pub trait Clock: Send + Sync {
    /// The instant now, in UTC.
    fn now(&self) -> Timestamp;

    /// Lets time pass before somebody is asked once more; less of it, if `enough` comes first.
    fn pass(&self, wait: Duration, enough: OnceEvent) -> OnceEvent {
        Box::pin(async move { drop(tokio::time::timeout(wait, enough).await) })
    }
}

/// The machine's own clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        Timestamp::now()
    }
}
