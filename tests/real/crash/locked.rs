//! S39: another program has locked the ledger, from the start or from the moment that the provider answers.

use super::truth::{LICENSE, go_on, is_whole};
use crate::support::crowd::{Crowd, Will};
use crate::support::proxy::{Proxy, Revocations};
use crate::support::{Rig, Run, outside, register};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, Once};

/// SQLite's own program, with a transaction that keeps every other writer out until it's dropped.
struct Lock(Child);

impl Lock {
    fn on(ledger: &Path) -> Self {
        let mut sqlite = outside("sqlite3");
        let mut child = sqlite.arg(ledger).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let words = ".timeout 10000\nBEGIN EXCLUSIVE;\nSELECT 'held';\n";
        child.stdin.as_mut().unwrap().write_all(words.as_bytes()).unwrap();
        let mut told = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut told).unwrap();
        assert_eq!(told, "held\n");
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const BUSY: &str = "stayed busy";

#[test]
fn a_ledger_that_is_locked_from_the_start_is_said_and_nothing_is_asked() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let (before, known) = (rig.only(), rig.truth().len());
    let lock = Lock::on(&rig.file("ledger.db"));
    let browser = Crowd::of(1, |_| Will::Grant);
    let browser = browser.browser();
    // All at once, for each waits its ten seconds.
    let waiting = [
        &["renew", LICENSE, "--browser", &browser][..],
        &register("L-2", &["--browser", &browser]),
        &["token", LICENSE, "--min-valid", "60m"],
        &["deactivate", LICENSE, "--yes"],
    ]
    .map(|arguments| rig.start(arguments));
    // Who only reads isn't held up.
    assert_eq!(rig.only(), before);
    for child in waiting {
        Run::of(child.wait_with_output().unwrap()).exits(7).answers_nothing().says(BUSY);
    }
    assert_eq!((rig.only(), rig.truth().len()), (before, known));
    drop(lock);
    rig.run(&["renew", LICENSE, "--browser", &browser]).exits(0);
    is_whole(&rig);
}

/// Locks this rig's ledger when it's called first.
fn locks(rig: &Rig) -> (Arc<Mutex<Option<Lock>>>, impl Fn() + Send + Sync + 'static) {
    let (lock, ledger) = (Arc::<Mutex<Option<Lock>>>::default(), rig.file("ledger.db"));
    let (kept, first) = (lock.clone(), Once::new());
    (lock, move || first.call_once(|| *kept.lock().unwrap() = Some(Lock::on(&ledger))))
}

#[test]
fn a_ledger_that_is_locked_as_the_answer_comes_costs_no_grant() {
    // Each waits for the ledger several times; so all do it at once.
    std::thread::scope(|scope| {
        scope.spawn(locked_during_a_consent);
        scope.spawn(locked_during_a_refresh);
        scope.spawn(locked_during_a_revocation);
    });
}

fn locked_during_a_consent() {
    let rig = Rig::new();
    let (lock, locks) = locks(&rig);
    let crowd = Crowd::telling(1, |_| Will::Grant, move |_| locks());
    let run = rig.run(&register(LICENSE, &["--browser", &crowd.browser()]));
    run.exits(7).answers_nothing().says("was granted, but the grant can't be stored yet").says(BUSY);
    assert_eq!((rig.counted("token_issued"), &rig.only()["conditions"]), (1, &json!(["granted_not_stored"])));
    rig.keeps_secrets(&[]);
    drop(lock.lock().unwrap().take());
    go_on(&rig, &[]);
    is_whole(&rig);
    assert_eq!(rig.counted("token_issued"), 1, "without a new consent");
}

fn locked_during_a_refresh() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let config = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    let proxy = Proxy::of(&rig);
    let asking = rig.start(&["token", LICENSE, "--min-valid", "60m"]);
    proxy.seen.recv().unwrap();
    let lock = Lock::on(&rig.file("ledger.db"));
    proxy.go.send(()).unwrap();
    let run = Run::of(asking.wait_with_output().unwrap());
    run.exits(7).answers_nothing().says("was refreshed, but its new tokens can't be stored yet");
    assert_eq!(
        (rig.counted("token_rotated"), &rig.only()["conditions"]),
        (1, &json!(["granted_not_stored"]))
    );
    rig.keeps_secrets(&[]);
    drop(lock);
    std::fs::write(rig.file("config.toml"), config).unwrap();
    let run = rig.run(&["token", LICENSE]).exits(0);
    assert_eq!((rig.counted("token_rotated"), &rig.only()["conditions"]), (1, &json!([])));
    assert_eq!(run.out, format!("{}\n", rig.live(LICENSE).unwrap().access.expose()));
    assert!(rig.accepts(&rig.live(LICENSE).unwrap()));
}

fn locked_during_a_revocation() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let (lock, locks) = locks(&rig);
    let revocations = Revocations::of(&rig, move |_| {
        locks();
        None
    });
    rig.run(&["deactivate", LICENSE, "--yes"]).exits(7).says(BUSY);
    assert_eq!((revocations.asked(), rig.counted("token_revoked")), (1, 1));
    let it = rig.only();
    assert!(it["next_command"].as_str().unwrap().contains(" deactivate "), "{it}");
    drop(lock.lock().unwrap().take());
    go_on(&rig, &[]);
    assert_eq!((&rig.only()["state"], &rig.only()["conditions"]), (&"deactivated".into(), &json!([])));
}
