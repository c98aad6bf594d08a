//! A disk that is full, or can't be written: said before any browser opens; and room for the one answer that came.

use crate::crash::points::at_each_point;
use crate::crash::truth::{Found, LICENSE, holds, is_whole};
use crate::support::{Rig, admin, register};
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

    /// Fills it, but for so many bytes.
    fn fill(&self, but: usize) {
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

#[test]
fn a_full_disk_is_said_before_the_browser_and_leaves_what_was() {
    let rig = Rig::new();
    let disk = Disk::over(&rig);
    rig.register("L-1").exits(0);
    let before = rig.only();
    let known = rig.truth().len();
    let browser = admin();
    // From nothing left on, until it's enough: each time all or nothing.
    for free in (0..).map(|pages| pages * 4096) {
        disk.fill(free);
        let run = rig.run(&["renew", "L-1", "--browser", &browser]);
        if run.code == 0 {
            assert!(free > 0, "it wasn't full");
            break;
        }
        assert!(matches!(run.code, 1 | 7), "{}: {}", run.code, run.err);
        assert_eq!(rig.truth().len(), known, "the browser was opened on a disk with {free} bytes left");
        assert_eq!(rig.only(), before);
        assert!(rig.accepts(&rig.live("L-1").unwrap()));
        assert!(free < 1 << 19, "it never was enough: {}", run.err);
    }
    assert!(rig.accepts(&rig.live("L-1").unwrap()));
    assert_eq!(rig.only()["conditions"], serde_json::json!([]));
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
        serde_json::json!(["uncertain"]),
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
