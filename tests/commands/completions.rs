//! `completions`, in this process: the scripts that are shipped, and what the program answers a shell that asks.

use crate::rig::generated::is_current;
use crate::rig::seed::{named, store};
use crate::rig::{Done, Rig};
use crate::snapshot;
use biotrack_auth::model::authorization::Authorization;

fn rig() -> Rig {
    let rig = Rig::new();
    let tagged = Authorization {
        tags: vec!["downstate".parse().unwrap()],
        ..named("101-X0007-D1", "Hudson St", "2026-06-10T12:00:00Z")
    };
    let deactivated = Authorization {
        deactivated_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        ..store("999-GONE", "2026-03-11T12:00:00Z")
    };
    rig.seed([tagged, deactivated, store("999-$(reboot)", "2026-06-11T12:00:00Z")]);
    rig
}

/// What fish is answered, which counts the words itself: the others tell by a variable of the process which one it is.
fn asked(rig: &Rig, line: &str) -> Done {
    rig.sets("BIOTRACK_AUTH_COMPLETE", "fish");
    let words: Vec<_> = ["--", "biotrack-auth"].into_iter().chain(line.split(' ')).collect();
    let done = rig.run_words(&words);
    rig.sets("BIOTRACK_AUTH_COMPLETE", "");
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{line}");
    done
}

#[test]
fn the_shipped_scripts_are_what_the_program_prints() {
    let rig = Rig::bare();
    let script = |(shell, name): (&str, &str)| {
        let done = rig.run(&format!("completions {shell}"));
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{shell}");
        (name.to_owned(), String::from_utf8(done.bytes).unwrap())
    };
    let made = [
        ("bash", "biotrack-auth.bash"),
        ("zsh", "_biotrack-auth"),
        ("fish", "biotrack-auth.fish"),
        ("powershell", "biotrack-auth.ps1"),
        ("elvish", "biotrack-auth.elv"),
    ];
    is_current("completions", &made.map(script).into_iter().collect());
}

#[test]
fn a_shell_that_there_is_not_gets_the_list() {
    snapshot!(Rig::bare().run("completions tcsh"));
}

#[test]
fn licenses_tags_profiles_commands_and_flags_are_offered() {
    let rig = rig();
    let lines = [
        "renew 101",
        "renew 604001/",
        "renew 9",
        "status 9",
        "status --tag down",
        "status --profile loc",
        "stat",
        "config set-s",
        "renew 101-X0007-D1 --userna",
        "status --state ",
        "--profile nobody renew 1",
    ];
    let told: Vec<_> =
        lines.iter().map(|line| format!("> {line}\n{}", asked(&rig, line).out.trim_end())).collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_license_of_two_companies_is_offered_with_each() {
    let rig = rig();
    let mut other = store("101-X0007-D1", "2026-06-12T12:00:00Z");
    other.key.ubi = "604002".parse().unwrap();
    rig.seed([other]);
    insta::assert_snapshot!([asked(&rig, "renew 101").out, asked(&rig, "renew 60400").out].join("---\n"));
}

#[test]
fn it_is_silent_whatever_is_wrong() {
    let rig = rig();
    let nothing = |line: &str| assert_eq!(asked(&rig, line).out, "", "{line}");
    rig.spoil_the_ledger();
    nothing("renew 1");
    rig.write("config.toml", "this is = = wrong");
    nothing("renew 1");
    nothing("--profile l");
    std::fs::remove_file(rig.file("config.toml")).unwrap();
    nothing("renew 1");
}

#[test]
fn an_unknown_shell_is_answered_nothing() {
    let rig = rig();
    rig.sets("BIOTRACK_AUTH_COMPLETE", "tcsh");
    rig.run_words(&["--", "biotrack-auth", "renew", "1"]).is(0, "", "");
}
