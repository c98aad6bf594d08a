//! S43 S51 Names that no store has, and answers that are none: each is refused with a reason or kept to the letter, and
//! nothing of it reaches a shell, a path, SQL, a terminal or a line of somebody's protocol.

#[path = "../fixtures/odd.rs"]
mod odd;

use crate::support::proxy::{Proxy, json};
use crate::support::{Rig, Run, admin};
use biotrack_auth::error::is_unprintable;
use odd::{ODD, impossible};
use std::io::Write;
use std::process::{Command, Stdio};

/// Nothing on either stream steers a terminal.
#[track_caller]
fn shown(run: &Run) {
    for text in [&run.out, &run.err] {
        let found: Vec<_> = text.chars().filter(|c| is_unprintable(*c) && *c != '\n').collect();
        assert!(found.is_empty(), "{found:?} in {text:?}");
    }
}

/// The program with a file on its standard input.
fn fed(rig: &Rig, arguments: &[&str], input: &[u8]) -> Run {
    let mut child = rig.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    // It may refuse before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn a_license_that_cannot_be_one_is_refused_before_anyone_is_asked() {
    let rig = Rig::new();
    for (license, why) in impossible() {
        let named = format!("--license={license}");
        let arguments =
            ["register", "--ubi", "604001", &named, "--username", "a@example.com", "--browser", &admin()];
        let run = rig.run(&arguments).exits(2);
        shown(&run);
        run.says(why);
        let cell = license.replace('"', "\"\"");
        let sheet = format!("ubi,license,username\n604001,\"{cell}\",a@example.com\n");
        let run = fed(&rig, &["register", "--from", "-", "--browser", &admin()], sheet.as_bytes()).exits(2);
        shown(&run);
        run.says("column license").says(why);
        let record =
            serde_json::json!({"profile": "default", "ubi": "604001", "license": license, "username": "a@x"});
        let document = serde_json::json!({"schema": 2, "authorizations": [record]});
        let run = fed(&rig, &["import", "-", "--yes"], document.to_string().as_bytes()).exits(2);
        shown(&run);
        run.says(why);
    }
    assert_eq!((rig.status()["summary"]["total"].as_i64(), rig.truth().len()), (Some(0), 0));
}

#[test]
fn a_file_that_is_no_list_of_licenses_is_refused_whole() {
    let rig = Rig::new();
    let long = format!("ubi,license,username\n604001,{},a@example.com\n", "L".repeat(1 << 20));
    let files: [(&[u8], &str); 6] = [
        (long.as_bytes(), "longer than 64 characters"),
        (b"ubi,license,username\n604001,L\0-1,a@example.com\n", "or not text"),
        (
            b"ubi,license,username\n604001,L-\xff1,a@example.com\n",
            "isn't UTF-8 (the first unreadable line is 2",
        ),
        (b"\xff\xfeu\0b\0i\0", "UTF-16"),
        (b"ubi,license,username\n604001,\"L-1,a@example.com\n", "never closed"),
        (b"\x1b[2J,\xe2\x80\xae\n1,2\n", " missing: the first line must name the columns"),
    ];
    for (file, why) in files {
        for command in ["register", "renew"] {
            let run = fed(&rig, &[command, "--from", "-", "--browser", &admin()], file).exits(2);
            shown(&run);
            run.says(why);
        }
    }
    assert_eq!(rig.status()["summary"]["total"], 0);
}

#[test]
fn an_odd_license_is_kept_to_the_letter_and_is_nothing_else_anywhere() {
    let rig = Rig::new();
    let files = |rig: &Rig| {
        let listed = std::fs::read_dir(rig.home()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> =
            listed.filter(|name| !name.to_string_lossy().starts_with("ledger.db")).collect();
        names.sort();
        names
    };
    rig.register("L-0").exits(0);
    let before = files(&rig);
    for license in ODD {
        let named = format!("--license={license}");
        let run = rig.run(&[
            "register",
            "--ubi",
            "604001",
            &named,
            "--username",
            "a@example.com",
            "--browser",
            &admin(),
        ]);
        shown(&run.exits(0));
    }
    let status = rig.status();
    let records = status["authorizations"].as_array().unwrap();
    for license in ODD {
        assert!(records.iter().any(|it| it["license"] == license && it["state"] == "active"), "{license}");
    }
    // The provider was asked for the same.
    assert_eq!(rig.counted("token_issued"), 1 + ODD.len());
    for license in ODD {
        one_is_read_everywhere(&rig, license);
    }
    assert_eq!(files(&rig), before);
    let deactivated = rig.run(&["deactivate", "604001/-rf", "604001/../../../etc/passwd", "--yes"]);
    deactivated.exits(0).answers("etc/passwd");
    assert_eq!(rig.counted("token_revoked"), 2);
    rig.run(&["history", "verify"]).exits(0);
}

/// What each way of showing one license makes of its name.
#[track_caller]
fn one_is_read_everywhere(rig: &Rig, license: &str) {
    let selector = format!("604001/{license}");
    let card = rig.run(&["status", &selector]).exits(0);
    shown(&card);
    let token = rig.run(&["token", &selector]).exits(0);
    assert_eq!(token.out.lines().count(), 1, "{license}");
    // What exec hands on is the license, and no word of it is a command's.
    let run = rig.run(&["exec", &selector, "--", "sh", "-c", "printf %s \"$BIOTRACK_LICENSE\""]).exits(0);
    assert_eq!(run.out, license);
    // A command to paste names this one alone.
    let lapsed = rig.run(&["status", &selector, "--json", "--at", "2099-01-01T00:00:00Z"]).exits(0).json();
    let next = lapsed["authorizations"][0]["next_command"].as_str().unwrap().to_owned();
    let shell = format!("set -- {next}; for word; do printf '%s\\n' \"$word\"; done");
    let words = Command::new("sh").arg("-c").arg(shell).current_dir(rig.home()).output().unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.lines().any(|word| word == selector || word == license), "{words}");
}

/// Bodies that no token answer has; the words in them mustn't be repeated.
const NO_ANSWERS: [&str; 11] = [
    "",
    "<!DOCTYPE html><title>canary</title>",
    "{\"access_token\":\"canary-1\"",
    "{\"access_token\":\"canary-1\"}{\"access_token\":\"canary-2\"}",
    "{\"access_token\":\"canary-1\"} <!-- canary -->",
    "{\"access_token\":\"canary-1\",\"access_token\":\"canary-2\"}",
    "{\"access_token\":\"canary-1\0\"}",
    "[\"canary-1\",\"Bearer\"]",
    "{\"access_token\":[\"canary-1\"]}",
    "{\"access_token\":\"\",\"x\":\"canary\"}",
    "\"canary\"",
];

#[test]
fn an_answer_that_is_none_leaves_the_tokens_as_they_are() {
    let rig = Rig::new();
    let deep = format!("{{\"access_token\":\"canary-1\",\"x\":{}", "[".repeat(100_000));
    let bodies: Vec<String> = NO_ANSWERS.map(str::to_owned).into_iter().chain([deep]).collect();
    let license = |nth: usize| format!("L-{nth}");
    (0..bodies.len()).for_each(|nth| drop(rig.register(&license(nth)).exits(0)));
    let told = bodies.clone();
    Proxy::answering(&rig, move |nth| json("200 OK", &told[nth - 1]));
    for (nth, body) in bodies.iter().enumerate() {
        let old = rig.live(&license(nth)).unwrap();
        let run = rig.run(&["token", &license(nth), "--min-valid", "60m"]).exits(0);
        // The token that lives is handed out.
        assert_eq!(run.out, format!("{}\n", old.access.expose()));
        assert!(!run.err.contains("canary"), "{body:?}: {}", run.err);
        shown(&run);
        let kept = rig.live(&license(nth)).unwrap();
        assert_eq!(kept.access.expose(), old.access.expose());
        assert_eq!(kept.refresh.unwrap().expose(), old.refresh.unwrap().expose());
    }
    let status = rig.status();
    for record in status["authorizations"].as_array().unwrap() {
        assert_eq!((&record["state"], &record["conditions"][0]), (&"active".into(), &"uncertain".into()));
    }
}

#[test]
fn a_refusal_with_something_after_it_ends_no_grant() {
    let rig = Rig::new();
    let unclear = [
        "{\"error\":\"invalid_grant\"}<html>",
        "{\"error\":\"invalid_grant\"}{\"error\":\"temporarily_unavailable\"}",
        "[\"invalid_grant\"]",
    ];
    for nth in 0..unclear.len() {
        rig.register(&format!("L-{nth}")).exits(0);
    }
    Proxy::answering(&rig, move |nth| json("400 Bad Request", unclear[nth - 1]));
    for nth in 0..unclear.len() {
        let live = rig.live(&format!("L-{nth}")).unwrap();
        let run = rig.run(&["token", &format!("L-{nth}"), "--min-valid", "60m"]).exits(0);
        assert_eq!(run.out, format!("{}\n", live.access.expose()));
    }
    assert_eq!(rig.status()["summary"]["active"], unclear.len());
    assert_eq!(rig.status()["summary"]["invalid"], 0);
}
