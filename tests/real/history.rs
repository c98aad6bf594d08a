//! `history`, as its users meet it: what it shows, what `verify` finds, and what `prune` leaves.

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
    run.answers("Links 1 to 3 (up to 2001-12-31 19:00 EST)");
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
