//! Runs over several licenses, killed at every writing or talking call: each license's grant is stored, or shown as
//! uncertain with its next command, and the run is gone on with.

use super::points::at_each_point_slowly;
use super::truth::{Found, go_on_with, holds_of, is_whole_of, record_of};
use crate::keyring::session::{Session, within};
use crate::support::Rig;
use crate::support::crowd::{Crowd, Will};
use std::fs;

const LICENSES: [&str; 3] = ["L-1", "L-2", "L-3"];

/// Everyone grants at once.
fn instant_admins() -> Crowd {
    Crowd::of(1, |_| Will::Grant)
}

/// The farthest that any license of a killed run had come.
#[track_caller]
fn farthest(rig: &Rig, known: usize) -> Found {
    LICENSES.map(|license| holds_of(rig, license, known)).into_iter().max().unwrap()
}

/// Whatever a record still names as its next command is run, and then all are renewed, which clears away what a kill
/// left of replaced grants: each is whole.
#[track_caller]
fn all_are_whole(rig: &Rig, browser: &str) {
    for license in LICENSES {
        if record_of(rig, license).unwrap()["next_command"].is_string() {
            go_on_with(rig, license, &[]);
        }
    }
    rig.run(&["renew", "--all", "--tabs", "3", "--browser", browser]).exits(0);
    LICENSES.iter().for_each(|license| is_whole_of(rig, license));
    rig.run(&["history", "verify"]).exits(0);
}

fn stores(rig: &Rig) -> String {
    let file = rig.elsewhere("stores.csv");
    let rows = LICENSES.map(|license| format!("604001,{license},ann@example.com\n"));
    fs::write(&file, format!("ubi,license,username\n{}", rows.concat())).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_run_that_registers_is_killed_everywhere() {
    registers_with("register --from", Rig::new);
}

#[test]
fn a_run_that_registers_with_a_keyring_is_killed_everywhere() {
    within(Session::Unlocked, || registers_with("register --from, keyring", || Rig::with_keyring(&[])));
}

fn registers_with(command: &str, rig: impl Fn() -> Rig) {
    let crowd = instant_admins();
    let browser = crowd.browser();
    let first = rig();
    let calls = first.calls(&["register", "--from", &stores(&first), "--tabs", "2", "--browser", &browser]);
    at_each_point_slowly(command, 3, &calls, |call, nth| {
        let rig = rig();
        let from = stores(&rig);
        let arguments = ["register", "--from", &from, "--tabs", "2", "--browser", &browser];
        rig.killed(call, nth, &arguments).then(|| {
            let found = farthest(&rig, 0);
            // The same file again does only the rest.
            let again = rig.run(&arguments);
            assert!([0, 3].contains(&again.code), "{again:?}");
            all_are_whole(&rig, &browser);
            found
        })
    });
}

#[test]
fn a_run_that_renews_is_killed_everywhere() {
    renews_with("renew --all", Rig::new());
}

#[test]
fn a_run_that_renews_with_a_keyring_is_killed_everywhere() {
    within(Session::Unlocked, || renews_with("renew --all, keyring", Rig::with_keyring(&[])));
}

fn renews_with(command: &str, rig: Rig) {
    let crowd = instant_admins();
    let browser = crowd.browser();
    rig.run(&["register", "--from", &stores(&rig), "--browser", &browser]).exits(0);
    let arguments = ["renew", "--all", "--tabs", "2", "--browser", &browser];
    let calls = rig.calls(&arguments);
    at_each_point_slowly(command, 3, &calls, |call, nth| {
        let known = rig.truth().len();
        rig.killed(call, nth, &arguments).then(|| {
            let found = farthest(&rig, known);
            rig.run(&["renew", "--resume", "--browser", &browser]).exits(0);
            all_are_whole(&rig, &browser);
            found
        })
    });
}

#[test]
fn what_resumes_a_run_is_killed_everywhere() {
    resumes_with("renew --resume", Rig::new());
}

#[test]
fn what_resumes_a_run_with_a_keyring_is_killed_everywhere() {
    within(Session::Unlocked, || resumes_with("renew --resume, keyring", Rig::with_keyring(&[])));
}

fn resumes_with(command: &str, rig: Rig) {
    let crowd = instant_admins();
    let browser = crowd.browser();
    rig.run(&["register", "--from", &stores(&rig), "--browser", &browser]).exits(0);
    let resume = ["renew", "--resume", "--tabs", "2", "--browser", &browser];
    // Killed once its first answer has come, a run leaves something to go on with.
    let leave =
        || assert!(rig.killed("accept4", 2, &["renew", "--all", "--tabs", "2", "--browser", &browser]));
    leave();
    let calls = rig.calls(&resume);
    at_each_point_slowly(command, 3, &calls, |call, nth| {
        leave();
        let known = rig.truth().len();
        let fired = rig.killed(call, nth, &resume);
        let found = farthest(&rig, known);
        rig.run(&resume).exits(0);
        all_are_whole(&rig, &browser);
        fired.then_some(found)
    });
}
