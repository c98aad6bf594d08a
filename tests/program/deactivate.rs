//! `deactivate`, as its users meet it.

use crate::support::Rig;
use biotrack_auth::sandbox::Mishap;

#[test]
fn it_revokes_forgets_and_keeps_the_history() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1", "--yes", "--reason", "store closed"])
        .exits(0)
        .answers("deactivated here")
        .answers("At BioTrack: revoked.");
    assert_eq!(rig.only()["state"], "deactivated");
    assert_eq!(rig.only()["days_left"], serde_json::Value::Null);
    assert_eq!(rig.counted("token_revoked"), 1);
    rig.run(&["status", "L-1"]).exits(0).answers("store closed");
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("nothing to do");
}

#[test]
fn a_revocation_that_is_still_owed_never_ends_a_newer_grant() {
    let rig = Rig::new();
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    // Where one revocation may end every grant of the account, as a preset for the real BioTrack must assume.
    let wide = format!("{text}\nrevocation_scope = \"grant\"\n");
    std::fs::write(&config, format!("{wide}\nrevocation_url = \"http://127.0.0.1:9/revoke\"\n")).unwrap();
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(8).answers("NOT revoked yet");
    rig.register("L-1").exits(0);
    std::fs::write(&config, wide).unwrap();
    rig.run(&["renew", "L-1", "--browser", &crate::support::admin()]).exits(0);
    assert_eq!(rig.counted("token_revoked"), 0, "the living grant might have gone with it");
    assert_eq!(rig.only()["conditions"], serde_json::json!(["revocation_pending"]));
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("At BioTrack: revoked.");
    assert_eq!(rig.only()["conditions"], serde_json::json!([]));
}

#[test]
fn unattended_it_needs_a_yes() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1"]).exits(2).answers_nothing().says("--yes");
    rig.run(&["deactivate", "L-1", "--dry-run"]).exits(0).answers("Would deactivate");
    assert_eq!(rig.only()["state"], "active");
    assert_eq!(rig.counted("token_revoked"), 0);
}

#[test]
fn without_a_revocation_endpoint_it_is_local_and_says_so() {
    let rig = Rig::with(&[Mishap::RevocationUnsupported]);
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("it offers no way to");
    assert_eq!(rig.only()["state"], "deactivated");
}

#[test]
fn local_only_asks_nobody() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1", "--yes", "--local-only"]).exits(0).answers("--local-only");
    assert_eq!(rig.counted("token_revoked"), 0);
}

#[test]
fn json_tells_the_outcome() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let answer = rig.run(&["deactivate", "L-1", "--yes", "--json"]).exits(0).json();
    assert_eq!(answer["results"][0]["outcome"], "deactivated");
    let answer = rig.run(&["deactivate", "L-1", "--yes", "--json"]).exits(0).json();
    assert_eq!(answer["results"][0]["outcome"], "unchanged");
}
