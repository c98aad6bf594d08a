//! One-time addresses of our own listener, by which browsers are started: what stands in a program's arguments is read by
//! every user of the machine, and leads nobody else to the provider's address with its state.

use super::listener::{Method, Page, Request};
use super::pages;
use crate::model::ids::FlowId;
use crate::model::secret::{Fingerprint, fingerprint};
use crate::system::PeerOwner;
use std::collections::HashMap;
use std::time::Instant;

/// Where only a list of all connections tells whose a visit is, so many times as long as it took none is read again: the
/// thread that answers visits takes the redirect, too.
const REST: u32 = 4;
/// What the paths begin with.
const PREFIX: &str = "/launch/";

pub(super) struct LaunchAddresses {
    /// Where each of them leads, by its path's fingerprint: looking one up tells no time about it.
    made: HashMap<Fingerprint, Launch>,
    /// Until when no list of all connections is read.
    rested: Instant,
}

struct Launch {
    flow: FlowId,
    target: String,
    opened: bool,
    /// What the run has heard: it hears nothing twice, however many visits come.
    heard: Vec<LaunchProblem>,
}

/// What became of a visit to one that the run wants to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchProblem {
    /// It had been opened before: by whom of the two, nobody knows.
    OpenedTwice,
    /// Another user of this machine came by it, and was led nowhere.
    AnotherUser,
}

impl LaunchAddresses {
    pub(super) fn new(now: Instant) -> Self {
        Self { made: HashMap::new(), rested: now }
    }

    /// A new one for a flow: its path. It's made of where it leads, whose state is 256 random bits: nobody guesses it who
    /// doesn't know the state, and it says nothing about the state.
    pub(super) fn add(&mut self, flow: FlowId, target: String) -> String {
        let secret = hex::encode(fingerprint(&format!("launch {} {target}", self.made.len())));
        self.made.insert(fingerprint(&secret), Launch { flow, target, opened: false, heard: Vec::new() });
        format!("{PREFIX}{secret}")
    }

    /// Whether a path is one of them.
    pub(super) fn owns(&self, path: &str) -> bool {
        path.strip_prefix(PREFIX).is_some_and(|secret| self.made.contains_key(&fingerprint(secret)))
    }

    /// Answers a visit; what the run wants to hear. `is_open`: whether a flow still waits for its answer.
    pub(super) fn connect(
        &mut self,
        request: Request,
        is_open: impl Fn(&FlowId) -> bool,
    ) -> Option<(FlowId, LaunchProblem)> {
        if request.method != Method::Get {
            request.answer(pages::not_allowed());
            return None;
        }
        let began = Instant::now();
        let mut takes_long = false;
        let by = request.owner(|| {
            takes_long = self.may_take_long(began);
            takes_long
        });
        if takes_long {
            self.took_long(began, Instant::now());
        }
        let (page, heard) = self.visit(&request.path, by, is_open);
        request.answer(page);
        heard
    }

    fn may_take_long(&self, now: Instant) -> bool {
        // defense: S53 few-visits-take-long
        now >= self.rested
    }

    fn took_long(&mut self, began: Instant, now: Instant) {
        self.rested = now + (now - began) * REST;
    }

    fn visit(
        &mut self,
        path: &str,
        by: Option<PeerOwner>,
        is_open: impl Fn(&FlowId) -> bool,
    ) -> (Page, Option<(FlowId, LaunchProblem)>) {
        let Some(by) = by else { return (pages::too_many_visits(), None) };
        let secret = path.strip_prefix(PREFIX).unwrap_or_default();
        let Some(launch) = self.made.get_mut(&fingerprint(secret)) else { return (pages::not_found(), None) };
        let open = is_open(&launch.flow);
        let mut heard = |problem| {
            let news = open && !launch.heard.contains(&problem);
            news.then(|| launch.heard.push(problem)).map(|()| (launch.flow.clone(), problem))
        };
        // defense: S53 launch-for-this-user-alone
        if by == PeerOwner::NotOurs {
            return (pages::of_another_user(), heard(LaunchProblem::AnotherUser));
        }
        // defense: S53 launch-opens-once
        if launch.opened {
            return (pages::opened_before(), heard(LaunchProblem::OpenedTwice));
        }
        if !open {
            return (pages::opened_before(), None);
        }
        launch.opened = true;
        let page = Page::see_other(&launch.target).unwrap_or_else(|why| pages::refused("Not opened", why));
        (page, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const TARGET: &str = "https://biotr.ac/oauth?state=s";

    fn flow() -> FlowId {
        FlowId("f1".into())
    }

    fn one() -> (LaunchAddresses, String) {
        let mut addresses = LaunchAddresses::new(Instant::now());
        let path = addresses.add(flow(), TARGET.into());
        (addresses, path)
    }

    /// The page's status, and what is heard of the visit.
    fn visit(addresses: &mut LaunchAddresses, path: &str, by: PeerOwner) -> (u16, Option<LaunchProblem>) {
        let (page, heard) = addresses.visit(path, Some(by), |_| true);
        (page.status(), heard.map(|(_, problem)| problem))
    }

    #[test]
    fn it_leads_to_the_provider_once_and_then_says_so() {
        for who in [PeerOwner::Ours, PeerOwner::Unknown] {
            let (mut addresses, path) = one();
            assert!(addresses.owns(&path));
            assert_eq!(addresses.visit(&path, Some(who), |_| true), (Page::see_other(TARGET).unwrap(), None));
            assert_eq!(visit(&mut addresses, &path, who), (410, Some(LaunchProblem::OpenedTwice)));
            // Told once.
            assert_eq!(visit(&mut addresses, &path, who), (410, None));
        }
    }

    #[test]
    fn another_user_is_led_nowhere_and_takes_nothing() {
        let (mut addresses, path) = one();
        let first = Some((flow(), LaunchProblem::AnotherUser));
        for told in [first, None, None] {
            let (page, heard) = addresses.visit(&path, Some(PeerOwner::NotOurs), |_| true);
            assert_eq!((page.status(), heard), (403, told));
            assert!(!page.body().contains("state"));
        }
        assert_eq!(visit(&mut addresses, &path, PeerOwner::Ours), (303, None));
        // Nor does it count as a second visit.
        assert_eq!(visit(&mut addresses, &path, PeerOwner::NotOurs), (403, None));
        assert_eq!(visit(&mut addresses, &path, PeerOwner::Ours), (410, Some(LaunchProblem::OpenedTwice)));
    }

    #[test]
    fn few_visits_take_long_and_one_too_many_takes_nothing() {
        let now = Instant::now();
        let mut addresses = LaunchAddresses::new(now);
        let path = addresses.add(flow(), TARGET.into());
        assert!(addresses.may_take_long(now));
        let later = |millis| now + Duration::from_millis(millis);
        addresses.took_long(now, later(100));
        let may = [100, 101, 499, 500].map(|millis| addresses.may_take_long(later(millis)));
        assert_eq!(may, [false, false, false, true]);
        for _ in 0..3 {
            let (page, heard) = addresses.visit(&path, None, |_| true);
            assert_eq!((page.status(), heard), (503, None));
        }
        assert_eq!(visit(&mut addresses, &path, PeerOwner::Ours), (303, None));
    }

    #[test]
    fn one_of_a_flow_that_is_over_leads_nowhere_and_nobody_is_alarmed() {
        let (mut addresses, path) = one();
        assert!(
            matches!(addresses.visit(&path, Some(PeerOwner::Ours), |_| false), (page, None) if page.status() == 410)
        );
        let (mut addresses, path) = one();
        visit(&mut addresses, &path, PeerOwner::Ours);
        let (page, heard) = addresses.visit(&path, Some(PeerOwner::Ours), |_| false);
        assert_eq!((page.status(), heard), (410, None));
    }

    #[test]
    fn no_two_are_alike_and_no_other_path_is_one() {
        let (mut addresses, path) = one();
        let other = addresses.add(flow(), TARGET.into());
        assert_ne!(path, other);
        assert_eq!(path.len(), PREFIX.len() + 64, "256 bits: {path}");
        for wrong in [PREFIX, "/launch", "/", &path[1..], &format!("{path}/"), &path.to_uppercase()] {
            assert!(!addresses.owns(wrong), "{wrong}");
        }
    }
}
