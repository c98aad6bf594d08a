//! How many requests one source, and all together, may make: for a listener that strangers can reach.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Of one source: so many at once, and so many a second in the long run. A person makes one or two.
const EACH: (f64, f64) = (20.0, 0.5);
/// Of all together.
const ALL: (f64, f64) = (200.0, 20.0);
/// So many sources are remembered; those that have been quiet the longest go first.
const SOURCES: usize = 4096;

/// A bucket of leave, which fills up again with time.
#[derive(Debug)]
pub struct TokenBucket {
    left: f64,
    since: Instant,
}

impl TokenBucket {
    /// One that gives so many at once.
    pub fn full((most, _): (f64, f64), now: Instant) -> Self {
        Self { left: most, since: now }
    }

    /// Takes one out, where one is left of what it gives at once, and a second.
    pub fn take(&mut self, (most, a_second): (f64, f64), now: Instant) -> bool {
        let gone = now.saturating_duration_since(self.since).as_secs_f64();
        self.left = (self.left + gone * a_second).min(most);
        self.since = now;
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

/// What was asked so far.
pub(super) struct RequestLimiter(Mutex<(HashMap<IpAddr, TokenBucket>, TokenBucket)>);

impl RequestLimiter {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new((HashMap::new(), TokenBucket::full(ALL, now))))
    }

    /// Whether one more request of this source may pass.
    pub(super) fn admit(&self, source: IpAddr, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sources, all) = &mut *known;
        if sources.len() >= SOURCES && !sources.contains_key(&network(source)) {
            let oldest = sources.iter().min_by_key(|(_, bucket)| bucket.since).map(|(source, _)| *source);
            oldest.and_then(|oldest| sources.remove(&oldest));
        }
        let own = sources.entry(network(source)).or_insert_with(|| TokenBucket::full(EACH, now));
        // A source that has used its own up doesn't use up the others'.
        own.take(EACH, now) && all.take(ALL, now)
    }
}

/// Whoever has one address of IPv6 has 2^64 of them.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(it) => {
            let [a, b, c, d, ..] = it.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_source_is_slowed_down_and_the_others_are_not() {
        let now = Instant::now();
        let limits = RequestLimiter::new(now);
        let passed = (0..100).filter(|_| limits.admit(ip("192.0.2.1"), now)).count();
        assert_eq!(passed, 20);
        assert!(limits.admit(ip("192.0.2.2"), now));
        let later = now + Duration::from_secs(4);
        assert_eq!((0..100).filter(|_| limits.admit(ip("192.0.2.1"), later)).count(), 2);
        // All addresses of one IPv6 network are one source.
        let of_one_network =
            (0..100).filter(|n| limits.admit(ip(&format!("2001:db8::{n:x}")), later)).count();
        assert_eq!(of_one_network, 20);
    }

    #[test]
    fn all_together_have_a_limit_and_few_are_remembered() {
        let now = Instant::now();
        let limits = RequestLimiter::new(now);
        let passed = (0..10_000u32).filter(|n| limits.admit(IpAddr::from(n.to_be_bytes()), now)).count();
        assert_eq!(passed, 200);
        assert!(limits.0.lock().unwrap().0.len() <= SOURCES);
    }
}
