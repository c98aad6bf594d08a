//! Every way in which the sandbox misbehaves ends in its documented exit code.

use crate::support::{Rig, Run, admin, register, send};
use biotrack_auth::sandbox::Mishap;
use serde_json::json;

/// Nothing usable is in the record.
#[track_caller]
fn nothing_is_stored(rig: &Rig, conditions: &serde_json::Value) {
    let it = rig.only();
    assert_eq!(it["state"], "pending");
    assert_eq!(it["expires_at"], serde_json::Value::Null);
    assert_eq!(it["granted_by"], serde_json::Value::Null);
    assert_eq!(&it["conditions"], conditions);
}

#[test]
fn denied_is_6() {
    let rig = Rig::with(&[Mishap::Denied]);
    rig.register("L-1").exits(6).answers_nothing().says("refused");
    nothing_is_stored(&rig, &json!([]));
}

#[test]
fn another_location_or_company_is_6_names_the_fact_and_is_revoked() {
    for (mishap, fact) in [
        (Mishap::WrongLocation, "Location is \"L-1-D2\", not \"L-1\""),
        (Mishap::WrongCompany, "Company is \"Other Vendor LLC\", not \"Treez Inc\""),
    ] {
        let rig = Rig::with(&[mishap]);
        rig.register("L-1").exits(6).answers_nothing().says(fact).says("was revoked");
        nothing_is_stored(&rig, &json!([]));
        assert_eq!(rig.counted("token_revoked"), 1);
    }
}

#[test]
fn another_user_is_6_and_held() {
    let rig = Rig::with(&[Mishap::OtherUser]);
    rig.register("L-1").exits(6).answers_nothing().says("other.admin@example.com");
    nothing_is_stored(&rig, &json!(["awaiting_approval"]));
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    assert_eq!(rig.only()["state"], "deactivated");
    assert_eq!(rig.counted("token_revoked"), 1);
}

#[test]
fn no_expiry_is_stored_and_estimated() {
    let rig = Rig::with(&[Mishap::NoExpiry]);
    rig.register("L-1").exits(0).answers("estimated");
    assert_eq!(rig.only()["expires_estimated"], true);
    assert_eq!(rig.only()["days_left"], 100);
}

#[test]
fn an_answer_that_cannot_be_used_is_8_and_uncertain() {
    for mishap in
        [Mishap::BadJson, Mishap::Html, Mishap::ServerError, Mishap::Huge, Mishap::Redirect, Mishap::Lost]
    {
        let rig = Rig::with(&[mishap]);
        let run = rig.register("L-1").exits(8).answers_nothing();
        assert!(!run.err.contains("sandbox-access-"), "{}", run.err);
        nothing_is_stored(&rig, &json!(["uncertain"]));
        assert!(rig.only()["next_command"].as_str().unwrap().starts_with("biotrack-auth register "));
        rig.sandbox().set_fail(&[]);
        rig.register("L-1").exits(0);
        assert_eq!(rig.only()["conditions"], json!([]));
    }
}

#[test]
fn a_stall_is_8_and_uncertain() {
    let rig = Rig::with(&[Mishap::Slow]);
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\ntimeout = \"1s\"\n")).unwrap();
    rig.register("L-1").exits(8).answers_nothing();
    nothing_is_stored(&rig, &json!(["uncertain"]));
}

#[test]
fn a_wrong_state_is_ignored_and_then_5() {
    let rig = Rig::with(&[Mishap::WrongState]);
    rig.run(&register("L-1", &["--timeout", "2s"])).exits(5).answers_nothing().says("ignored because ");
    nothing_is_stored(&rig, &json!([]));
    assert_eq!(rig.counted("token_issued"), 0);
}

#[test]
fn a_wrong_or_missing_issuer_is_6() {
    for mishap in [Mishap::WrongIss, Mishap::MissingIss] {
        let rig = Rig::with(&[mishap]);
        // It's told at once, and no better answer comes in time.
        let run = rig.run(&register("L-1", &["--browser", &admin(), "--timeout", "2s"]));
        run.exits(6).answers_nothing().says("Nothing was sent, and the same address still works");
        nothing_is_stored(&rig, &json!([]));
        assert_eq!(rig.counted("token_issued"), 0);
    }
}

#[test]
fn a_provider_that_is_away_is_8_before_anyone_is_asked() {
    let rig = Rig::new();
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&rig.sandbox().address(), "http://127.0.0.1:2")).unwrap();
    rig.register("L-1").exits(8).says("can't be reached");
    assert_eq!(rig.status()["summary"]["total"], 0);
}

#[test]
fn a_provider_that_is_down_is_8_before_anyone_is_asked() {
    let rig = Rig::with(&[Mishap::Down]);
    rig.register("L-1").exits(8).says("503");
    assert_eq!(rig.status()["summary"]["total"], 0);
}

#[test]
fn a_provider_that_has_too_much_to_do_gets_the_code_later_and_ctrl_c_leaves_it_to_the_next_command() {
    let rig = Rig::with(&[Mishap::RateLimit]);
    let child = rig.start(&register("L-1", &["--browser", &admin()]));
    // The test of the client, the code itself, and the code once more.
    rig.until(|| rig.counted("refused") >= 3);
    send("INT", &child);
    let run = Run::of(child.wait_with_output().unwrap()).says("Sending the code again in");
    // While the code waits it's the interrupt that is told, and while it's on its way what comes of it.
    assert!([130, 8].contains(&run.code), "{run:?}");
    assert_eq!((rig.counted("token_issued"), rig.counted("code_issued")), (0, 1));
    assert_eq!(rig.only()["conditions"], json!([]), "no token was issued, so nothing is uncertain");
    rig.sandbox().set_fail(&[]);
    rig.register("L-1").exits(0);
    assert_eq!((rig.only()["conditions"].clone(), rig.counted("code_issued")), (json!([]), 1));
}

#[test]
fn a_share_of_failures_is_read_or_refused_with_a_reason() {
    let rig = Rig::unconfigured(&[]);
    let serve = |fail: &str| rig.run(&["sandbox", "serve", "--fail", fail]).exits(2);
    serve("denied:5").says("a share is a whole percentage, as in denied:5%");
    serve("gremlins:5%").says("unknown kind of failure: gremlins");
    serve("gremlins").says("rate-limit");
    serve("revocation-unsupported:5%").says("takes no share");
}
