//! Asking again what may safely be asked twice: with growing waits and jitter, never sooner than the provider asks.

use crate::error::{Error, ProviderError, Result};
use crate::system::{Clock, InterruptCounter, OnceEvent};
use backon::{ExponentialBuilder, Retryable, Sleeper};
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How patiently the provider is asked again while it's away or overloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often it's asked in all.
    tries: usize,
    /// The first wait; each further one is about twice as long.
    first: Duration,
    /// The longest wait: who is told to stay away for longer (`Retry-After`) gives up for now.
    longest: Duration,
    /// No try begins later than this.
    total: Duration,
    /// It's asked again only where no byte of the question left.
    only_unsent: bool,
}

impl RetryPolicy {
    /// For a look at which a person waits: whoever stays away is told of within seconds.
    pub const LOOKUP: Self = Self {
        tries: 3,
        first: Duration::from_millis(250),
        longest: Duration::from_secs(1),
        total: Duration::from_secs(2),
        only_unsent: false,
    };

    /// For a revocation, which has the same effect however often it's asked (RFC 7009 2.2).
    pub const REVOCATION: Self = Self {
        tries: 3,
        first: Duration::from_millis(500),
        longest: Duration::from_secs(60),
        total: Duration::from_secs(90),
        only_unsent: false,
    };

    /// For what is asked once, because something else tries again.
    pub const NONE: Self = Self {
        tries: 1,
        first: Duration::ZERO,
        longest: Duration::ZERO,
        total: Duration::ZERO,
        only_unsent: true,
    };

    /// For a code, which is never sent twice: each wait is for a connection.
    pub const CODE: Self = Self {
        tries: 3,
        first: Duration::from_millis(300),
        longest: Duration::from_millis(600),
        total: Duration::MAX,
        only_unsent: true,
    };

    /// Whether what failed may be asked again.
    fn allows(&self, error: &Error) -> bool {
        match self.only_unsent {
            true => matches!(error, Error::Provider(ProviderError::Unreachable { .. })),
            false => error.is_outage(),
        }
    }

    /// How long to wait after a failure, if at all.
    fn wait(&self, error: &Error, backoff: Option<Duration>, passed: Duration) -> Option<Duration> {
        // defense: S42 left-alone-for-long
        let wait = backoff?.max(error.retry_after().unwrap_or_default());
        (wait <= self.longest && passed.saturating_add(wait) <= self.total).then_some(wait)
    }
}

/// Asks until there is an answer, or patience ends; each wait is told before. Ctrl-C cuts a wait short: one try more,
/// and it's over.
pub async fn retry<T, F: Future<Output = Result<T>>>(
    patience: RetryPolicy,
    clock: Arc<dyn Clock>,
    run: Option<InterruptCounter>,
    told: impl FnMut(&Error, Duration),
    ask: impl FnMut() -> F,
) -> Result<T> {
    let began = Instant::now();
    let hurried = run.clone();
    let waits = ExponentialBuilder::new()
        .with_min_delay(patience.first)
        .with_factor(2.0)
        .with_max_times(patience.tries - 1);
    // Where nothing was sent, nobody was overloaded by many who come back at once.
    let waits = if patience.only_unsent { waits } else { waits.with_jitter() };
    ask.retry(waits)
        .when(|e| patience.allows(e) && !hurried.as_ref().is_some_and(InterruptCounter::any))
        .adjust(|e, backoff| patience.wait(e, backoff, began.elapsed()))
        .notify(told)
        .sleep(RetryPace { clock, run })
        .await
}

/// Waits by a clock, until somebody interrupts.
struct RetryPace {
    clock: Arc<dyn Clock>,
    run: Option<InterruptCounter>,
}

impl Sleeper for RetryPace {
    type Sleep = OnceEvent;

    fn sleep(&self, wait: Duration) -> OnceEvent {
        let enough: OnceEvent = match self.run.clone() {
            Some(run) => Box::pin(run.come(1)),
            None => Box::pin(pending()),
        };
        self.clock.pass(wait, enough)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overloaded(seconds: Option<u64>) -> Error {
        let retry_after = seconds.map(Duration::from_secs);
        ProviderError::Overloaded { host: "h".into(), what: "the revocation", status: 429, retry_after }
            .into()
    }

    #[test]
    fn the_provider_is_never_asked_sooner_than_it_wants_nor_waited_for_longer_than_a_minute() {
        const SECOND: Duration = Duration::from_secs(1);
        let wait = |asked, backoff, passed| RetryPolicy::REVOCATION.wait(&overloaded(asked), backoff, passed);
        assert_eq!(wait(None, Some(SECOND), Duration::ZERO), Some(SECOND));
        assert_eq!(wait(Some(7), Some(SECOND), Duration::ZERO), Some(SECOND * 7));
        assert_eq!(wait(Some(0), Some(SECOND), Duration::ZERO), Some(SECOND));
        assert_eq!(wait(Some(60), Some(SECOND), Duration::ZERO), Some(SECOND * 60));
        assert_eq!(wait(Some(61), Some(SECOND), Duration::ZERO), None);
        assert_eq!(wait(Some(u64::MAX), Some(SECOND), SECOND), None);
        assert_eq!(wait(Some(60), Some(SECOND), SECOND * 40), None, "the total is bounded");
        assert_eq!(wait(None, None, Duration::ZERO), None, "the tries are used up");
    }
}
