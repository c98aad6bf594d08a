//! This machine's clock is set, forward and back, between commands and in the middle of one.

use super::{instant, lives, serves_to_the_end};
use crate::support::clock::at;
use crate::support::{Rig, Run, admin, register};
use jiff::{SignedDuration, Timestamp};
use std::process::Child;

const NOON: &str = "2026-06-15T12:00:00Z";

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A grant of this noon, at both clocks.
fn granted() -> (Rig, Timestamp) {
    let mut rig = Rig::new();
    rig.set_time(at(NOON));
    rig.register("L-1").exits(0);
    (rig, at(NOON))
}

#[test]
fn a_clock_that_was_wrong_for_a_while_costs_nothing() {
    // By more than a day behind it would be told of.
    for step in [-5, 5, -23, 24] {
        let (mut rig, noon) = granted();
        let before = rig.only();
        rig.set_clock(noon + hours(step));
        // Commands of all kinds by the wrong clock; the provider's stays.
        assert_eq!(instant(&rig.only(), "expires_at"), instant(&before, "expires_at"));
        lives(&rig);
        rig.run(&["doctor"]).exits(1).answers("clock");
        rig.run(&["remind"]).exits(0);
        rig.run(&["token", "L-1", "--min-valid", "60m"]).exits(0).says("Check this machine's clock");
        lives(&rig);
        rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0).says("Check this machine's clock");
        lives(&rig);
        // And by the right one again.
        rig.set_clock(noon + hours(1));
        rig.sandbox().set_now(noon + hours(1));
        lives(&rig);
        let it = rig.only();
        let ends = instant(&it, "expires_at");
        assert!(ends <= noon + hours(2401) && ends > noon + hours(2400 - 25), "{step}: {it}");
        rig.run(&["doctor"]).exits(0);
        serves_to_the_end(&rig);
    }
}

/// What `remind` does in another century is done too early, and done again when it's due.
#[test]
fn a_clock_in_another_century_spends_no_reminder() {
    let (mut rig, noon) = granted();
    let told = rig.elsewhere("told");
    let config = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    let hook = format!("sh -c 'cat >> {}'", told.display());
    let hooks = format!("\n[hooks]\ndue = \"{hook}\"\nexpired = \"{hook}\"\n");
    std::fs::write(rig.file("config.toml"), config + &hooks).unwrap();
    let reminded = |rig: &mut Rig, now: Timestamp| {
        rig.set_clock(now);
        std::fs::write(&told, "").unwrap();
        let run = rig.run(&["remind", "--all-profiles"]).exits(0);
        let events = std::fs::read_to_string(&told).unwrap();
        let thresholds = events.lines().map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["threshold"].as_u64().unwrap()
        });
        (thresholds.collect::<Vec<_>>(), run)
    };
    assert_eq!(reminded(&mut rig, at("2099-01-01T08:00:00Z")).0, [0]);
    let (none, run) = reminded(&mut rig, noon + hours(24));
    assert!(none.is_empty(), "{none:?}");
    run.says("1 reminder was recorded with a time in the future, because a clock was ahead");
    let end = instant(&rig.only(), "expires_at");
    for (days, threshold) in [(13, 14), (6, 7), (-1, 0)] {
        assert_eq!(reminded(&mut rig, end - hours(24 * days)).0, [threshold], "{days} days left");
        assert!(reminded(&mut rig, end - hours(24 * days - 1)).0.is_empty(), "{days} days left, again");
    }
}

/// Nothing is due by such a clock.
#[test]
fn a_clock_that_is_behind_by_400_days_is_told_of() {
    let (mut rig, noon) = granted();
    rig.set_clock(noon - hours(24 * 400 + 1));
    let check = rig.run(&["status", "--check", "--all-profiles"]).exits(1);
    check.answers("BIOTRACK WARNING: 1 active, clock 400 days behind");
    for line in [&["status", "--all-profiles", "--due", "--quiet"][..], &["remind", "--all-profiles"]] {
        rig.run(line).exits(0).says("is 400 days behind the newest event in the ledger");
    }
    rig.run(&["doctor"]).exits(1).answers("is 400 days behind the newest event in the ledger");
    rig.set_clock(noon + hours(1));
    rig.run(&["status", "--check", "--all-profiles"]).exits(0);
}

/// Ten years, and a day after the end: what the clock says is shown while it says so, nothing of it is stored, and the
/// grant lives on once it's right.
#[test]
fn what_a_clock_gone_mad_says_is_forgotten_with_it() {
    for step in [-87_660, 87_660, 2_424] {
        let (mut rig, noon) = granted();
        let before = rig.only();
        rig.set_clock(noon + hours(step));
        rig.status();
        rig.run(&["status", "--check"]).exits(if step < 0 { 1 } else { 2 });
        let run = rig.run(&["token", "L-1"]);
        assert_eq!(run.code, if step < 0 { 0 } else { 4 }, "{run:?}");
        rig.run(&["doctor"]).exits(1).answers("clock");
        rig.run(&["status", "--online"]).exits(0);
        rig.run(&["remind"]).exits(0);
        rig.run(&["history", "verify"]).exits(0);
        rig.set_clock(noon + hours(1));
        rig.sandbox().set_now(noon + hours(1));
        let it = rig.only();
        assert_eq!((&it["state"], &it["expires_at"]), (&"active".into(), &before["expires_at"]), "{step}");
        lives(&rig);
        serves_to_the_end(&rig);
    }
}

/// A reminder that was given isn't given again because the clock went back.
#[test]
fn a_step_back_reminds_nobody_twice() {
    let mut rig = Rig::new();
    let got = rig.file("got");
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let hook = format!("[hooks]\ndue = \"sh -c 'cat >>{}'\"\n", got.display());
    std::fs::write(&config, format!("{text}\n{hook}")).unwrap();
    rig.set_time(at(NOON));
    rig.register("L-1").exits(0);
    let day = at(NOON) + hours(24 * 88);
    let lines = || std::fs::read_to_string(&got).unwrap_or_default().lines().count();
    rig.set_time(day);
    rig.run(&["remind"]).exits(0);
    assert_eq!(lines(), 1);
    for step in [-3, 3, -1, 0] {
        rig.step_clock(day + hours(step));
        rig.run(&["remind"]).exits(0);
        assert_eq!(lines(), 1, "{step}");
    }
}

/// An admin whose own clock is right, as on another machine; goes on once the file is there.
fn waiting_admin(gate: &std::path::Path) -> String {
    format!("env -u LD_PRELOAD {} --wait {}", admin(), gate.display())
}

/// Ends within a minute of this machine's own time, or hangs.
fn ended(rig: &Rig, mut child: Child) -> Run {
    rig.until(|| child.try_wait().unwrap().is_some());
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn a_step_in_the_middle_of_a_consent_neither_ends_nor_prolongs_it() {
    for step in [-6, 6, 24 * 30, -24 * 30] {
        let mut rig = Rig::new();
        rig.set_time(at(NOON));
        let gate = rig.elsewhere("go");
        let browser = waiting_admin(&gate);
        let waiting = rig.start(&register("L-1", &["--browser", &browser]));
        rig.until(|| rig.counted_asked() == 1);
        rig.step_clock(at(NOON) + hours(step));
        // Whoever looks meanwhile takes it for what it is: a question of a living process.
        assert_eq!(rig.only()["conditions"], serde_json::json!([]), "{step}");
        rig.run(&register("L-1", &[])).exits(1).says("is busy: ");
        std::fs::write(&gate, "").unwrap();
        ended(&rig, waiting).exits(0);
        let it = rig.only();
        assert!(instant(&it, "expires_at") <= at(NOON) + hours(2401), "{it}");
        rig.set_clock(at(NOON) + hours(1));
        rig.sandbox().set_now(at(NOON) + hours(1));
        if step > 24 {
            // The grant was noted by a clock that was ahead; the next event is noted by one that is right.
            rig.run(&["status", "--check"]).exits(1).answers("clock 29 days behind");
            rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
        }
        lives(&rig);
        serves_to_the_end(&rig);
    }
}

#[test]
fn a_time_out_is_of_the_machines_own_seconds() {
    for step in [-24, 24] {
        let mut rig = Rig::new();
        rig.set_time(at(NOON));
        let browser = waiting_admin(&rig.elsewhere("never"));
        let waiting = rig.start(&register("L-1", &["--browser", &browser, "--timeout", "3s"]));
        rig.until(|| rig.counted_asked() == 1);
        rig.step_clock(at(NOON) + hours(step));
        ended(&rig, waiting).exits(5);
        // Its admin goes home.
        std::fs::write(rig.elsewhere("never"), "").unwrap();
        rig.register("L-1").exits(0);
    }
}

/// Many at once, each by a clock of its own second: the newest token stays.
#[test]
fn refreshes_under_a_jumping_clock_cost_no_token() {
    let (rig, noon) = granted();
    for step in [1, -3, 3, -48, 48] {
        rig.step_clock(noon + hours(step));
        let children: Vec<_> = (0..6).map(|_| rig.start(&["token", "L-1", "--min-valid", "60m"])).collect();
        rig.step_clock(noon + hours(step + 1));
        for child in children {
            Run::of(child.wait_with_output().unwrap()).exits(0);
        }
        let live = rig.live("L-1").unwrap();
        assert!(rig.accepts(&live));
        let rotated = rig.truth().into_iter().rfind(|line| line["event"] == "token_rotated").unwrap();
        assert_eq!(rotated["access_sha256"], crate::support::stored::hashed(live.access.expose()));
    }
    assert_eq!(rig.counted("token_revoked"), 0, "no refresh token was sent twice");
}
