//! Between code and ledger: the provider has answered, and the program dies, is told to stop, or hears nothing.

use super::truth::{Found, LICENSE, go_on, holds, is_whole};
use crate::support::proxy::Proxy;
use crate::support::{Rig, Run, register, send};
use biotrack_auth::sandbox::Mishap;

#[test]
fn killed_between_code_and_ledger_it_is_uncertain_and_the_next_command_mends_it() {
    let rig = Rig::new();
    let proxy = Proxy::of(&rig);
    let arguments = register(LICENSE, &[]);
    let mut child = rig.start(&arguments);
    let seen = proxy.seen.recv().unwrap();
    assert_eq!(rig.counted("token_issued"), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    proxy.go.send(()).unwrap();
    assert_eq!(holds(&rig, 0), Found::Uncertain);
    rig.keeps_secrets(&seen.secrets());
    proxy.go.send(()).unwrap();
    go_on(&rig, &[]).says("it is uncertain whether access was granted. Asking again");
    is_whole(&rig);
    assert_eq!(rig.counted("token_issued"), 2);
}

#[test]
fn a_signal_during_the_exchange_waits_for_the_grant() {
    for signal in ["INT", "TERM", "HUP"] {
        let rig = Rig::new();
        let proxy = Proxy::of(&rig);
        let child = rig.start(&register(LICENSE, &[]));
        let seen = proxy.seen.recv().unwrap();
        send(signal, &child);
        proxy.go.send(()).unwrap();
        Run::of(child.wait_with_output().unwrap()).exits(0).answers("Created At");
        is_whole(&rig);
        rig.keeps_secrets(&seen.secrets());
    }
}

#[test]
fn a_signal_during_an_exchange_that_is_never_answered_leaves_it_uncertain() {
    let rig = Rig::with(&[Mishap::Slow]);
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\ntimeout = \"1s\"\n")).unwrap();
    let child = rig.start(&register(LICENSE, &[]));
    rig.until(|| rig.counted("token_issued") == 1);
    send("INT", &child);
    Run::of(child.wait_with_output().unwrap()).exits(8).answers_nothing();
    assert_eq!(holds(&rig, 0), Found::Uncertain);
    rig.sandbox().set_fail(&[]);
    go_on(&rig, &[]);
    is_whole(&rig);
}

#[test]
fn a_reopened_license_whose_answer_was_lost_says_so_too() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    rig.run(&["deactivate", LICENSE, "--yes"]).exits(0);
    let known = rig.truth().len();
    rig.sandbox().set_fail(&[Mishap::ServerError]);
    rig.register(LICENSE).exits(8);
    assert_eq!(holds(&rig, known), Found::Uncertain);
    rig.sandbox().set_fail(&[]);
    go_on(&rig, &[]);
    is_whole(&rig);
}
