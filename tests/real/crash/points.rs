//! Every writing or talking call as a kill point. CI takes a few of each kind; BIOTRACK_TEST_ALL=1 takes all.

use super::truth::{
    Found, LICENSE, gives_up, go_on, holds, holds_given_up, holds_in_use, holds_refreshed, is_given_up,
    is_recovered, is_whole, record,
};
use crate::keyring::session::{Session, within};
use crate::support::{Rig, admin, register};
use biotrack_auth::sandbox::Mishap;
use std::collections::{BTreeMap, BTreeSet};

/// How many kill points of a kind CI passes over for each that it takes.
const STRIDE: usize = 9;

/// One of so many points is taken.
pub fn stride() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    if std::env::var_os("BIOTRACK_TEST_ALL").is_some() { 1 } else { STRIDE }
}

/// A command that says that it's done has done it.
#[track_caller]
pub fn at_most(found: Found, code: i32, what: &str) {
    assert!(code != 0 || found == Found::Done, "{what}: it exits with 0, and stands at {found:?}");
}

/// Tries the points of a command one after the other: each fires, or the command survives. With all of them, it's
/// hit in so many of the phases that [`Found`] tells apart.
pub fn at_each_point(
    command: &str,
    phases: usize,
    calls: &BTreeMap<&'static str, usize>,
    try_it: impl FnMut(&str, usize) -> Option<Found>,
) {
    at_points(stride(), command, phases, calls, try_it);
}

/// The same for a command whose every try takes longer: CI takes a third as many.
pub fn at_each_point_slowly(
    command: &str,
    phases: usize,
    calls: &BTreeMap<&'static str, usize>,
    try_it: impl FnMut(&str, usize) -> Option<Found>,
) {
    at_points(if stride() == 1 { 1 } else { 3 * STRIDE }, command, phases, calls, try_it);
}

fn at_points(
    stride: usize,
    command: &str,
    phases: usize,
    calls: &BTreeMap<&'static str, usize>,
    mut try_it: impl FnMut(&str, usize) -> Option<Found>,
) {
    let (mut fired, mut found) = (0, BTreeMap::<Found, usize>::new());
    for (offset, (call, &most)) in calls.iter().enumerate() {
        // Not the same Nth of each kind.
        let mut nth = 1 + if most > stride { offset % stride } else { 0 };
        while let Some(how) = try_it(call, nth) {
            fired += 1;
            *found.entry(how).or_default() += 1;
            // A thread of a kind may make a call more or less from run to run; the end is where it survives.
            nth += stride;
            if stride > 1 && nth > most {
                break;
            }
        }
    }
    let points: usize = calls.values().sum();
    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    {
        println!("{command}: {fired} of {points} kill points fired; afterwards {found:?}");
    }
    assert!(fired > calls.len() / 2);
    assert!(found.len() == phases || stride > 1, "{found:?}: not every phase was hit");
}

#[test]
fn register_is_killed_everywhere() {
    register_with("register", Rig::new);
}

#[test]
fn register_with_a_keyring_is_killed_everywhere() {
    within(Session::Unlocked, || register_with("register, keyring", || Rig::with_keyring(&[])));
}

fn register_with(command: &str, rig: impl Fn() -> Rig) {
    let arguments = register(LICENSE, &[]);
    let calls = rig().calls(&arguments);
    at_each_point(command, 3, &calls, |call, nth| {
        // Each time the first command of a new home.
        let rig = rig();
        rig.killed(call, nth, &arguments).then(|| {
            let found = holds(&rig, 0);
            if found != Found::Done {
                go_on(&rig, &arguments);
            }
            is_whole_after_tidying(&rig);
            found
        })
    });
}

#[test]
fn renew_is_killed_everywhere() {
    renew_with("renew", Rig::new());
}

#[test]
fn renew_with_a_keyring_is_killed_everywhere() {
    within(Session::Unlocked, || renew_with("renew, keyring", Rig::with_keyring(&[])));
}

fn renew_with(command: &str, rig: Rig) {
    rig.register(LICENSE).exits(0);
    let browser = admin();
    let arguments = ["renew", LICENSE, "--browser", &browser];
    let calls = rig.calls(&arguments);
    at_each_point(command, 3, &calls, |call, nth| {
        let known = rig.truth().len();
        rig.killed(call, nth, &arguments).then(|| {
            let found = holds(&rig, known);
            go_on(&rig, &arguments);
            is_whole(&rig);
            found
        })
    });
}

#[test]
fn deactivate_is_killed_everywhere() {
    deactivate_with("deactivate", Rig::new());
}

#[test]
fn deactivate_with_a_keyring_is_killed_everywhere() {
    within(Session::Unlocked, || deactivate_with("deactivate, keyring", Rig::with_keyring(&[])));
}

fn deactivate_with(command: &str, rig: Rig) {
    rig.register(LICENSE).exits(0);
    let arguments = ["deactivate", LICENSE, "--yes"];
    let calls = rig.calls(&arguments);
    at_each_point(command, 3, &calls, |call, nth| {
        rig.register(LICENSE).exits(0);
        let truth = rig.truth();
        let last = truth.iter().rfind(|line| line["event"] == "token_issued").unwrap();
        let kept = BTreeSet::from([last["grant"].as_str().unwrap().to_owned()]);
        let fired = rig.killed(call, nth, &arguments);
        let found = holds_given_up(&rig, truth.len());
        go_on(&rig, &arguments);
        is_given_up(&rig, &kept);
        fired.then_some(found)
    });
}

/// An edit is made or isn't, with its word in the history; the grant is never touched.
#[test]
fn an_edit_is_killed_everywhere() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let edit = |name: &'static str| ["edit", LICENSE, "--name", name, "--tag", name];
    let calls = rig.calls(&edit("Hudson"));
    let mut names = ["Elm", "Hudson"].iter().cycle();
    at_each_point("edit", 2, &calls, |call, nth| {
        let before = rig.only();
        let name: &'static str = names.next().unwrap_or(&"Elm");
        rig.run(&["edit", LICENSE, "--untag", name]).exits(0);
        rig.killed(call, nth, &edit(name)).then(|| {
            let after = rig.only();
            let is_done = after["name"] == *name;
            let has_tag = after["tags"].as_array().unwrap().contains(&name.into());
            assert_eq!(is_done, has_tag, "{call} {nth}: half an edit: {after}");
            assert_eq!(after["expires_at"], before["expires_at"]);
            rig.run(&edit(name)).exits(0);
            assert_eq!(rig.only()["name"], *name);
            rig.run(&["history", "verify"]).exits(0);
            is_whole(&rig);
            if is_done { Found::Done } else { Found::Before }
        })
    });
}

/// A removal is made or isn't; what is registered again afterwards is granted as any other.
#[test]
fn a_removal_is_killed_everywhere() {
    let rig = Rig::new();
    let arguments = ["remove", LICENSE];
    let deactivated = || {
        rig.register(LICENSE).exits(0);
        rig.run(&["deactivate", LICENSE, "--yes"]).exits(0);
    };
    deactivated();
    let calls = rig.calls(&arguments);
    at_each_point("remove", 2, &calls, |call, nth| {
        deactivated();
        let fired = rig.killed(call, nth, &arguments);
        let found = match record(&rig) {
            Some(record) => {
                assert_eq!(record["state"], "deactivated", "{call} {nth}");
                rig.run(&arguments).exits(0);
                Found::Before
            }
            None => Found::Done,
        };
        rig.run(&arguments).exits(9);
        rig.run(&["history", "verify"]).exits(0);
        fired.then_some(found)
    });
}

/// The configuration is the old one or the new one, whole.
#[test]
fn a_setting_is_killed_everywhere() {
    let rig = Rig::new();
    let set = |days: &'static str| ["config", "set", "due_window", days, "--profile", "local-sandbox"];
    let calls = rig.calls(&set("21d"));
    at_each_point("config set", 2, &calls, |call, nth| {
        rig.run(&set("14d")).exits(0);
        let before = std::fs::read_to_string(rig.file("config.toml")).unwrap();
        rig.killed(call, nth, &set("21d")).then(|| {
            rig.run(&["config", "check"]).exits(0);
            let after = std::fs::read_to_string(rig.file("config.toml")).unwrap();
            let whole = before.replace("due_window = \"14d\"", "due_window = \"21d\"");
            assert!(after == before || after == whole, "{call} {nth}: {after}");
            rig.run(&set("21d")).exits(0);
            if after == whole { Found::Done } else { Found::Before }
        })
    });
}

#[test]
fn accepting_is_killed_everywhere() {
    awaiting_with("renew --awaiting", 2, Rig::new(), &["renew", LICENSE, "--awaiting", "--yes"]);
}

#[test]
fn accepting_with_a_keyring_is_killed_everywhere() {
    let line = ["renew", LICENSE, "--awaiting", "--yes"];
    within(Session::Unlocked, || {
        awaiting_with("renew --awaiting, keyring", 2, Rig::with_keyring(&[]), &line)
    });
}

#[test]
fn discarding_is_killed_everywhere() {
    awaiting_with("deactivate --awaiting", 3, Rig::new(), &["deactivate", LICENSE, "--awaiting", "--yes"]);
}

#[test]
fn discarding_with_a_keyring_is_killed_everywhere() {
    let line = ["deactivate", LICENSE, "--awaiting", "--yes"];
    within(Session::Unlocked, || {
        awaiting_with("deactivate --awaiting, keyring", 3, Rig::with_keyring(&[]), &line);
    });
}

fn awaiting_with(command: &str, phases: usize, rig: Rig, arguments: &[&str]) {
    rig.register(LICENSE).exits(0);
    let browser = admin();
    let awaits = || {
        rig.sandbox().set_fail(&[Mishap::OtherUser]);
        rig.run(&["renew", LICENSE, "--browser", &browser]).exits(6);
        rig.sandbox().set_fail(&[]);
    };
    awaits();
    let calls = rig.calls(arguments);
    at_each_point(command, phases, &calls, |call, nth| {
        awaits();
        rig.killed(call, nth, arguments).then(|| {
            let found = holds_in_use(&rig);
            // Run again, and once more than is needed: the license stays in use.
            for _ in 0..2 {
                rig.run(arguments).exits(0);
                assert_eq!(holds_in_use(&rig), Found::Done);
            }
            found
        })
    });
}

/// A refresh whose answer was lost is uncertain, and stays so until the deactivation that follows says more.
#[test]
fn deactivate_after_a_lost_refresh_is_killed_at_each_write_and_stays_uncertain() {
    let rig = Rig::new();
    let loses = || {
        rig.register(LICENSE).exits(0);
        rig.sandbox().set_fail(&[Mishap::Lost]);
        // What lasts is handed out.
        rig.run(&["token", LICENSE, "--min-valid", "60m"]).exits(0);
        rig.sandbox().set_fail(&[]);
        assert_eq!(rig.only()["conditions"], serde_json::json!(["uncertain"]));
    };
    loses();
    let arguments = ["deactivate", LICENSE, "--yes"];
    let most = rig.calls(&arguments)["pwrite64"];
    let mut fired = 0;
    // Every third: a commit is several writes.
    for nth in (1..=most).step_by(if stride() == 1 { 1 } else { 3 }) {
        loses();
        let truth = rig.truth();
        if rig.killed("pwrite64", nth, &arguments) {
            fired += 1;
            let record = rig.only();
            if holds_given_up(&rig, truth.len()) != Found::Done {
                let uncertain = record["conditions"].as_array().unwrap().contains(&"uncertain".into());
                assert!(uncertain || gives_up(&record), "pwrite64 {nth}: {record}");
            }
        }
        rig.run(&arguments).exits(0);
        is_given_up(&rig, &BTreeSet::new());
    }
    assert!(fired > 2, "{fired}");
}

#[test]
fn a_refresh_is_killed_everywhere() {
    refresh_with("token", Rig::new());
}

#[test]
fn a_refresh_with_a_keyring_is_killed_everywhere() {
    within(Session::Unlocked, || refresh_with("token, keyring", Rig::with_keyring(&[])));
}

fn refresh_with(command: &str, rig: Rig) {
    rig.adds_to_profile("timeout = \"1s\"");
    rig.register(LICENSE).exits(0);
    // Longer than any access token lives: each run refreshes.
    let arguments = ["token", LICENSE, "--min-valid", "60m"];
    let calls = rig.calls(&arguments);
    at_each_point(command, 3, &calls, |call, nth| {
        let known = rig.truth().len();
        rig.killed(call, nth, &arguments).then(|| {
            let found = holds_refreshed(&rig, known);
            is_recovered(&rig);
            found
        })
    });
}

/// The grant is whole; what was killed only while tidying up is tidied up by the next command.
#[track_caller]
fn is_whole_after_tidying(rig: &Rig) {
    if rig.only()["next_command"].is_string() {
        go_on(rig, &[]);
    }
    is_whole(rig);
}
