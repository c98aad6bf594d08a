//! S39: a ledger that is cut, flipped, empty, no ledger at all or newer: refused, never begun anew.

use super::points::stride;
use crate::support::{Rig, Run, admin};
use rusqlite::Connection;
use std::fs;

/// A home with two licenses, all of whose ledger is in its one file.
fn lived() -> Rig {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.register("L-2").exits(0);
    let db = Connection::open(rig.file("ledger.db")).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    rig
}

impl Rig {
    /// The ledger's file is this, and nothing lies beside it.
    fn lays(&self, ledger: &[u8]) {
        for beside in ["ledger.db-wal", "ledger.db-shm"] {
            let _ = fs::remove_file(self.file(beside));
        }
        fs::write(self.file("ledger.db"), ledger).unwrap();
    }

    /// Whatever is asked of it, it's refused as damaged, nobody is asked, and the file stays as it is.
    #[track_caller]
    fn refuses(&self, ledger: &[u8], what: &str) {
        self.lays(ledger);
        let known = self.truth().len();
        for arguments in [
            &["status"][..],
            &["status", "--json"],
            &["token", "L-1"],
            &["renew", "L-1", "--browser", &admin()],
            &["register", "--ubi", "604001", "--license", "L-3", "--username", "a@b.example", "--no-wait"],
            &["deactivate", "L-1", "--yes"],
            &["history", "verify"],
        ] {
            let run = calm(self.run(arguments), what);
            assert_eq!(run.code, 7, "{what}: {arguments:?}: {run:?}");
            assert!(run.err.contains("ledger.db"), "{what}: {arguments:?}: {run:?}");
        }
        assert_eq!(self.run(&["status", "--check"]).code, 3, "{what}: a lost ledger must not look healthy");
        assert_eq!(self.run(&["doctor"]).code, 1, "{what}");
        assert_eq!(self.truth().len(), known, "{what}: somebody was asked");
        assert!(fs::read(self.file("ledger.db")).unwrap() == ledger, "{what}: the file was written to");
    }
}

#[track_caller]
fn calm(run: Run, what: &str) -> Run {
    assert!(!run.err.contains("panicked at") && run.code >= 0, "{what}: {run:?}");
    run
}

#[test]
fn what_is_no_ledger_any_more_is_refused_and_left_as_it_is() {
    let rig = lived();
    let whole = fs::read(rig.file("ledger.db")).unwrap();
    let (pages, text) = (whole.len() / 4096, b"no ledger at all, but a text of more than sixteen bytes");
    rig.refuses(b"", "empty");
    rig.refuses(text, "a text");
    rig.refuses(&vec![0; whole.len()], "zeros");
    for page in (1..pages).step_by(stride().min(pages / 2)) {
        rig.refuses(&whole[..page * 4096], &format!("cut after {page} of {pages} pages"));
    }
    rig.lays(&whole);
    assert_eq!(rig.status()["summary"]["active"], 2);
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
}

#[test]
fn a_ledger_that_is_cut_within_a_page_is_refused_or_shows_all_that_was() {
    let rig = lived();
    let (whole, before) = (fs::read(rig.file("ledger.db")).unwrap(), rig.status()["authorizations"].clone());
    for cut in [1, 100, 4000].into_iter().chain((1..8).map(|nth| nth * whole.len() / 8 + 100)) {
        let what = format!("its last {cut} bytes are missing");
        rig.lays(&whole[..whole.len() - cut]);
        let run = calm(rig.run(&["status", "--json"]), &what);
        assert!(run.code == 7 || run.json()["authorizations"] == before, "{what}: {run:?}");
        // What is missing may have been free, at the end of an index's page: then nothing is.
        if rig.run(&["doctor"]).code != 1 {
            assert!(cut < 4096 && run.code == 0, "{what}: {run:?}");
            rig.run(&["history", "verify"]).exits(0);
        }
    }
}

#[test]
fn a_ledger_that_was_emptied_keeps_its_log_and_one_that_was_taken_away_is_begun_anew() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let (whole, log) =
        (fs::read(rig.file("ledger.db")).unwrap(), fs::read(rig.file("ledger.db-wal")).unwrap());
    assert!(!log.is_empty());
    fs::write(rig.file("ledger.db"), "").unwrap();
    rig.run(&["status"]).exits(7).says("has been emptied");
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(7).says("has been emptied");
    assert!(fs::read(rig.file("ledger.db-wal")).unwrap() == log, "the log is gone, too");
    fs::write(rig.file("ledger.db"), whole).unwrap();
    assert_eq!(rig.only()["state"], "active");
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        fs::remove_file(rig.file(file)).unwrap();
    }
    rig.run(&["status", "--check"]).exits(3);
    rig.register("L-2").exits(0);
    assert_eq!(rig.only()["license"], "L-2");
}

#[test]
fn a_flipped_byte_anywhere_ends_nothing_and_begins_nothing_anew() {
    let rig = lived();
    let whole = fs::read(rig.file("ledger.db")).unwrap();
    let before = rig.status()["authorizations"].clone();
    let (mut told, mut differs, mut same) = (0, 0, 0);
    // A prime, so that every place within a page has its turn.
    let step = if stride() == 1 { 101 } else { 4001 };
    for at in (0..whole.len()).step_by(step) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0xff;
        rig.lays(&flipped);
        let what = format!("byte {at} of {}", whole.len());
        let run = calm(rig.run(&["status", "--json"]), &what);
        for arguments in [&["token", "L-1"][..], &["history", "verify"]] {
            let run = calm(rig.run(arguments), &what);
            assert!([0, 1, 2, 4, 7, 9].contains(&run.code), "{what}: {run:?}");
        }
        match run.code {
            0 if run.json()["authorizations"] == before => same += 1,
            // SQLite keeps no sums of its rows: a letter of a name may be another.
            0 => differs += 1,
            _ => {
                told += 1;
                run.exits(7);
            }
        }
        if calm(rig.run(&["renew", "L-1", "--browser", &admin()]), &what).code != 0 {
            // Nothing came of it, so nothing may have been made anew either.
            assert!(fs::metadata(rig.file("ledger.db")).unwrap().len() >= whole.len() as u64, "{what}");
        }
    }
    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    {
        println!("a flipped byte: {told} fired as damaged, {differs} shown, {same} not in what status reads");
    }
    rig.lays(&whole);
    assert_eq!(rig.status()["authorizations"], before);
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let rig = lived();
    let db = Connection::open(rig.file("ledger.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(db);
    let ledger = fs::read(rig.file("ledger.db")).unwrap();
    rig.refuses(&ledger, "schema 99");
    let status = rig.run(&["status"]).exits(7).says("written by a newer biotrack-auth (schema 99;");
    status.says("Install the newer version");
}
