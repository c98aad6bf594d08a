//! When a grant was last used: `token` and `exec` note it, once a day, and withhold no token where they can't.

use crate::rig::Rig;
use rusqlite::Connection;
use serde_json::Value;

const LICENSE: &str = "101-X0007-D1";

/// What `status` says of the last use.
fn last_use(rig: &Rig) -> Value {
    rig.run("status --json").exits(0).json()["authorizations"][0]["last_used_at"].clone()
}

#[test]
fn a_token_that_is_handed_out_is_noted_once_a_day() {
    let rig = Rig::new();
    let _ = rig.grant(LICENSE);
    let granted = rig.standing(LICENSE).record;
    assert_eq!(last_use(&rig), Value::Null);
    let _ = rig.run(&format!("token {LICENSE}")).exits(0);
    assert_eq!(last_use(&rig), "2026-03-02T15:00:00Z");
    // It's no change of the record: nobody who is at it has to begin anew.
    assert_eq!(rig.standing(LICENSE).record.generation, granted.generation);
    rig.minutes_pass(24 * 60 - 1);
    let _ = rig.run(&format!("token {LICENSE}")).exits(0);
    assert_eq!(last_use(&rig), "2026-03-02T15:00:00Z");
    rig.minutes_pass(1);
    let _ = rig.run(&format!("exec {LICENSE} -- report-sales")).exits(0);
    assert_eq!(last_use(&rig), "2026-03-03T15:00:00Z");
    let card = rig.run(&format!("status {LICENSE}")).exits(0);
    assert!(card.out.contains("\n  Last used       2026-03-03 10:00 EST\n"), "{}", card.out);
}

#[test]
fn where_no_token_is_handed_out_nothing_is_noted() {
    let rig = Rig::new();
    let _ = rig.grant(LICENSE);
    rig.days_pass(200);
    let _ = rig.run(&format!("token {LICENSE}")).exits(4);
    let _ = rig.run(&format!("exec {LICENSE} -- report-sales")).exits(125);
    assert_eq!(last_use(&rig), Value::Null);
}

#[test]
fn a_ledger_in_a_file_that_somebody_else_is_writing_withholds_no_token() {
    let rig = Rig::new();
    let _ = rig.grant(LICENSE);
    let other = Connection::open(rig.file("ledger.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let token = rig.run(&format!("token {LICENSE}")).exits(0);
    assert_eq!((token.out.as_str(), token.err.as_str()), ("access-1\n", ""));
    let ran = rig.run(&format!("exec {LICENSE} -- report-sales")).exits(0).ran.unwrap();
    assert!(ran.contains("BIOTRACK_ACCESS_TOKEN=access-1\n"), "{ran}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(last_use(&rig), Value::Null);
}
