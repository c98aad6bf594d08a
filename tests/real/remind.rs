//! `remind` and the hooks, as cron meets them.

use crate::support::crowd::{Crowd, Will};
use crate::support::seed::store;
use crate::support::{Rig, admin};
use biotrack_auth::sandbox::Mishap;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A hook that appends what it gets to a file, and fails while another file is there.
fn hook(rig: &Rig, name: &str) -> String {
    let script = rig.file(name);
    let text = "#!/bin/sh\n[ -e \"$0.broken\" ] && { cat >/dev/null; exit 3; }\ncat >>\"$0.got\"\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script.display().to_string()
}

fn got(rig: &Rig, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(rig.file(&format!("{name}.got"))).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn configure(rig: &Rig, hooks: &str) {
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[hooks]\n{hooks}\n")).unwrap();
}

/// A rig whose grants live a week, and which hooks what comes near.
fn weekly() -> Rig {
    let rig = Rig::with_lifetime("6d");
    configure(&rig, &format!("due = \"{}\"\nexpired = \"{}\"", hook(&rig, "due"), hook(&rig, "expired")));
    rig
}

#[test]
fn each_licence_is_reminded_of_once_by_its_nearest_threshold() {
    let rig = weekly();
    rig.register("L-1").exits(0);
    rig.run(&["remind"]).exits(0).answers_nothing();
    let first = got(&rig, "due");
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["schema"], 1);
    assert_eq!(first[0]["event"], "due");
    assert_eq!(first[0]["license"], "L-1");
    assert_eq!(first[0]["threshold"], 7);
    assert!(first[0]["at"].is_string());
    rig.run(&["remind"]).exits(0);
    assert_eq!(got(&rig, "due").len(), 1);
    // A renewal has a new end, and new reminders.
    let created: jiff::Timestamp = rig.only()["created_at"].as_str().unwrap().parse().unwrap();
    rig.sandbox().set_now(created + jiff::SignedDuration::from_mins(1));
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    rig.run(&["remind"]).exits(0);
    assert_eq!(got(&rig, "due").len(), 2);
}

#[test]
fn a_failing_hook_is_reported_and_tried_again() {
    let rig = weekly();
    rig.register("L-1").exits(0);
    rig.register("L-2").exits(0);
    fs::write(rig.file("due.broken"), "").unwrap();
    rig.run(&["remind"]).exits(1).says("The hook for \"due\" failed").says("2 of 2 hooks failed");
    fs::remove_file(rig.file("due.broken")).unwrap();
    rig.run(&["remind"]).exits(0);
    assert_eq!(got(&rig, "due").len(), 2);
}

#[test]
fn a_hook_that_hangs_is_stopped_with_all_that_it_started() {
    let rig = Rig::with_lifetime("6d");
    configure(&rig, "due = \"sh -c 'sleep 1000 & wait'\"\ntimeout = \"1s\"");
    rig.register("L-1").exits(0);
    rig.run(&["remind"]).exits(1).says("took longer than 1 s");
}

#[test]
fn a_digest_is_one_run_for_all() {
    let rig = weekly();
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\ndigest = true\n")).unwrap();
    rig.register("L-1").exits(0);
    rig.register("L-2").exits(0);
    rig.run(&["remind"]).exits(0);
    let digests = got(&rig, "due");
    assert_eq!(digests.len(), 1);
    assert_eq!(digests[0]["events"].as_array().unwrap().len(), 2);
    rig.run(&["remind"]).exits(0);
    assert_eq!(got(&rig, "due").len(), 1);
}

#[test]
fn grants_failures_and_deactivations_have_hooks() {
    let rig = Rig::new();
    configure(
        &rig,
        &format!(
            "granted = \"{}\"\nfailed = \"{}\"\ndeactivated = \"{}\"",
            hook(&rig, "granted"),
            hook(&rig, "failed"),
            hook(&rig, "deactivated")
        ),
    );
    rig.sandbox().set_fail(&[Mishap::Denied]);
    rig.register("L-1").exits(6);
    assert_eq!(got(&rig, "failed").len(), 1);
    rig.sandbox().set_fail(&[]);
    rig.register("L-1").exits(0);
    let granted = got(&rig, "granted");
    assert_eq!(
        (granted.len(), &granted[0]["event"], &granted[0]["state"]),
        (1, &"granted".into(), &"active".into())
    );
    assert!(!granted[0].to_string().contains("sandbox-"), "{}", granted[0]);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    assert_eq!(got(&rig, "deactivated").len(), 1);
}

#[test]
fn in_a_run_each_grant_is_told_of_while_the_run_goes_on() {
    let rig = Rig::new();
    configure(&rig, &format!("granted = \"{}\"", hook(&rig, "granted")));
    rig.seed(&[store("L-1", "2026-01-01T00:00:00Z"), store("L-2", "2026-01-01T00:00:00Z")]);
    let crowd = Crowd::of(1, |asked| if asked.license == "L-1" { Will::Grant } else { Will::Ignore });
    let mut run = rig.start(&["renew", "--all", "--browser", &crowd.browser()]);
    rig.until(|| fs::read_to_string(rig.file("granted.got")).is_ok_and(|text| text.ends_with('\n')));
    assert_eq!(got(&rig, "granted")[0]["license"], "L-1");
    assert!(run.try_wait().unwrap().is_none(), "the run goes on");
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_hook_that_failed_after_a_grant_leaves_the_grant_and_is_run_by_remind() {
    let rig = Rig::new();
    configure(&rig, &format!("granted = \"{}\"", hook(&rig, "granted")));
    fs::write(rig.file("granted.broken"), "").unwrap();
    rig.register("L-1").exits(0).says("The hook for \"granted\" failed").says("biotrack-auth remind");
    assert_eq!(rig.only()["state"], "active");
    rig.run(&["remind"]).exits(1);
    fs::remove_file(rig.file("granted.broken")).unwrap();
    rig.run(&["remind"]).exits(0);
    rig.run(&["remind"]).exits(0);
    assert_eq!(got(&rig, "granted").len(), 1);
}

#[test]
fn a_dry_run_tells_any_day_and_runs_nothing() {
    let rig = weekly();
    rig.register("L-1").exits(0);
    rig.run(&["remind", "--dry-run"]).exits(0).answers("due: 604001/L-1").answers("threshold 7 days");
    rig.run(&["remind", "--dry-run", "--at", "2099-01-01T00:00:00Z"]).exits(0).answers("expired: 604001/L-1");
    rig.run(&["remind", "--at", "2099-01-01T00:00:00Z"]).exits(2);
    assert!(got(&rig, "due").is_empty());
}

#[test]
fn hooks_that_cannot_be_are_refused_with_their_line() {
    let rig = Rig::new();
    configure(&rig, "du = \"x\"");
    rig.run(&["status"]).exits(2).says("config.toml:").says("Did you mean `due`?");
}
