//! What is read aloud, mailed or searched is plain: no escape, no drawn line, no block, neither in a pipe nor in a terminal
//! with `--color never`.

use crate::rig::seed::named;
use crate::rig::{Person, Rig};

/// Every look that people read.
const LOOKS: [&str; 9] = [
    "status",
    "status L-1",
    "status --due",
    "renew --due --dry-run",
    "deactivate --tag downstate --dry-run",
    "history",
    "remind --dry-run",
    "config show --origin",
    "doctor",
];

fn rig() -> Rig {
    let rig = Rig::new();
    rig.seed([
        named("L-1", "Hudson Street", "2026-02-11T12:00:00Z"),
        named("L-2", "Café «Ünï»", "2036-03-12T12:00:00Z"),
    ]);
    rig
}

#[track_caller]
fn is_plain(text: &str) {
    let drawn = |c: char| ('\u{2500}'..='\u{259f}').contains(&c) || ('\u{2800}'..='\u{28ff}').contains(&c);
    let found = text.chars().find(|&c| drawn(c) || (c.is_control() && !"\r\n".contains(c)));
    assert_eq!(found, None, "{text}");
}

#[test]
fn in_a_pipe() {
    let rig = rig();
    for look in LOOKS {
        let done = rig.run(look);
        assert!(done.code < 3, "{look}: {}", done.transcript());
        is_plain(&done.out);
        is_plain(&done.err);
    }
}

#[test]
fn in_a_terminal_with_color_never() {
    let rig = rig();
    let mut colored = 0;
    for look in LOOKS {
        let seen = |color: &str| rig.with(Person::watching()).run(&format!("{look} --color {color}"));
        let plain = seen("never");
        is_plain(&plain.out);
        is_plain(&plain.err);
        colored += usize::from(seen("always").out.contains('\u{1b}'));
    }
    // There was something to leave out.
    assert!(colored > 0, "none of the looks has colors");
}
