//! S38: a disk on which one call fails, or every call from one on. The exit code says so where it matters, what was is
//! whole, and a fresh process tells the truth. CI takes a few calls of each kind; BIOTRACK_TEST_ALL=1 takes all.

use super::points::{at_most, stride};
use super::truth::{
    Found, LICENSE, go_on, holds, holds_given_up, holds_refreshed, is_given_up, is_recovered, is_whole,
};
use crate::keyring::session::{Session, within};
use crate::support::crowd::{Crowd, Will};
use crate::support::{Rig, Run, register};
use std::collections::{BTreeMap, BTreeSet};

/// What fails, how, and whether it stays so.
#[derive(Debug, Clone, Copy)]
struct Fault {
    call: &'static str,
    nth: usize,
    error: &'static str,
    /// All that follow fail too: the disk is dead from here on.
    on: bool,
}

/// Which of a command's faults are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tried {
    /// A few of each kind in CI, each in one of the ways, all in turn.
    Some,
    /// Every sync that is asked for, in CI too. A commit whose sync fails has failed, and yet the next process finds it in
    /// SQLite's log and takes it as made: nothing that it names may be gone.
    Syncs,
}

const WAYS: [(&str, bool); 4] = [("EIO", false), ("ENOSPC", true), ("EIO", true), ("ENOSPC", false)];

impl Rig {
    /// Runs it with this fault. It says what failed, and never just falls over.
    #[track_caller]
    fn suffers(&self, fault: Fault, arguments: &[&str]) -> Run {
        let run = self.faulted(fault.call, fault.error, fault.nth, fault.on, arguments);
        assert!(!run.err.contains("panicked at"), "{fault:?}: {run:?}");
        // 1: a file beside the ledger; 8: it came to light only while the provider was asked.
        assert!([0, 1, 7, 8].contains(&run.code), "{fault:?}: {run:?}");
        assert!(run.code == 0 || run.err.contains("error: "), "{fault:?}: {run:?}");
        run
    }
}

/// Tries the faults of a command one after the other; how the run ended, and how the record stood afterwards.
fn at_each_fault(
    command: &str,
    which: Tried,
    mut calls: BTreeMap<&'static str, Vec<usize>>,
    mut try_it: impl FnMut(Fault) -> (Run, Found),
) {
    if which == Tried::Syncs {
        calls.retain(|call, _| call.ends_with("sync"));
    }
    let stride = if which == Tried::Syncs { 1 } else { stride() };
    let (mut tried, mut ended) = (0, BTreeMap::<(i32, Found), usize>::new());
    for (offset, (call, nths)) in calls.iter().enumerate() {
        let first = if nths.len() > stride { offset % stride } else { 0 };
        for (at, nth) in nths.iter().enumerate().skip(first).step_by(stride) {
            let ways = match which {
                // Both of EIO.
                Tried::Syncs => &[WAYS[0], WAYS[2]][..],
                Tried::Some if stride == 1 => &WAYS[..],
                Tried::Some => &WAYS[(offset + at) % WAYS.len()..][..1],
            };
            for &(error, on) in ways {
                let (run, found) = try_it(Fault { call, nth: *nth, error, on });
                tried += 1;
                *ended.entry((run.code, found)).or_default() += 1;
            }
        }
    }
    let points = calls.values().map(Vec::len).sum::<usize>() * WAYS.len();
    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    {
        println!("{command}: {tried} of {points} disk faults fired; exit and record afterwards {ended:?}");
    }
    assert!(tried >= calls.len());
    assert!(ended.keys().any(|(code, _)| *code != 0), "{ended:?}: nothing was noticed");
}

/// Everyone grants at once.
fn instant_admins() -> Crowd {
    Crowd::of(1, |_| Will::Grant)
}

#[test]
fn a_commit_that_failed_and_shows_up_all_the_same_names_nothing_that_is_gone() {
    within(Session::Unlocked, || {
        renew_with("renew, keyring, syncs", Tried::Syncs, Rig::with_keyring(&[]));
        refresh_with("token, keyring, syncs", Tried::Syncs, Rig::with_keyring(&[]));
    });
}

#[test]
fn register_on_a_failing_disk_loses_nothing() {
    register_with("register", Tried::Some, Rig::new);
}

#[test]
fn register_with_a_keyring_on_a_failing_disk_loses_nothing() {
    within(Session::Unlocked, || register_with("register, keyring", Tried::Some, || Rig::with_keyring(&[])));
}

fn register_with(command: &str, which: Tried, rig: impl Fn() -> Rig) {
    let crowd = instant_admins();
    let browser = crowd.browser();
    let arguments = register(LICENSE, &["--browser", &browser]);
    let calls = rig().disk_calls(&arguments);
    at_each_fault(command, which, calls, |fault| {
        let rig = rig();
        let run = rig.suffers(fault, &arguments);
        let found = holds(&rig, 0);
        at_most(found, run.code, &format!("{fault:?}"));
        if found != Found::Done {
            go_on(&rig, &arguments);
        } else if rig.only()["next_command"].is_string() {
            go_on(&rig, &[]);
        }
        is_whole(&rig);
        (run, found)
    });
}

#[test]
fn renew_on_a_failing_disk_loses_nothing() {
    renew_with("renew", Tried::Some, Rig::new());
}

#[test]
fn renew_with_a_keyring_on_a_failing_disk_loses_nothing() {
    within(Session::Unlocked, || renew_with("renew, keyring", Tried::Some, Rig::with_keyring(&[])));
}

fn renew_with(command: &str, which: Tried, rig: Rig) {
    let crowd = instant_admins();
    let browser = crowd.browser();
    rig.register(LICENSE).exits(0);
    let arguments = ["renew", LICENSE, "--browser", &browser];
    let calls = rig.disk_calls(&arguments);
    at_each_fault(command, which, calls, |fault| {
        let (known, before) = (rig.truth().len(), rig.live(LICENSE).unwrap());
        let run = rig.suffers(fault, &arguments);
        let found = holds(&rig, known);
        at_most(found, run.code, &format!("{fault:?}"));
        if found == Found::Before {
            let now = rig.live(LICENSE).unwrap();
            assert_eq!(now.access.expose(), before.access.expose(), "{fault:?}");
        }
        go_on(&rig, &arguments);
        is_whole(&rig);
        (run, found)
    });
}

#[test]
fn a_refresh_on_a_failing_disk_loses_nothing() {
    refresh_with("token", Tried::Some, Rig::new());
}

#[test]
fn a_refresh_with_a_keyring_on_a_failing_disk_loses_nothing() {
    within(Session::Unlocked, || refresh_with("token, keyring", Tried::Some, Rig::with_keyring(&[])));
}

fn refresh_with(command: &str, which: Tried, rig: Rig) {
    rig.adds_to_profile("timeout = \"1s\"");
    rig.register(LICENSE).exits(0);
    let arguments = ["token", LICENSE, "--min-valid", "60m"];
    let calls = rig.disk_calls(&arguments);
    at_each_fault(command, which, calls, |fault| {
        let known = rig.truth().len();
        let run = rig.suffers(fault, &arguments);
        let found = holds_refreshed(&rig, known);
        at_most(found, run.code, &format!("{fault:?}"));
        assert_eq!(run.out.is_empty(), run.code != 0, "{fault:?}: a token that isn't stored is printed");
        is_recovered(&rig);
        (run, found)
    });
}

#[test]
fn deactivate_on_a_failing_disk_loses_nothing() {
    deactivate_with("deactivate", Tried::Some, Rig::new());
}

#[test]
fn deactivate_with_a_keyring_on_a_failing_disk_loses_nothing() {
    within(Session::Unlocked, || deactivate_with("deactivate, keyring", Tried::Some, Rig::with_keyring(&[])));
}

fn deactivate_with(command: &str, which: Tried, rig: Rig) {
    let crowd = instant_admins();
    let browser = crowd.browser();
    let registers = || rig.run(&register(LICENSE, &["--browser", &browser])).exits(0);
    registers();
    let arguments = ["deactivate", LICENSE, "--yes"];
    let calls = rig.disk_calls(&arguments);
    at_each_fault(command, which, calls, |fault| {
        registers();
        let truth = rig.truth();
        let last = truth.iter().rfind(|line| line["event"] == "token_issued").unwrap();
        let kept = BTreeSet::from([last["grant"].as_str().unwrap().to_owned()]);
        let run = rig.suffers(fault, &arguments);
        let found = holds_given_up(&rig, truth.len());
        at_most(found, run.code, &format!("{fault:?}"));
        go_on(&rig, &arguments);
        is_given_up(&rig, &kept);
        (run, found)
    });
}
