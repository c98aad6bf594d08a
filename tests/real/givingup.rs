//! Giving back no more and no less than what is meant: revocations that wait, held grants, replaced ones.

use crate::support::{Rig, admin, register};
use biotrack_auth::sandbox::Mishap;
use serde_json::{Value, json};
use std::fs;

/// A revocation address where nobody listens.
const NOBODY: &str = "revocation_url = \"http://127.0.0.1:9/revoke\"";

/// Adds a line to the profile while the work is done.
fn with_setting(rig: &Rig, line: &str, work: impl FnOnce()) {
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n{line}\n")).unwrap();
    work();
    fs::write(&config, text).unwrap();
}

fn as_boss() -> String {
    format!("{} --user boss@example.com", admin())
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
fn trying_a_held_grants_revocation_again_never_gives_up_the_living_one() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["renew", "L-1", "--browser", &as_boss()]).exits(6);
    with_setting(&rig, NOBODY, || {
        rig.run(&["deactivate", "L-1", "--dry-run"]).exits(0).answers("whose own grant stays");
        rig.run(&["deactivate", "L-1", "--yes"]).exits(8);
    });
    assert_eq!(rig.only()["next_command"], "biotrack-auth deactivate 604001/L-1");
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("own grant is untouched");
    let it = rig.only();
    assert_eq!(
        (&it["state"], &it["conditions"], &it["granted_by"]),
        (&json!("active"), &json!([]), &json!("ann@example.com"))
    );
    assert_eq!(rig.counted("token_revoked"), 1);
}

#[test]
fn where_a_revocation_may_end_more_an_old_one_is_never_sent_beside_a_new_grant() {
    let rig = Rig::new();
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\nrevocation_scope = \"grant\"\n")).unwrap();
    rig.register("L-1").exits(0);
    with_setting(&rig, NOBODY, || {
        rig.run(&["deactivate", "L-1", "--yes"]).exits(8);
    });
    rig.register("L-1").exits(0);
    assert_eq!(rig.only()["conditions"], json!([]));
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    assert_eq!(rig.counted("token_revoked"), 0);
}

#[test]
fn a_held_grant_of_a_deactivated_licence_can_be_thrown_away() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    let created = rig.only()["created_at"].clone();
    rig.run(&register("L-1", &["--browser", &as_boss()])).exits(6);
    let held = rig.only();
    assert_eq!(
        (&held["state"], &held["conditions"], &held["created_at"]),
        (&json!("deactivated"), &json!(["held"]), &created)
    );
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    assert_eq!(rig.only()["conditions"], json!([]));
    assert_eq!(rig.counted("token_revoked"), 2);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("nothing to do");
}

#[test]
fn the_grant_that_a_taken_one_replaced_goes() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["renew", "L-1", "--browser", &as_boss()]).exits(6);
    rig.run(&["renew", "L-1", "--any-user"]).exits(0);
    let truth = rig.truth();
    let issued: Vec<&Value> = truth.iter().filter(|line| line["event"] == "token_issued").collect();
    let revoked: Vec<&Value> = truth.iter().filter(|line| line["event"] == "token_revoked").collect();
    assert_eq!(revoked.iter().map(|line| &line["grant"]).collect::<Vec<_>>(), [&issued[0]["grant"]]);
}

#[test]
fn any_user_takes_whoever_grants() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["renew", "L-1", "--any-user", "--browser", &as_boss()]).exits(0);
    assert_eq!(rig.only()["granted_by"], "boss@example.com");
    assert_eq!(rig.only()["conditions"], json!([]));
}

#[test]
fn a_provider_that_stops_answering_does_not_hold_the_answer_back() {
    // The old grant's revocation stalls; the new one's card is out before.
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let setting =
        format!("revocation_url = \"http://{}/revoke\"\ntimeout = \"2s\"", silent.local_addr().unwrap());
    with_setting(&rig, &setting, || {
        rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0).answers("Renewed");
    });
    // What couldn't be cleared away is cleared away by the next command on the licence.
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    assert_eq!(rig.counted("token_revoked"), 2);
}

#[test]
fn facts_that_are_not_reported_are_called_not_confirmed() {
    let rig = Rig::with(&[Mishap::NoExpiry]);
    with_setting(&rig, "facts.company = \"\"", || {
        rig.register("L-1").exits(0).says("Not confirmed by BioTrack's answer: Company.");
    });
}
