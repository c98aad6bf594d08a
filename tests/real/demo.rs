//! `sandbox demo`: README's first command.

use crate::support::{PROGRAM, Run};
use std::process::{Command, Stdio};

#[test]
fn it_shows_the_whole_story_and_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let run = Run::of(
        Command::new(PROGRAM)
            .args(["sandbox", "demo"])
            .env_clear()
            .env("TMPDIR", temporary.path())
            .env("HOME", temporary.path())
            .stdin(Stdio::null())
            .output()
            .unwrap(),
    )
    .exits(0);
    for words in [
        "register",
        "3 active",
        "90 days later",
        "3 due",
        "Renewed",
        "At BioTrack: revoked.",
        "1 due, 1 active, 1 deactivated",
    ] {
        assert!(run.out.contains(words), "no {words} in\n{}", run.out);
    }
    assert!(!run.err.contains("clock"), "{}", run.err);
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}
