//! S7–S10, S37, S43–S45: what may come back when a token is refreshed. The grant's tokens stay whatever it is, and only
//! `invalid_grant` makes it invalid.

use super::answers::{Sort, by_form, json};
use super::exchange::GOOD;
use super::{cut, is_harmless};
use crate::support::Rig;
use crate::support::scripted::{Answer, Scripted, whole};
use serde_json::{Value, json as value};

const ALWAYS: [&str; 4] = ["token", "L-1", "--min-valid", "60m"];

fn granted() -> (Rig, Scripted) {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.adds_to_profile("timeout = \"1s\"");
    rig.age("L-1");
    let token = Scripted::instead_of(&rig, "token_url");
    (rig, token)
}

fn conditions(rig: &Rig) -> Value {
    let it = rig.only();
    assert_eq!(it["state"], "active", "{it}");
    it["conditions"].clone()
}

#[test]
fn no_form_of_a_wrong_answer_touches_the_tokens() {
    let (rig, token) = granted();
    let trap = Scripted::start();
    let cases = cut(by_form(GOOD, trap.address()));
    for case in &cases {
        let old = rig.live("L-1").unwrap();
        let before = token.asked();
        token.says(case.answer.clone());
        rig.age("L-1");
        let run = rig.run(&ALWAYS).exits(8).answers_nothing();
        is_harmless(&case.what, &run);
        let kept = rig.live("L-1").unwrap();
        assert_eq!(kept.access.expose(), old.access.expose(), "{}", case.what);
        assert_eq!(kept.refresh.unwrap().expose(), old.refresh.unwrap().expose(), "{}", case.what);
        // What was lost on the way is sent once more after re-reading (S37), all else once.
        let sent = if case.sort == Sort::Broken { 2 } else { 1 };
        assert_eq!(token.asked() - before, sent, "{}", case.what);
        let uncertain: &[&str] = if case.sort == Sort::Busy { &[] } else { &["uncertain"] };
        assert_eq!(conditions(&rig), value!(uncertain), "{}", case.what);
        // And an honest answer afterwards settles it.
        token.says(json("200 OK", GOOD));
        rig.run(&ALWAYS).exits(0);
        assert_eq!(conditions(&rig), value!([]), "{}", case.what);
    }
    assert_eq!(trap.asked(), 0, "a redirect was followed");
    rig.keeps_secrets(&[]);
}

/// Each byte comes well within the deadline; the last would come long after.
#[test]
fn an_answer_that_drips_is_not_waited_for() {
    let (rig, token) = granted();
    let answer = whole("200 OK\r\ncontent-type: application/json", GOOD);
    let (head, body) = answer.split_at(answer.len() - GOOD.len());
    token.says(Answer::Drip(head.to_vec(), body.to_vec()));
    rig.run(&ALWAYS).exits(8).answers_nothing();
    assert_eq!(conditions(&rig), value!(["uncertain"]));
    token.says(Answer::Bytes(answer));
    rig.run(&ALWAYS).exits(0);
}

#[test]
fn a_token_that_no_header_can_hold_never_takes_the_place_of_a_good_one() {
    let (rig, token) = granted();
    let old = rig.live("L-1").unwrap();
    for bad in ["a\\nb", "a\\r\\nX-Evil: b", "\\u0000", "\\u001b[2J", "tökén", "\\u202e"] {
        token.says(json(
            "200 OK",
            format!(
                r#"{{"access_token":"{bad}","token_type":"Bearer","refresh_token":"rotated-{}"}}"#,
                "x".repeat(9)
            ),
        ));
        let run = rig.run(&ALWAYS).exits(6).answers_nothing().says("Access token is ");
        is_harmless(bad, &run);
        let kept = rig.live("L-1").unwrap();
        assert_eq!(kept.access.expose(), old.access.expose(), "{bad}");
        // Where the provider rotates, the old one is spent.
        assert_eq!(kept.refresh.unwrap().expose(), "rotated-xxxxxxxxx", "{bad}");
        assert_eq!(conditions(&rig), value!([]), "{bad}");
    }
    token.says(json("200 OK", GOOD));
    rig.run(&ALWAYS).exits(0);
}

#[test]
fn only_a_clear_invalid_grant_makes_it_invalid() {
    let (rig, token) = granted();
    let mut tried = 0;
    for (status, body) in [
        ("400 Bad Request", r#"{"error":"invalid_client"}"#),
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#),
        ("400 Bad Request", r#"{"error":"invalid_request"}"#),
        ("400 Bad Request", r#"{"error":"unauthorized_client"}"#),
        ("400 Bad Request", r#"{"error":"unsupported_grant_type"}"#),
        ("400 Bad Request", r#"{"error":"invalid_scope"}"#),
        ("400 Bad Request", r#"{"error":"INVALID_GRANT"}"#),
        ("400 Bad Request", r#"{"error":" invalid_grant"}"#),
        ("400 Bad Request", r#"{"error":"invalid_grant\u0000"}"#),
        ("400 Bad Request", r#"{"error":["invalid_grant"]}"#),
        ("400 Bad Request", r#"{"error_description":"invalid_grant"}"#),
        ("400 Bad Request", r#"{"error":"x","error":"invalid_grant"}"#),
        ("400 Bad Request", r#"["invalid_grant"]"#),
        ("400 Bad Request", r#"{"error":"invalid_grant"}{}"#),
        ("400 Bad Request", "invalid_grant"),
        ("200 OK", r#"{"error":"invalid_grant"}"#),
        ("302 Found", r#"{"error":"invalid_grant"}"#),
        ("429 Busy", r#"{"error":"invalid_grant"}"#),
        ("500 Oops", r#"{"error":"invalid_grant"}"#),
        ("503 Away", r#"{"error":"invalid_grant"}"#),
    ] {
        token.says(json(status, body));
        let run = rig.run(&ALWAYS).exits(8).answers_nothing();
        is_harmless(body, &run);
        assert_eq!(rig.only()["state"], "active", "{status} {body}");
        assert!(rig.live("L-1").is_some());
        tried += 1;
    }
    assert_eq!(tried, 20);
    // The control: the same in the right place. Its tokens stay all the same.
    token.says(Answer::Bytes(whole(
        "400 Bad Request\r\ncontent-type: application/json",
        r#"{"error":"invalid_grant","error_description":"\u001b[2J"}"#,
    )));
    // Earlier answers were no answers: it must be said twice.
    is_harmless("invalid_grant", &rig.run(&ALWAYS).exits(8).answers_nothing());
    assert_eq!(rig.only()["state"], "active");
    is_harmless("invalid_grant", &rig.run(&ALWAYS).exits(4).answers_nothing());
    assert_eq!(rig.only()["state"], "invalid");
    assert!(rig.live("L-1").is_some());
}
