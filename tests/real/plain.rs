//! What is read aloud, mailed or searched is plain: no escape, no drawn line, no block, neither in a pipe nor in a terminal
//! with `--color never`.

use crate::support::seed::named;
use crate::support::{PROGRAM, Rig, Run, outside};

/// Every look that people read.
const LOOKS: [&[&str]; 9] = [
    &["status"],
    &["status", "L-1"],
    &["status", "--due"],
    &["renew", "--due", "--dry-run"],
    &["deactivate", "--tag", "downstate", "--dry-run"],
    &["history"],
    &["remind", "--dry-run"],
    &["config", "show", "--origin"],
    &["doctor"],
];

fn rig() -> Rig {
    let rig = Rig::new();
    rig.seed(&[
        named("L-1", "Hudson Street", "2020-03-11T12:00:00Z"),
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
        let run = rig.run(look);
        assert!(run.code < 3, "{look:?}: {run:?}");
        is_plain(&run.out);
        is_plain(&run.err);
    }
}

#[test]
fn in_a_terminal_with_color_never() {
    let rig = rig();
    let mut coloured = 0;
    for look in LOOKS {
        let shown = |more: &str| {
            let command = format!("{PROGRAM} {} {more}", look.join(" "));
            let mut script = outside("script");
            script.args(["-qec", &command, "/dev/null"]).env_clear();
            script
                .env("BIOTRACK_AUTH_HOME", rig.home())
                .env("TERM", "xterm-256color")
                .env("LC_ALL", "C.UTF-8");
            Run::of(script.output().unwrap()).out
        };
        is_plain(&shown("--color never"));
        coloured += usize::from(shown("").contains('\u{1b}'));
    }
    // A terminal it was.
    assert!(coloured > 0, "{coloured} of the looks have colours");
}
