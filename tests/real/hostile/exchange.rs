//! S7, S9, S10, S33, S41, S43–S45, S47: what may come back when a code is exchanged. Nothing wrong is ever taken for a
//! grant, and where one may have been issued the record says so.

use super::answers::{Sort, by_form, json};
use super::words::looks_are_harmless;
use super::{cut, is_harmless};
use crate::support::crowd::{Crowd, Will};
use crate::support::scripted::{Answer, Scripted};
use crate::support::{Rig, Run, register};
use serde_json::{Value, json as value};

/// A token answer that is believed. Its tokens begin as the sandbox's do, so that they are looked for everywhere.
pub const GOOD: &str = r#"{"access_token":"sandbox-access-0123456789","token_type":"Bearer","expires_in":3600,"refresh_token":"sandbox-refresh-0123456789"}"#;

/// A rig whose codes are exchanged at a hostile place, and its admins.
pub struct Hostile {
    pub rig: Rig,
    pub token: Scripted,
    crowd: Crowd,
    asked: usize,
}

impl Hostile {
    pub fn new(profile: &str) -> Self {
        let rig = Rig::new();
        let token = Scripted::instead_of(&rig, "token_url");
        rig.adds_to_profile(profile);
        Self { rig, token, crowd: Crowd::of(1, |_| Will::Grant), asked: 0 }
    }

    /// Registers a license whose code is answered so; a code is never sent twice (S47).
    #[track_caller]
    pub fn registers(&mut self, license: &str, answer: Answer, more: &[&str]) -> Run {
        self.token.says(answer);
        let browser = self.crowd.browser();
        let run = self.rig.run(&register(license, &[&["--browser", &browser][..], more].concat()));
        is_harmless(license, &run);
        assert!(!run.out.contains("sandbox-access") && !run.err.contains("sandbox-access"), "{run:?}");
        self.asked += 1;
        assert_eq!(self.token.asked(), self.asked, "{license}: sent twice, or not at all: {run:?}");
        run
    }

    pub fn record(&self, license: &str) -> Value {
        self.rig.run(&["status", license, "--json"]).exits(0).json()["authorizations"][0].clone()
    }
}

#[track_caller]
pub fn is_pending(what: &str, record: &Value, conditions: &[&str]) {
    let found = (&record["state"], &record["conditions"], &record["expires_at"], &record["granted_by"]);
    assert_eq!(found, (&value!("pending"), &value!(conditions), &Value::Null, &Value::Null), "{what}");
}

#[test]
fn no_form_of_a_wrong_answer_becomes_a_grant() {
    let mut it = Hostile::new("timeout = \"2s\"");
    let trap = Scripted::start();
    it.registers("L-good", json("200 OK", GOOD), &[]).exits(0);
    let cases = by_form(GOOD, trap.address());
    assert_eq!(cases.len(), 119);
    let cases = cut(cases);
    for (nth, case) in cases.iter().enumerate() {
        let license = format!("L-{nth}");
        let run = match nth % 2 {
            0 => it.registers(&license, case.answer.clone(), &[]),
            _ => it.registers(&license, case.answer.clone(), &["--json"]),
        };
        assert_eq!(run.code, 8, "{}: {run:?}", case.what);
        if nth % 2 == 1 {
            let error = &run.json()["results"][0]["error"];
            let code = if case.sort == Sort::Broken { "network" } else { "provider" };
            assert_eq!((&error["code"], &error["exit"]), (&value!(code), &value!(8)), "{}", case.what);
        }
    }
    let status = it.rig.status();
    let records = status["authorizations"].as_array().unwrap();
    assert_eq!(records.len(), cases.len() + 1);
    for record in records.iter().filter(|record| record["license"] != "L-good") {
        is_pending(record["license"].as_str().unwrap(), record, &["uncertain"]);
        assert!(record["next_command"].as_str().unwrap().starts_with("biotrack-auth register "), "{record}");
    }
    assert_eq!(trap.asked(), 0, "a redirect was followed");
    assert_eq!(it.rig.counted("token_issued"), 0);
    it.rig.keeps_secrets(&[]);
    // Of an endless body no more than a MiB and what the sockets hold is taken.
    assert!(it.token.taken() < 10 * 24 * 1024 * 1024, "{}", it.token.taken());
}

/// A body with these members in place of, or beside, the good ones.
pub fn with(members: &str) -> String {
    let changed: serde_json::Map<String, Value> = serde_json::from_str(&format!("{{{members}}}")).unwrap();
    let mut body: serde_json::Map<String, Value> = serde_json::from_str(GOOD).unwrap();
    for (name, value) in changed {
        match value {
            Value::String(text) if text == "(none)" => drop(body.remove(&name)),
            value => drop(body.insert(name, value)),
        }
    }
    Value::Object(body).to_string()
}

#[test]
fn members_of_the_wrong_type_are_no_token_answer() {
    let mut it = Hostile::new("");
    let mut tried = 0;
    for members in [
        r#""access_token":"(none)""#,
        r#""access_token":null"#,
        r#""access_token":"""#,
        r#""access_token":1"#,
        r#""access_token":true"#,
        r#""access_token":["sandbox-access-0123456789"]"#,
        r#""access_token":{"a":"sandbox-access-0123456789"}"#,
        r#""refresh_token":1"#,
        r#""refresh_token":["sandbox-refresh-0123456789"]"#,
        r#""scope":1"#,
        r#""scope":[1]"#,
        r#""access_token":"(none)","error":"invalid_grant""#,
        r#""access_token":"(none)","error":"access_denied","error_description":"\u001b]52;c;aGk=\u0007""#,
    ] {
        let license = format!("L-{tried}");
        it.registers(&license, json("200 OK", with(members)), &[]).exits(8).answers_nothing();
        is_pending(members, &it.record(&license), &["uncertain"]);
        tried += 1;
    }
    // Half an answer is none, and neither is one and a half.
    for behind in ["{}", GOOD, "]", "\0", "x", ","] {
        let license = format!("L-{tried}");
        it.registers(&license, json("200 OK", format!("{GOOD}{behind}")), &[]).exits(8).answers_nothing();
        is_pending(behind, &it.record(&license), &["uncertain"]);
        tried += 1;
    }
    assert_eq!(tried, 19);
}

#[test]
fn another_kind_of_token_or_grant_is_refused_and_named() {
    let mut it = Hostile::new("scopes = [\"read\", \"write\"]\nrevocation_url = \"{url}/nowhere\"");
    it.registers("L-good", json("200 OK", with(r#""scope":"read write admin""#)), &[]).exits(0);
    let mut tried = 0;
    for (members, says) in [
        (r#""token_type":"mac""#, "Token type"),
        (r#""token_type":"DPoP""#, "Token type"),
        (r#""token_type":"N_A""#, "Token type"),
        (r#""token_type":"""#, "Token type"),
        (r#""token_type":"Bearer ""#, "Token type"),
        (r#""token_type":1"#, "Token type"),
        (r#""token_type":["Bearer"]"#, "Token type"),
        (r#""token_type":{"Bearer":1}"#, "Token type"),
        (r#""token_type":"\u001b]52;c;aGk=\u0007\u009b2J\u202e""#, "Token type"),
        (r#""scope":"read""#, "Scope"),
        (r#""scope":"readwrite""#, "Scope"),
        (r#""scope":"read,write""#, "Scope"),
        (r#""scope":"READ WRITE""#, "Scope"),
        (r#""scope":"\u001b[2J""#, "Scope"),
        (r#""access_token":"a\nb""#, "Access token"),
        (r#""access_token":"a\r\nX-Evil: b""#, "Access token"),
        (r#""access_token":"a\u0000b""#, "Access token"),
        (r#""access_token":"\u001b[2J""#, "Access token"),
        (r#""access_token":"\u007f""#, "Access token"),
        (r#""access_token":"token\u202e""#, "Access token"),
        (r#""access_token":"tökén""#, "Access token"),
        (r#""location":"another""#, "Location"),
        (r#""location":"""#, "Location"),
        (r#""location":["L"]"#, "Location"),
        (r#""location":{}"#, "Location"),
        (r#""location":1e999999"#, "Location"),
        (r#""location":"\u001b]52;c;aGk=\u0007\r\n\u009b2J\u202e""#, "Location"),
        (r#""company":"Treez Inc\u200b""#, "Company"),
        (r#""company":"TREEZ INC""#, "Company"),
        (r#""company":"Tr\u0435ez Inc""#, "Company"),
        (r#""company":false"#, "Company"),
        (r#""ubi":604002"#, "UBI"),
        (r#""ubi":"0604001""#, "UBI"),
        (r#""access_type":"Owner""#, "Access Type"),
        (r#""resource":"**""#, "Resource"),
        (r#""operation":"read_write,delete""#, "Operation"),
        (r#""application":"\u001b[31mTreez""#, "Application"),
    ] {
        // 1e999999 is no number that serde_json could hold: it's sent as it stands.
        let body = match members.contains("1e999999") {
            true => GOOD.replacen('{', &format!("{{{members},"), 1),
            false => with(members),
        };
        let license = format!("L-{tried}");
        let run = it.registers(&license, json("200 OK", body), &[]);
        tried += 1;
        if members.contains("1e999999") {
            assert_eq!(run.code, 8, "{run:?}");
            is_pending(members, &it.record(&license), &["uncertain"]);
            continue;
        }
        assert_eq!(run.code, 6, "{members}: {run:?}");
        run.answers_nothing().says(&format!("{says} is "));
        // It may stand at the provider: it's kept, sealed, until that has taken it back.
        is_pending(members, &it.record(&license), &["revocation_pending"]);
        assert!(it.rig.live(&license).is_none(), "{members}");
    }
    assert_eq!(tried, 37);
    it.rig.keeps_secrets(&[]);
}

#[test]
fn odd_but_right_answers_are_a_grant_and_odd_times_are_unknown() {
    let mut it = Hostile::new("");
    let mut tried = 0;
    for value in [
        "0",
        "-1",
        "1e30",
        "-1e30",
        "1.5",
        "\"x\"",
        "\"\"",
        "\"3600\"",
        "null",
        "[]",
        "{}",
        "true",
        "99999999999999999999",
    ] {
        for member in ["expires_in", "expiration_date"] {
            let license = format!("L-{tried}");
            it.registers(&license, json("200 OK", with(&format!("\"{member}\":{value}"))), &[]).exits(0);
            let record = it.record(&license);
            // What can't be right is unknown, and estimated: an end that is over as it comes, too.
            let told = member == "expiration_date" && ["1.5", "\"3600\""].contains(&value);
            assert_eq!(record["expires_estimated"], !told, "{member} {value}: {record}");
            tried += 1;
        }
    }
    let long = format!("\"access_token\":\"{}\"", "x".repeat(10 * 1024));
    for members in [
        r#""token_type":"bearer""#,
        r#""token_type":"BEARER""#,
        r#""token_type":"(none)""#,
        r#""token_type":null"#,
        r#""scope":null"#,
        r#""scope":"""#,
        r#""scope":["a"]"#,
        r#""x":{"y":["\u001b[2J"]}"#,
        long.as_str(),
    ] {
        let license = format!("L-{tried}");
        it.registers(&license, json("200 OK", with(members)), &[]).exits(0);
        assert_eq!(it.record(&license)["state"], "active", "{members}");
        tried += 1;
    }
    // The ends of time: no look at them fails.
    for end in [
        "9999-12-30T22:00:00Z",
        "9999-12-30T22:00:00.999999999Z",
        "-009999-01-02T02:00:00Z",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2035-01-19T03:14:08Z",
        "2038-01-19T03:14:08Z",
        "2106-02-07T06:28:16Z",
    ] {
        let license = format!("L-{tried}");
        let run =
            it.registers(&license, json("200 OK", with(&format!("\"expiration_date\":\"{end}\""))), &[]);
        run.exits(0);
        let record = it.record(&license);
        assert_eq!(record["state"], "active", "{end}: {record}");
        // One that is over as it comes, or far off, is nobody's: the careful estimate is better.
        let told = end.starts_with("2035");
        assert_eq!(record["expires_estimated"], !told, "{end}: {record}");
        tried += 1;
    }
    assert_eq!(tried, 43);
    looks_are_harmless(&it.rig, &format!("L-{}", tried - 1));
}

#[test]
fn a_code_leaves_once_wherever_its_connection_ends() {
    let mut it = Hostile::new("");
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"access_token\":\"sandbox-access-".to_vec();
    for (nth, answer) in [
        Answer::Close(0),
        Answer::Close(1),
        Answer::Close(100),
        Answer::Close(usize::MAX),
        Answer::Bytes(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        Answer::Bytes(b"HTTP/1.1 200 ".to_vec()),
        Answer::Bytes(half),
    ]
    .into_iter()
    .enumerate()
    {
        // `registers` counts.
        let license = format!("L-{nth}");
        it.registers(&license, answer, &[]).exits(8).answers_nothing();
        is_pending(&license, &it.record(&license), &["uncertain"]);
    }
}

#[test]
fn whoever_talks_without_end_leaves_it_uncertain() {
    let mut it = Hostile::new("timeout = \"1s\"");
    for (nth, block) in
        ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"].iter().enumerate()
    {
        let license = format!("L-{nth}");
        let answer = Answer::Endless(Vec::new(), block.repeat(999).into_bytes(), usize::MAX);
        it.registers(&license, answer, &[]).exits(8).answers_nothing().says("was lost");
        is_pending(&license, &it.record(&license), &["uncertain"]);
    }
}
