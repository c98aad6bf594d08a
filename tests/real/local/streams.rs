//! S52: every command with a standard stream closed, full or hung up, without a terminal, in cron's bare environment,
//! without a home or a place for temporary files: none panics or hangs, and each ends with a documented code. Where the
//! answer can't be written, that's no success.

use super::{all, commands, granted};
use crate::support::{PROGRAM, Rig, Run, outside};
use std::process::{Command, Stdio};

/// A harmless call of each command, that ends by itself; one that is missing here fails the test.
const CALLS: [(&str, &[&str]); 28] = [
    (
        "register",
        &["register", "--ubi", "604001", "--license", "L-2", "--username", "a@b.example", "--no-wait"],
    ),
    ("renew", &["renew", "L-1", "--no-wait"]),
    ("complete", &["complete", "-"]),
    ("listen", &["listen", "--public-url", "nonsense"]),
    ("deactivate", &["deactivate", "L-1", "--dry-run"]),
    ("edit", &["edit", "L-1", "--tag", "east"]),
    ("remove", &["remove", "L-1"]),
    ("status", &["status", "-vv"]),
    ("remind", &["remind", "--json"]),
    ("history", &["history"]),
    ("history verify", &["history", "verify"]),
    ("history prune", &["history", "prune", "--before", "2001-01-01", "--yes"]),
    ("export", &["export"]),
    ("import", &["import", "-", "--yes"]),
    ("doctor", &["doctor"]),
    ("token", &["token", "L-1"]),
    ("exec", &["exec", "L-1", "--", "true"]),
    ("config init", &["config", "init", "--preset", "ny", "--vault", "sealed"]),
    ("config show", &["config", "show", "--origin"]),
    ("config path", &["config", "path"]),
    ("config check", &["config", "check"]),
    ("config set", &["config", "set", "profiles.local-sandbox.due_window", "21d"]),
    ("config set-secret", &["config", "set-secret"]),
    ("config vault", &["config", "vault", "sealed"]),
    ("config ledger move", &["config", "ledger", "move", "sqlite"]),
    ("config recipients list", &["config", "recipients", "list"]),
    ("completions", &["completions", "zsh"]),
    ("man", &["man"]),
];
/// Those that need something of their own to be called at all.
const APART: [&str; 5] =
    ["config recipients add", "config recipients remove", "sandbox serve", "sandbox seed", "sandbox demo"];

/// How a start goes wrong: a name, and the shell's words around the program.
const STARTS: [(&str, &str); 9] = [
    ("as it should be", "exec \"$0\" \"$@\" </dev/null"),
    ("standard input closed", "exec \"$0\" \"$@\" <&-"),
    ("standard output closed", "exec \"$0\" \"$@\" </dev/null >&-"),
    ("standard error closed", "exec \"$0\" \"$@\" </dev/null 2>&-"),
    ("all closed", "exec \"$0\" \"$@\" <&- >&- 2>&-"),
    ("standard output full", "exec \"$0\" \"$@\" </dev/null >/dev/full"),
    ("standard error full", "exec \"$0\" \"$@\" </dev/null 2>/dev/full"),
    ("reader gone", "set -o pipefail; \"$0\" \"$@\" </dev/null | true"),
    ("reader of the talk gone", "set -o pipefail; { \"$0\" \"$@\" </dev/null 3>&1 2>&1 >&3 3>&-; } | true"),
];

fn started(rig: &Rig, script: &str, arguments: &[&str]) -> Run {
    let output = rig.under(&["bash", "-c", script], arguments).output().unwrap();
    Run::of(output).calmly(arguments)
}

#[test]
fn every_command_is_called_here() {
    let mut known: Vec<_> = CALLS.iter().map(|(name, _)| *name).chain(APART).collect();
    let mut there = commands();
    known.sort_unstable();
    there.sort();
    assert_eq!(known, there);
}

#[test]
fn no_stream_that_is_closed_full_or_hung_up_brings_a_command_down() {
    let rig = granted(&["L-1"]);
    let kept = rig.snapshot();
    let mut counted = 0;
    for (name, arguments) in CALLS {
        let mut answered = None;
        for (start, script) in STARTS {
            rig.put_back(&kept);
            let run = started(&rig, script, arguments);
            let (code, spoke) = *answered.get_or_insert((run.code, !run.out.is_empty()));
            if start == "standard output full" && spoke {
                assert_ne!(run.code, 0, "{name}, {start}: the answer is lost");
            } else if !start.ends_with("gone") {
                assert_eq!(run.code, code, "{name}, {start}: {run:?}");
            }
            counted += 1;
        }
    }
    assert_eq!(counted, CALLS.len() * STARTS.len());
}

#[test]
fn help_and_version_of_every_command_survive_the_same() {
    let rig = Rig::unconfigured(&[]);
    let names = commands();
    let some = if all() { 1 } else { 6 };
    for name in names.iter().step_by(some) {
        let words: Vec<_> = name.split(' ').chain(["--help"]).collect();
        for (start, script) in STARTS {
            let run = started(&rig, script, &words);
            assert!(run.code == 0 || start == "standard output full", "{words:?}, {start}: {run:?}");
        }
    }
}

/// The program with these variables and no others, and nobody there.
fn bare(variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command: Command = outside("timeout");
    command.args(["--kill-after=5", "120"]).arg(PROGRAM).args(arguments).env_clear();
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    Run::of(command.output().unwrap()).calmly(arguments)
}

#[test]
fn crons_bare_environment_is_enough() {
    let rig = granted(&["L-1"]);
    let kept = rig.snapshot();
    let home = rig.home().display().to_string();
    // It's copied, so that no command finds the user's own.
    let as_cron =
        [("HOME", "/nonexistent"), ("LOGNAME", "root"), ("PATH", "/usr/bin:/bin"), ("SHELL", "/bin/sh")];
    for (name, arguments) in CALLS {
        rig.put_back(&kept);
        let code = Run::of(rig.command(arguments).output().unwrap()).code;
        let set = |more: &[(&'static str, &str)]| {
            let variables: Vec<_> =
                [("BIOTRACK_AUTH_HOME", home.as_str())].iter().chain(more).copied().collect();
            rig.put_back(&kept);
            bare(&variables, arguments).code
        };
        let doctor = name == "doctor" || name == "exec";
        // No PATH: neither a browser nor what `exec` shall run is found.
        assert!(set(&[]) == code || doctor, "{name}, with nothing");
        assert_eq!(set(&as_cron), code, "{name}, as cron");
        assert_eq!(
            set(&[("TMPDIR", "/proc/none"), ("PATH", "/usr/bin:/bin")]),
            code,
            "{name}, with no TMPDIR"
        );
        // With no home at all it says what is missing, or needs none.
        let run = bare(&[("HOME", "/nonexistent"), ("PATH", "/usr/bin:/bin")], arguments);
        assert!(!run.err.contains("/root"), "{name}: {run:?}");
        assert!(!std::path::Path::new("/nonexistent").exists(), "{name} makes a home");
    }
}
