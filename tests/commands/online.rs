//! `status --online`, in this process: only the provider's own word makes a grant invalid.

use crate::rig::{Reply, Rig};
use crate::snapshot;
use serde_json::Value;

const INTROSPECT: &str = "/oauth/introspect";

fn granted(licenses: &[&str]) -> Rig {
    let rig = Rig::new();
    licenses.iter().for_each(|license| drop(rig.grant(license)));
    rig.minutes_pass(1);
    rig
}

fn states(rig: &Rig) -> Vec<String> {
    let rows = rig.run("status --json").exits(0).json()["authorizations"].clone();
    rows.as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap().to_owned()).collect()
}

fn introspections(rig: &Rig) -> usize {
    rig.provider.log().iter().filter(|line| *line == "introspected").count()
}

#[test]
fn what_the_provider_calls_inactive_becomes_invalid_and_nothing_else() {
    let rig = granted(&["L-1", "L-2", "L-3"]);
    rig.run("deactivate L-3 --yes").exits(0);
    rig.provider.ends_grants_of("L-2");
    assert_eq!(states(&rig), ["active", "active", "deactivated"], "the ledger alone can't know");
    snapshot!("inactive", rig.run("status --online"));
    snapshot!("inactive_card", rig.run("status L-2"));
    rig.live("L-2");
    // Only what is named is asked about.
    let asked = introspections(&rig);
    rig.run("status --online L-1").exits(0);
    assert_eq!(introspections(&rig), asked + 1);
    snapshot!("one_that_lives", rig.run("status --online --check L-1"));
    snapshot!("all_of_them", rig.run("status --online --check"));
}

#[test]
fn as_json() {
    let rig = granted(&["L-1"]);
    rig.provider.ends_grants_of("L-1");
    snapshot!(rig.run("status --online --json"));
}

#[test]
fn what_is_invalid_now_is_shown_by_the_filter_that_asks_for_it() {
    let rig = granted(&["L-1", "L-2"]);
    rig.provider.ends_grants_of("L-2");
    let shown = rig.run("status --online --state invalid --json").exits(0).json();
    assert_eq!(shown["authorizations"][0]["license"], "L-2");
    assert_eq!(shown["summary"]["total"], 1);
}

#[test]
fn what_cannot_be_found_out_is_told_and_changes_nothing() {
    for (name, path, reply) in [
        ("provider_away", "/.well-known/oauth-authorization-server", Reply::Unreachable),
        ("introspection_away", INTROSPECT, Reply::Unreachable),
        ("introspection_lost", INTROSPECT, Reply::Lost),
        ("introspection_fails", INTROSPECT, Reply::Status(503, String::new())),
        ("introspection_is_no_json", INTROSPECT, Reply::Status(200, "<html>".into())),
        ("introspection_is_refused", INTROSPECT, Reply::Status(401, "{\"error\":\"invalid_client\"}".into())),
    ] {
        let rig = granted(&["L-1"]);
        rig.provider.replies(path, vec![reply; 9]);
        snapshot!(name, rig.run("status --online"));
        assert_eq!(states(&rig), ["active"], "{name}");
    }
}

#[test]
fn a_host_that_only_seals_knows_nothing_and_says_so() {
    let rig = granted(&["L-1"]);
    std::fs::remove_file(rig.file("identity.txt")).unwrap();
    snapshot!(rig.run("status --online"));
    assert_eq!(states(&rig), ["active"]);
}

#[test]
fn many_are_asked_about_and_nobody_is_where_nothing_is_meant() {
    let licenses: Vec<_> = (0..12).map(|n| format!("L-{n}")).collect();
    let rig = granted(&licenses.iter().map(String::as_str).collect::<Vec<_>>());
    rig.run("status --online --tag nothing-has-it").is(0, "No matching authorizations.\n", "");
    assert_eq!(introspections(&rig), 0);
    let looked = rig.run("status --online").exits(0);
    assert_eq!((looked.err.as_str(), introspections(&rig)), ("", 12));
    assert_eq!(states(&rig), [const { "active" }; 12]);
}

#[test]
fn another_instant_cannot_be_asked_about() {
    snapshot!(Rig::new().run("status --online --at 2036-01-01T00:00:00Z"));
}

#[test]
fn a_lapsed_access_token_is_no_dead_grant() {
    let rig = granted(&["L-1"]);
    rig.minutes_pass(90);
    assert_eq!(rig.run("status --online").exits(0).err, "");
    // Alone an inactive refresh token proves nothing: many providers look none up, and call each inactive.
    rig.provider.ends_grants_of("L-1");
    snapshot!("only_a_refresh_token_is_inactive", rig.run("status --online"));
    assert_eq!(states(&rig), ["active"]);
    rig.run("token L-1").exits(4);
    let rows: Value = rig.run("status --json").exits(0).json();
    assert_eq!(rows["authorizations"][0]["state"], "invalid");
}
