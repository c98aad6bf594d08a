//! jq, as scripts and hooks use it: every time is one that `fromdateiso8601` reads.

use super::fed;
use crate::support::{Rig, outside};
use std::fs;

/// Where in a document times stand, each read; jq 1.6 and 1.7 take whole seconds alone.
const TIMES: &str = r#"
[paths(strings) as $path | {path: ($path | map(strings) | join(".")), text: getpath($path)}
 | select(.text | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T")) | {path, epoch: (.text | fromdateiso8601)}]
| map(select(.epoch > 1700000000)) | map(.path) | unique | join(" ")
"#;

/// The keys of a document's times, whose values jq has all read.
#[track_caller]
fn times(text: &str) -> String {
    let run = fed(outside("jq").args(["--slurp", "--raw-output", TIMES]), text).exits(0).says_nothing();
    run.out.trim_end().to_owned()
}

#[test]
fn every_time_that_a_script_gets_is_one_that_jq_reads() {
    let rig = Rig::with_lifetime("6d");
    let granted = rig.run(&crate::support::register("L-1", &["--json"])).exits(0).out;
    assert_eq!(times(&granted), "results.authorization.created_at results.authorization.expires_at");
    rig.run(&["token", "L-1"]).exits(0);
    let handed_off = rig.run(&["renew", "L-1", "--no-wait", "--json"]).exits(0).out;
    assert!(times(&handed_off).contains("results.authorization.pending_until"), "{handed_off}");
    let status = rig.run(&["status", "--json"]).exits(0).out;
    assert_eq!(
        times(&status),
        "authorizations.created_at authorizations.expires_at authorizations.last_used_at \
         authorizations.pending_until generated_at"
    );
    for (line, keys) in [
        (&["status", "--format", "jsonl"][..], "expires_at"),
        (&["history", "--json"], "links.at"),
        (&["export", "--format", "json"], "created_at"),
        (&["token", "L-1", "--format", "json"], "expires_at"),
    ] {
        let out = rig.run(line).exits(0).out;
        assert!(times(&out).contains(keys), "{line:?}: {} in {out}", times(&out));
    }
    let events = rig.run(&["renew", "L-1", "--browser", &crate::support::admin(), "--format", "jsonl"]);
    let events = events.exits(0).out;
    assert!(times(&events).contains("at authorization.expires_at"), "{} in {events}", times(&events));
}

#[test]
fn a_hook_reads_its_times_with_jq() {
    let rig = Rig::with_lifetime("6d");
    rig.register("L-1").exits(0);
    let left = rig.file("left");
    let jq = r#"jq -r '(.authorization.expires_at | fromdateiso8601) - (.at | fromdateiso8601) | . / 86400 | round'"#;
    let script = format!("{jq} >'{}'", left.display());
    let hook = shlex::try_join(["sh", "-c", script.as_str()]).unwrap();
    let config = fs::read_to_string(rig.file("config.toml")).unwrap();
    fs::write(rig.file("config.toml"), format!("{config}\n[hooks]\ndue = {}\n", toml::Value::from(hook)))
        .unwrap();
    rig.run(&["remind"]).exits(0);
    assert_eq!(fs::read_to_string(left).unwrap(), "6\n");
}
