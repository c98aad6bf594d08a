//! `history`, in this process: what it shows, what `verify` finds, and what `prune` leaves.

use crate::rig::seed::store;
use crate::rig::{PROFILE, Person, Rig, key, register};
use crate::snapshot;
use biotrack_auth::model::flow::RecordCommit;
use biotrack_auth::model::history::{HistoryEvent, HistoryEventKind};
use rusqlite::Connection;

/// A license that was granted and renewed, and another, on three days.
fn lived() -> Rig {
    let rig = Rig::new();
    rig.grant("L-1").exits(0);
    rig.days_pass(1);
    rig.run(&register("=L-2")).exits(0);
    rig.days_pass(1);
    rig.run("renew L-1 --browser scripted").exits(0);
    rig
}

/// Links older than five years beside younger ones.
fn old() -> Rig {
    let rig = Rig::new();
    let event = |at: &str| HistoryEvent {
        at: at.parse().unwrap(),
        profile: PROFILE.into(),
        key: key("L-1"),
        happened: HistoryEventKind::Asked,
        detail: String::new(),
        failure: None,
    };
    let record = store("L-1", "2002-01-01T00:00:00Z");
    let events = ["2001-01-01T00:00:00Z", "2001-01-01T00:00:00.5Z", "2002-01-01T00:00:00Z"].map(event).into();
    let change = RecordCommit { record, moves: Vec::new(), ends: None, events };
    rig.ledger().commit(&[change]).unwrap().pop().unwrap().unwrap();
    rig.grant("L-2").exits(0);
    rig
}

fn tamper(rig: &Rig, statements: &str) {
    Connection::open(rig.file("ledger.db")).unwrap().execute_batch(statements).unwrap();
}

/// As who has the file and knows SQL.
fn without_guards(rig: &Rig, statements: &str) {
    let dropped =
        "DROP TRIGGER history_is_not_rewritten; DROP TRIGGER history_is_not_cut; PRAGMA foreign_keys = off;";
    tamper(rig, &format!("{dropped} {statements}"));
}

#[test]
fn it_lists_what_happened_oldest_first() {
    snapshot!(lived().run("history"));
}

#[test]
fn eighty_columns_are_enough() {
    snapshot!(lived().with(Person::watching().with_columns(80)).run("history"));
}

#[test]
fn json() {
    snapshot!(lived().run("history --json"));
}

#[test]
fn jsonl() {
    snapshot!(lived().run("history --format jsonl"));
}

#[test]
fn csv() {
    snapshot!(lived().run("history --format csv"));
}

#[test]
fn one_license() {
    snapshot!(lived().run("history L-1"));
}

#[test]
fn since_some_time_ago_a_day_or_an_instant() {
    let rig = lived();
    let since = |text: &str| rig.run(&format!("history --since {text}")).exits(0).out;
    let shown = since("30h");
    insta::assert_snapshot!(shown);
    assert_eq!(since("2026-03-03"), shown);
    assert_eq!(since("2026-03-03T15:00:00Z"), shown);
    rig.run("history --since 2100-01-01").is(0, "No events.\n", "");
    snapshot!("since_what_is_no_time", rig.run("history --since soon"));
}

#[test]
fn nothing_has_happened_yet() {
    let rig = Rig::new();
    rig.run("history").is(0, "No events.\n", "");
    snapshot!("nothing_as_json", rig.run("history --json"));
    rig.run("history verify").is(0, "The history is intact: 0 entries.\n", "");
}

#[test]
fn a_license_that_is_not_there_is_refused() {
    let rig = lived();
    snapshot!("not_found", rig.run("history nobody"));
    snapshot!("two_formats", rig.run("history --json --format csv"));
}

#[test]
fn a_hand_off_a_refusal_and_an_end_are_told() {
    let rig = lived();
    rig.visits([crate::rig::Visit::Denies]);
    rig.run(&register("L-3")).exits(6);
    rig.run("renew L-1 --no-wait").exits(0);
    rig.run("deactivate =L-2 --yes --reason 'store closed'").exits(0);
    snapshot!(rig.run("history --since 1h"));
}

#[test]
fn verify_says_that_it_is_whole_and_its_head() {
    let rig = lived();
    snapshot!("whole", rig.run("history verify"));
    snapshot!("whole_as_json", rig.run("history verify --json"));
}

#[test]
fn verify_names_the_first_link_that_does_not_fit() {
    let mut told = Vec::new();
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
        without_guards(&rig, statements);
        let broken = rig.run("history verify --json").exits(1).json();
        assert_eq!(broken["broken"]["number"], number, "{statements}: {broken}");
        if let Some(license) = license {
            assert_eq!(broken["broken"]["license"], license, "{statements}");
        }
        let words = rig.run("history verify").exits(1);
        assert_eq!(words.err, "");
        told.push(format!("> {statements}\n{}", words.out));
        let refused = rig.run("history prune --before 2100-01-01 --yes").exits(1);
        assert!(refused.out.is_empty() && refused.err.contains("history verify"), "{}", refused.transcript());
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_broken_history_as_json_and_what_prune_says_of_it() {
    let rig = lived();
    without_guards(&rig, "UPDATE history SET detail = 'by eve' WHERE seq = 4");
    snapshot!("broken_as_json", rig.run("history verify --json"));
    snapshot!("broken_is_not_pruned", rig.run("history prune --before 2100-01-01 --yes"));
}

#[test]
fn the_ledger_itself_lets_nobody_rewrite_or_cut_it() {
    let rig = lived();
    let db = Connection::open(rig.file("ledger.db")).unwrap();
    for statement in
        ["UPDATE history SET detail = ''", "DELETE FROM history WHERE seq = 6", "DELETE FROM history"]
    {
        assert!(db.execute(statement, []).is_err(), "{statement}");
    }
    rig.run("history verify").exits(0);
}

#[test]
fn what_is_pruned_leaves_an_anchor_that_the_rest_verifies_from() {
    let rig = lived();
    snapshot!("nothing_is_old", rig.run("history prune --yes"));
    snapshot!("too_young", rig.run("history prune --before 2100-01-01"));
    let links = rig.run("history --json").exits(0).json()["links"].clone();
    let at = links[3]["at"].as_str().unwrap();
    let done = rig.run(&format!("history prune --before {at} --yes --json"));
    assert_eq!((&done.json()["pruned"], &done.json()["anchor"]["hash"]), (&2.into(), &links[1]["hash"]));
    snapshot!("pruned_as_json", done);
    snapshot!("whole_from_the_anchor", rig.run("history verify"));
    snapshot!("whole_from_the_anchor_as_json", rig.run("history verify --json"));
    snapshot!("what_is_left", rig.run("history"));
    // And again, down to nothing but the last link.
    snapshot!("pruned_to_the_last_link", rig.run("history prune --before 2100-01-01 --yes"));
    rig.grant("L-3").exits(0);
    assert!(rig.run("history verify").exits(0).out.contains("The history is intact: 3 entries"));
    // An anchor that is moved doesn't hold.
    tamper(&rig, "UPDATE history_anchor SET hash = zeroblob(32)");
    snapshot!("a_moved_anchor", rig.run("history verify"));
}

#[test]
fn what_is_old_is_pruned_only_with_a_yes() {
    let rig = old();
    snapshot!("unattended", rig.run("history prune"));
    snapshot!("unattended_as_json", rig.run("history prune --json"));
    let no = rig.with(Person::answering(&[("Really remove 3 entries", "n")])).run("history prune");
    snapshot!("a_person_says_no", no);
    let yes = rig
        .with(Person::answering(&[("Really remove 2 entries", "y")]))
        .run("history prune --before 2001-06-01");
    snapshot!("a_person_says_yes", yes);
    let rest = rig.run("history prune --yes").exits(0);
    assert!(
        rest.out.contains("1 entry was removed.")
            && rest.out.contains("Entries 1 to 3 (up to 2001-12-31 19:00 EST)")
    );
    assert!(rig.run("history verify").exits(0).out.contains("The history is intact: 4 entries"));
}
