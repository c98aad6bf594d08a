//! A run as a person at a terminal sees it, and what the keys do.

use super::of;
use crate::support::Rig;
use crate::support::crowd::{Crowd, Will};
use crate::support::screen::Screen;

/// Two licenses of Ann and one of Bob, and a terminal in which they are renewed.
fn renewing(will: Will, more: &str) -> (Rig, Crowd, Screen) {
    let rig = Rig::new();
    rig.seed(&[
        of(&rig, "L-1", "ann@example.com", -3),
        of(&rig, "L-2", "ann@example.com", 2),
        of(&rig, "L-3", "bob@example.com", 5),
    ]);
    let crowd = Crowd::of(1, move |_| will.clone());
    let screen = Screen::new(rig.home(), 100, &["sh"]);
    screen.types(&format!("biotrack-auth renew --due --browser '{}' {more}", crowd.browser())).key("Enter");
    (rig, crowd, screen)
}

#[test]
fn it_waits_for_the_next_admin_and_says_where_the_worklist_is() {
    let (rig, _crowd, screen) = renewing(Will::Grant, "");
    let seen = screen.shows("Next: bob@example.com (1 license)");
    assert!(
        seen.contains("3 licenses: 2 granted, 1 left") && seen.contains("Sign out of BioTrack"),
        "{seen}"
    );
    assert!(seen.contains("/worklist/"), "{seen}");
    assert_eq!(rig.counted("token_issued"), 2);
    screen.types("n");
    screen.shows("3 licenses: 3 granted.");
    assert_eq!(rig.counted("token_issued"), 3);
}

#[test]
fn keys_skip_open_the_next_and_leave_the_rest_for_later() {
    let (rig, _crowd, screen) = renewing(Will::Ignore, "");
    screen.shows("▸ 604001/L-1");
    screen.types("n");
    screen.shows("▸ 604001/L-2");
    screen.types("s");
    screen.shows("604001/L-1, ann@example.com: skipped at the terminal");
    screen.types("q");
    // The error comes after the summary, and the shell's prompt after both.
    let seen = screen.shows("To continue: biotrack-auth renew --resume");
    assert!(seen.contains("3 licenses: 1 skipped, 2 left."), "{seen}");
    // The terminal is as it was: what's typed is seen again, at the prompt or before it.
    screen.types("echo still here");
    screen.shows("echo still here");
    assert_eq!(rig.counted_asked(), 2, "for ten minutes an answer that still comes is taken");
}

#[test]
fn another_admins_grants_are_asked_about_once() {
    let (rig, _crowd, screen) = renewing(Will::GrantAs("boss@example.com".into()), "--tabs 2");
    let seen = screen.shows("Accept grants from boss@example.com");
    assert!(seen.contains("y yes"), "{seen}");
    screen.types("y");
    screen.shows("Next: bob@example.com");
    screen.types("n");
    // Decided already.
    screen.shows("3 licenses: 3 granted.");
    assert_eq!(rig.status()["summary"]["active"], 3);
}

#[test]
fn nobody_there_pauses_the_run_and_it_can_be_taken_up_again() {
    let (_rig, _crowd, screen) = renewing(Will::Ignore, "--timeout 2s");
    screen.shows("No admin answered in time.");
    screen.types("r");
    screen.types("n");
    screen.shows("▸ 604001/L-1");
    screen.key("C-c");
    screen.shows(" left.");
}
