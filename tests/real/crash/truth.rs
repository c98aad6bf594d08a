//! What must hold after a process has died: the program's word against the sandbox's log.

use crate::support::stored::hashed;
use crate::support::{Rig, Run, admin};
use biotrack_auth::model::flow::SecretRole;
use serde_json::Value;
use std::collections::BTreeSet;

/// The license of every test here.
pub const LICENSE: &str = "L-1";

/// How a record stood after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// Nothing was issued or revoked, and the record says so.
    Before,
    /// The provider acted, and the record says that it's uncertain.
    Uncertain,
    /// The provider acted, and the record has it.
    Done,
}

fn of_event<'t>(truth: &'t [Value], event: &'t str) -> impl Iterator<Item = &'t Value> {
    truth.iter().filter(move |line| line["event"] == event)
}

/// The grants that were issued for a license.
fn issued<'t>(truth: &'t [Value], license: &str) -> impl Iterator<Item = &'t Value> {
    of_event(truth, "token_issued").filter(move |line| line["license"] == license)
}

/// The newest grant that was ever issued for a license: its access token's hash.
fn newest<'t>(truth: &'t [Value], license: &str) -> Option<&'t str> {
    issued(truth, license).last().and_then(|line| line["access_sha256"].as_str())
}

/// The record, as a fresh process shows it.
pub fn record(rig: &Rig) -> Option<Value> {
    record_of(rig, LICENSE)
}

/// The same of any license.
pub fn record_of(rig: &Rig, license: &str) -> Option<Value> {
    let status = rig.status();
    status["authorizations"].as_array().unwrap().iter().find(|it| it["license"] == license).cloned()
}

/// Compares what a fresh process says with what the sandbox logged since its first `known` lines.
#[track_caller]
pub fn holds(rig: &Rig, known: usize) -> Found {
    holds_of(rig, LICENSE, known)
}

/// Whether something is told to be uncertain, or to wait for the vault or the ledger.
fn is_open(record: &Value) -> bool {
    let conditions = record["conditions"].as_array().unwrap();
    ["uncertain", "granted_not_stored"].iter().any(|it| conditions.contains(&(*it).into()))
}

/// The same of any license.
#[track_caller]
pub fn holds_of(rig: &Rig, license: &str, known: usize) -> Found {
    let truth = rig.truth();
    let issued = issued(&truth[known..], license).count();
    let Some(record) = record_of(rig, license) else {
        assert_eq!(issued, 0, "a grant was issued, and there is no record");
        return Found::Before;
    };
    rig.keeps_secrets(&[]);
    let uncertain = is_open(&record);
    assert!(!uncertain || record["next_command"].is_string(), "{record}");
    let live = rig.live(license);
    if record["state"] == "active" && !gives_up(&record) {
        let live = live.as_ref().expect("active without tokens");
        assert!(rig.accepts(live), "active, and the provider refuses its token: {record}");
    }
    let has_newest =
        live.is_some_and(|live| Some(hashed(live.access.expose()).as_str()) == newest(&truth, license));
    let done = record["state"] == "active" && has_newest && !uncertain;
    match (issued > 0, uncertain) {
        (false, false) => Found::Before,
        // Sent, and nothing came of it: the program can't know.
        (false, true) | (true, true) => Found::Uncertain,
        (true, false) => {
            assert!(done, "a grant was issued, and it's silently lost: {record}");
            Found::Done
        }
    }
}

/// Whether a deactivation is under way: then the token may be dead already.
pub fn gives_up(record: &Value) -> bool {
    record["next_command"].as_str().is_some_and(|next| next.contains(" deactivate "))
}

/// After a deactivation that was killed.
#[track_caller]
pub fn holds_given_up(rig: &Rig, known: usize) -> Found {
    let truth = rig.truth();
    let revoked = of_event(&truth[known..], "token_revoked").count() > 0;
    let record = record(rig).unwrap();
    rig.keeps_secrets(&[]);
    if record["state"] == "deactivated" {
        return Found::Done;
    }
    let uncertain = is_open(&record);
    assert!(!uncertain || record["next_command"].is_string(), "{record}");
    assert!(uncertain || !revoked, "the grant is revoked, and the record doesn't say so: {record}");
    if uncertain { Found::Uncertain } else { Found::Before }
}

/// After a grant that awaits approval was accepted or discarded by a command that was killed: the license stays in use.
#[track_caller]
pub fn holds_in_use(rig: &Rig) -> Found {
    let record = record(rig).unwrap();
    rig.keeps_secrets(&[]);
    assert_eq!(record["state"], "active", "{record}");
    let live = rig.live(LICENSE).expect("active without tokens");
    assert!(rig.accepts(&live), "active, and the provider refuses its token: {record}");
    let has = |condition: &str| record["conditions"].as_array().unwrap().contains(&condition.into());
    match (has("awaiting_approval"), has("revocation_pending")) {
        (true, _) => Found::Before,
        (false, true) => Found::Uncertain,
        (false, false) => Found::Done,
    }
}

/// Runs the command that the record names, or this one, through the admin.
#[track_caller]
pub fn go_on(rig: &Rig, otherwise: &[&str]) -> Run {
    go_on_with(rig, LICENSE, otherwise)
}

/// The same of any license.
#[track_caller]
pub fn go_on_with(rig: &Rig, license: &str, otherwise: &[&str]) -> Run {
    let next = record_of(rig, license).and_then(|record| record["next_command"].as_str().map(str::to_owned));
    // Nobody has an answer to send back.
    let next = next.filter(|next| !next.contains(" complete "));
    let mut words = match next {
        None if otherwise.is_empty() => vec!["renew".to_owned(), license.to_owned()],
        Some(next) => shlex::split(&next).unwrap().split_off(1),
        None => otherwise.iter().map(|&word| word.to_owned()).collect(),
    };
    match words[0].as_str() {
        "deactivate" if !words.contains(&"--yes".to_owned()) => words.push("--yes".into()),
        "deactivate" => {}
        "renew" if words.iter().any(|word| word == "--awaiting") => words.push("--yes".into()),
        // A refresh that was lost: nobody is asked.
        "exec" => {}
        _ if words.contains(&"--browser".to_owned()) => {}
        _ => words.extend(["--browser".into(), admin()]),
    }
    rig.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).exits(0)
}

/// All is well: active, nothing open, the newest grant is in use and accepted, and no other is left over.
#[track_caller]
pub fn is_whole(rig: &Rig) {
    rig.only();
    is_whole_of(rig, LICENSE);
}

/// The same of any license.
#[track_caller]
pub fn is_whole_of(rig: &Rig, license: &str) {
    let record = record_of(rig, license).unwrap();
    assert_eq!(
        (&record["state"], &record["conditions"]),
        (&"active".into(), &serde_json::json!([])),
        "{record}"
    );
    let live = rig.live(license).unwrap();
    assert!(rig.accepts(&live), "{record}");
    let truth = rig.truth();
    assert_eq!(
        Some(hashed(live.access.expose()).as_str()),
        newest(&truth, license),
        "an older grant over a newer"
    );
    for role in [SecretRole::Superseded, SecretRole::Unwanted, SecretRole::Held] {
        assert!(rig.grants(license, role).is_empty(), "{role:?}");
    }
    rig.keeps_secrets(&[]);
}

/// All is given up: nothing kept, everything that was kept is revoked.
#[track_caller]
pub fn is_given_up(rig: &Rig, kept: &BTreeSet<String>) {
    assert_eq!(rig.only()["state"], "deactivated");
    assert_eq!(rig.only()["conditions"], serde_json::json!([]));
    for role in [SecretRole::Live, SecretRole::Superseded, SecretRole::Unwanted, SecretRole::Held] {
        assert!(rig.grants(LICENSE, role).is_empty(), "{role:?}");
    }
    let truth = rig.truth();
    let revoked: BTreeSet<_> =
        of_event(&truth, "token_revoked").map(|line| line["grant"].as_str().unwrap().to_owned()).collect();
    assert!(kept.is_subset(&revoked), "{kept:?} {revoked:?}");
}

/// After a refresh that was killed: compares what a fresh process says with what the sandbox logged since.
#[track_caller]
pub fn holds_refreshed(rig: &Rig, known: usize) -> Found {
    let truth = rig.truth();
    let rotated = of_event(&truth[known..], "token_rotated").last();
    let record = record(rig).unwrap();
    rig.keeps_secrets(&[]);
    let live = rig.live(LICENSE).expect("active without tokens");
    if is_open(&record) {
        let next = record["next_command"].as_str().unwrap();
        assert_eq!(next, format!("biotrack-auth exec 604001/{LICENSE} -- true"));
        return Found::Uncertain;
    }
    assert_eq!((&record["state"], &record["conditions"]), (&"active".into(), &serde_json::json!([])));
    assert!(rig.accepts(&live), "active, and the provider refuses its token: {record}");
    let Some(rotated) = rotated else { return Found::Before };
    let kept = live.refresh.map(|token| hashed(token.expose()));
    let issued = rotated["refresh_sha256"].as_str().map(str::to_owned);
    assert_eq!(kept, issued, "a refresh token was rotated, and the new one is silently lost: {record}");
    Found::Done
}

/// The next `token` behind the access token's end recovers what a refresh had left: it's refreshed, or the provider says
/// twice that the grant is dead, for the lost answer had rotated it; then the record says so, and a person consents.
#[track_caller]
pub fn is_recovered(rig: &Rig) {
    rig.age(LICENSE);
    let mut run = rig.run(&["token", LICENSE]);
    if run.code == 8 {
        assert_eq!(rig.only()["conditions"], serde_json::json!(["uncertain"]), "{run:?}");
        run = rig.run(&["token", LICENSE]);
    }
    let record = rig.only();
    assert_eq!(record["conditions"], serde_json::json!([]), "{run:?} {record}");
    rig.keeps_secrets(&[]);
    let live = rig.live(LICENSE).unwrap();
    if run.code == 0 {
        assert_eq!(run.out, format!("{}\n", live.access.expose()));
        assert!(rig.accepts(&live), "{record}");
        return;
    }
    run.exits(4).answers_nothing().says("biotrack-auth renew 604001/");
    assert_eq!(record["state"], "invalid");
    assert!(!rig.accepts(&live), "{record}");
    go_on(rig, &[]);
    is_whole(rig);
}
