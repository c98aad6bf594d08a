//! `renew`, as its users meet it.

use crate::support::{Rig, admin};
use biotrack_auth::sandbox::Mishap;

#[test]
fn the_new_grant_takes_the_old_ones_place_and_created_at_stays() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let before = rig.only();
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0).answers("Renewed");
    let after = rig.only();
    assert_eq!(after["created_at"], before["created_at"]);
    assert!(after["renewed_at"].is_string());
    assert_eq!(rig.counted("token_issued"), 2);
    // The replaced grant is revoked, and only that one: here a revocation reaches one grant alone.
    let truth = rig.truth();
    let issued: Vec<_> = truth.iter().filter(|line| line["event"] == "token_issued").collect();
    let revoked: Vec<_> = truth.iter().filter(|line| line["event"] == "token_revoked").collect();
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0]["grant"], issued[0]["grant"]);
}

#[test]
fn a_refused_renewal_leaves_the_old_grant_as_it_was() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let before = rig.only();
    rig.sandbox().set_fail(&[Mishap::Denied]);
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(6);
    let after = rig.only();
    assert_eq!(before, after);
    assert_eq!(rig.counted("token_revoked"), 0);
}

#[test]
fn a_bare_renew_and_unknown_or_ambiguous_selectors_are_refused() {
    let rig = Rig::new();
    rig.run(&["renew"]).exits(2).answers_nothing();
    rig.run(&["renew", "L-9"]).exits(9).says("L-9");
    for ubi in ["1", "2"] {
        rig.run(&[
            "register",
            "--ubi",
            ubi,
            "--license",
            "L-1",
            "--username",
            "a@b.example",
            "--browser",
            &admin(),
        ])
        .exits(0);
    }
    rig.run(&["renew", "L-1"]).exits(2).says("1/L-1, 2/L-1");
    rig.run(&["renew", "2/L-1", "--browser", &admin()]).exits(0);
}

#[test]
fn a_store_is_found_by_its_name_and_its_ocm_licence() {
    let rig = Rig::new();
    rig.run(&crate::support::register("L-1", &["--name", "Hudson St", "--ocm-license", "OCM-1"])).exits(0);
    rig.run(&["status", "Hudson St"]).exits(0).answers("L-1");
    rig.run(&["status", "OCM-1"]).exits(0).answers("L-1");
}

#[test]
fn a_pending_and_a_deactivated_licence_have_register() {
    let rig = Rig::with(&[Mishap::Denied]);
    rig.register("L-1").exits(6);
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(2).says("biotrack-auth register");
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(2).says("biotrack-auth register");
}

#[test]
fn another_username_is_asked_and_recorded() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["renew", "L-1", "--username", "bob@example.com", "--browser", &admin()]).exits(0);
    assert_eq!(rig.only()["username"], "bob@example.com");
    assert_eq!(rig.only()["granted_by"], "bob@example.com");
}

#[test]
fn another_admins_grant_is_held_until_someone_takes_it() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let before = rig.only();
    let browser = format!("{} --user boss@example.com", admin());
    rig.run(&["renew", "L-1", "--browser", &browser]).exits(6).says("boss@example.com").says("--any-user");
    let held = rig.only();
    assert_eq!(held["conditions"], serde_json::json!(["held"]));
    assert_eq!(held["expires_at"], before["expires_at"]);
    assert_eq!(held["granted_by"], "ann@example.com");
    rig.run(&["renew", "L-1", "--any-user"]).exits(0);
    let taken = rig.only();
    assert_eq!(taken["conditions"], serde_json::json!([]));
    assert_eq!(taken["granted_by"], "boss@example.com");
    assert_eq!(rig.counted("token_issued"), 2);
}

#[test]
fn deactivate_throws_a_held_grant_away_and_leaves_the_living_one() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let browser = format!("{} --user boss@example.com", admin());
    rig.run(&["renew", "L-1", "--browser", &browser]).exits(6);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("held grant is thrown away");
    assert_eq!(rig.only()["state"], "active");
    assert_eq!(rig.only()["conditions"], serde_json::json!([]));
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    assert_eq!(rig.only()["state"], "deactivated");
}

#[test]
fn usernames_compare_without_case() {
    let rig = Rig::new();
    let browser = format!("{} --user ANN@Example.com", admin());
    rig.run(&crate::support::register("L-1", &["--browser", &browser])).exits(0);
}

#[test]
fn break_first_gives_the_old_grant_up_before_the_new_one_is_asked_for() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let arguments = |more: &[&'static str]| {
        [&["renew", "L-1", "--username", "bob@example.com", "--break-first"], more].concat()
    };
    let browser = admin();
    // Nobody could be asked, or nobody said yes: nothing is given up.
    rig.run(&arguments(&["--yes"])).exits(4);
    rig.run(&[&arguments(&[])[..], &["--browser", &browser]].concat()).exits(2).says("--yes");
    assert_eq!(rig.counted("token_revoked"), 0);
    let run = rig.run(&[&arguments(&["--yes"])[..], &["--browser", &browser]].concat()).exits(0);
    run.says("stops reporting").says("L-1's old grant is given up. The new one is asked for now.");
    let events: Vec<_> = rig.truth().iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect();
    let (revoked, issued) = (
        events.iter().position(|event| event == "token_revoked").unwrap(),
        events.iter().rposition(|event| event == "token_issued").unwrap(),
    );
    assert!(revoked < issued, "{events:?}");
    let record = rig.only();
    assert_eq!((&record["state"], &record["username"]), (&"active".into(), &"bob@example.com".into()));
    rig.run(&["renew", "L-1", "--break-first"]).exits(2);
    rig.run(&["renew", "--all", "--username", "bob@example.com", "--break-first", "--yes"]).exits(2);
}

#[test]
fn a_new_consent_that_fails_after_the_break_says_how_to_go_on() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.sandbox().set_fail(&[Mishap::Denied]);
    let browser = admin();
    let run = rig.run(&[
        "renew",
        "L-1",
        "--username",
        "bob@example.com",
        "--break-first",
        "--yes",
        "--browser",
        &browser,
    ]);
    run.exits(6);
    assert_eq!(rig.only()["state"], "deactivated");
    rig.sandbox().set_fail(&[]);
    rig.register("L-1").exits(0);
}
