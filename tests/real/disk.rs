//! A disk that is full, or can't be written: said before any browser opens; and room for the one answer that came.

use crate::crash::points::{at_each_point, stride};
use crate::crash::truth::{Found, LICENSE, holds, holds_given_up, holds_refreshed, is_given_up, is_whole};
use crate::support::{Rig, Run, admin, register};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small disk of its own, mounted over a rig's home.
struct Disk<'r> {
    rig: &'r Rig,
}

impl<'r> Disk<'r> {
    /// What the home holds already moves onto it.
    fn over(rig: &'r Rig) -> Self {
        let kept: Vec<_> =
            ["config.toml", "identity.txt"].map(|name| (name, fs::read(rig.file(name)).unwrap())).into();
        run("mount", &["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"], rig.home());
        for (name, content) in kept {
            fs::write(rig.file(name), content).unwrap();
            fs::set_permissions(rig.file(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { rig }
    }

    fn filler(&self) -> PathBuf {
        self.rig.file("filler")
    }

    /// Fills it, but for so many bytes; the ledger's log has no room left of its own.
    fn fill(&self, but: usize) {
        if self.filler().exists() {
            self.make_room();
        }
        if let Ok(db) = self.rig.ledger_as_it_is() {
            db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
        let _ = fs::write(self.filler(), vec![0; 1 << 20]);
        let size = fs::metadata(self.filler()).unwrap().len();
        fs::File::options()
            .write(true)
            .open(self.filler())
            .unwrap()
            .set_len(size.saturating_sub(but as u64))
            .unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Rig {
    /// SQLite's own connection to a ledger that is there.
    fn ledger_as_it_is(&self) -> rusqlite::Result<rusqlite::Connection> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
        let db = rusqlite::Connection::open_with_flags(self.file("ledger.db"), flags)?;
        // Else the log goes as it's closed, and who only reads would have to make it again.
        db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(db)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.rig.home()).status();
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str], last: &Path) {
    let output = Command::new(program).args(arguments).arg(last).output().unwrap();
    assert!(
        output.status.success(),
        "these tests mount a small disk: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Disk<'_> {
    /// From nothing left on, until it's enough: what it does with so many bytes left, and whether that was enough.
    #[track_caller]
    fn swept(&self, mut tried: impl FnMut(usize) -> bool) {
        let mut steps = 0;
        for free in (0..1 << 19).step_by(4096) {
            self.fill(free);
            steps += 1;
            if tried(free) {
                assert!(free > 0, "it wasn't full");
                #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
                {
                    println!("a full disk: {steps} steps of 4 KiB until it was enough fired");
                }
                return;
            }
        }
        panic!("it never was enough");
    }
}

/// It was refused for want of room.
#[track_caller]
fn is_full(run: &Run, free: usize) {
    assert!(matches!(run.code, 1 | 7), "{free} bytes left: {run:?}");
    assert!(run.out.is_empty() && run.err.contains("error: "), "{free} bytes left: {run:?}");
}

#[test]
fn a_full_disk_leaves_what_was_and_keeps_what_came() {
    let rig = Rig::new();
    let disk = Disk::over(&rig);
    rig.register("L-1").exits(0);
    let (mut before, mut known) = (rig.only(), rig.truth().len());
    let browser = admin();
    disk.swept(|free| {
        let run = rig.run(&["renew", "L-1", "--browser", &browser]);
        if run.code == 0 {
            return true;
        }
        is_full(&run, free);
        assert!(rig.accepts(&rig.live("L-1").unwrap()));
        if rig.truth().len() == known {
            assert_eq!(rig.only(), before);
            return false;
        }
        // There was room for the question, and none for the answer but what was reserved.
        assert_eq!(holds(&rig, known), Found::Uncertain, "{free} bytes left");
        disk.make_room();
        rig.run(&["renew", "L-1"]).exits(0);
        is_whole(&rig);
        (before, known) = (rig.only(), rig.truth().len());
        false
    });
    // What it replaced may still wait for room to be cleared away.
    assert_eq!(holds(&rig, known), Found::Done);
    disk.make_room();
    rig.run(&["renew", "L-1", "--browser", &browser]).exits(0);
    is_whole(&rig);
    assert_eq!(rig.only()["conditions"], serde_json::json!([]));
}

#[test]
fn a_full_disk_asks_nobody_for_a_first_grant_or_keeps_what_came() {
    let mut spooled = 0;
    // In CI greater steps: each has a home of its own.
    let step = if stride() == 1 { 4096 } else { 8 * 4096 };
    let enough = (0..1 << 19).step_by(step).find(|&free| {
        let rig = Rig::new();
        let disk = Disk::over(&rig);
        disk.fill(free);
        let run = rig.run(&register(LICENSE, &[]));
        if run.code == 0 {
            is_whole(&rig);
            return true;
        }
        is_full(&run, free);
        if rig.counted("code_issued") == 0 {
            // Even what reads may not find the room; what it says is never that all is well.
            let looked = rig.run(&["status", "--json"]);
            assert!(looked.code == 7 || looked.json()["summary"]["active"] == 0, "{looked:?}");
            return false;
        }
        // There was room for the question, and none for the answer but what was reserved.
        spooled += 1;
        assert_eq!(holds(&rig, 0), Found::Uncertain, "{free} bytes left");
        disk.make_room();
        rig.run(&UNATTENDED).exits(0);
        is_whole(&rig);
        assert_eq!(rig.counted("token_issued"), 1, "without a new consent");
        false
    });
    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    {
        println!(
            "a full disk: {enough:?} bytes are enough for a first ledger; {spooled} answers were spooled; fired"
        );
    }
    assert!(enough.is_some_and(|free| free > 0), "{enough:?}");
}

#[test]
fn a_full_disk_costs_no_refresh_token() {
    let rig = Rig::new();
    let disk = Disk::over(&rig);
    rig.register(LICENSE).exits(0);
    disk.swept(|free| {
        let known = rig.truth().len();
        let run = rig.run(&["token", LICENSE, "--min-valid", "60m"]);
        let found = holds_refreshed(&rig, known);
        if run.code == 0 {
            assert_eq!(found, Found::Done, "{free} bytes left");
            return true;
        }
        is_full(&run, free);
        if found != Found::Before {
            // There was room for the question, and none for the answer but what was reserved.
            disk.make_room();
            let again = rig.run(&["token", LICENSE]).exits(0);
            assert_eq!(again.out, format!("{}\n", rig.live(LICENSE).unwrap().access.expose()));
            assert_eq!(holds_refreshed(&rig, known), Found::Done, "without another refresh");
        }
        false
    });
}

#[test]
fn a_full_disk_gives_nothing_up_by_halves() {
    let rig = Rig::new();
    let disk = Disk::over(&rig);
    rig.register(LICENSE).exits(0);
    let truth = rig.truth();
    let kept = truth.iter().filter_map(|line| Some(line["grant"].as_str()?.to_owned())).collect();
    disk.swept(|free| {
        let known = rig.truth().len();
        let run = rig.run(&["deactivate", LICENSE, "--yes"]);
        let found = holds_given_up(&rig, known);
        if run.code == 0 {
            assert_eq!(found, Found::Done, "{free} bytes left");
            return true;
        }
        is_full(&run, free);
        false
    });
    is_given_up(&rig, &kept);
}

/// Registers with a browser that fills the disk: the grant ends in the spool.
#[track_caller]
fn into_the_spool(rig: &Rig) {
    // The ledger's room is given back just before the disk is filled, so that it has none for what comes.
    let script = rig.elsewhere("browser");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\nsqlite3 {0}/ledger.db 'PRAGMA wal_checkpoint(TRUNCATE)' || exit 1\n\
             cat /dev/zero >{0}/filler 2>/dev/null\nexec {1} \"$@\"\n",
            rig.home().display(),
            admin()
        ),
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let run = rig.run(&register(LICENSE, &["--browser", script.to_str().unwrap()]));
    run.exits(7).answers_nothing().says("was granted, but the grant can't be stored yet");
    assert_eq!(rig.counted("token_issued"), 1);
}

const UNATTENDED: [&str; 7] =
    ["register", "--ubi", "604001", "--license", LICENSE, "--username", "ann@example.com"];

#[test]
fn what_waits_in_the_spool_survives_a_kill_of_what_finishes_it() {
    let rig = Rig::new();
    let disk = Disk::over(&rig);
    into_the_spool(&rig);
    disk.make_room();
    let copy = |from: &Path, to: &Path| run("cp", &["-a", &format!("{}/.", from.display())], to);
    let (saved, home) = (rig.elsewhere("saved"), rig.home().to_owned());
    fs::create_dir(&saved).unwrap();
    copy(&home, &saved);
    let again = || {
        for entry in fs::read_dir(&home).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
        copy(&saved, &home);
    };
    let calls = rig.calls(&UNATTENDED);
    at_each_point("finish", 2, &calls, |call, nth| {
        again();
        rig.killed(call, nth, &UNATTENDED).then(|| {
            let found = holds(&rig, 0);
            if found != Found::Done {
                rig.run(&UNATTENDED).exits(0);
            }
            is_whole(&rig);
            assert_eq!(rig.counted("token_issued"), 1, "without a new consent");
            found
        })
    });
}

#[test]
fn a_disk_that_fills_up_during_the_consent_costs_no_grant() {
    let rig = Rig::new();
    let disk = Disk::over(&rig);
    into_the_spool(&rig);
    let it = rig.only();
    assert_eq!(
        it["conditions"],
        serde_json::json!(["granted_not_stored"]),
        "the spool knows more than the ledger: {it}"
    );
    assert!(it["next_command"].as_str().unwrap().starts_with("biotrack-auth register "));
    rig.keeps_secrets(&[]);

    // Still full: nothing is lost, and nothing new is asked.
    rig.run(&UNATTENDED).exits(7);
    disk.make_room();
    // No browser: it's finished without a new consent.
    rig.run(&UNATTENDED).exits(0);
    assert_eq!(rig.counted("token_issued"), 1);
    assert_eq!((&rig.only()["state"], &rig.only()["conditions"]), (&"active".into(), &serde_json::json!([])));
    assert!(rig.accepts(&rig.live("L-1").unwrap()));
}

#[test]
fn a_disk_that_cannot_be_written_is_said_before_the_browser_and_still_shows_the_status() {
    let rig = Rig::new();
    let _disk = Disk::over(&rig);
    rig.register("L-1").exits(0);
    let before = rig.only();
    let known = rig.truth().len();
    run("mount", &["-o", "remount,ro"], rig.home());
    let browser = admin();
    let run = rig.run(&["renew", "L-1", "--browser", &browser]);
    assert!(matches!(run.code, 1 | 7), "{}: {}", run.code, run.err);
    assert_eq!(rig.truth().len(), known);
    assert_eq!(rig.only(), before);
}
