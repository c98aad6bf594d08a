//! What nobody names is cleared away, beside somebody who has put it and not yet committed its name: nothing that is named
//! in the end is gone.

use crate::rig::{Rig, STRIDE, register};

const LICENSE: &str = "101-X0007-D1";

/// A command that puts items into the keyring: its line, in a home that is made ready for it.
struct Job {
    name: &'static str,
    line: fn(&Rig) -> String,
}

const IMPORT: Job = Job { name: "import BUNDLE", line: import };
const MOVE: Job = Job {
    name: "config vault keyring",
    line: |rig| {
        rig.run("config vault sealed").exits(0);
        "config vault keyring".into()
    },
};

const JOBS: [Job; 6] = [
    Job { name: "register", line: |_| register("L-2") },
    Job { name: "register --no-wait", line: |_| register("L-2").replace("--browser scripted", "--no-wait") },
    Job {
        name: "token",
        line: |rig| {
            rig.minutes_pass(61);
            format!("token {LICENSE}")
        },
    },
    Job { name: "deactivate", line: |_| format!("deactivate {LICENSE} --yes") },
    IMPORT,
    MOVE,
];

/// A bundle of another home, with the tokens of two licenses.
fn import(rig: &Rig) -> String {
    let other = rig.another_home();
    for license in ["L-3", "L-4"] {
        other.grant(license).exits(0);
    }
    let identity = rig.file("key.txt");
    let to = biotrack_auth::vault::create_identity(&identity).unwrap();
    let bundle = rig.file("bundle.age");
    other.run(&format!("export --with-secrets --recipient {to} --output {}", bundle.display())).exits(0);
    format!("import {} --identity {} --yes", bundle.display(), identity.display())
}

/// What a process that was killed at this job's step left is there, too.
fn begun() -> Rig {
    let rig = Rig::with_keyring();
    rig.grant(LICENSE).exits(0);
    rig
}

/// Whether the keyring has all that the ledger names.
#[track_caller]
fn has_all(rig: &Rig, what: &str) {
    let doctor = rig.run("doctor");
    assert!(!doctor.out.contains("missing"), "{what}: {}", doctor.transcript());
    let named = rig.ledger().all_secrets().unwrap();
    let gone: Vec<_> = named
        .into_iter()
        .filter(|it| match &it.place {
            biotrack_auth::model::flow::SecretPlace::Item(item) => !rig.keyring.accounts().contains(item),
            biotrack_auth::model::flow::SecretPlace::Blob(_) => false,
        })
        .collect();
    assert!(gone.is_empty(), "{what}: {gone:?}");
}

#[test]
fn beside_whoever_puts_items() {
    for job in JOBS {
        for at in (0..).step_by(STRIDE) {
            let rig = begun();
            let line = (job.line)(&rig);
            let what = format!("doctor --fix at step {at} of {}", job.name);
            let ended = rig.stopped_at(&line, at, || {
                let _ = rig.start("doctor --fix").join().unwrap();
            });
            if ended.is_none() {
                assert!(at > 3, "{what}");
                break;
            }
            assert_eq!(ended, Some(0), "{what}");
            has_all(&rig, &what);
        }
    }
}

#[test]
fn whoever_puts_items_beside_it() {
    for job in JOBS {
        for at in (0..).step_by(STRIDE) {
            let rig = begun();
            // An item that nothing names, so that there is something to clear away.
            rig.keyring.puts(&format!("{}/{}/604001/L-9/7", rig.ledger().id(), crate::rig::PROFILE), b"x");
            let line = (job.line)(&rig);
            let what = format!("{} at step {at} of doctor --fix", job.name);
            let ended = rig.stopped_at("doctor --fix", at, || drop(rig.run(&line)));
            if ended.is_none() {
                break;
            }
            has_all(&rig, &what);
        }
    }
}

/// What a killed process left is cleared away while the same is done anew.
#[test]
fn whoever_puts_again_what_a_killed_process_left() {
    for job in [IMPORT, MOVE] {
        let rig = begun();
        let line = (job.line)(&rig);
        let world = rig.world().killed_here();
        for at in (0..).step_by(STRIDE) {
            let home = Rig::of(world.killed_here());
            let what = format!("{} killed at step {at}", job.name);
            let mut killed = None;
            if home
                .stopped_at(&line_in(&line, &rig, &home), at, || killed = Some(home.world().killed_here()))
                .is_none()
            {
                break;
            }
            let home = Rig::of(killed.unwrap());
            for fix_at in (0..).step_by(STRIDE) {
                let again = Rig::of(home.world().killed_here());
                let ended = again.stopped_at("doctor --fix", fix_at, || {
                    drop(again.run(&line_in(&line, &rig, &again)));
                });
                if ended.is_none() {
                    break;
                }
                again.run(&line_in(&line, &rig, &again)).exits(0);
                has_all(&again, &format!("{what}, and again at step {fix_at} of doctor --fix"));
            }
        }
    }
}

/// A line of one home in another that is its copy.
fn line_in(line: &str, home: &Rig, copy: &Rig) -> String {
    line.replace(&home.home().display().to_string(), &copy.home().display().to_string())
}

#[test]
fn an_import_is_repeated_for_what_the_keyring_lost() {
    let rig = begun();
    let import = import(&rig);
    rig.run(&import).exits(0);
    let all = rig.keyring.accounts();
    let lost = all.iter().find(|item| item.contains("/L-3/")).unwrap();
    rig.keyring.loses(lost);
    let again = rig.run(&import).exits(0);
    assert!(again.err.contains("L-3"), "{}", again.transcript());
    rig.run("token L-3").exits(0);
    has_all(&rig, "after the second import");
    assert!(rig.run(&import).exits(0).err.contains("already here"));
}
