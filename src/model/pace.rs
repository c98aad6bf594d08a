//! Which license of a run is opened when: so many at a time, one admin after the other, and none while the provider is
//! away. Pure: the steady clock's instant comes as an argument.

use super::plan::Progress;
use std::time::{Duration, Instant};

/// Why nothing is opened for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PauseReason {
    /// The next license is another admin's: a browser that is signed in as the last one would grant as them.
    Admin(String),
    /// Nobody answered in time: perhaps nobody is there.
    Silence,
    /// The provider is away or overloaded.
    Outage { until: Instant },
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaceDecision {
    Open(Vec<usize>),
    /// Look whether the provider answers again.
    Look,
    /// Wait for something to happen, or for this instant.
    Wait(Option<Instant>),
    /// All is done, or nothing more is wanted.
    Finish,
}

#[derive(Debug)]
pub struct Pace {
    tabs: usize,
    /// A person is there: admins change, and silence is noticed, only with their word.
    attended: bool,
    admins: Vec<String>,
    progress: Vec<Progress>,
    current: Option<String>,
    pause: Option<PauseReason>,
    /// Failures of the provider, one after the other.
    troubles: u32,
    looking: bool,
    away_since: Option<Instant>,
    /// When the provider was last heard of; `None`: that doesn't matter.
    heard: Option<Instant>,
    stopping: bool,
}

/// The shortest and longest time for which a provider in trouble is left alone, unless it says so itself.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// The most that a provider's own wish is followed.
const WISH: Duration = Duration::from_secs(15 * 60);
/// A provider that was heard of so recently isn't looked at before the next page is opened.
const FRESH: Duration = Duration::from_secs(1);
/// So many single failures are taken for bad luck.
const BAD_LUCK: u32 = 2;

impl Pace {
    /// Over licenses with their admins, in the order in which they are opened. No tabs: only by hand.
    pub fn new(tabs: usize, attended: bool, admins: Vec<String>) -> Self {
        Self {
            tabs,
            attended,
            progress: vec![Progress::Waiting; admins.len()],
            admins,
            current: None,
            pause: None,
            troubles: 0,
            looking: false,
            away_since: None,
            heard: None,
            stopping: false,
        }
    }

    /// How far each has come.
    pub fn progress(&self) -> &[Progress] {
        &self.progress
    }

    /// Why nothing is opened for now.
    pub fn pause(&self) -> Option<&PauseReason> {
        self.pause.as_ref()
    }

    /// Since when the provider has been away.
    pub fn away_since(&self) -> Option<Instant> {
        self.away_since
    }

    pub fn count(&self, progress: Progress) -> usize {
        self.progress.iter().filter(|it| **it == progress).count()
    }

    /// How many are open or being stored.
    pub fn in_flight(&self) -> usize {
        self.count(Progress::Opened) + self.count(Progress::Storing)
    }

    pub fn set(&mut self, at: usize, progress: Progress) {
        if let Some(it) = self.progress.get_mut(at) {
            *it = progress;
        }
    }

    pub fn next(&mut self, now: Instant) -> PaceDecision {
        let in_flight = self.in_flight();
        let waiting = self.count(Progress::Waiting);
        if in_flight == 0 && (waiting == 0 || self.stopping) {
            return PaceDecision::Finish;
        }
        if self.stopping || self.looking {
            return PaceDecision::Wait(None);
        }
        match &self.pause {
            Some(PauseReason::Outage { until }) if now >= *until => {
                self.looking = true;
                return PaceDecision::Look;
            }
            Some(PauseReason::Outage { until }) => return PaceDecision::Wait(Some(*until)),
            Some(_) => return PaceDecision::Wait(None),
            None => {}
        }
        // After trouble one goes ahead of the others.
        let tabs = if self.troubles >= BAD_LUCK { self.tabs.min(1) } else { self.tabs };
        let mut open = Vec::new();
        while in_flight + open.len() < tabs {
            let Some(at) = (0..self.progress.len())
                .find(|at| self.progress[*at] == Progress::Waiting && !open.contains(at))
            else {
                break;
            };
            if self.attended && self.current.as_ref().is_some_and(|current| *current != self.admins[at]) {
                if in_flight + open.len() == 0 {
                    self.pause = Some(PauseReason::Admin(self.admins[at].clone()));
                }
                break;
            }
            self.current = Some(self.admins[at].clone());
            open.push(at);
        }
        if open.is_empty() {
            return PaceDecision::Wait(None);
        }
        // Nobody is sent to a page that isn't there.
        if self.heard.is_some_and(|heard| now.saturating_duration_since(heard) > FRESH) {
            self.looking = true;
            return PaceDecision::Look;
        }
        PaceDecision::Open(open)
    }

    /// From now on the provider must have been heard of just before a page is opened; it was, now.
    pub fn on_answer(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// The person says: go on. What is opened next, beyond the usual number, where nothing keeps it from going on.
    pub fn go_on(&mut self) -> Option<usize> {
        match self.pause.take() {
            Some(PauseReason::Admin(next)) => {
                self.current = Some(next);
                None
            }
            Some(PauseReason::Outage { .. }) => {
                // Looked at once, not blindly gone on with.
                self.pause = Some(PauseReason::Outage { until: Instant::now() });
                None
            }
            Some(PauseReason::Silence) => None,
            None => self.progress.iter().position(|it| *it == Progress::Waiting),
        }
    }

    /// One was opened by hand, out of its turn: its admin is signed in now.
    pub fn opened_by_hand(&mut self, at: usize) {
        self.set(at, Progress::Opened);
        self.current = self.admins.get(at).cloned();
        if matches!(self.pause, Some(PauseReason::Admin(_) | PauseReason::Silence)) {
            self.pause = None;
        }
    }

    /// Nobody answered a license in time.
    pub fn on_silence(&mut self) {
        if self.attended && self.pause.is_none() {
            self.pause = Some(PauseReason::Silence);
        }
    }

    /// The provider is well: it answered.
    pub fn on_success(&mut self, now: Instant) {
        self.heard = self.heard.map(|_| now);
        self.troubles = 0;
        self.away_since = None;
        if matches!(self.pause, Some(PauseReason::Outage { .. })) {
            self.pause = None;
        }
    }

    /// The provider failed. One that can't be reached, or asks for time, pauses the run at once; else a few failures
    /// are taken for bad luck. `jitter`, 0 to 1, keeps many runs from coming back at once.
    pub fn on_trouble(&mut self, now: Instant, unreachable: bool, wish: Option<Duration>, jitter: f64) {
        self.troubles += 1;
        self.away_since.get_or_insert(now);
        let counted = if unreachable { self.troubles } else { self.troubles.saturating_sub(BAD_LUCK) };
        if let Some(wait) = wish.map(|wish| wish.min(WISH)).or_else(|| backoff(counted, jitter)) {
            self.pause = Some(PauseReason::Outage { until: now + wait });
        }
    }

    /// What a look at the provider told: whether it answers.
    pub fn on_look(&mut self, now: Instant, answers: bool, wish: Option<Duration>, jitter: f64) {
        self.looking = false;
        if answers {
            self.heard = self.heard.map(|_| now);
            if matches!(self.pause, Some(PauseReason::Outage { .. })) {
                self.pause = None;
                // Until a grant comes through, one at a time.
                self.troubles = self.troubles.max(BAD_LUCK);
            }
        } else {
            self.on_trouble(now, true, wish, jitter);
        }
    }

    /// Nothing more is opened; what is being stored ends first.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether it was stopped before its end.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }
}

/// Doubled each time, between a half and the whole of it.
fn backoff(times: u32, jitter: f64) -> Option<Duration> {
    let doubled = SHORTEST.saturating_mul(1 << times.checked_sub(1)?.min(16));
    Some(doubled.min(LONGEST).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
}

/// About how long the rest takes at the pace so far; `None` before anything is known.
pub fn time_left(elapsed: Duration, done: usize, left: usize) -> Option<Duration> {
    const ENOUGH: usize = 2;
    if done < ENOUGH || left == 0 {
        return None;
    }
    u32::try_from(left).ok().map(|left| elapsed.mul_f64(f64::from(left) / done as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(tabs: usize, attended: bool, admins: &[&str]) -> Pace {
        Pace::new(tabs, attended, admins.iter().map(|it| (*it).to_owned()).collect())
    }

    fn open(pace: &mut Pace, now: Instant) -> Vec<usize> {
        match pace.next(now) {
            PaceDecision::Open(which) => {
                which.iter().for_each(|at| pace.set(*at, Progress::Opened));
                which
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn so_many_are_open_at_a_time_and_the_end_comes_when_all_are_done() {
        let now = Instant::now();
        let mut it = pace(2, false, &["ann", "ann", "bob"]);
        assert_eq!(open(&mut it, now), [0, 1]);
        assert_eq!(it.next(now), PaceDecision::Wait(None));
        it.set(0, Progress::Failed);
        assert_eq!(open(&mut it, now), [2]);
        it.set(1, Progress::Granted);
        it.set(2, Progress::Storing);
        assert_eq!(it.next(now), PaceDecision::Wait(None));
        it.set(2, Progress::Granted);
        assert_eq!(it.next(now), PaceDecision::Finish);
    }

    #[test]
    fn with_a_person_the_next_admin_waits_for_their_word() {
        let now = Instant::now();
        let mut it = pace(3, true, &["ann", "ann", "bob"]);
        assert_eq!(open(&mut it, now), [0, 1]);
        it.set(0, Progress::Granted);
        // Ann is still at one: not even a pause yet.
        assert_eq!(it.next(now), PaceDecision::Wait(None));
        assert_eq!(it.pause(), None);
        it.set(1, Progress::Granted);
        assert_eq!(it.next(now), PaceDecision::Wait(None));
        assert_eq!(it.pause(), Some(&PauseReason::Admin("bob".into())));
        assert_eq!(it.go_on(), None);
        assert_eq!(open(&mut it, now), [2]);
    }

    #[test]
    fn one_opened_by_hand_ends_the_pause_before_its_admin() {
        let now = Instant::now();
        let mut it = pace(1, true, &["ann", "bob", "bob"]);
        assert_eq!(open(&mut it, now), [0]);
        it.set(0, Progress::Granted);
        it.next(now);
        it.opened_by_hand(2);
        it.set(2, Progress::Granted);
        assert_eq!(open(&mut it, now), [1]);
    }

    #[test]
    fn silence_pauses_only_where_a_person_could_have_answered() {
        let now = Instant::now();
        for attended in [true, false] {
            let mut it = pace(1, attended, &["ann", "ann"]);
            open(&mut it, now);
            it.set(0, Progress::Failed);
            it.on_silence();
            assert_eq!(it.pause() == Some(&PauseReason::Silence), attended);
            it.go_on();
            assert_eq!(open(&mut it, now), [1]);
        }
    }

    #[test]
    fn an_outage_pauses_the_run_and_one_goes_ahead_afterwards() {
        let now = Instant::now();
        let mut it = pace(2, false, &["a", "b", "c", "d"]);
        open(&mut it, now);
        it.set(0, Progress::Failed);
        it.set(1, Progress::Failed);
        it.on_trouble(now, true, None, 1.0);
        assert_eq!(it.next(now), PaceDecision::Wait(Some(now + SHORTEST)));
        assert_eq!(it.next(now + SHORTEST), PaceDecision::Look);
        assert_eq!(it.next(now + SHORTEST), PaceDecision::Wait(None), "one look at a time");
        it.on_look(now, false, None, 1.0);
        assert_eq!(it.next(now), PaceDecision::Wait(Some(now + SHORTEST * 2)));
        it.next(now + LONGEST);
        it.on_look(now + LONGEST, true, None, 1.0);
        assert_eq!(open(&mut it, now), [2]);
        assert_eq!(it.next(now), PaceDecision::Wait(None));
        it.set(2, Progress::Granted);
        it.on_success(now);
        assert_eq!(open(&mut it, now), [3]);
    }

    #[test]
    fn a_provider_that_wasnt_heard_of_for_a_while_is_looked_at_before_a_page_is_opened() {
        let now = Instant::now();
        let mut it = pace(1, false, &["a", "b", "c"]);
        it.on_answer(now);
        assert_eq!(open(&mut it, now), [0]);
        it.set(0, Progress::Failed);
        let later = now + FRESH * 2;
        assert_eq!(it.next(later), PaceDecision::Look);
        it.on_look(later, true, None, 1.0);
        assert_eq!(open(&mut it, later), [1]);
        it.set(1, Progress::Failed);
        let later = later + FRESH * 2;
        assert_eq!(it.next(later), PaceDecision::Look);
        it.on_look(later, false, None, 1.0);
        assert_eq!(it.next(later), PaceDecision::Wait(Some(later + SHORTEST)));
    }

    #[test]
    fn a_single_failure_is_bad_luck_but_a_wish_is_followed() {
        let now = Instant::now();
        let mut it = pace(1, false, &["a", "b"]);
        it.on_trouble(now, false, None, 0.0);
        assert_eq!(it.pause(), None);
        it.on_trouble(now, false, Some(Duration::from_secs(7)), 0.0);
        assert_eq!(it.pause(), Some(&PauseReason::Outage { until: now + Duration::from_secs(7) }));
        it.on_trouble(now, false, Some(Duration::from_secs(1_000_000_000)), 0.0);
        assert_eq!(it.pause(), Some(&PauseReason::Outage { until: now + WISH }));
    }

    #[test]
    fn waits_double_up_to_a_minute_and_never_overflow() {
        assert_eq!(backoff(0, 1.0), None);
        let waits: Vec<_> = (1..9).map(|times| backoff(times, 1.0).unwrap().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX, 0.0), Some(LONGEST / 2));
    }

    #[test]
    fn stopped_it_opens_nothing_more_and_waits_for_what_is_being_stored() {
        let now = Instant::now();
        let mut it = pace(1, false, &["a", "b"]);
        open(&mut it, now);
        it.set(0, Progress::Storing);
        it.stop();
        assert_eq!(it.next(now), PaceDecision::Wait(None));
        it.set(0, Progress::Granted);
        assert_eq!(it.next(now), PaceDecision::Finish);
    }

    #[test]
    fn the_time_left_follows_the_pace_so_far() {
        let minute = Duration::from_secs(60);
        assert_eq!(time_left(minute, 1, 10), None);
        assert_eq!(time_left(minute * 10, 10, 50), Some(minute * 50));
        assert_eq!(time_left(minute, 5, 0), None);
    }
}
