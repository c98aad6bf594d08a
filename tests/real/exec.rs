//! `exec`: the command's own environment, signals, exit code and limits.

use crate::support::{Rig, Run, outside, send};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

fn granted() -> Rig {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig
}

#[test]
fn the_command_finds_token_ubi_and_license_in_its_environment() {
    let rig = granted();
    let script =
        "printf '%s|%s|%s|%s' \"$BIOTRACK_ACCESS_TOKEN\" \"$BIOTRACK_UBI\" \"$BIOTRACK_LICENSE\" \"$1\"";
    let run =
        rig.run(&["exec", "L-1", "--", "sh", "-c", script, "sh", "--an argument"]).exits(0).says_nothing();
    let token = rig.live("L-1").unwrap();
    assert_eq!(run.out, format!("{}|604001|L-1|--an argument", token.access.expose()));
    assert_eq!(rig.counted("token_rotated"), 0);
    rig.keeps_secrets(&[]);
}

#[test]
fn a_stale_token_is_refreshed_first() {
    let rig = granted();
    rig.age("L-1");
    let run = rig.run(&["exec", "L-1", "--", "sh", "-c", "echo \"$BIOTRACK_ACCESS_TOKEN\""]).exits(0);
    assert_eq!(rig.counted("token_rotated"), 1);
    assert_eq!(run.out, format!("{}\n", rig.live("L-1").unwrap().access.expose()));
    assert!(rig.left_beside().is_empty(), "{:?}", rig.left_beside());
    assert_eq!(rig.counted_asked(), 0);
}

#[test]
fn its_exit_code_is_the_commands_and_its_own_failures_are_125_to_127() {
    let rig = granted();
    for code in [0, 1, 4, 42, 255] {
        rig.run(&["exec", "L-1", "--", "sh", "-c", &format!("exit {code}")]).exits(code);
    }
    rig.run(&["exec", "L-1", "--", "/no/such/command"])
        .exits(127)
        .answers_nothing()
        .says("command not found");
    rig.run(&["exec", "L-1", "--", "no-such-command-anywhere"]).exits(127);
    rig.run(&["exec", "L-1", "--", "/etc/passwd"]).exits(126).answers_nothing();
    rig.run(&["exec", "L-1", "--", "/"]).exits(126);
    rig.run(&["exec", "nobody", "--", "true"]).exits(125).answers_nothing();
    rig.run(&["exec", "L-1"]).exits(125).answers_nothing();
    rig.run(&["--profile", "x", "exec", "L-1", "--purple", "--", "true"]).exits(125);
    let told = rig.run(&["exec", "nobody", "--json", "--", "true"]).exits(125).json();
    assert_eq!((&told["error"]["code"], &told["error"]["exit"]), (&"not_found".into(), &125.into()));
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    rig.run(&["exec", "L-1", "--", "touch", "/never"]).exits(125).says("biotrack-auth register");
}

#[test]
fn a_shell_sees_a_signal_as_128_and_its_number() {
    let rig = granted();
    let program = shlex::try_quote(crate::support::PROGRAM).unwrap().into_owned();
    let script = format!("{program} exec L-1 -- sh -c 'kill -s \"$1\" $$' sh \"$1\"; echo $?");
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("INT", 130), ("PIPE", 141)] {
        let mut shell = outside("sh");
        shell.args(["-c", &script, "sh", signal]).env_clear().env("BIOTRACK_AUTH_HOME", rig.home());
        let run = Run::of(shell.env("PATH", "/usr/bin:/bin").output().unwrap());
        assert_eq!(run.out, format!("{code}\n"), "{signal}: {run:?}");
    }
}

/// Says "up", and ends with a code for the first of these signals. They are held back from before that word on: a shell that reads
/// hears of one that comes just before it reads only behind its next line.
const ENDS_BY_SIGNAL: &str = "
import signal, sys
codes = {signal.SIGINT: 7, signal.SIGTERM: 8, signal.SIGHUP: 9, signal.SIGUSR1: 10}
signal.pthread_sigmask(signal.SIG_BLOCK, codes)
print('up', flush=True)
sys.exit(codes[signal.sigwait(codes)])
";

#[test]
fn signals_reach_the_command_also_after_a_refresh() {
    let rig = granted();
    for (signal, code) in [("INT", 7), ("TERM", 8), ("HUP", 9), ("USR1", 10)] {
        rig.age("L-1");
        let mut command = rig.command(&["exec", "L-1", "--", "python3", "-c", ENDS_BY_SIGNAL]);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        send(signal, &child);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
    }
    assert_eq!(rig.counted("token_rotated"), 4);
}

#[test]
fn the_command_has_the_limits_descriptors_and_signals_that_we_were_given() {
    let rig = granted();
    // The last of the signals that have names; above them are the C library's own.
    let look = "trap '' HUP; ulimit -c -S; ulimit -c -H; ls /proc/self/fd | wc -l; \
                grep -E '^Sig(Blk|Ign)' /proc/self/status | sed -E 's/[0-9a-f]{8}([0-9a-f]{8})$/\\1/'";
    let program = shlex::try_quote(crate::support::PROGRAM).unwrap().into_owned();
    let within = format!("trap '' HUP; exec {program} exec L-1 -- sh -c \"$1\"");
    let mut bare = outside("sh");
    bare.args(["-c", look]).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").stdin(Stdio::null());
    let bare = Run::of(bare.output().unwrap()).exits(0);
    for refreshed in 0..2 {
        let mut shell = outside("sh");
        shell.args(["-c", &within, "sh", look]).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        let inside = shell.env("BIOTRACK_AUTH_HOME", rig.home()).stdin(Stdio::null()).output().unwrap();
        assert_eq!(Run::of(inside).exits(0).out, bare.out);
        assert_eq!(rig.counted("token_rotated"), refreshed);
        rig.age("L-1");
    }
}
