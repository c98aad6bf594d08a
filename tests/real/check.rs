//! `status --check`: each of its four codes, in the words that a monitoring daemon shows.

use crate::support::seed::{named, store};
use crate::support::{Rig, Run};
use biotrack_auth::model::authorization::Authorization;

/// A Wednesday.
const END: &str = "2026-03-11T12:00:00Z";

fn rig(records: &[Authorization]) -> Rig {
    let rig = Rig::new();
    rig.seed(records);
    rig
}

fn check(rig: &Rig, at: &str, more: &[&str]) -> Run {
    let mut arguments = vec!["status", "--check", "--at", at];
    arguments.extend(more);
    rig.run(&arguments).says_nothing()
}

/// One line on standard output, and 3.
#[track_caller]
fn unknown(run: Run, words: &str) {
    let run = run.exits(3).says_nothing().answers("BIOTRACK UNKNOWN: ").answers(words);
    assert_eq!(run.out.lines().count(), 1, "{}", run.out);
    assert_eq!(run.out.trim_end(), run.out.strip_suffix('\n').unwrap(), "a blank at the end");
    assert!(!run.out.contains('|'), "{}", run.out);
}

#[test]
fn expired_is_critical() {
    let rig = rig(&[named("L-1", "Hudson | St", END), store("L-2", "2026-06-10T12:00:00Z")]);
    let run = check(&rig, "2026-03-13T00:00:00Z", &[]).exits(2);
    assert_eq!(
        run.out,
        "BIOTRACK CRITICAL: 1 expired, 1 active, first: Hudson ¦ St | expired=1;;;0 invalid=0;;;0 due=0;;;0 \
         active=1;;;0 pending=0;;;0 deactivated=0;;;0 attention=0;;;0 days_left=-1\n\
         CRITICAL: 604001/L-1 (Hudson ¦ St): expired, lapsed 1 day ago, biotrack-auth renew 604001/L-1\n"
    );
}

#[test]
fn what_was_given_up_is_not_counted() {
    let gone = Authorization { deactivated_at: Some(END.parse().unwrap()), ..store("L-1", END) };
    let later = "2026-04-01T12:00:00Z";
    unknown(check(&rig(std::slice::from_ref(&gone)), later, &[]), "no licenses are registered");
    let rig = rig(&[gone, store("L-2", "2026-06-10T12:00:00Z")]);
    check(&rig, later, &[]).exits(0).answers("BIOTRACK OK: 1 active |");
}

#[test]
fn what_someone_should_look_at_is_a_warning() {
    let far = "2026-06-10T12:00:00Z";
    let held = Authorization { held_by: Some("boss@example.com".into()), ..store("L-1", far) };
    check(&rig(&[held]), "2026-03-13T00:00:00Z", &[])
        .exits(1)
        .answers("1 active, 1 needs attention, first: L-1 |");
    let invalid = Authorization { invalid_at: Some(END.parse().unwrap()), ..store("L-1", far) };
    check(&rig(&[invalid]), "2026-03-13T00:00:00Z", &[]).exits(2).answers("1 invalid");
}

#[test]
fn selectors_and_tags_narrow_it() {
    let tagged = Authorization { tags: vec!["downstate".parse().unwrap()], ..store("L-1", END) };
    let rig = rig(&[tagged, store("L-2", "2026-06-10T12:00:00Z")]);
    let late = "2026-03-13T00:00:00Z";
    check(&rig, late, &["L-2"]).exits(0);
    check(&rig, late, &["--tag", "downstate"]).exits(2);
    unknown(check(&rig, late, &["--tag", "upstate"]), "no licenses are registered or selected");
}

#[test]
fn whatever_keeps_it_from_looking_is_unknown() {
    let rig = rig(&[store("L-1", END)]);
    unknown(rig.run(&["status", "--check", "--wat"]), "--wat");
    unknown(rig.run(&["--wat|", "status", "--check"]), "unknown flag; it isn't repeated");
    unknown(rig.run(&["status", "--check", "-w", "14x"]), "the warning \"14x\" isn't a time");
    unknown(rig.run(&["status", "--check", "-c", "101%"]), "isn't a percentage from 0% to 100%");
    unknown(rig.run(&["status", "--check", "L-9"]), "no authorization matches \"L-9\"");
    unknown(rig.run(&["status", "--check", "--profile", "nobody"]), "nobody");
    unknown(rig.run(&["status", "--check", "--format", "csv"]), "cannot be used with");
    unknown(rig.run(&["status", "--check", "--output", "/nowhere/at/all"]), "/nowhere");
    unknown(Rig::unconfigured(&[]).run(&["status", "--check"]), "biotrack-auth config init");
    rig.spoil_the_ledger();
    unknown(rig.run(&["status", "--check"]), "ledger");
    std::fs::write(rig.file("config.toml"), "[profiles.ny\n").unwrap();
    unknown(rig.run(&["status", "--check"]), "config.toml");
}
