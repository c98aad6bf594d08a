//! The top of the command line: version, no command, a wrong one, and the flags that every command takes.

use crate::rig::seed::{named, store};
use crate::rig::{Person, Rig, register};
use crate::snapshot;

/// A store that is due, and one that is active.
fn rig() -> Rig {
    let rig = Rig::new();
    rig.seed(&[
        named("101-X0007-D1", "Hudson Street", "2026-03-11T12:00:00Z"),
        store("101-X0008-D1", "2026-06-10T12:00:00Z"),
    ]);
    rig
}

#[test]
fn the_version() {
    let rig = Rig::bare();
    rig.run("--version").is(0, "biotrack-auth [VERSION]\n", "");
    rig.run("-V").is(0, "biotrack-auth [VERSION]\n", "");
}

#[test]
fn no_command_is_a_wrong_call_that_gets_the_help() {
    snapshot!(Rig::bare().run(""));
}

#[test]
fn a_group_without_its_command_is_a_wrong_call_that_gets_the_help() {
    snapshot!(Rig::bare().run("config"));
}

#[test]
fn an_unknown_command_gets_the_one_that_was_meant() {
    snapshot!(Rig::bare().run("renw 101-X0007-D1"));
}

#[test]
fn an_unknown_command_as_json() {
    snapshot!(Rig::bare().run("renw 101-X0007-D1 --json"));
}

#[test]
fn an_unknown_flag_gets_the_one_that_was_meant() {
    snapshot!(Rig::bare().run("status --dew"));
}

#[test]
fn a_flag_without_its_value_says_which() {
    snapshot!(Rig::bare().run("status --tag"));
}

#[test]
fn without_a_configuration_it_says_how_to_make_one() {
    snapshot!(Rig::bare().run("status"));
}

#[test]
fn without_a_configuration_as_json() {
    snapshot!(Rig::bare().run("status --json"));
}

#[test]
fn another_configuration_can_be_named() {
    let rig = rig();
    let elsewhere = rig.write("other.toml", "[profiles.ny\n");
    snapshot!(rig.run_words(&["status", "--config", &elsewhere]));
}

#[test]
fn a_profile_that_is_not_configured_is_named_with_those_that_are() {
    snapshot!(rig().run("status --profile nobody"));
}

#[test]
fn the_environment_names_a_profile_too() {
    let rig = rig();
    rig.sets("BIOTRACK_AUTH_PROFILE", "nobody");
    snapshot!(rig.run("status --json"));
}

#[test]
fn quiet_leaves_the_notes_out_and_keeps_the_answer() {
    let rig = rig();
    let file =
        rig.write("stores.csv", "ubi,license,username,color\n604001,101-X0009-D1,ann@example.com,green\n");
    snapshot!("not_quiet", rig.run_words(&["import", &file, "--dry-run"]));
    snapshot!("quiet", rig.run_words(&["import", &file, "--dry-run", "-q"]));
}

#[test]
fn quiet_still_tells_an_error() {
    snapshot!(rig().run("status nobody -q"));
}

#[test]
fn verbose_tells_the_steps_on_standard_error() {
    snapshot!(rig().run("status -v"));
}

#[test]
fn verbose_tells_the_steps_of_a_refresh_also_those_on_the_network() {
    let rig = Rig::new();
    rig.grant("101-X0007-D1").exits(0);
    rig.minutes_pass(1);
    snapshot!(rig.run("token 101-X0007-D1 --min-valid 60m -vv"));
    let after = rig.run("status").exits(0);
    assert_eq!(after.err, "", "the log ends with its command");
}

#[test]
fn verbose_tells_the_steps_of_a_consent() {
    let rig = Rig::new();
    let done = rig.run(&format!("{} -vv", register("101-X0007-D1"))).exits(0);
    // The page to open stands between them.
    let steps = done.err.lines().filter(|line| line.starts_with("2026-"));
    insta::assert_snapshot!(steps.collect::<Vec<_>>().join("\n"));
}

#[test]
fn color_can_be_wanted_and_refused() {
    let rig = rig();
    snapshot!("always", rig.run("status --color always"));
    let plain = rig.run("status --color never").out;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    rig.run("status").is(0, &plain, "");
}

#[test]
fn a_persons_terminal_that_wants_no_color_gets_some_when_asked() {
    let rig = rig();
    let seen = |line: &str| rig.with(Person::watching()).run(line).exits(0).out;
    assert!(!seen("status").contains('\u{1b}'));
    assert!(seen("status --color always").contains("\u{1b}[38;5;3m! due"));
}

#[test]
fn a_color_that_there_is_not_gets_the_list() {
    snapshot!(rig().run("status --color purple"));
}

#[test]
fn nobody_is_asked_with_no_input() {
    let rig = rig();
    snapshot!(rig.with(Person::watching()).run("history prune --no-input --before 1d"));
}
