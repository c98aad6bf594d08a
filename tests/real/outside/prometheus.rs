//! promtool on the metrics and on the shipped alert rules.

use super::{fed, shipped};
use crate::support::seed::{named, store};
use crate::support::{Rig, Run, outside};
use biotrack_auth::model::authorization::Authorization;
use std::os::unix::fs::PermissionsExt;

#[test]
fn promtool_finds_nothing_wrong_in_the_metrics() {
    let rig = Rig::new();
    let gone = Authorization {
        deactivated_at: Some("2020-01-01T00:00:00Z".parse().unwrap()),
        ..store("L-3", "2036-03-12T12:00:00Z")
    };
    rig.seed(&[
        named("L-1", "Ann's \"Best\" \\ Buds 店 🌿", "2036-03-12T12:00:00Z"),
        store("L-2", "2020-03-11T12:00:00Z"),
        gone,
    ]);
    let metrics = rig.run(&["status", "--format", "prometheus"]).exits(0).says_nothing().out;
    let run = fed(outside("promtool").args(["check", "metrics"]), &metrics);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""), "{metrics}");
    // Expired, and still there; given up, and gone.
    assert!(metrics.contains("license=\"L-2\",name=\"\"} 1583928000\n"), "{metrics}");
    assert!(!metrics.contains("L-3"));
    assert!(
        metrics.contains("biotrack_auth_authorizations{profile=\"local-sandbox\",state=\"expired\"} 1\n")
    );
}

#[test]
fn an_empty_ledger_is_metrics_too() {
    let metrics = Rig::new().run(&["status", "--format", "prometheus"]).exits(0).out;
    fed(outside("promtool").args(["check", "metrics"]), &metrics).exits(0).says_nothing();
    assert!(metrics.contains("state=\"active\"} 0\n"), "{metrics}");
}

#[test]
fn the_collectors_file_is_written_in_one_step_and_readable_for_all() {
    let rig = Rig::new();
    let file = rig.file("collected").join("biotrack-auth.prom");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    for _ in 0..2 {
        rig.run(&["status", "--format", "prometheus", "--output", file.to_str().unwrap()])
            .exits(0)
            .answers_nothing()
            .says_nothing();
    }
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn promtool_finds_nothing_wrong_in_the_rules_and_they_fire_when_they_should() {
    for (check, file) in [("check", "biotrack-auth.rules.yml"), ("test", "biotrack-auth.rules.test.yml")] {
        let mut promtool = outside("promtool");
        promtool.args([check, "rules"]).arg(shipped("prometheus").join(file));
        Run::of(promtool.output().unwrap()).exits(0).says_nothing().answers("SUCCESS");
    }
}
