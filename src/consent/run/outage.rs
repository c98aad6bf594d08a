//! What a run does while the provider is away: it waits, looks, and goes on.

use super::ConsentRun;
use crate::error::{Error, ProviderError, Result};
use crate::model::duration::in_words;
use std::time::{Duration, Instant};

impl ConsentRun<'_, '_> {
    pub(super) fn trouble(&mut self, e: &Error) {
        let unreachable = matches!(e, Error::Provider(ProviderError::Unreachable { .. }));
        let jitter = self.jitter();
        self.pace.on_trouble(Instant::now(), unreachable, e.retry_after(), jitter);
        self.give_up_waiting(e);
    }

    /// An outage pauses the run. Where nobody is there to end it, it ends by itself once it has lasted as long as a
    /// person would be waited for.
    pub(super) fn give_up_waiting(&mut self, e: &Error) {
        let lasted = self.pace.away_since().map_or(Duration::ZERO, |since| since.elapsed());
        if !self.env.terminal.interactive() && lasted > self.options.timeout.unsigned_abs() {
            self.stop(Some(Error::Away { lasted: in_words(self.options.timeout), reason: e.to_string() }));
        }
    }

    pub(super) fn looked(&mut self, found: Result<()>) {
        let jitter = self.jitter();
        let wish = found.as_ref().err().and_then(Error::retry_after);
        self.pace.on_look(Instant::now(), found.is_ok(), wish, jitter);
        match found {
            Err(e) => self.give_up_waiting(&e),
            Ok(()) => self.flows.retry_deferred(Instant::now()),
        }
        self.settle_what_is_over();
    }

    pub(super) fn jitter(&self) -> f64 {
        let mut byte = [0];
        // Without randomness the waits are only less spread.
        let _ = self.env.random.fill(&mut byte);
        f64::from(byte[0]) / 255.0
    }
}
