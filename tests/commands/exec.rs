//! `exec`, in this process: what the command is given, and what is refused before it runs. The successor is recorded.

use crate::rig::{Reply, Rig};
use crate::snapshot;

fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant("L-1").exits(0);
    rig.minutes_pass(1);
    rig
}

#[test]
fn the_command_finds_token_ubi_and_license_in_its_environment() {
    let rig = granted();
    let before = rig.provider.log();
    snapshot!(rig.run("exec L-1 -- ./report-sales --yesterday '--an argument'"));
    assert_eq!(rig.provider.log(), before);
}

#[test]
fn a_stale_token_is_refreshed_first() {
    let rig = granted();
    rig.minutes_pass(55);
    snapshot!(rig.run("exec 604001/L-1 -- env"));
    assert_eq!(rig.provider.log().last().unwrap(), "refreshed L-1: access-1.1");
    assert!(rig.standing("L-1").flows.is_empty());
}

#[test]
fn where_it_ran_beside_this_process_its_code_is_handed_on_whole() {
    let rig = granted();
    // Windows' codes have 32 bits: the last two are -1, and what Ctrl-C leaves behind.
    for code in [0, 42, 255, 256, 300, 4_294_967_295, 3_221_225_786] {
        let run = rig.run(&format!("exec L-1 -- report --ends-with={code}"));
        assert_eq!((run.code, run.err.as_str()), (code, ""));
    }
}

#[test]
fn a_command_that_is_not_there_is_127() {
    snapshot!(granted().run("exec L-1 -- no-such-program --at all"));
}

#[test]
fn a_command_that_cannot_be_run_is_126() {
    snapshot!(granted().run("exec L-1 -- not-a-program"));
}

#[test]
fn its_own_failures_are_125() {
    let rig = granted();
    snapshot!("not_found", rig.run("exec nobody -- true"));
    snapshot!("not_found_as_json", rig.run("exec nobody --json -- true"));
    snapshot!("no_command", rig.run("exec L-1"));
    snapshot!("an_unknown_flag", rig.run("--profile x exec L-1 --purple -- true"));
    snapshot!("an_unknown_profile", rig.run("--profile x exec L-1 -- true"));
    rig.run("deactivate L-1 --yes").exits(0);
    snapshot!("deactivated", rig.run("exec L-1 -- true"));
}

#[test]
fn while_the_provider_is_away_a_token_that_would_not_last_is_none() {
    let rig = granted();
    rig.minutes_pass(61);
    rig.provider.replies("/.well-known/oauth-authorization-server", vec![Reply::Unreachable; 9]);
    snapshot!(rig.run("exec L-1 -- true"));
}

#[test]
fn without_a_configuration_it_is_125_too() {
    snapshot!(Rig::bare().run("exec L-1 -- true"));
}
