//! The program's clock, set to any instant by libfaketime (Debian's `faketime`), while the machine's stays; it may be set
//! again while the program runs. The monotonic clock is left alone, as a step of the real one leaves it.

use super::Rig;
use jiff::{SignedDuration, Timestamp};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library, wherever this machine's architecture has it.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists()).expect("faketime isn't installed: tests/run installs it")
}

/// The variables by which a program reads its clock from a file, at every look.
pub fn variables(file: &Path) -> [(&'static str, OsString); 6] {
    [
        ("LD_PRELOAD", library().into()),
        ("FAKETIME_TIMESTAMP_FILE", file.into()),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("FAKETIME_DONT_RESET", "1".into()),
        ("NO_FAKE_STAT", "1".into()),
    ]
}

/// Has a command read its clock from a file.
pub(super) fn told_by(command: &mut Command, file: &Path) {
    command.envs(variables(file));
}

fn machine() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    Timestamp::now()
}

/// An instant in RFC 3339.
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Rig {
    /// Sets the program's clock; it goes on ticking from there. Every command from now on, and those that run, are told.
    pub fn set_clock(&mut self, now: Timestamp) {
        self.step_clock(now);
        self.clock = Some(self.elsewhere("clock"));
        // It must bite: a binary without libc's clock would go on by the machine's.
        let told: Timestamp = self.status()["generated_at"].as_str().unwrap().parse().unwrap();
        let off = told.duration_since(now);
        assert!(off.abs() < SignedDuration::from_mins(5), "the clock says {told}, not {now}");
    }

    /// The same for one that is set already; also while the program runs.
    pub fn step_clock(&self, now: Timestamp) {
        // Whole seconds, and never behind: at midnight a clock that is a part of a second behind tells the day before.
        let ahead = now.duration_since(machine()).as_secs() + 1;
        // Put in place whole: the program reads it at any moment.
        let (new, file) = (self.elsewhere("clock.new"), self.elsewhere("clock"));
        std::fs::write(&new, format!("{ahead:+}s\n")).unwrap();
        std::fs::rename(new, file).unwrap();
    }

    /// Sets the program's clock and the provider's alike.
    pub fn set_time(&mut self, now: Timestamp) {
        self.sandbox().set_now(now);
        self.set_clock(now);
    }
}
