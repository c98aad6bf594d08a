//! `history`, as its users meet it: what it shows, what `verify` finds, and what `prune` leaves.

use crate::support::seed::store;
use crate::support::stored::key;
use crate::support::{Rig, admin, valid};
use biotrack_auth::model::flow::RecordCommit;
use biotrack_auth::model::history::{HistoryEvent, HistoryEventKind};

/// A rig with a license that was granted and renewed, and another.
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
    Rig::new().run(&["history"]).exits(0).answers("No events.");
}

#[test]
fn what_is_old_is_pruned_only_with_a_yes() {
    let rig = Rig::new();
    let event = |at: &str| HistoryEvent {
        at: at.parse().unwrap(),
        profile: "local-sandbox".into(),
        key: key("L-1"),
        happened: HistoryEventKind::Asked,
        detail: String::new(),
        failure: None,
    };
    let mut ledger = rig.ledger();
    let record = store("L-1", "2002-01-01T00:00:00Z");
    let events = ["2001-01-01T00:00:00Z", "2001-01-01T00:00:00.5Z", "2002-01-01T00:00:00Z"].map(event).into();
    let change = RecordCommit { record, moves: Vec::new(), ends: None, events };
    ledger.commit(&[change]).unwrap().pop().unwrap().unwrap();
    drop(ledger);
    rig.register("L-2").exits(0);
    rig.run(&["history", "prune", "--before", "0s"]).exits(2).says("five years");
    rig.run(&["history", "prune"]).exits(2).says("remove 3 entries").says("confirmation needed");
    rig.run(&["history", "prune", "--before", "2001-06-01", "--yes"])
        .exits(0)
        .answers("2 entries were removed");
    let run = rig.run(&["history", "prune", "--yes"]).exits(0).answers("1 entry was removed");
    run.answers("Entries 1 to 3 (up to 2001-12-31 19:00 EST)");
    rig.run(&["history", "verify"]).exits(0).answers("intact: 4 entries");
}
