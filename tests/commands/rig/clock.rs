//! A clock that stands, and random bytes that are the same in every run.

use biotrack_auth::edge::{Clock, Random};
use biotrack_auth::error::Result;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Stands until a test moves it.
pub struct StandingClock(Mutex<Timestamp>);

impl StandingClock {
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    pub fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Counts: no two draws are alike, and each run of a test draws the same. A single byte spreads a wait; how often that's
/// drawn depends on how quick the machine is, so it isn't counted.
#[derive(Default)]
pub struct CountedRandom(AtomicU64);

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
