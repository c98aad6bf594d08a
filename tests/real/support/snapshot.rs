//! A home as it was, to be put back: one rig for many cases.

use super::{PROGRAM, Rig, Run, outside};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A copy of a home, with owners and modes.
pub struct Snapshot(TempDir);

impl Rig {
    /// Keeps the home as it is now.
    pub fn snapshot(&self) -> Snapshot {
        let kept = tempfile::tempdir().unwrap();
        copy(self.home().into(), kept.path().join("home"));
        Snapshot(kept)
    }

    /// Makes the home what it was, whatever is there in its place.
    pub fn put_back(&self, kept: &Snapshot) {
        let found = self.home().symlink_metadata().unwrap();
        if found.is_dir() { fs::remove_dir_all(self.home()) } else { fs::remove_file(self.home()) }.unwrap();
        copy(kept.0.path().join("home"), self.home().into());
    }

    /// The program in the rig's environment under a command of these words, and under a limit of time: one that hangs
    /// fails its test.
    pub fn under(&self, words: &[&str], arguments: &[&str]) -> Command {
        let bare = self.command(&[]);
        let mut command = outside("timeout");
        command.args(["--kill-after=5", "120"]).args(words).arg(PROGRAM).args(arguments).env_clear();
        command.envs(bare.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it so.
    #[track_caller]
    pub fn ends(&self, arguments: &[&str]) -> Run {
        Run::of(self.under(&[], arguments).output().unwrap()).calmly(arguments)
    }
}

impl Run {
    /// It neither hung nor panicked, and its code is one of those that are documented.
    #[track_caller]
    pub fn calmly(self, what: &[&str]) -> Self {
        let documented =
            (0..=9).contains(&self.code) || (125..=127).contains(&self.code) && what[0] == "exec";
        let panicked = self.err.contains("panicked") || self.err.contains("this is a bug");
        assert!(documented && !panicked, "{what:?}: {self:?}");
        self
    }
}

fn copy(from: PathBuf, to: PathBuf) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}
