//! The machine ends while a command waits or sends: what was noted without a sync may be gone, and that is said.

use crate::rig::{BOOT, Rig, Visit};
use serde_json::Value;

const LICENSE: &str = "101-X0007-D1";

/// What `status` tells of the license.
fn told(rig: &Rig) -> Value {
    rig.run("status --json").exits(0).json()["authorizations"][0].clone()
}

/// A home whose `renew` waits for the admin, and what was on its disk then, as a later start of the machine finds it.
fn cut_while_it_waits(boot: Option<&str>) -> Rig {
    let rig = Rig::new();
    rig.grant(LICENSE);
    rig.visits([Visit::Leaves]);
    let waiting = rig.start(&format!("renew {LICENSE} --browser scripted --timeout 2s"));
    while rig.ledger().all_flows().unwrap().is_empty() {
        std::thread::yield_now();
    }
    let restarted = rig.restarted(boot);
    assert_eq!(waiting.join().unwrap(), 5);
    restarted
}

#[test]
fn a_consent_that_was_under_way_when_the_machine_ended_is_uncertain() {
    for boot in [Some("000000000002"), None] {
        let rig = cut_while_it_waits(boot);
        let record = told(&rig);
        assert_eq!(record["conditions"], serde_json::json!(["uncertain"]), "{record}");
        assert_eq!(record["next_command"], format!("biotrack-auth renew 604001/{LICENSE}"));
        // And the next consent settles it.
        rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
        assert_eq!(told(&rig)["conditions"], serde_json::json!([]));
    }
}

#[test]
fn a_process_that_was_killed_alone_had_noted_all_it_did() {
    let rig = cut_while_it_waits(Some(BOOT));
    assert_eq!(told(&rig)["conditions"], serde_json::json!([]));
}
