//! S31: any byte of a sealed blob flipped, or the rest cut off: a clean error, and the neighbors stay readable. The
//! vault's own test tries every position with the library; here the program meets them. CI takes some of the positions;
//! `BIOTRACK_TEST_ALL=1` takes all.

use super::{all, granted};
use crate::support::Rig;

fn blob(rig: &Rig, license: &str) -> Vec<u8> {
    let db = rusqlite::Connection::open(rig.file("ledger.db")).unwrap();
    let query = "SELECT blob FROM secret WHERE license = ?1 AND role = 'live'";
    db.query_row(query, [license], |row| row.get(0)).unwrap()
}

fn lay(rig: &Rig, license: &str, bytes: &[u8]) {
    let db = rusqlite::Connection::open(rig.file("ledger.db")).unwrap();
    let update = "UPDATE secret SET blob = ?2 WHERE license = ?1 AND role = 'live'";
    assert_eq!(db.execute(update, rusqlite::params![license, bytes]).unwrap(), 1);
}

#[test]
fn a_damaged_blob_is_told_and_harms_no_other_license() {
    let rig = granted(&["L-1", "L-2"]);
    let whole = blob(&rig, "L-1");
    let other = rig.live("L-2").unwrap();
    let (mut tried, step) = (0, if all() { 1 } else { whole.len().div_ceil(20) });
    for at in (0..whole.len()).step_by(step) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        for damaged in [flipped.as_slice(), &whole[..at]] {
            lay(&rig, "L-1", damaged);
            let run = rig.ends(&["token", "L-1"]).exits(7).answers_nothing();
            assert!(run.err.contains("L-1"), "{at}: {}", run.err);
            tried += 1;
        }
        let token = rig.ends(&["token", "L-2"]).exits(0).out;
        assert_eq!(token.trim_end(), other.access.expose(), "{at}");
    }
    // The control: whole again, it's as good as before.
    lay(&rig, "L-1", &whole);
    rig.ends(&["token", "L-1"]).exits(0);
    assert_eq!(rig.counted("token_rotated"), 0);
    assert_eq!(tried, 2 * whole.len().div_ceil(step));
}

#[test]
fn a_license_whose_tokens_cannot_be_read_can_be_renewed() {
    let rig = granted(&["L-1"]);
    lay(&rig, "L-1", b"age-encryption.org/v1\n");
    rig.ends(&["renew", "L-1", "--browser", &crate::support::admin()]).exits(0);
    rig.ends(&["token", "L-1"]).exits(0);
}

#[test]
fn a_blob_of_another_license_is_not_taken_for_its_own() {
    let rig = granted(&["L-1", "L-2"]);
    lay(&rig, "L-1", &blob(&rig, "L-2"));
    rig.ends(&["token", "L-1"])
        .exits(7)
        .answers_nothing()
        .says("was sealed for license L-2, not for license L-1");
}
