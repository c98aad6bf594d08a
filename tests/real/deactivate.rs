//! `deactivate`, as its users meet it.

use crate::support::proxy::Revocations;
#[cfg(unix)]
use crate::support::screen::Screen;
use crate::support::seed::{named, store};
use crate::support::{Rig, Run, send};
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::ids::Ubi;
use biotrack_auth::sandbox::Mishap;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr};
use std::sync::mpsc::channel;

const BUSY: &str = "429 Too Many Requests\r\nretry-after: 1";
const DOWN: &str = "503 Service Unavailable";

/// A rig with these licences granted.
fn granted(licenses: &[&str]) -> Rig {
    let rig = Rig::new();
    licenses.iter().for_each(|license| drop(rig.register(license).exits(0)));
    rig
}

/// A record with a tag, without tokens.
fn tagged(license: &str, tag: &str) -> Authorization {
    Authorization { tags: vec![tag.parse().unwrap()], ..store(license, "2099-01-01T00:00:00Z") }
}

/// State and conditions of a licence.
fn now(rig: &Rig, license: &str) -> (String, Value) {
    let status = rig.status();
    let all = status["authorizations"].as_array().unwrap();
    let it = all.iter().find(|it| it["license"] == license).unwrap();
    (it["state"].as_str().unwrap().to_owned(), it["conditions"].clone())
}

fn is(state: &str, conditions: &[&str]) -> (String, Value) {
    (state.to_owned(), json!(conditions))
}

#[test]
fn it_revokes_forgets_and_keeps_the_history() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1", "--yes", "--reason", "store closed"])
        .exits(0)
        .answers("deactivated here")
        .answers("At BioTrack: revoked.");
    assert_eq!(rig.only()["state"], "deactivated");
    assert_eq!(rig.only()["days_left"], serde_json::Value::Null);
    assert_eq!(rig.counted("token_revoked"), 1);
    rig.run(&["status", "L-1"]).exits(0).answers("store closed");
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("nothing to do");
}

#[test]
fn unattended_it_needs_a_yes() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1"]).exits(2).answers_nothing().says("--yes");
    rig.run(&["deactivate", "L-1", "--dry-run"]).exits(0).answers("Would deactivate");
    assert_eq!(rig.only()["state"], "active");
    assert_eq!(rig.counted("token_revoked"), 0);
}

#[test]
fn without_a_revocation_endpoint_it_is_local_and_says_so() {
    let rig = Rig::with(&[Mishap::RevocationUnsupported]);
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("it offers no way to");
    assert_eq!(rig.only()["state"], "deactivated");
}

#[test]
fn local_only_asks_nobody() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.run(&["deactivate", "L-1", "--yes", "--local-only"]).exits(0).answers("--local-only");
    assert_eq!(rig.counted("token_revoked"), 0);
}

#[test]
fn json_tells_the_outcome() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let answer = rig.run(&["deactivate", "L-1", "--yes", "--json"]).exits(0).json();
    assert_eq!(answer["results"][0]["outcome"], "deactivated");
    let answer = rig.run(&["deactivate", "L-1", "--yes", "--json"]).exits(0).json();
    assert_eq!(answer["results"][0]["outcome"], "unchanged");
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

#[test]
fn several_are_named_and_each_counts_once() {
    let rig = granted(&["L-1", "L-2", "L-3"]);
    rig.run(&["deactivate", "L-1", "604001/L-2", " L-1", "--yes", "--reason", "chain sold"])
        .exits(0)
        .answers(
            "L-1 is deactivated here; its history is kept.\nAt BioTrack: revoked.\nL-2 is deactivated here",
        )
        .answers("\n2 licenses: 2 deactivated.\n")
        .says("Warning: 2 licenses stop reporting")
        .says("as soon as they're deactivated: L-1, L-2.");
    assert_eq!(rig.counted("token_revoked"), 2);
    assert_eq!(now(&rig, "L-3"), is("active", &[]));
    rig.run(&["status", "L-2"]).exits(0).answers("chain sold");
    let again = rig.run(&["deactivate", "L-1", "L-2", "--yes", "--json"]).exits(0).json();
    let outcomes: Vec<_> = again["results"].as_array().unwrap().iter().map(|it| &it["outcome"]).collect();
    assert_eq!(outcomes, ["unchanged", "unchanged"]);
    rig.run(&["deactivate", "L-1", "L-3", "--yes"])
        .exits(0)
        .answers("2 licenses: 1 deactivated, 1 unchanged.");
}

#[test]
fn a_name_that_fits_none_or_several_stops_the_whole_call_before_anything_is_done() {
    let rig = Rig::new();
    let end = "2099-01-01T00:00:00Z";
    rig.seed(&[store("L-1", end), named("L-2", "Hudson", end), named("L-3", "Hudson", end)]);
    rig.run(&["deactivate", "--yes"]).exits(2).answers_nothing().says("SELECTOR");
    rig.run(&["deactivate", "L-1", "nobody", "--yes"]).exits(9).answers_nothing();
    rig.run(&["deactivate", "L-1", "Hudson", "--yes"])
        .exits(2)
        .answers_nothing()
        .says("604001/L-2, 604001/L-3");
    let refused = rig.run(&["deactivate", "L-1", "nobody", "--yes", "--format", "json"]).exits(9).json();
    assert_eq!(refused["error"]["code"], "not_found");
    rig.run(&["deactivate", "L-1", "--json", "--format", "text"]).exits(2);
    assert_eq!(rig.status()["summary"]["active"], 3);
}

#[test]
fn a_tag_selects_what_is_left_and_narrows_what_is_named() {
    let rig = Rig::new();
    rig.seed(&[tagged("L-1", "east"), tagged("L-2", "east"), tagged("L-3", "west")]);
    rig.run(&["deactivate", "L-1", "L-3", "--tag", "east", "--yes"]).exits(0).answers("L-1 is deactivated");
    assert_eq!(now(&rig, "L-3"), is("active", &[]));
    let rest = rig.run(&["deactivate", "--tag", "east", "--yes", "--json"]).exits(0).json();
    assert_eq!(
        (rest["results"].as_array().unwrap().len(), &rest["results"][0]["license"]),
        (1, &json!("L-2"))
    );
    for nothing in ["east", "north"] {
        rig.run(&["deactivate", "--tag", nothing]).exits(0).answers("Nothing to do");
        let none = rig.run(&["deactivate", "--tag", nothing, "--json"]).exits(0).json();
        assert_eq!(none["results"], json!([]));
    }
    assert_eq!(now(&rig, "L-3"), is("active", &[]));
}

#[test]
fn a_dry_run_lists_each_by_company_with_the_warnings() {
    let rig = Rig::new();
    let mut other = tagged("M-1", "east");
    other.key.ubi = Ubi::parse("604002").unwrap();
    other.held_by = Some("boss@example.com".into());
    let many = (0..7).map(|n| tagged(&format!("L-{n}"), "east"));
    rig.seed(&many.chain([other, store("L-9", "2099-01-01T00:00:00Z")]).collect::<Vec<_>>());
    let config = fs::read_to_string(rig.file("config.toml")).unwrap();
    fs::write(rig.file("config.toml"), format!("{config}\nrevocation_scope = \"grant\"\n")).unwrap();
    rig.run(&["deactivate", "--tag", "east", "--dry-run"])
        .exits(0)
        .answers("UBI 604001\n  Would deactivate L-0.\n")
        .answers("UBI 604002\n  Would throw away the held grant of boss@example.com for M-1, whose own grant stays.\n8 of 8 licenses would be given up.\n")
        .says("Warning: 7 licenses stop reporting")
        .says("L-0, L-1, L-2, L-3, L-4 and 2 more.")
        .says("may end every grant of ann@example.com with these: 604001/L-9, 604002/M-1.");
    let dry = rig.run(&["deactivate", "--tag", "east", "--dry-run", "--json"]).exits(0).json();
    assert!(dry["results"].as_array().unwrap().iter().all(|it| it["outcome"] == "skipped"), "{dry}");
    assert_eq!(rig.status()["summary"]["active"], 9);
    rig.run(&["deactivate", "--tag", "east"]).exits(2).answers_nothing().says("--yes");
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
    run.answers("L-2 could not be given up")
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
fn while_the_provider_is_away_all_are_given_up_here_and_the_same_command_does_the_rest() {
    let rig = granted(&["L-1", "L-2", "L-3"]);
    let config = rig.file("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&rig.sandbox().address(), "http://127.0.0.1:9")).unwrap();
    let all = ["deactivate", "L-1", "L-2", "L-3", "--yes"];
    let away = rig.run(&all).exits(8).answers(
        "\n3 licenses: 3 deactivated, 3 not yet revoked at BioTrack. Run the same command again to finish.\n",
    );
    assert_eq!(away.err.matches("can't be reached").count(), 1, "{}", away.err);
    assert_eq!(now(&rig, "L-3"), is("deactivated", &["revocation_pending"]));
    fs::write(&config, text).unwrap();
    let rest = rig.run(&[&all[..], &["--json"]].concat()).exits(0).json();
    assert!(rest["results"].as_array().unwrap().iter().all(|it| it["exit"] == 0), "{rest}");
    assert_eq!(rig.counted("token_revoked"), 3);
    rig.run(&all).exits(0).answers("3 licenses: 3 unchanged.");
}

#[test]
fn local_only_asks_nobody_for_any_of_them() {
    let rig = granted(&["L-1", "L-2"]);
    let revocations = Revocations::of(&rig, |_| None);
    rig.run(&["deactivate", "L-1", "L-2", "--yes", "--local-only"])
        .exits(0)
        .answers("2 licenses: 2 deactivated.");
    assert_eq!((revocations.asked(), rig.counted("token_revoked")), (0, 0));
}

#[test]
fn a_busy_provider_is_asked_again_when_it_says() {
    let rig = granted(&["L-1"]);
    let revocations = Revocations::of(&rig, |nth| (nth == 1).then_some(BUSY));
    rig.run(&["deactivate", "L-1", "--yes"])
        .exits(0)
        .answers("At BioTrack: revoked.")
        .says("answered the revocation with HTTP 429. It's asked again in ");
    assert_eq!((revocations.asked(), rig.counted("token_revoked")), (2, 1));
}

#[test]
fn whoever_asks_to_be_left_alone_for_longer_than_a_minute_is() {
    let rig = granted(&["L-1"]);
    let revocations = Revocations::of(&rig, |_| Some("503 Service Unavailable\r\nretry-after: 61"));
    rig.run(&["deactivate", "L-1", "--yes"]).exits(8).answers("NOT revoked yet");
    assert_eq!(revocations.asked(), 1);
    assert_eq!(now(&rig, "L-1"), is("deactivated", &["revocation_pending"]));
}

#[test]
fn while_the_provider_wants_to_be_left_alone_none_of_the_others_is_asked_about() {
    let rig = granted(&["L-1", "L-2", "L-3"]);
    let revocations = Revocations::of(&rig, |_| Some("429 Too Many Requests\r\nretry-after: 3600"));
    rig.run(&["deactivate", "L-1", "L-2", "L-3", "--yes"]).exits(8).answers("3 not yet revoked at BioTrack");
    assert_eq!(revocations.asked(), 1);
    assert_eq!(now(&rig, "L-3"), is("deactivated", &["revocation_pending"]));
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
    let (mut said, mut talk) = until_it_says("One moment", &mut child);
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
fn ctrl_c_cuts_a_wait_short_for_one_try_more() {
    let rig = granted(&["L-1", "L-2"]);
    let revocations = Revocations::of(&rig, |nth| (nth == 1).then_some("503 Busy\r\nretry-after: 55"));
    let mut child = rig.start(&["deactivate", "L-1", "L-2", "--yes"]);
    let _talk = until_it_says("It's asked again in 55 s.", &mut child);
    send("INT", &child);
    let run = Run::of(child.wait_with_output().unwrap()).exits(130);
    run.answers("At BioTrack: revoked.").answers("2 licenses: 1 deactivated, 1 left.");
    assert_eq!((revocations.asked(), now(&rig, "L-2")), (2, is("active", &[])));
}

#[test]
fn a_second_ctrl_c_ends_it_at_once_and_nothing_is_forgotten() {
    let rig = granted(&["L-1", "L-2"]);
    let (_go, gone) = channel::<()>();
    let revocations = Revocations::of(&rig, move |_| gone.recv().ok().and(None));
    let mut child = rig.start(&["deactivate", "L-1", "L-2", "--yes", "--json"]);
    rig.until(|| revocations.asked() == 1);
    send("INT", &child);
    let _talk = until_it_says("One moment", &mut child);
    send("TERM", &child);
    let answer = Run::of(child.wait_with_output().unwrap()).exits(130).json();
    let told =
        |nth: usize| (answer["results"][nth]["outcome"].clone(), answer["results"][nth]["exit"].clone());
    assert_eq!((told(0), told(1)), ((json!("deactivated"), json!(130)), (json!("skipped"), json!(130))));
    assert_eq!(now(&rig, "L-1"), is("deactivated", &["revocation_pending"]));
    assert_eq!(now(&rig, "L-2"), is("active", &[]));
}

#[test]
fn json_lines_tell_it_as_it_happens_and_fit_the_shipped_schema() {
    let rig = granted(&["L-1", "L-2", "L-3"]);
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    let _revocations = Revocations::of(&rig, |nth| (nth <= 3).then_some(DOWN));
    let run = rig.run(&["deactivate", "L-1", "L-2", "L-3", "--yes", "--format", "jsonl"]).exits(3);
    let lines: Vec<Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let path = format!("{}/schemas/event.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for line in &lines {
        let errors: Vec<_> = validator.iter_errors(line).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{line}");
    }
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        ["planned", "planned", "planned", "unchanged", "deactivated", "deactivated", "summary"]
    );
    assert_eq!((&lines[4]["exit"], &lines[4]["error"]["code"]), (&json!(8), &json!("provider")));
    let (counts, exit) = (&lines[6]["counts"], &lines[6]["exit"]);
    assert_eq!((&counts["planned"], &counts["deactivated"], exit), (&json!(3), &json!(2), &json!(3)));
    let refused = rig.run(&["deactivate", "L-1", "nobody", "--format", "jsonl"]).exits(9);
    assert!(validator.is_valid(&refused.json()), "{}", refused.out);
}

#[cfg(unix)]
#[test]
fn each_licence_has_its_own_hook_and_history() {
    use std::os::unix::fs::PermissionsExt;
    let rig = granted(&["L-1", "L-2"]);
    let hook = rig.file("gone");
    fs::write(&hook, "#!/bin/sh\ncat >>\"$0.got\"\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let config = fs::read_to_string(rig.file("config.toml")).unwrap();
    let hooks = format!("{config}\n[hooks]\ndeactivated = \"{}\"\n", hook.display());
    fs::write(rig.file("config.toml"), hooks).unwrap();
    let quiet = rig.run(&["deactivate", "L-1", "L-2", "--yes", "-q", "--reason", "sold"]).exits(0);
    quiet.answers("2 licenses: 2 deactivated.").says_nothing();
    let got = fs::read_to_string(rig.file("gone.got")).unwrap();
    let got: Vec<Value> = got.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = got.iter().map(|it| (&it["license"], &it["detail"])).collect();
    assert_eq!(told, [(&json!("L-1"), &json!("sold")), (&json!("L-2"), &json!("sold"))]);
}
