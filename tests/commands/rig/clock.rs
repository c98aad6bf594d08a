//! A clock that stands, and random bytes that are the same in every run.

use super::moments::{Moment, Watch};
use biotrack_auth::error::Result;
use biotrack_auth::system::{Clock, OnceEvent, Random};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::future::ready;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Stands until a test moves it.
pub struct StandingClock {
    now: Mutex<Timestamp>,
    watch: Arc<Watch>,
}

impl StandingClock {
    pub fn at(now: Timestamp, watch: Arc<Watch>) -> Self {
        Self { now: Mutex::new(now), watch }
    }

    pub fn advance(&self, by: SignedDuration) {
        *self.now.lock().unwrap() += by;
    }

    /// The time, where no command asks for it.
    pub fn shown(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        self.watch.sees(&Moment::Clock);
        self.shown()
    }

    /// Seconds are over at once: nobody waits in a test. A longer wait lasts until somebody cuts it short.
    fn pass(&self, wait: Duration, enough: OnceEvent) -> OnceEvent {
        self.watch.sees(&Moment::Waits(wait));
        match wait < Duration::from_secs(30) {
            true => Box::pin(ready(())),
            false => enough,
        }
    }
}

/// Counts: no two draws are alike, and each run of a test draws the same. A single byte spreads a wait; how often that's
/// drawn depends on how quick the machine is, so it isn't counted.
#[derive(Default)]
pub struct CountedRandom(AtomicU64);

impl CountedRandom {
    /// One that goes on where this one is.
    pub fn copied(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::SeqCst)))
    }
}

impl Random for CountedRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        if let [byte] = bytes {
            *byte = 0;
            return Ok(());
        }
        let draw = self.0.fetch_add(1, Ordering::SeqCst);
        for (at, block) in (0u64..).zip(bytes.chunks_mut(32)) {
            let drawn =
                Sha256::new().chain_update(draw.to_le_bytes()).chain_update(at.to_le_bytes()).finalize();
            block.copy_from_slice(&drawn[..block.len()]);
        }
        Ok(())
    }
}
