//! What the front server of a public address is told: which answers are waited for, and the last word to monitors.

use super::listener::{HealthAnswer, Page, PublicRequestPolicy, TokenBucket};
use crate::error::excerpt;
use crate::model::secret::{Fingerprint, fingerprint};
use crate::oauth::ReturnedAddress;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Of one known answer: so many at once, and so many a second. A browser reloads now and then; whoever makes a storm of the
/// one answer that they have is a stranger from there on.
const ONE_ANSWER: (f64, f64) = (10.0, 1.0);
/// Of monitors: so many are looked for, and so many a second. More hear the last word once more.
const MONITORS: (f64, f64) = (10.0, 1.0);
/// Until when a word to monitors may be repeated.
const WORD_LASTS: Duration = Duration::from_secs(30);
/// How often the open flows are looked up: where somebody asked meanwhile, and where nobody did.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_ANYWAY: Duration = Duration::from_secs(5);
/// A flow that was closed is still known for so long: its browser may ask again.
const KNOWN_ON: Duration = Duration::from_secs(10 * 60);
/// So many hosts that aren't ours are told of.
const HOSTS: usize = 16;

/// A flow that is open, or was just now.
#[derive(Debug)]
struct ExpectedFlow {
    leave: TokenBucket,
    /// When it was open last.
    open: Instant,
}

#[derive(Debug, Default)]
struct KnownFlows {
    answers: HashMap<Fingerprint, ExpectedFlow>,
    looked: Option<Instant>,
    asked: bool,
}

#[derive(Debug)]
struct Health {
    leave: TokenBucket,
    last: Option<(Instant, Page)>,
}

/// What becomes of a host that isn't ours.
type Tell = Box<dyn Fn(String) + Send + Sync>;

/// Between the server's loop, which has the ledger, and the front server, which has the strangers.
pub(super) struct PublicCallbackGate {
    base: String,
    root: String,
    known: Mutex<KnownFlows>,
    health: Mutex<Health>,
    hosts: Mutex<BTreeSet<String>>,
    tell: Tell,
}

impl PublicCallbackGate {
    /// At this public address, without a slash at its end, and that address's path.
    pub(super) fn new(base: String, root: String, tell: Tell) -> Self {
        Self {
            base,
            root,
            known: Mutex::default(),
            health: Mutex::new(Health { leave: TokenBucket::full(MONITORS, Instant::now()), last: None }),
            hosts: Mutex::default(),
            tell,
        }
    }

    /// The answer that a request brings, where its path is ours.
    pub(super) fn answer_in(&self, path: &str, query: Option<&str>) -> Option<ReturnedAddress> {
        let below = path.strip_prefix(self.root.as_str())?;
        let ours = below.is_empty() || below.starts_with('/');
        ReturnedAddress::caught(&self.base, path, query).ok().filter(|_| ours)
    }

    /// Whether it's time to look up the open flows.
    pub(super) fn wants_a_look(&self) -> bool {
        let known = lock(&self.known);
        let patience = if known.asked { LOOK } else { LOOK_ANYWAY };
        known.looked.is_none_or(|looked| looked.elapsed() >= patience)
    }

    /// These are open now; `None`: that can't be told for the moment.
    pub(super) fn set_open_flows(&self, open: Option<Vec<Fingerprint>>) {
        let (mut known, now) = (lock(&self.known), Instant::now());
        (known.looked, known.asked) = (Some(now), false);
        let Some(open) = open else { return };
        for state in open {
            let fresh = || ExpectedFlow { leave: TokenBucket::full(ONE_ANSWER, now), open: now };
            known.answers.entry(state).or_insert_with(fresh).open = now;
        }
        known.answers.retain(|_, it| now.saturating_duration_since(it.open) < KNOWN_ON);
    }

    pub(super) fn told_a_monitor(&self, page: Page) {
        lock(&self.health).last = Some((Instant::now(), page));
    }
}

pub(super) fn word(well: Result<(), &'static str>) -> Page {
    let text = serde_json::json!({ "ok": well.is_ok(), "reason": well.err() }).to_string();
    Page::json(text).with_status(if well.is_ok() { 200 } else { 503 })
}

impl PublicRequestPolicy for PublicCallbackGate {
    fn expects(&self, target: &str) -> bool {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let Some(returned) = self.answer_in(path, query) else { return false };
        let (mut known, now) = (lock(&self.known), Instant::now());
        let states = returned.states().iter().map(|state| fingerprint(state.expose()));
        let mut leave = None;
        for state in states {
            if let Some(it) = known.answers.get_mut(&state) {
                // defense: S62 one-answer-makes-no-storm
                leave = Some(it.leave.take(ONE_ANSWER, now));
                break;
            }
        }
        known.asked |= leave.is_none();
        leave.unwrap_or(false)
    }

    fn health(&self) -> HealthAnswer {
        let (mut health, now) = (lock(&self.health), Instant::now());
        // defense: S62 monitors-hear-the-last-word
        if health.leave.take(MONITORS, now) {
            return HealthAnswer::Ask;
        }
        let fresh = |(at, _): &&(Instant, Page)| now.saturating_duration_since(*at) < WORD_LASTS;
        health
            .last
            .as_ref()
            .filter(fresh)
            .map_or(HealthAnswer::Ask, |(_, page)| HealthAnswer::Repeat(page.clone()))
    }

    fn no_word(&self) -> Page {
        let page = word(Err("the ledger or the vault is not responding"));
        self.told_a_monitor(page.clone());
        page
    }

    fn refused_host(&self, host: &str) {
        let (host, mut hosts) = (excerpt(&host.to_ascii_lowercase(), 80), lock(&self.hosts));
        // defense: S62 few-refused-hosts-are-told
        if hosts.len() < HOSTS && hosts.insert(host.clone()) {
            drop(hosts);
            (self.tell)(host);
        }
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn reception() -> (PublicCallbackGate, mpsc::Receiver<String>) {
        let (sender, told) = mpsc::channel();
        let tell = Box::new(move |host| drop(sender.send(host)));
        (PublicCallbackGate::new("https://auth.example.com/callback".into(), "/callback".into(), tell), told)
    }

    #[test]
    fn an_answer_to_an_open_question_is_expected_wherever_its_state_stands() {
        let (it, _) = reception();
        assert!(it.wants_a_look());
        it.set_open_flows(Some(vec![fingerprint("s-1"), fingerprint("s-2")]));
        for target in [
            "/callback?code=c&state=s-1",
            "/callback?error=access_denied&state=s%2D2",
            "/callback/s-1?code=c",
        ] {
            assert!(it.expects(target), "{target}");
        }
        for target in
            ["/callback?code=c&state=s-3", "/callback", "/s-1", "/elsewhere?state=s-1", "/callbacks/s-1"]
        {
            assert!(!it.expects(target), "{target}");
        }
        // A flow that was closed a moment ago is still known: its browser may ask again.
        it.set_open_flows(Some(vec![]));
        assert!(it.expects("/callback?code=c&state=s-1"));
        // So is everything while the ledger can't be read.
        it.set_open_flows(None);
        assert!(it.expects("/callback?code=c&state=s-1"));
    }

    #[test]
    fn one_answer_makes_no_storm() {
        let (it, _) = reception();
        it.set_open_flows(Some(vec![fingerprint("s-1"), fingerprint("s-2")]));
        let passed = (0..100).filter(|_| it.expects("/callback?state=s-1")).count();
        assert!((10..=12).contains(&passed), "{passed}");
        assert!(it.expects("/callback?state=s-2"));
    }

    #[test]
    fn a_flood_of_monitors_hears_the_last_word_again() {
        let (it, _) = reception();
        let asks = |it: &PublicCallbackGate| matches!(it.health(), HealthAnswer::Ask);
        assert!((0..10).all(|_| asks(&it)));
        // Before there was a word, there is none to repeat.
        assert!(asks(&it));
        it.told_a_monitor(Page::json("{}".into()));
        assert!((0..1000).filter(|_| asks(&it)).count() < 5);
    }

    #[test]
    fn where_nobody_looks_in_time_that_is_the_word() {
        let (it, _) = reception();
        let repeats = |_| {
            it.no_word();
            matches!(it.health(), HealthAnswer::Repeat(_))
        };
        assert!((0..1000).any(repeats));
    }

    #[test]
    fn a_host_that_is_not_ours_is_told_once_clean_short_and_with_few_others() {
        let (it, told) = reception();
        it.refused_host("auth.example.com:8443");
        it.refused_host("auth.example.com:8443");
        it.refused_host(&format!("\u{1b}]52;c;aGk=\u{7}{}", "x".repeat(500)));
        (0..1000).for_each(|n| it.refused_host(&format!("{n}.example")));
        let told: Vec<_> = told.try_iter().collect();
        assert_eq!((told.len(), told[0].as_str()), (HOSTS, "auth.example.com:8443"));
        assert!(
            told.iter().all(|host| crate::error::is_clean(host) && host.chars().count() <= 81),
            "{told:?}"
        );
    }
}
