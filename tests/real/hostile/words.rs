//! S7, S33: a hostile provider's words, in refusals and names: told by their meaning, short, and unable to steer a
//! terminal.

use super::answers::json;
use super::exchange::{Hostile, is_pending, with};
use super::is_harmless;
use crate::support::{Rig, Run};

/// Every way of looking at the ledger works, and nothing in it steers a terminal.
#[track_caller]
pub fn looks_are_harmless(rig: &Rig, license: &str) {
    for format in ["table", "json", "jsonl", "csv", "ics", "prometheus"] {
        let run = rig.run(&["status", "--format", format]).exits(0);
        let run = Run { out: run.out.replace("\r\n", "\n"), ..run };
        is_harmless(format, &run);
    }
    for arguments in
        [&["status", license][..], &["history"], &["history", "--json"], &["export"], &["status", "--due"]]
    {
        let run = rig.run(arguments).exits(0);
        is_harmless(&arguments.join(" "), &Run { out: run.out.replace("\r\n", "\n"), ..run });
    }
    let check = rig.run(&["status", "--check"]);
    assert!(check.code <= 2, "{check:?}");
    is_harmless("check", &check);
    is_harmless("remind", &rig.run(&["remind", "--dry-run"]).exits(0));
    is_harmless("plan", &rig.run(&["renew", "--all", "--dry-run"]).exits(0));
}

#[test]
fn a_refusal_is_told_by_its_code_and_issues_nothing() {
    let mut it = Hostile::new("");
    let steering =
        r#""error_description":"\u001b]52;c;aGk=\u0007\r\nX\u009b2J\u202e","error_uri":"javascript:\u001b""#;
    let mut tried = 0;
    for (status, error, exit, says) in [
        ("400 Bad Request", "invalid_request", 8, "malformed"),
        ("400 Bad Request", "invalid_client", 8, "client id or secret"),
        ("401 Unauthorized", "invalid_client", 8, "client id or secret"),
        ("400 Bad Request", "invalid_grant", 5, "expired"),
        ("400 Bad Request", "unauthorized_client", 8, "isn't allowed to make this request"),
        ("400 Bad Request", "unsupported_grant_type", 8, "kind of request"),
        ("400 Bad Request", "invalid_scope", 8, "scope"),
        ("400 Bad Request", "use_dpop_nonce", 8, "use_dpop_nonce"),
        ("400 Bad Request", "slow_down", 8, "slow_down"),
        ("403 Forbidden", "purple", 8, "purple"),
        ("400 Bad Request", "INVALID_GRANT", 8, "INVALID_GRANT"),
        ("400 Bad Request", "invalid_grant ", 8, "invalid_grant "),
        ("400 Bad Request", "", 8, "error \"\""),
        ("400 Bad Request", "\\u001b[31mred\\u009b\\u202e\\r\\n", 8, "[31mred"),
    ] {
        for more in ["", steering] {
            let comma = if more.is_empty() { "" } else { "," };
            let body = format!("{{\"error\":\"{error}\"{comma}{more}}}");
            let license = format!("L-{tried}");
            let run = it.registers(&license, json(status, body), &[]);
            assert_eq!(run.code, exit, "{error}: {run:?}");
            run.answers_nothing().says(says);
            is_pending(error, &it.record(&license), &[]);
            tried += 1;
        }
    }
    // A refusal that can't be read isn't one.
    for body in [
        r#"{"error":5}"#,
        r#"{"error":null}"#,
        r#"{"error":["invalid_grant"]}"#,
        r#"{"error":{"code":"invalid_grant"}}"#,
        r#"{"Error":"invalid_grant"}"#,
        r#"{"error":"invalid_grant","error":"invalid_client"}"#,
        r#"["invalid_grant"]"#,
        r#""invalid_grant""#,
        "invalid_grant",
        "{\"error\":\"invalid_grant\"}{}",
        "{\"error\":\"invalid_grant\"}\0",
        "error=invalid_grant",
        "{\"error\":\"invalid_grant\"",
        "<p>invalid_grant</p>",
    ] {
        let license = format!("L-{tried}");
        it.registers(&license, json("400 Bad Request", body), &[]).exits(8).answers_nothing();
        is_pending(body, &it.record(&license), &["uncertain"]);
        tried += 1;
    }
    let long = format!(r#"{{"error":"x","error_description":"{}"}}"#, "A".repeat(500_000));
    let run = it.registers("L-long", json("400 Bad Request", long), &[]).exits(8);
    assert!(run.err.len() < 2_000, "{}", run.err.len());
    assert_eq!(tried, 42);
    looks_are_harmless(&it.rig, "L-27");
}

#[test]
fn a_name_that_steers_or_never_ends_is_shown_short_and_clean() {
    let mut it = Hostile::new("");
    for (nth, name) in [
        "\\u001b]52;c;aGk=\\u0007bob",
        "bob\\r\\nX: y",
        "\\u009b2Jbob",
        "bob\\u202egpj",
        "=cmd|' /C calc'!A0",
        "<b>bob</b>",
        "\\u0000",
        "bob\\u200b",
        "",
        " ",
    ]
    .iter()
    .enumerate()
    {
        let license = format!("L-{nth}");
        let run = it.registers(&license, json("200 OK", with(&format!("\"username\":\"{name}\""))), &[]);
        assert_eq!(run.code, 6, "{name}: {run:?}");
        is_pending(name, &it.record(&license), &["awaiting_approval"]);
    }
    let long = format!("\"username\":\"{}\"", "b".repeat(500_000));
    let run = it.registers("L-long", json("200 OK", with(&long)), &[]).exits(6);
    assert!(run.err.len() < 2_000, "{} bytes", run.err.len());
    it.rig.run(&["renew", "L-long", "--awaiting", "--yes"]).exits(0);
    let shown = it.rig.run(&["status", "L-long", "--json"]).exits(0).out;
    assert!(shown.len() < 3_000, "{} bytes", shown.len());
    looks_are_harmless(&it.rig, "L-0");
}
