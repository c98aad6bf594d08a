//! Giving back no more and no less than what is meant: revocations that wait, held grants, replaced ones.

use crate::support::scripted::{Answer, Scripted};
use crate::support::{Rig, admin};
use serde_json::json;
use std::fs;

/// A revocation address where nobody listens.
const NOBODY: &str = "revocation_url = \"http://127.0.0.1:2/revoke\"";

/// Adds a line to the profile while the work is done.
fn with_setting(rig: &Rig, line: &str, work: impl FnOnce()) {
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n{line}\n")).unwrap();
    work();
    fs::write(&config, text).unwrap();
}

#[test]
fn a_deactivation_that_was_not_answered_is_tried_again() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    with_setting(&rig, NOBODY, || {
        rig.run(&["deactivate", "L-1", "--yes"]).exits(8).answers("NOT revoked yet");
    });
    let it = rig.only();
    assert_eq!((&it["state"], &it["conditions"]), (&json!("deactivated"), &json!(["revocation_pending"])));
    assert_eq!(it["next_command"], "biotrack-auth deactivate 604001/L-1");
    rig.run(&["deactivate", "604001/L-1", "--yes"]).exits(0).answers("At BioTrack: revoked.");
    assert_eq!(rig.only()["conditions"], json!([]));
    assert_eq!(rig.counted("token_revoked"), 1);
}

#[test]
fn a_provider_that_stops_answering_does_not_hold_the_answer_back() {
    // The old grant's revocation stalls; the new one's card is out before.
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let silent = Scripted::start();
    silent.says(Answer::Stall(Vec::new()));
    let setting = format!("revocation_url = \"{}/revoke\"\ntimeout = \"2s\"", silent.address());
    with_setting(&rig, &setting, || {
        rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0).answers("Renewed");
    });
    // What couldn't be cleared away is cleared away by the next command on the license.
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    assert_eq!(rig.counted("token_revoked"), 2);
}
