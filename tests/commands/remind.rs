//! `remind` and the hooks, as cron meets them: each reminder once, what failed again.
#![cfg(unix)] // Hooks are programs: sh stands on every such system.

use crate::rig::transcript::without_event_ids;
use crate::rig::{Person, Reply, Rig, Visit, fits, register};
use crate::snapshot;
use jiff::SignedDuration;
use serde_json::{Value, json};

const LICENSE: &str = "101-X0007-D1";

/// The ids of the reminders of `LICENSE`'s grant and of the next one.
const DUE: &str = "5dd5b48a7a618ef81d00860563e118e4";
const NEXT_DUE: &str = "6184985f0244d9e743510f765b95a459";

/// A hook that appends what it gets to a file of this name in the home.
fn hook(rig: &Rig, name: &str) -> String {
    format!("sh -c 'cat >>\"{}\"'", rig.file(name).display())
}

/// Sets hooks, a line of the configuration each.
fn configure(rig: &Rig, hooks: &[(&str, &str)]) {
    let lines: Vec<_> = hooks.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let text = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    let profile = text.split("\n[hooks]\n").next().unwrap();
    rig.write("config.toml", &format!("{profile}\n[hooks]\n{}", lines.concat()));
}

/// The same in quotation marks.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// The events that a hook got, a line each.
fn got(rig: &Rig, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(rig.file(name)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A license whose grant lives six days, and hooks of what comes near.
fn weekly() -> Rig {
    let rig = Rig::new();
    rig.provider.grants_for(SignedDuration::from_hours(6 * 24));
    let (due, expired) = (quoted(&hook(&rig, "due")), quoted(&hook(&rig, "expired")));
    configure(&rig, &[("due", &due), ("expired", &expired)]);
    rig.grant(LICENSE);
    rig
}

/// The event on its own, for a snapshot. In a file it always has this id.
#[track_caller]
fn event(rig: &Rig, event: &Value, id: &str) -> String {
    has_id(rig, event, id);
    without_event_ids(&serde_json::to_string_pretty(event).unwrap())
}

#[track_caller]
fn has_id(rig: &Rig, event: &Value, id: &str) {
    assert!(event["id"] == id || rig.is_on_a_server(), "{event}");
}

#[test]
fn its_help_says_what_it_takes() {
    snapshot!(Rig::bare().run("remind --help"));
}

#[test]
fn each_license_is_reminded_of_once_by_its_nearest_threshold() {
    let rig = weekly();
    snapshot!(rig.run("remind"));
    let first = got(&rig, "due");
    assert_eq!(first.len(), 1);
    insta::assert_snapshot!("what_the_due_hook_gets", event(&rig, &first[0], DUE));
    snapshot!("nothing_is_due_any_more", rig.run("remind"));
    // The next threshold, and after a pause the nearest alone.
    rig.days_pass(3);
    rig.run("remind").exits(0);
    assert_eq!(
        got(&rig, "due").iter().map(|it| it["threshold"].as_u64().unwrap()).collect::<Vec<_>>(),
        [7, 3]
    );
    rig.days_pass(4);
    rig.run("remind").exits(0);
    insta::assert_snapshot!(
        "what_the_expired_hook_gets",
        event(&rig, &got(&rig, "expired")[0], "8166b129ee83a6780054f70157e4bd97")
    );
    assert_eq!((got(&rig, "due").len(), got(&rig, "expired").len()), (2, 1));
    // A renewal has a new end, and new reminders.
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
    rig.run("remind").exits(0);
    assert_eq!(got(&rig, "due").len(), 3);
}

#[test]
fn in_a_file_a_hook_for_a_shell_is_refused_before_anything_is_spent() {
    let rig = weekly();
    let before = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    configure(&rig, &[("due", &quoted("jq -r .license | mail -s due ops@example.com"))]);
    snapshot!("a_pipe_at_config_check", rig.run("config check"));
    snapshot!("a_pipe_at_the_run", rig.run("remind"));
    // What it says instead is a hook that works, and nothing was spent.
    let sh = format!("sh -c 'jq -r .license | cat >>\"{}\"'", rig.file("mailed").display());
    configure(&rig, &[("due", &quoted(&sh.replace("jq -r .license", "cat")))]);
    rig.run("remind").is(0, "", "1 hook was run.\n");
    assert_eq!(got(&rig, "mailed").len(), 1);
    rig.write("config.toml", &before);
}

#[test]
fn a_hooks_path_begins_at_the_configurations_folder_whoever_calls() {
    use std::os::unix::fs::PermissionsExt;
    let rig = weekly();
    std::fs::create_dir(rig.file("scripts")).unwrap();
    let script = rig.write("scripts/notify", "#!/bin/sh\ncat >>\"$1\"\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    configure(&rig, &[("due", &quoted("scripts/notify told"))]);
    rig.run("remind").is(0, "", "1 hook was run.\n");
    assert_eq!(got(&rig, "told").len(), 1);
}

#[test]
fn a_run_with_nothing_to_do_says_nothing_but_to_a_person() {
    let rig = weekly();
    rig.run("remind").exits(0);
    rig.run("remind").is(0, "", "");
    rig.with(Person::watching()).run("remind").is(0, "", "No hook was due.\n");
    assert_eq!(rig.run("remind --json").exits(0).json()["reminders"], serde_json::json!([]));
}

#[test]
fn what_was_reminded_of_is_told_as_json() {
    let rig = weekly();
    let told = rig.run("remind --json").fits("remind");
    has_id(&rig, &told.json()["reminders"][0], DUE);
    insta::assert_snapshot!(without_event_ids(&told.transcript()));
    snapshot!(rig.run("remind --json").fits("remind"));
}

#[test]
fn the_hook_gets_what_the_shipped_schema_says() {
    let rig = weekly();
    rig.run("remind").exits(0);
    fits(&std::fs::read_to_string(rig.file("due")).unwrap(), "hook");
}

#[test]
fn a_weekends_end_counts_as_the_friday_before() {
    let rig = Rig::new();
    let due = quoted(&hook(&rig, "due"));
    configure(&rig, &[("due", &due), ("days", "[1]")]);
    // From a Monday to the Sunday after next.
    rig.provider.grants_for(SignedDuration::from_hours(13 * 24));
    rig.grant(LICENSE);
    rig.days_pass(9);
    rig.run("remind").exits(0);
    assert_eq!(got(&rig, "due").len(), 0, "on Wednesday");
    rig.days_pass(1);
    rig.run("remind").exits(0);
    assert_eq!(got(&rig, "due")[0]["authorization"]["days_left"], 3, "on Thursday, a day before Friday");
}

#[test]
fn a_failing_hook_is_reported_and_run_again() {
    let rig = weekly();
    rig.grant("101-X0008-D1");
    let (works, fails) = (quoted(&hook(&rig, "due")), quoted("sh -c 'cat >/dev/null; exit 3'"));
    configure(&rig, &[("due", &fails)]);
    snapshot!(rig.run("remind"));
    snapshot!(rig.run("remind --json").fits("remind"));
    configure(&rig, &[("due", &works)]);
    snapshot!(rig.run("remind"));
    assert_eq!(got(&rig, "due").len(), 2);
}

#[test]
fn a_hook_that_is_not_there_is_reported() {
    let rig = weekly();
    configure(&rig, &[("due", &quoted("/nowhere/notify"))]);
    let refused = rig.run("remind").exits(1);
    // The reason is the system's own word.
    assert!(
        refused
            .err
            .starts_with("The hook for \"due\" failed for 101-X0007-D1: /nowhere/notify can't be run: "),
        "{}",
        refused.err
    );
}

#[test]
fn a_digest_is_one_run_for_all() {
    let rig = weekly();
    rig.grant("101-X0008-D1");
    let due = quoted(&hook(&rig, "due"));
    configure(&rig, &[("due", &due), ("digest", "true")]);
    snapshot!(rig.run("remind"));
    let digests = got(&rig, "due");
    assert_eq!(digests.len(), 1);
    for (of, id) in digests[0]["events"].as_array().unwrap().iter().zip([DUE, NEXT_DUE]) {
        has_id(&rig, of, id);
    }
    let digest = event(&rig, &digests[0], "866118405306d14d77666967b75b028b");
    insta::assert_snapshot!("what_the_hook_gets_of_a_digest", digest);
    rig.run("remind").exits(0);
    assert_eq!(got(&rig, "due").len(), 1);
}

#[test]
fn without_a_hook_a_reminder_waits_until_there_is_one() {
    let rig = weekly();
    configure(&rig, &[("expired", &quoted(&hook(&rig, "expired")))]);
    snapshot!(rig.run("remind"));
    configure(&rig, &[("due", &quoted(&hook(&rig, "due")))]);
    rig.run("remind").exits(0);
    assert_eq!(got(&rig, "due").len(), 1);
}

#[test]
fn a_dry_run_tells_any_day_and_runs_nothing() {
    let rig = weekly();
    rig.run(&format!("{} --name 'Hudson St'", register("101-X0008-D1"))).exits(0);
    snapshot!(rig.run("remind --dry-run"));
    let told = rig.run("remind --dry-run --json").fits("remind");
    for (of, id) in told.json()["reminders"].as_array().unwrap().iter().zip([DUE, NEXT_DUE]) {
        has_id(&rig, of, id);
    }
    insta::assert_snapshot!(without_event_ids(&told.transcript()));
    snapshot!(rig.run("remind --dry-run --at 2026-03-07T09:00:00-05:00"));
    snapshot!(rig.run("remind --dry-run --at 2027-01-01T00:00:00Z"));
    snapshot!(rig.run("remind --dry-run --at 2026-03-02T14:00:00Z"));
    assert!(got(&rig, "due").is_empty() && got(&rig, "expired").is_empty());
}

#[test]
fn a_dry_run_without_a_license_says_so() {
    let rig = Rig::new();
    snapshot!(rig.run("remind --dry-run"));
    snapshot!(rig.run("remind"));
}

#[test]
fn times_that_cannot_be_are_refused() {
    let rig = Rig::new();
    snapshot!(rig.run("remind --at 2027-01-01T00:00:00Z"));
    snapshot!(rig.run("remind --dry-run --at tomorrow"));
}

#[test]
fn every_profile_is_reminded_of_where_that_is_asked() {
    let rig = Rig::new();
    let init = "config init --profile other --preset local-sandbox --url http://127.0.0.1:2 --vault sealed";
    rig.run(init).exits(0);
    configure(&rig, &[("due", &quoted(&hook(&rig, "due")))]);
    rig.provider.grants_for(SignedDuration::from_hours(6 * 24));
    rig.grant(LICENSE);
    rig.run(&format!("{} --profile other", register("101-X0009-D1"))).exits(0);
    snapshot!(rig.run("remind --dry-run --all-profiles"));
    rig.run("remind --all-profiles").exits(0);
    let profiles: Vec<_> = got(&rig, "due")
        .iter()
        .map(|it| it["authorization"]["profile"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(profiles, ["local-sandbox", "other"]);
    snapshot!(rig.run("remind --profile nowhere"));
}

#[test]
fn grants_failures_and_deactivations_have_hooks() {
    let rig = Rig::new();
    let hooks = ["granted", "failed", "deactivated"].map(|name| (name, quoted(&hook(&rig, name))));
    configure(&rig, &hooks.iter().map(|(name, words)| (*name, words.as_str())).collect::<Vec<_>>());
    rig.visits([Visit::Denies]);
    rig.run(&register(LICENSE)).exits(6);
    insta::assert_snapshot!(
        "what_the_failed_hook_gets",
        event(&rig, &got(&rig, "failed")[0], "bb742ccb5129361c1a5c4ae86217537b")
    );
    rig.grant(LICENSE);
    let granted = got(&rig, "granted");
    insta::assert_snapshot!(
        "what_the_granted_hook_gets",
        event(&rig, &granted[0], "275f31c048da769baad0c829c7b49c0e")
    );
    assert!(!granted[0].to_string().contains("access-"), "{}", granted[0]);
    rig.run(&format!("deactivate {LICENSE} --yes --reason sold")).exits(0);
    insta::assert_snapshot!(
        "what_the_deactivated_hook_gets",
        event(&rig, &got(&rig, "deactivated")[0], "bb9844c7fb6bc90c1d77f5265a06b946")
    );
    rig.run("remind").exits(0);
    assert_eq!(["granted", "failed", "deactivated"].map(|name| got(&rig, name).len()), [1, 1, 1]);
}

#[test]
fn the_failed_hook_says_which_kind_of_failure_it_was() {
    let rig = Rig::new();
    configure(&rig, &[("failed", &quoted(&hook(&rig, "failed")))]);
    let kinds = || -> Vec<_> {
        let told = got(&rig, "failed");
        told.iter().map(|it| format!("{} {}", it["error"]["code"].as_str().unwrap(), it["exit"])).collect()
    };
    rig.visits([Visit::Denies]);
    rig.run(&register("L-1")).exits(6);
    rig.visits([Visit::Leaves]);
    rig.run(&format!("{} --timeout 5s", register("L-2"))).exits(5);
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({ "location": "L-9" }))]);
    rig.run(&register("L-3")).exits(6);
    rig.provider.replies("/oauth/token", [Reply::Lost]);
    rig.run(&register("L-4")).exits(8);
    assert_eq!(kinds(), ["denied 6", "timeout 5", "mismatch 6", "network 8"]);
    assert!(got(&rig, "failed").iter().all(|it| it["error"]["exit"] == it["exit"]));
}

#[test]
fn each_of_several_has_its_own_hook() {
    let rig = Rig::new();
    configure(&rig, &[("deactivated", &quoted(&hook(&rig, "gone")))]);
    rig.grant(LICENSE);
    rig.grant("101-X0008-D1");
    snapshot!(rig.run(&format!("deactivate {LICENSE} 101-X0008-D1 --yes --quiet --reason sold")));
    let told: Vec<_> =
        got(&rig, "gone").iter().map(|it| (it["license"].clone(), it["detail"].clone())).collect();
    assert_eq!(told, [(LICENSE.into(), "sold".into()), ("101-X0008-D1".into(), "sold".into())]);
}

#[test]
fn in_a_run_each_grant_is_told_of_before_the_next_page_is_left() {
    let rig = Rig::new();
    configure(&rig, &[("granted", &quoted(&hook(&rig, "granted")))]);
    rig.seed([rig.record(LICENSE, "ann@example.com", -3), rig.record("101-X0008-D1", "ann@example.com", -3)]);
    rig.visits([Visit::Grants, Visit::Interrupts]);
    let browser = rig.browser_program();
    rig.run(&format!("renew --all --browser '{browser}'")).exits(130);
    assert_eq!(got(&rig, "granted").iter().map(|it| it["license"].clone()).collect::<Vec<_>>(), [LICENSE]);
}

#[test]
fn a_hook_that_failed_after_a_grant_leaves_the_grant_and_is_run_by_remind() {
    let rig = Rig::new();
    configure(&rig, &[("granted", &quoted("sh -c 'cat >/dev/null; exit 3'"))]);
    snapshot!(rig.run(&register(LICENSE)));
    snapshot!(rig.run("remind"));
    configure(&rig, &[("granted", &quoted(&hook(&rig, "granted")))]);
    rig.run("remind").exits(0);
    rig.run("remind").exits(0);
    assert_eq!(got(&rig, "granted").len(), 1);
}

#[test]
fn in_a_file_a_queue_that_cannot_be_looked_at_after_a_grant_leaves_the_grant() {
    let rig = Rig::new();
    configure(&rig, &[("granted", &quoted(&hook(&rig, "granted")))]);
    // In the place of the file by which one process at a time is at the queue.
    std::fs::create_dir_all(rig.file("hooks.lock")).unwrap();
    snapshot!(rig.run(&register(LICENSE)));
    std::fs::remove_dir(rig.file("hooks.lock")).unwrap();
    rig.run("remind").exits(0);
    assert_eq!(got(&rig, "granted").len(), 1);
}

#[test]
fn an_answer_that_was_handed_out_runs_the_hook_too() {
    let rig = Rig::new();
    configure(&rig, &[("granted", &quoted(&hook(&rig, "granted")))]);
    let line = "register --ubi 604001 --license 101-X0007-D1 --username ann@example.com --no-wait";
    let link = rig.run(line).exits(0).raw();
    let back = rig.provider.consents(link.trim_end(), None);
    rig.with(Person::piping(back)).run("complete -").exits(0);
    assert_eq!(got(&rig, "granted").len(), 1);
}

#[test]
fn hooks_that_cannot_be_are_refused_with_their_line() {
    let rig = Rig::new();
    let mut said = String::new();
    for hooks in [
        &[("du", "\"x\"")][..],
        &[("due", "\"'\"")],
        &[("due", "\"\"")],
        &[("timeout", "\"soon\"")],
        &[("days", "[]")],
        &[("days", "\"7\"")],
        &[("digest", "\"yes\"")],
    ] {
        configure(&rig, hooks);
        let refused = rig.run("remind").exits(2);
        assert_eq!(refused.out, "");
        // Behind the file's name stands the line.
        let (before, after) = refused.err.split_once("config.toml:").unwrap();
        let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
        said.push_str(&format!("{} = {}\n{before}config.toml:[LINE]{after}", hooks[0].0, hooks[0].1));
    }
    insta::assert_snapshot!(said);
}

/// At each step of a `remind` that is killed: the next one runs what is left to run. What was run already comes again only
/// where the killed one couldn't note it any more, with the same id, and no event is ever empty or cut.
#[test]
fn in_a_file_a_remind_that_is_killed_repeats_nothing_but_what_it_could_not_note() {
    for at in 0.. {
        let rig = weekly();
        for license in ["L-2", "L-3"] {
            rig.grant(license);
        }
        let mut before = Vec::new();
        let ended = rig.stopped_at("remind", at, || {
            before = got(&rig, "due");
            let killed = Rig::of(rig.world().killed_here());
            // The hooks write into the home that was killed: it's where the configuration says.
            killed.run("remind").exits(0);
            let all = got(&rig, "due");
            let ids = |events: &[Value]| -> Vec<String> {
                events.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
            };
            let (all, before) = (ids(&all), ids(&before));
            let each: std::collections::BTreeSet<_> = all.iter().collect();
            assert_eq!(each.len(), 3, "each is told of: {all:?}");
            assert!(all.len() <= 4, "one is repeated at most: {before:?} {all:?}");
            assert!(all.len() == 3 || before.last() == all.get(before.len()), "the last: {before:?} {all:?}");
            assert_eq!(std::fs::read_dir(killed.file("hooks")).unwrap().count(), 0);
        });
        if ended.is_none() {
            assert!(at > 4, "{at}");
            break;
        }
    }
}

#[test]
fn a_hook_of_a_killed_run_is_not_started_beside_itself() {
    use std::io::{BufRead, BufReader};
    let rig = weekly();
    rig.run("remind").exits(0);
    let (due, id) = (got(&rig, "due"), |event: &Value| event["id"].as_str().unwrap().to_owned());
    let event = rig.file("hooks").join(id(&due[0]));
    rig.days_pass(3);
    // The next reminder's hook, as a killed run left it: it has the event and runs.
    let next = rig.run("remind --dry-run --json").exits(0).json();
    let event = event.with_file_name(id(&next["reminders"][0]));
    biotrack_auth::system::files::write_new_private(&event, b"{}\n").unwrap();
    let held = std::fs::File::open(&event).unwrap();
    held.lock().unwrap();
    let mut child = std::process::Command::new("sh")
        .args(["-c", "echo begun; exec sleep 600"])
        .stdin(held)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let refused = rig.run("remind").exits(1);
    assert!(
        refused.err.contains("a run that was killed started it, and it is still running"),
        "{}",
        refused.err
    );
    assert_eq!(got(&rig, "due").len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    rig.run("remind").exits(0);
    assert_eq!(got(&rig, "due").len(), 2);
}

#[test]
fn what_a_clock_that_was_ahead_has_spent_is_given_again_when_it_is_right() {
    let rig = weekly();
    // A month too early every reminder is given, the last one too.
    rig.days_pass(30);
    rig.run("remind").exits(0);
    assert_eq!(got(&rig, "expired").len(), 1);
    rig.days_pass(-30);
    let said = rig.run("remind").exits(0).err;
    assert!(
        said.starts_with(
            "Note: 1 reminder was recorded with a time in the future, because a clock was ahead."
        ),
        "{said}"
    );
    assert_eq!(got(&rig, "due").len(), 1, "six days are left: the first threshold");
    rig.run("remind").is(0, "", "");
    // And at its end, once.
    rig.days_pass(7);
    rig.run("remind").exits(0);
    rig.days_pass(30);
    rig.run("remind").is(0, "", "");
    assert_eq!(got(&rig, "expired").len(), 2);
}

#[test]
fn a_dry_run_counts_what_a_clock_that_was_ahead_has_spent_as_not_given() {
    let rig = weekly();
    rig.days_pass(30);
    rig.run("remind").exits(0);
    rig.days_pass(-30);
    let would = rig.run("remind --dry-run").exits(0).out;
    assert!(would.starts_with("due: "), "{would}");
    // Nothing was forgotten by looking.
    rig.days_pass(30);
    rig.run("remind").is(0, "", "");
}
