//! What isn't there is never healthy: a ledger that is elsewhere, a profile that the configuration doesn't name any more, a
//! clock that is wrong. Each is told, by every command that would pass over it in silence.

use crate::rig::seed::store;
use crate::rig::{Rig, register};
use crate::snapshot;
use biotrack_auth::model::authorization::Authorization;
use std::fs;

/// Far from any threshold.
const FAR: &str = "2026-06-10T12:00:00Z";
/// Some weeks ago, at the rig's beginning.
const PAST: &str = "2026-02-11T12:00:00Z";

/// Configured, and its ledger isn't where it's looked for.
fn without_a_ledger() -> Rig {
    let rig = Rig::in_a_file();
    for file in fs::read_dir(rig.home()).unwrap().map(|it| it.unwrap()) {
        if file.file_name().to_string_lossy().starts_with("ledger") {
            fs::remove_file(file.path()).unwrap();
        }
    }
    rig
}

fn has_a_ledger(rig: &Rig) -> bool {
    rig.file("ledger.db").exists()
}

/// Its profile has another name in the configuration than in the ledger.
fn renamed(records: &[Authorization]) -> Rig {
    let rig = Rig::new();
    rig.seed(records);
    let config = fs::read_to_string(rig.file("config.toml")).unwrap();
    let config = config.replace("[profiles.local-sandbox]", "[profiles.renamed]");
    rig.write(
        "config.toml",
        &config
            .replace("\"local-sandbox\"", "\"renamed\"")
            .replace("preset = \"renamed\"", "preset = \"local-sandbox\""),
    );
    rig
}

fn has_problem(doctor: &str, check: &str, found: &str) -> bool {
    doctor.contains(&format!("✗ {check:<12} {found}"))
}

#[test]
fn init_makes_the_ledger() {
    let rig = Rig::in_a_file();
    assert!(has_a_ledger(&rig));
    rig.run("status --all-profiles --due --quiet").is(0, "", "");
}

#[test]
fn where_there_is_no_ledger_nothing_is_well_and_none_is_made() {
    let rig = without_a_ledger();
    let place = "[HOME]/ledger.db";
    rig.write("some.csv", "ubi,license,username\n604001,L-9,ann@example.com\n");
    for line in [
        "status",
        "status --all-profiles --due --quiet",
        "status --format csv",
        "status --all-profiles --format prometheus",
        "remind --all-profiles",
        "remind --dry-run",
        "history",
        "history verify",
        "history prune --yes",
        "export",
        "renew --due",
        "renew --due --dry-run",
        "renew --awaiting --dry-run",
        "renew --resume --dry-run",
        "deactivate L-1 --yes",
        "deactivate L-1 --dry-run",
        "token L-1",
        "complete http://127.0.0.1:18273/callback?state=a&code=b",
        "listen --public-url https://auth.example.com/callback --port 0",
        "import --adopt --yes",
        "config recipients add age1g2xtuafu5c7gt3uz99g6lfkffvs83zmj46pyd3vhkhwsl6d4xafsc6c5h7",
        "config vault sealed",
    ] {
        let done = rig.run(line);
        assert!(
            done.code == 7
                && done.err.contains(&format!("there is no ledger at {place}\n"))
                && done.out.is_empty(),
            "{line}: {}",
            done.transcript()
        );
        assert!(!has_a_ledger(&rig), "{line}");
    }
    rig.run("exec L-1 -- true").exits(125);
    let unknown = rig.run("status --check --all-profiles --allow-empty").exits(3);
    assert!(
        unknown.out.starts_with(&format!("BIOTRACK UNKNOWN: there is no ledger at {place}. ")),
        "{}",
        unknown.out
    );
    let doctor = rig.run("doctor").exits(1);
    assert!(has_problem(&doctor.out, "ledger", "there is no ledger at "), "{}", doctor.out);
    assert!(!has_a_ledger(&rig));
}

#[test]
fn a_dry_run_of_what_would_make_it_says_so_and_makes_none() {
    let rig = without_a_ledger();
    let place = "[HOME]/ledger.db";
    rig.write("some.csv", "ubi,license,username\n604001,L-9,ann@example.com\n");
    for line in ["register --from some.csv --dry-run", "import some.csv --dry-run"] {
        let line = line.replace("some.csv", &rig.file("some.csv").display().to_string());
        let done = rig.run(&line).exits(0);
        assert!(
            done.err.contains(&format!("Note: there is no ledger at {place}. A new one would be made.\n")),
            "{}",
            done.err
        );
        assert!(!has_a_ledger(&rig));
    }
}

#[test]
fn who_brings_the_first_record_makes_it_and_that_is_told() {
    let rig = without_a_ledger();
    let place = "[HOME]/ledger.db";
    let done = rig.run(&register("L-1")).exits(0);
    assert!(
        done.err.contains(&format!("Note: there was no ledger at {place}. A new one was made.\n")),
        "{}",
        done.err
    );
    let done = rig.run(&register("L-2")).exits(0);
    assert!(!done.err.contains("no ledger"), "{}", done.err);
}

#[test]
fn a_profile_that_the_configuration_does_not_name_is_told_of_by_every_line_of_cron() {
    let rig = renamed(&[store("L-1", PAST), store("L-2", FAR)]);
    snapshot!(rig.run("status --all-profiles --due --quiet").exits(0));
    let warning = rig.run("remind --all-profiles").exits(0).err;
    assert!(
        warning.starts_with("Warning: the ledger has 2 licenses in profile local-sandbox, "),
        "{warning}"
    );
    let metrics = rig.run("status --all-profiles --format prometheus").exits(0).out;
    assert!(
        metrics.contains("\nbiotrack_auth_unnamed_profile_authorizations{profile=\"local-sandbox\"} 2\n")
    );
    let doctor = rig.run("doctor").exits(1).out;
    assert!(
        has_problem(&doctor, "profiles", "the ledger has 2 licenses in profile local-sandbox, "),
        "{doctor}"
    );
    // A profile alone is looked at as before.
    rig.run("status --due --quiet").is(0, "", "");
    rig.run("remind").is(0, "", "");
}

#[test]
fn to_monitoring_it_is_unknown_even_where_nothing_else_is_registered() {
    let rig = renamed(&[store("L-1", PAST), store("L-2", FAR)]);
    snapshot!(rig.run("status --check --all-profiles --allow-empty").exits(3));
    rig.adds_to_profile(
        "[profiles.local-sandbox]\npreset = \"local-sandbox\"\nurl = \"http://127.0.0.1:2\"\n",
    );
    // It's named again: what is in it is judged as ever.
    let judged = rig.run("status --check --all-profiles").exits(2).out;
    assert!(judged.starts_with("BIOTRACK CRITICAL: 1 expired, 1 active"), "{judged}");
}

#[test]
fn what_was_given_up_in_it_concerns_nobody() {
    let gone = Authorization { deactivated_at: Some(PAST.parse().unwrap()), ..store("L-1", FAR) };
    let rig = renamed(std::slice::from_ref(&gone));
    rig.run("status --all-profiles --due --quiet").is(0, "", "");
    let rig = renamed(&[Authorization { revocation_pending: true, ..gone }]);
    let warning = rig.run("status --all-profiles --due --quiet").exits(0).err;
    assert!(warning.starts_with("Warning: the ledger has 1 license in profile local-sandbox, "), "{warning}");
}

#[test]
fn a_clock_that_is_behind_the_newest_event_is_told_of() {
    let rig = Rig::new();
    rig.grant("L-1");
    rig.days_pass(-400);
    snapshot!(rig.run("status --check").exits(1));
    let warning =
        "Warning: the clock (2025-01-26T15:00:00Z) is 400 days behind the newest event in the ledger ";
    for line in ["status --due --quiet", "remind"] {
        let done = rig.run(line).exits(0);
        assert!(done.err.starts_with(warning), "{line}: {}", done.err);
    }
    assert!(has_problem(
        &rig.run("doctor").exits(1).out,
        "clock",
        "the clock (2025-01-26T15:00:00Z) is 400 days behind "
    ));
    // An instant that was asked for is no clock.
    let done = rig.run("status --at 2025-01-26T15:00:00Z").exits(0);
    assert_eq!(done.err, "");
    rig.days_pass(400);
    rig.run("status --due --quiet").is(0, "", "");
    // Hosts of a team differ by minutes.
    rig.minutes_pass(-24 * 60);
    rig.run("status --due --quiet").is(0, "", "");
}
