//! `history`, as its users meet it: what it shows, what `verify` finds, and what `prune` leaves.

use crate::support::screen::Screen;
use crate::support::seed::store;
use crate::support::stored::key;
use crate::support::{Rig, admin, valid};
use biotrack_auth::model::flow::Change;
use biotrack_auth::model::history::{Event, Happened};
use rusqlite::Connection;

/// A rig with a licence that was granted and renewed, and another.
fn lived() -> Rig {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.register("=L-2").exits(0);
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    rig
}

fn tamper(rig: &Rig, statements: &str) {
    let db = Connection::open(rig.file("ledger.db")).unwrap();
    db.execute_batch(statements).unwrap();
}

#[test]
fn it_shows_what_happened_in_every_form() {
    let rig = lived();
    let all = rig.run(&["history", "--json"]).exits(0).json();
    valid("history", &all);
    let links = all["links"].as_array().unwrap();
    let events: Vec<_> = links.iter().map(|link| link["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["asked", "granted", "asked", "granted", "asked", "renewed"]);
    let one = rig.run(&["history", "L-1", "--json"]).exits(0).json();
    assert_eq!(one["links"].as_array().unwrap().len(), 4);
    rig.run(&["history", "nobody"]).exits(9).answers_nothing();
    let table = rig.run(&["history"]).exits(0).says_nothing().out;
    assert_eq!(table.lines().count(), 7, "{table}");
    let lines = rig.run(&["history", "--format", "jsonl"]).exits(0).out;
    assert_eq!(lines.lines().count(), 6);
    rig.run(&["history", "--format", "csv"]).exits(0).answers(",'=L-2,granted,");
    rig.run(&["history", "--json", "--format", "csv"]).exits(2);
    let none = rig.run(&["history", "--since", "2100-01-01", "--json"]).exits(0).json();
    assert!(none["links"].as_array().unwrap().is_empty());
    let recent = rig.run(&["history", "--since", "1h", "--json"]).exits(0).json();
    assert_eq!(recent["links"].as_array().unwrap().len(), 6);
    rig.run(&["history", "--since", "soon"]).exits(2).says("30d");
    rig.run(&["history", "--json"]).exits(0);
    Rig::new().run(&["history"]).exits(0).answers("Nothing has happened yet");
}

#[test]
fn in_a_file_verify_names_the_first_link_that_does_not_fit() {
    let rig = lived();
    let whole = rig.run(&["history", "verify", "--json"]).exits(0).json();
    valid("history-verify", &whole);
    assert_eq!((&whole["whole"], &whole["links"]), (&true.into(), &6.into()));
    rig.run(&["history", "verify"])
        .exits(0)
        .answers("The history is whole: 6 links.")
        .answers(whole["head"].as_str().unwrap());

    for (statements, number, license) in [
        ("UPDATE history SET detail = 'by eve' WHERE seq = 4", 4, Some("=L-2")),
        ("UPDATE history SET at = '2020-01-01T00:00:00Z' WHERE seq = 1", 1, Some("L-1")),
        ("UPDATE history SET hash = zeroblob(32) WHERE seq = 2", 2, Some("L-1")),
        ("UPDATE history SET detail = x'ff' WHERE seq = 3", 3, Some("=L-2")),
        ("DELETE FROM history WHERE seq = 3", 3, None),
        ("DELETE FROM history WHERE seq = 6", 6, None),
        ("DELETE FROM history", 1, None),
        ("UPDATE history SET seq = 60 WHERE seq = 6", 6, None),
        ("DELETE FROM history WHERE seq > 4; DELETE FROM history_head", 4, None),
    ] {
        let rig = lived();
        let without = "DROP TRIGGER history_is_not_rewritten; DROP TRIGGER history_is_not_cut; PRAGMA foreign_keys = off;";
        tamper(&rig, &format!("{without} {statements}"));
        let broken = rig.run(&["history", "verify", "--json"]).exits(1).json();
        valid("history-verify", &broken);
        assert_eq!(broken["broken"]["number"], number, "{statements}: {broken}");
        if let Some(license) = license {
            assert_eq!(broken["broken"]["license"], license, "{statements}");
            rig.run(&["history", "verify"]).exits(1).answers(license);
        }
        rig.run(&["history", "verify"]).exits(1).answers(&format!("number {number}"));
        rig.run(&["history", "prune", "--before", "2100-01-01", "--yes"]).exits(1).says("history verify");
    }
}

#[test]
fn in_a_file_the_ledger_itself_lets_nobody_rewrite_or_cut_it() {
    let rig = lived();
    let db = Connection::open(rig.file("ledger.db")).unwrap();
    for statement in
        ["UPDATE history SET detail = ''", "DELETE FROM history WHERE seq = 6", "DELETE FROM history"]
    {
        assert!(db.execute(statement, []).is_err(), "{statement}");
    }
    rig.run(&["history", "verify"]).exits(0);
}

#[test]
fn in_a_file_what_is_pruned_leaves_an_anchor_that_the_rest_verifies_from() {
    let rig = lived();
    rig.run(&["history", "prune", "--yes"]).exits(0).answers("Nothing of the history is older");
    rig.run(&["history", "prune", "--before", "2100-01-01"]).exits(2).says("less than five years ago");
    let at = rig.run(&["history", "--json"]).exits(0).json()["links"][3]["at"].as_str().unwrap().to_owned();
    let hash = rig.run(&["history", "--json"]).exits(0).json()["links"][2]["hash"].clone();
    let pruned = rig.run(&["history", "prune", "--before", &at, "--yes", "--json"]).exits(0).json();
    valid("history-prune", &pruned);
    assert_eq!((&pruned["pruned"], &pruned["anchor"]["number"]), (&3.into(), &3.into()));
    assert_eq!(pruned["anchor"]["hash"], hash);
    let verified = rig.run(&["history", "verify", "--json"]).exits(0).json();
    assert_eq!((&verified["links"], &verified["anchor"]), (&4.into(), &pruned["anchor"]));
    rig.run(&["history", "verify"]).exits(0).answers("Links 1 to 3");
    let left = rig.run(&["history", "--json"]).exits(0).json();
    let last = left["links"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["event"], &last["license"]), (&"pruned".into(), &serde_json::Value::Null));
    // And again, down to nothing but the last link.
    rig.run(&["history", "prune", "--before", "2100-01-01", "--yes"])
        .exits(0)
        .answers("4 links were removed");
    rig.run(&["history", "verify"]).exits(0).answers("whole: 1 link");
    rig.register("L-3").exits(0);
    rig.run(&["history", "verify"]).exits(0).answers("whole: 3 links");
    // An anchor that is moved doesn't hold.
    tamper(&rig, "UPDATE history_anchor SET hash = zeroblob(32)");
    rig.run(&["history", "verify"]).exits(1).answers("number 8");
}

#[test]
fn what_is_old_is_pruned_only_with_a_yes() {
    let rig = Rig::new();
    let event = |at: &str| Event {
        at: at.parse().unwrap(),
        profile: "local-sandbox".into(),
        key: key("L-1"),
        happened: Happened::Asked,
        detail: String::new(),
    };
    let mut ledger = rig.ledger();
    let record = store("L-1", "2002-01-01T00:00:00Z");
    let events = ["2001-01-01T00:00:00Z", "2001-01-01T00:00:00.5Z", "2002-01-01T00:00:00Z"].map(event).into();
    let change = Change { expect: record.generation, record, moves: Vec::new(), closes: None, events };
    ledger.commit(&[change]).unwrap().pop().unwrap().unwrap();
    drop(ledger);
    rig.register("L-2").exits(0);
    rig.run(&["history", "prune", "--before", "0s"]).exits(2).says("five years");
    rig.run(&["history", "prune"]).exits(2).says("remove 3 links").says("needs a yes");
    rig.run(&["history", "prune", "--before", "2001-06-01", "--yes"])
        .exits(0)
        .answers("2 links were removed");
    let run = rig.run(&["history", "prune", "--yes"]).exits(0).answers("1 link was removed");
    run.answers("Links 1 to 3 (up to 2002-01-01T00:00:00Z)");
    rig.run(&["history", "verify"]).exits(0).answers("whole: 4 links");
}

#[test]
fn in_a_file_an_older_ledger_is_left_alone_by_doctor_and_migrated_with_its_head_by_whoever_reads_it() {
    let rig = lived();
    let db = Connection::open(rig.file("ledger.db")).unwrap();
    // As schema 3 had it.
    db.execute_batch(
        "DROP TRIGGER history_is_not_cut; DROP TABLE history_head; DROP TABLE history_anchor; DROP TABLE left_item;
         DROP INDEX flow_of_a_licence; DROP INDEX refresh_of_a_licence;
         CREATE UNIQUE INDEX flow_of_a_licence ON flow (profile, ubi, license);
         DROP INDEX flow_by_state; ALTER TABLE flow DROP COLUMN state_hash; DROP TABLE spent_state;
         DROP INDEX authorization_by_end; DROP INDEX authorization_given_up; DROP INDEX authorization_noted;
         DROP INDEX authorization_by_license; DROP INDEX authorization_by_ocm_license;
         DROP INDEX authorization_by_name; DROP INDEX flow_by_licence;
         CREATE INDEX authorization_by_expiry ON authorization (profile, expires_at);
         ALTER TABLE authorization DROP COLUMN last_used_at",
    )
    .unwrap();
    db.pragma_update(None, "user_version", 3).unwrap();
    drop(db);
    rig.run(&["doctor"])
        .exits(0)
        .answers("schema 3; the next command makes it 8, and keeps a copy beside it");
    assert!(!rig.file("ledger.db.schema-3").exists());
    rig.run(&["history", "verify"]).exits(0).answers("whole: 6 links");
    assert!(rig.file("ledger.db.schema-3").exists());
    rig.run(&["doctor"]).exits(0).answers("schema 8: sound");
    rig.register("L-3").exits(0);
    rig.run(&["history", "verify"]).exits(0).answers("whole: 8 links");
}

#[test]
fn eighty_columns_are_enough() {
    let rig = lived();
    let screen = Screen::new(rig.home(), 80, &["bash", "--norc", "--noprofile", "-i"]);
    screen.types("PS1=; clear; biotrack-auth history; echo do''ne").key("Enter");
    let seen = screen.shows("done");
    assert_eq!(seen.lines().take_while(|line| !line.starts_with("done")).count(), 7, "{seen}");
    assert!(seen.contains("renewed  L-1"), "{seen}");
}
