//! What a provider's answer leaves out or writes in a way of its own: no grant is lost for it, and nothing is passed off as
//! known that isn't.

use crate::rig::{Reply, Rig, register};
use crate::snapshot;
use jiff::SignedDuration;
use serde_json::{Value, json};

const TOKEN: &str = "/oauth/token";

fn answering(changed: Value) -> Rig {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Changed(changed)]);
    rig
}

/// The one authorization that there is.
fn only(rig: &Rig) -> Value {
    rig.run("status --json").exits(0).json()["authorizations"][0].clone()
}

#[test]
fn a_grant_without_a_refresh_token_ends_with_its_access_token_and_that_is_said() {
    for none in [json!(null), json!("")] {
        let rig = answering(json!({"refresh_token": none}));
        snapshot!("no_refresh_token", rig.run(&register("L-1")));
        let it = only(&rig);
        assert_eq!(it["expires_at"], (rig.now() + SignedDuration::from_hours(1)).to_string());
        assert_eq!((&it["expires_estimated"], &it["state"]), (&json!(false), &json!("due")));
        rig.run("status --check").exits(1);
        rig.run("token L-1").is(0, "access-1\n", "");
        rig.minutes_pass(60);
        assert_eq!(only(&rig)["state"], "expired");
        rig.run("status --check").exits(2);
        snapshot!("no_refresh_token_expired", rig.run("token L-1"));
    }
}

#[test]
fn one_whose_end_nobody_tells_is_used_as_long_as_the_grant() {
    let rig = answering(json!({"refresh_token": null, "expires_in": null}));
    rig.run(&register("L-1")).exits(0);
    rig.days_pass(99);
    rig.run("token L-1").is(0, "access-1\n", "");
    rig.days_pass(1);
    rig.run("token L-1").exits(4);
}

#[test]
fn scopes_may_be_a_list_and_an_empty_one_says_nothing() {
    for scope in [json!(["read", "write"]), json!("write  read"), json!(""), json!([]), json!(null)] {
        let rig = answering(json!({"scope": scope}));
        rig.adds_to_profile("scopes = [\"read\", \"write\"]");
        rig.run(&register("L-1")).exits(0);
    }
    let rig = answering(json!({"scope": ["read"]}));
    rig.adds_to_profile("scopes = [\"read\", \"write\"]");
    rig.run(&register("L-1")).exits(6);
}

#[test]
fn a_member_that_cannot_be_read_is_named() {
    for (member, value) in
        [("access_token", json!(7)), ("refresh_token", json!(["secret"])), ("scope", json!({"secret": 1}))]
    {
        let rig = answering(json!({member: value}));
        let done = rig.run(&register("L-1")).exits(8);
        let said = format!(
            "something that isn't a token response: a{} {member} that isn't a string",
            match member {
                "access_token" => "n",
                _ => "",
            }
        );
        assert!(done.err.contains(&said) && !done.err.contains("secret"), "{}", done.err);
    }
}

/// The answer of a first grant, with these members behind it.
fn answer(more: &str) -> String {
    format!(
        r#"{{"access_token":"access-1","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh-1"{more}}}"#
    )
}

#[test]
fn what_is_clear_is_taken_though_its_form_is_not_the_one_that_was_asked_for() {
    for (status, body) in [
        (201, answer("")),
        (203, answer("")),
        (200, format!("\u{feff}{}", answer(""))),
        (200, answer(r#","zz":1,"zz":2"#)),
        (200, answer(r#","expires_in":3600"#)),
    ] {
        let rig = Rig::new();
        rig.provider.replies(TOKEN, [Reply::Garbled(status, body.clone())]);
        rig.run(&register("L-1")).exits(0);
        rig.run("token L-1").is(0, "access-1\n", "");
        rig.minutes_pass(61);
        let again = body.replace("access-1", "access-1.1").replace("refresh-1", "refresh-1.1");
        rig.provider.replies(TOKEN, [Reply::Garbled(status, again)]);
        rig.run("token L-1").is(0, "access-1.1\n", "");
    }
}

#[test]
fn a_member_with_two_values_is_named() {
    for (more, member) in [
        (r#","access_token":"secret""#, "access_token"),
        (r#","company":"a","company":"secret""#, "company"),
        (r#","expiration_date":1,"expiration_date":"secret""#, "expiration_date"),
    ] {
        let rig = Rig::new();
        rig.provider.replies(TOKEN, [Reply::Garbled(200, answer(more))]);
        let done = rig.run(&register("L-1")).exits(8);
        let said = format!("something that isn't a token response: {member} has two values");
        assert!(done.err.contains(&said) && !done.err.contains("secret"), "{}", done.err);
    }
}

#[test]
fn access_tokens_that_expire_at_once_are_told_of() {
    let rig = answering(json!({"expires_in": 0}));
    rig.run(&register("L-1")).exits(0);
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"expires_in": 0}))]);
    let done = rig.run("token L-1").exits(0);
    assert!(done.err.contains("expire at once (expires_in is 0): each call refreshes"), "{}", done.err);
}

#[test]
fn an_end_that_cannot_be_taken_is_told_as_it_came_and_is_not_confirmed() {
    for (name, told) in [
        ("unreadable", json!("31/12/2027")),
        ("past", json!("2025-12-31T00:00:00Z")),
        ("far_off", json!("9999-12-31T23:59:59Z")),
    ] {
        let rig = answering(json!({"expiration_date": told}));
        snapshot!(format!("end_{name}"), rig.run(&register("L-1")));
        let it = only(&rig);
        assert_eq!(
            it["unconfirmed"],
            json!([format!("Expiration Date (told as {})", told.as_str().unwrap())])
        );
        assert_eq!(
            (&it["expires_estimated"], &it["expires_at"]),
            (&json!(true), &json!("2026-06-10T14:00:00Z"))
        );
        snapshot!(format!("end_{name}_card"), rig.run("status L-1"));
    }
}

#[test]
fn an_end_that_a_refresh_tells_and_that_cannot_be_taken_is_told_as_it_came_too() {
    for told in ["31/12/2027", "2025-12-31T00:00:00Z", "9999-12-31T23:59:59Z"] {
        for rolling in ["", "rolling = true"] {
            let rig = Rig::new();
            rig.adds_to_profile(rolling);
            drop(rig.grant("L-1"));
            let ends = only(&rig)["expires_at"].clone();
            let refreshed = |changed: Value| {
                rig.minutes_pass(61);
                rig.provider.replies(TOKEN, [Reply::Changed(changed)]);
                rig.run("token L-1").exits(0).err
            };
            let odd = json!({"expiration_date": told});
            let said = refreshed(odd.clone());
            assert!(said.contains(&format!("Expiration Date (told as {told})")), "{said}");
            let it = only(&rig);
            assert_eq!(it["unconfirmed"], json!([format!("Expiration Date (told as {told})")]));
            assert!(!rolling.is_empty() || it["expires_at"] == ends, "{it}");
            assert_eq!(refreshed(odd), "", "it's told once");
            assert_eq!(refreshed(json!({"expiration_date": null})), "");
            assert_eq!(only(&rig)["unconfirmed"].as_array().unwrap().len(), 1, "nothing was told since");
            assert_eq!(refreshed(json!({})), "");
            assert_eq!(only(&rig)["unconfirmed"], json!([]), "an end that can be read was");
        }
    }
}

#[test]
fn an_end_may_be_told_in_seconds_and_in_milliseconds() {
    let end = "2026-05-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
    for told in [json!(end.as_second()), json!(end.as_millisecond()), json!(end.as_millisecond().to_string())]
    {
        let rig = answering(json!({"expiration_date": told}));
        rig.run(&register("L-1")).exits(0);
        let it = only(&rig);
        assert_eq!((&it["expires_at"], &it["unconfirmed"]), (&json!(end.to_string()), &json!([])), "{told}");
    }
}

#[test]
fn an_end_by_a_clock_that_differs_is_marked() {
    let rig = Rig::new();
    rig.provider.clock_is_ahead(SignedDuration::from_hours(48));
    snapshot!("clock_ahead", rig.run(&register("L-1")));
    let it = only(&rig);
    assert_eq!(it["unconfirmed"].as_array().unwrap().len(), 1, "{it}");
    snapshot!("clock_ahead_card", rig.run("status L-1"));
}
