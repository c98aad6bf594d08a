//! While nobody has answered yet: killed, told to stop, or found by a second process.

use super::truth::LICENSE;
use crate::support::{Rig, Run, admin, register, send};
use serde_json::json;
use std::process::Child;

/// A process whose question is in the ledger, and its browser's gate.
fn waiting(rig: &Rig, arguments: &[&str]) -> Child {
    let child = rig.start(arguments);
    rig.until(|| rig.counted_asked() == 1);
    child
}

const NOBODY: [&str; 1] = ["--no-browser"];

#[test]
fn killed_while_waiting_it_holds_nobody_up() {
    let rig = Rig::new();
    let mut child = waiting(&rig, &register(LICENSE, &NOBODY));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(rig.only()["state"], "pending");
    assert_eq!(rig.only()["conditions"], json!([]));
    rig.register(LICENSE).exits(0);
    assert_eq!(rig.only()["state"], "active");
    assert_eq!(rig.counted("token_issued"), 1);
}

#[test]
fn killed_while_waiting_it_can_be_given_up_without_the_network() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let mut child = waiting(&rig, &["renew", LICENSE, "--no-browser"]);
    child.kill().unwrap();
    child.wait().unwrap();
    rig.run(&["deactivate", LICENSE, "--yes", "--local-only"]).exits(0);
    assert_eq!(rig.only()["state"], "deactivated");
    assert_eq!(rig.counted_asked(), 0);
}

#[test]
fn a_second_process_is_told_who_is_at_it() {
    let rig = Rig::new();
    let mut child = waiting(&rig, &register(LICENSE, &NOBODY));
    let who = format!("process {}", child.id());
    rig.register(LICENSE).exits(1).answers_nothing().says("is busy: ").says(&who);
    rig.run(&["deactivate", LICENSE, "--yes"]).exits(1).says(&who);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_signal_while_waiting_ends_it_at_once_and_leaves_the_record_as_it_was() {
    for signal in ["INT", "TERM", "HUP"] {
        let rig = Rig::new();
        rig.register(LICENSE).exits(0);
        let before = rig.only();
        let child = waiting(&rig, &["renew", LICENSE, "--no-browser"]);
        send(signal, &child);
        Run::of(child.wait_with_output().unwrap())
            .exits(130)
            .answers_nothing()
            .says("If Grant Access was clicked, run within 10 minutes: biotrack-auth complete -");
        let mut now = rig.only();
        assert_eq!(now["next_command"], "biotrack-auth complete -");
        now["next_command"] = before["next_command"].clone();
        assert_eq!(now, before);
        assert_eq!(rig.counted_asked(), 1, "an answer that still comes is taken");
        rig.run(&["renew", LICENSE, "--browser", &admin()]).exits(0);
    }
}
