//! `deactivate`, as its users meet it.

use crate::support::proxy::Revocations;
#[cfg(unix)]
use crate::support::screen::Screen;
use crate::support::seed::store;
use crate::support::{Rig, Run, send};
use biotrack_auth::model::authorization::Authorization;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr};
use std::sync::mpsc::channel;

const BUSY: &str = "429 Too Many Requests\r\nretry-after: 1";
const DOWN: &str = "503 Service Unavailable";

/// A rig with these licenses granted.
fn granted(licenses: &[&str]) -> Rig {
    let rig = Rig::new();
    licenses.iter().for_each(|license| drop(rig.register(license).exits(0)));
    rig
}

/// A record with a tag, without tokens.
fn tagged(license: &str, tag: &str) -> Authorization {
    Authorization { tags: vec![tag.parse().unwrap()], ..store(license, "2099-01-01T00:00:00Z") }
}

/// State and conditions of a license.
fn now(rig: &Rig, license: &str) -> (String, Value) {
    let status = rig.status();
    let all = status["authorizations"].as_array().unwrap();
    let it = all.iter().find(|it| it["license"] == license).unwrap();
    (it["state"].as_str().unwrap().to_owned(), it["conditions"].clone())
}

fn is(state: &str, conditions: &[&str]) -> (String, Value) {
    (state.to_owned(), json!(conditions))
}

/// Reads what a program says up to some words; and what goes on reading.
fn until_it_says(words: &str, child: &mut Child) -> (String, BufReader<ChildStderr>) {
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(words) {
        assert_ne!(talk.read_line(&mut said).unwrap(), 0, "{said}");
    }
    (said, talk)
}

#[cfg(unix)]
#[test]
fn above_ten_the_number_must_be_typed() {
    let rig = Rig::new();
    rig.seed(&(0..11).map(|n| tagged(&format!("L-{n:02}"), "east")).collect::<Vec<_>>());
    let screen = Screen::new(rig.home(), 100, &["bash", "--norc", "--noprofile", "-i"]);
    let ask = |local: &str| {
        let command = format!("PS1=; clear; biotrack-auth deactivate --tag east {local}; echo en''ded $?");
        screen.types(&command).key("Enter");
        screen.shows("Type 11 to deactivate 11 licenses:");
    };
    for wrong in ["", "y", "12"] {
        ask("");
        screen.types(wrong).key("Enter");
        screen.shows("ended 1");
        assert_eq!(rig.status()["summary"]["active"], 11, "{wrong}");
    }
    ask("");
    screen.types("11").key("Enter");
    screen.shows("11 deactivated.");
    screen.shows("ended 0");
    assert_eq!(rig.status()["summary"]["deactivated"], 11);
}

#[cfg(unix)]
#[test]
fn up_to_ten_are_named_in_one_question() {
    let rig = Rig::new();
    rig.seed(&[tagged("L-1", "east"), tagged("L-2", "east")]);
    let screen = Screen::new(rig.home(), 100, &["bash", "--norc", "--noprofile", "-i"]);
    for (answer, end) in [("n", "ended 1"), ("y", "ended 0")] {
        screen.types("PS1=; clear; biotrack-auth deactivate L-1 L-2; echo en''ded $?").key("Enter");
        screen.shows("Really deactivate L-1, L-2?");
        screen.key(answer);
        screen.shows(end);
    }
    assert_eq!(rig.status()["summary"]["deactivated"], 2);
}

#[test]
fn one_that_fails_never_stops_the_others() {
    let rig = granted(&["L-1", "L-2", "L-3"]);
    let mut holder = rig.start(&["renew", "L-2", "--no-browser"]);
    rig.until(|| rig.counted_asked() == 1);
    let run = rig.run(&["deactivate", "L-1", "L-2", "L-3", "--yes"]).exits(3);
    run.answers("L-2 could not be deactivated")
        .answers("3 licenses: 2 deactivated, 1 failed. Run the same command again to finish.")
        .says(&format!("process {}", holder.id()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(now(&rig, "L-2"), is("active", &[]));
    rig.run(&["deactivate", "L-1", "L-2", "L-3", "--yes"])
        .exits(0)
        .answers("3 licenses: 1 deactivated, 2 unchanged.");
    assert_eq!(rig.counted("token_revoked"), 3);
}

#[test]
fn a_busy_provider_is_asked_again_when_it_says() {
    let rig = granted(&["L-1"]);
    let revocations = Revocations::of(&rig, |nth| (nth == 1).then_some(BUSY));
    rig.run(&["deactivate", "L-1", "--yes"])
        .exits(0)
        .answers("At BioTrack: revoked.")
        .says("answered the revocation with HTTP 429. Retrying in ");
    assert_eq!((revocations.asked(), rig.counted("token_revoked")), (2, 1));
}

#[test]
fn in_an_outage_only_the_first_is_asked_again_until_one_succeeds() {
    let rig = granted(&["L-1", "L-2", "L-3", "L-4"]);
    // L-1 three times, L-2 once; L-3 succeeds; L-4 fails once and is asked again.
    let revocations = Revocations::of(&rig, |nth| (nth <= 4 || nth == 6).then_some(DOWN));
    rig.run(&["deactivate", "L-1", "L-2", "L-3", "L-4", "--yes"])
        .exits(3)
        .answers("4 licenses: 4 deactivated, 2 not yet revoked at BioTrack.");
    assert_eq!((revocations.asked(), rig.counted("token_revoked")), (7, 2));
    assert_eq!(now(&rig, "L-2"), is("deactivated", &["revocation_pending"]));
    assert_eq!(now(&rig, "L-4"), is("deactivated", &[]));
}

#[test]
fn ctrl_c_lets_the_one_under_way_be_finished_and_leaves_the_rest() {
    let rig = granted(&["L-1", "L-2", "L-3"]);
    let (go, gone) = channel();
    let revocations = Revocations::of(&rig, move |_| gone.recv().ok().and(None));
    let mut child = rig.start(&["deactivate", "L-1", "L-2", "L-3", "--yes"]);
    rig.until(|| revocations.asked() == 1);
    send("INT", &child);
    let (mut said, mut talk) = until_it_says("Finishing the current step", &mut child);
    go.send(()).unwrap();
    talk.read_to_string(&mut said).unwrap();
    let run = Run::of(child.wait_with_output().unwrap()).exits(130);
    run.answers("L-1 is deactivated here; its history is kept.\nAt BioTrack: revoked.\n")
        .answers("3 licenses: 1 deactivated, 2 left. Run the same command again to finish.");
    assert!(said.contains("run the same command again"), "{said}");
    assert_eq!(now(&rig, "L-1"), is("deactivated", &[]));
    assert_eq!(now(&rig, "L-2"), is("active", &[]));
    assert_eq!((rig.counted("token_revoked"), rig.counted_asked()), (1, 0));
}

#[test]
fn a_second_ctrl_c_ends_it_at_once_and_nothing_is_forgotten() {
    let rig = granted(&["L-1", "L-2"]);
    let (_go, gone) = channel::<()>();
    let revocations = Revocations::of(&rig, move |_| gone.recv().ok().and(None));
    let mut child = rig.start(&["deactivate", "L-1", "L-2", "--yes", "--json"]);
    rig.until(|| revocations.asked() == 1);
    send("INT", &child);
    let _talk = until_it_says("Finishing the current step", &mut child);
    send("TERM", &child);
    let answer = Run::of(child.wait_with_output().unwrap()).exits(130).json();
    let told =
        |nth: usize| (answer["results"][nth]["outcome"].clone(), answer["results"][nth]["exit"].clone());
    assert_eq!((told(0), told(1)), ((json!("deactivated"), json!(130)), (json!("skipped"), json!(130))));
    assert_eq!(now(&rig, "L-1"), is("deactivated", &["revocation_pending"]));
    assert_eq!(now(&rig, "L-2"), is("active", &[]));
}
