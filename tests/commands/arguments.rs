//! Arguments that can't be taken, and those that only seem so: what is told of them, and to whom.

use crate::rig::seed::named;
use crate::rig::{Person, Rig};
use crate::snapshot;

#[test]
fn without_a_command_the_help_is_shown_in_its_colors() {
    let rig = Rig::new();
    for line in ["", "config", "sandbox", "config recipients"] {
        let plain = rig.run(line).exits(2);
        assert!(plain.err.contains("Usage: biotrack-auth") && !plain.err.contains('\u{1b}'), "{}", plain.err);
        assert_eq!(plain.out, "");
        let colored = rig.with(Person::watching()).run(&format!("--color always {line}"));
        assert!(!colored.err.contains('\u{fffd}'), "{}", colored.err);
    }
    assert!(rig.with(Person::watching()).run("config --color always").code == 2);
}

#[test]
fn a_surplus_word_is_never_repeated() {
    let rig = Rig::new();
    for line in
        ["config set-secret hunter2", "complete - hunter2", "config check --json hunter2", "hunter2 --json"]
    {
        let done = rig.run(line).exits(2);
        assert!(!format!("{}{}", done.out, done.err).contains("hunter2"), "{}", done.transcript());
    }
    snapshot!("surplus", rig.run("config set-secret hunter2"));
    snapshot!("surplus_as_json", rig.run("complete - hunter2 --json").fits("error"));
    snapshot!("no_such_command", rig.run("hunter2"));
    snapshot!("a_slip", rig.run("stauts"));
}

#[test]
fn whatever_is_wrong_a_check_is_unknown() {
    let rig = Rig::new();
    snapshot!("check_with_a_value", rig.run("status --check=yes"));
    for line in [
        "status --check=no",
        "status --check --nonsense",
        "--check",
        "frobnicate --check",
        "status --due 3d --check",
    ] {
        let done = rig.run(line).exits(3);
        assert!(done.out.starts_with("BIOTRACK UNKNOWN"), "{}", done.transcript());
    }
}

#[test]
fn a_time_that_isnt_bound_to_its_flag_is_told_how() {
    let rig = Rig::new();
    snapshot!("due_without_an_equals_sign", rig.run("status --due 30d"));
    let err = "error: --due needs an equals sign before its time\n  Write --due=14d.\n";
    rig.run("renew --due 14d --dry-run").is(2, "", err);
}

#[test]
fn a_value_may_begin_with_a_dash_and_is_no_flag_then() {
    let rig = Rig::new();
    let line = "register --ubi 604001 --license L-1 --username ann@example.com --browser scripted";
    rig.run(&format!("{line} --name -1 --tag -x")).exits(0);
    let card = rig.run("status L-1").exits(0).out;
    assert!(card.starts_with("-1\n") && card.contains("-x"), "{card}");
    rig.run("status --tag -x").exits(0);
    snapshot!("a_flag_in_a_values_place", rig.run("deactivate L-1 --reason --dry-run"));
}

/// Three stores.
fn stores() -> Rig {
    let rig = Rig::new();
    rig.seed([
        named("101-X0001-D1", "Hudson Street", "2026-06-11T12:00:00Z"),
        named("101-X0002-D1", "Hudson Yards", "2026-06-12T12:00:00Z"),
        named("101-X0003-D1", "Canal", "2026-06-13T12:00:00Z"),
    ]);
    rig
}

#[test]
fn names_are_found_whatever_their_case() {
    let rig = stores();
    let card = rig.run("status 101-X0003-D1").exits(0).out;
    for selector in ["canal", "101-x0003-d1", "604001/101-x0003-d1"] {
        rig.run(&format!("status {selector}")).is(0, &card, "");
        rig.run(&format!("status {selector} --json")).exits(0);
        rig.run(&format!("history {selector}")).exits(0);
        rig.run(&format!("renew {selector} --dry-run")).exits(0);
    }
}

#[test]
fn in_the_table_alone_a_text_finds_what_it_stands_in() {
    let rig = stores();
    snapshot!("found_by_a_part", rig.run("status hudson"));
    snapshot!("found_by_the_admin", rig.run("status ANN@"));
    for format in ["json", "jsonl", "csv", "prometheus", "ics"] {
        rig.run(&format!("status hudson --format {format}")).exits(9);
    }
    rig.run("status hudson --check").exits(3);
    snapshot!("never_guessed", rig.run("deactivate hudson --yes"));
    snapshot!("nothing_like_it", rig.run("status zzz"));
    snapshot!("the_nearest", rig.run("renew 101-X0004-D1 --no-wait"));
}

#[test]
fn nothing_that_a_record_holds_steers_the_terminal() {
    let rig = Rig::new();
    let hostile = "x\u{1b}]52;c;eA==\u{7}\u{1b}[8m\u{9b}2J\u{202e}\nState           ✓ active";
    let mut record = named("L-1", "Hudson", "2026-06-11T12:00:00Z");
    record.granted_by = Some(hostile.into());
    record.held_by = Some(hostile.into());
    rig.seed([record]);
    for look in
        ["status", "status L-1", "status --format csv", "status --json", "renew --all --dry-run", "history"]
    {
        let done = rig.with(Person::watching()).run(look);
        assert!(done.code < 3, "{}", done.transcript());
        let steers = |text: &str| text.chars().any(|c| c != '\n' && biotrack_auth::error::is_unprintable(c));
        assert!(!steers(&done.out) && !steers(&done.err), "{look}: {:?}", done.out);
    }
    for look in ["status", "status L-1"] {
        let shown = rig.run(look).exits(0).out;
        assert!(!shown.lines().any(|line| line.starts_with("State ")), "{shown}");
    }
    // To the byte for whoever isn't a terminal.
    assert_eq!(rig.run("status --json").json()["authorizations"][0]["granted_by"], hostile);
}

#[test]
fn what_is_typed_and_cannot_be_right_is_refused_and_what_may_be_is_noted() {
    let rig = Rig::new();
    let register = |ubi: &str, username: &str| {
        rig.run_words(&[
            "register",
            "--ubi",
            ubi,
            "--license",
            "L-1",
            "--username",
            username,
            "--browser",
            "scripted",
        ])
    };
    snapshot!("typed_by_a_spreadsheet", register("6.04E+08", "ann@example.com"));
    snapshot!("typed_with_a_name", register("604001", "Ann <ann@example.com>"));
    assert!(rig.opened().is_empty());
    let noted = register("604 001", "ann@example.com").exits(0);
    assert!(noted.err.contains("Note: the UBI \"604 001\" contains a space"), "{}", noted.err);
}
