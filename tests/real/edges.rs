//! What a skeptical user found at the edges: each was wrong once.

use crate::support::{Rig, Run, admin};
use biotrack_auth::sandbox::Mishap;
use serde_json::json;
use std::fs;

#[test]
fn an_output_file_may_be_a_bare_name() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let mut command = rig.command(&["status", "--format", "csv", "--output", "stores.csv"]);
    Run::of(command.current_dir(rig.home()).output().unwrap()).exits(0).answers_nothing();
    assert!(fs::read_to_string(rig.file("stores.csv")).unwrap().contains("L-1"));
}

#[test]
fn remind_answers_in_json() {
    let rig = Rig::with_lifetime("6d");
    rig.register("L-1").exits(0);
    let dry = rig.run(&["remind", "--dry-run", "--json"]).exits(0).json();
    // Nobody would be told without a hook.
    assert_eq!((&dry["dry_run"], &dry["reminders"]), (&json!(true), &json!([])));
    let real = rig.run(&["remind", "--json"]).exits(0).json();
    assert_eq!((&real["reminders"], &real["failed"]), (&json!([]), &json!(0)));
}

#[test]
fn verbose_tells_the_steps_on_standard_error() {
    let rig = Rig::new();
    let quiet = rig.run(&["status"]).exits(0);
    assert_eq!(quiet.err, "");
    rig.run(&["status", "-v"]).exits(0).says("ledger");
    rig.run(&crate::support::register("L-1", &["-vv"])).exits(0).says("the grant of 604001/L-1 is stored");
}

#[test]
fn a_license_is_given_up_even_while_the_provider_is_away() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&rig.sandbox().address(), "http://127.0.0.1:2")).unwrap();
    rig.run(&["deactivate", "L-1", "--yes"]).exits(8).answers("NOT revoked yet");
    assert_eq!(rig.only()["conditions"], json!(["revocation_pending"]));
    fs::write(&config, text).unwrap();
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("At BioTrack: revoked.");
    assert_eq!(rig.only()["conditions"], json!([]));
}

#[test]
fn giving_up_an_uncertain_license_does_not_claim_that_nothing_stands() {
    let rig = Rig::with(&[Mishap::Html]);
    rig.register("L-1").exits(8);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("a grant may still be valid");
}

#[test]
fn a_flag_goes_before_the_environment() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let colored = |color: &str| {
        let mut command = rig.command(&["status", "--color", color]);
        Run::of(command.env("NO_COLOR", "1").output().unwrap()).exits(0).out
    };
    assert!(
        colored("always").contains("\u{1b}[38;5;2m✓ active")
            || colored("always").contains("\u{1b}[32m✓ active"),
        "{:?}",
        colored("always")
    );
    assert!(!colored("auto").contains('\u{1b}'));
}

#[test]
fn a_first_grant_that_awaits_approval_is_named_where_someone_renews() {
    let rig = Rig::with(&[Mishap::OtherUser]);
    rig.register("L-1").exits(6);
    rig.run(&["renew", "L-1", "--browser", &admin()])
        .exits(6)
        .says("biotrack-auth renew 604001/L-1 --awaiting");
}

#[test]
fn every_failed_command_about_one_license_tells_its_error_in_the_same_place() {
    let rig = Rig::with(&[Mishap::OtherUser]);
    let answer = rig.run(&crate::support::register("L-1", &["--json"])).exits(6).json();
    assert_eq!(
        (&answer["results"][0]["outcome"], &answer["results"][0]["error"]["code"]),
        (&json!("awaiting_approval"), &json!("mismatch"))
    );
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&rig.sandbox().address(), "http://127.0.0.1:2")).unwrap();
    let answer = rig.run(&crate::support::register("L-2", &["--json"])).exits(8).json();
    assert_eq!(
        (&answer["results"][0]["outcome"], &answer["results"][0]["error"]["code"]),
        (&json!("failed"), &json!("network"))
    );
}

#[test]
fn a_certificate_file_that_is_not_there_is_a_matter_of_configuration() {
    let rig = Rig::new();
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\nca_file = \"/nowhere.pem\"\n")).unwrap();
    rig.run(&["config", "check"]).exits(2);
    rig.register("L-1").exits(2).says("/nowhere.pem");
}
