//! What a dry run says of a run, and what it leaves alone.

use super::{fleet, of};
use crate::support::Rig;

#[test]
fn it_tells_who_would_be_asked_why_and_who_would_not() {
    let rig = fleet();
    rig.seed(&[of(&rig, "L-9", "ann@example.com", 40)]);
    let run = rig.run(&["renew", "--due", "--dry-run"]).exits(0);
    let run = run.answers("3 licenses would be asked: 1 admin of 1 company (UBI).");
    let run = run.answers("UBI 604001").answers("ann@example.com: 3 licenses").answers("2 days left");
    run.answers("Left out: 2 licenses").answers("not due yet");
    assert_eq!(rig.counted_asked(), 0);
    assert_eq!(rig.truth(), Vec::<serde_json::Value>::new());
}

#[test]
fn its_json_fits_the_shipped_schema() {
    let rig = fleet();
    let document = rig.run(&["renew", "--due", "--dry-run", "--json"]).exits(0).json();
    let path = format!("{}/schemas/plan.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{document}");
    assert_eq!(document["planned"].as_array().unwrap().len(), 3);
}

/// Forty that were all granted on one day, and end on one day.
fn cluster() -> Rig {
    let rig = Rig::new();
    rig.seed(&(0..40).map(|at| of(&rig, &format!("L-{at:02}"), "ann@example.com", 12)).collect::<Vec<_>>());
    rig
}

#[test]
fn a_spread_is_proposed_and_applied_only_when_asked() {
    let rig = cluster();
    let run = rig.run(&["renew", "--due", "--dry-run"]).exits(0);
    run.answers("40 licenses would be asked").answers("Applied only with --spread.");
    let run = rig.run(&["renew", "--due", "--spread", "--dry-run", "--json"]).exits(0).json();
    let (planned, left) = (run["planned"].as_array().unwrap(), run["left_out"].as_array().unwrap());
    assert!((1..40).contains(&planned.len()) && planned.len() + left.len() == 40, "{run}");
    rig.run(&["renew", "--all", "--spread"]).exits(2);
}
