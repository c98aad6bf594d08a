//! `deactivate` of several licenses: one question for all, and each ends for itself.

use crate::rig::{Person, Reply, Rig};
use crate::snapshot;

const THREE: &str = "deactivate 101-X0001-D1 101-X0002-D1 101-X0003-D1 --yes";

/// Three licenses, granted.
fn granted() -> Rig {
    let rig = Rig::new();
    ["101-X0001-D1", "101-X0002-D1", "101-X0003-D1"].iter().for_each(|license| drop(rig.grant(license)));
    rig
}

/// So many licenses with a tag; their tokens aren't here.
fn tagged(count: usize) -> Rig {
    let rig = Rig::new();
    let records = (1..=count).map(|at| {
        let mut record = rig.record(&format!("101-X00{at:02}-D1"), "ann@example.com", 50);
        record.tags = vec!["east".parse().unwrap()];
        record
    });
    rig.seed(records.collect::<Vec<_>>());
    rig
}

/// The licenses in a state.
fn in_state(rig: &Rig, state: &str) -> Vec<String> {
    let status = rig.run("status --json").exits(0).json();
    let all = status["authorizations"].as_array().unwrap();
    all.iter()
        .filter(|it| it["state"] == state)
        .map(|it| it["license"].as_str().unwrap().to_owned())
        .collect()
}

/// The licenses with a condition.
fn with_condition(rig: &Rig, condition: &str) -> usize {
    let status = rig.run("status --json").exits(0).json();
    let all = status["authorizations"].as_array().unwrap();
    all.iter().filter(|it| it["conditions"].as_array().unwrap().contains(&condition.into())).count()
}

#[test]
fn several_are_named_and_each_counts_once() {
    let rig = granted();
    snapshot!(
        rig.run("deactivate 101-X0001-D1 604001/101-X0002-D1 ' 101-X0001-D1' --yes --reason 'chain sold'")
    );
    assert_eq!(rig.provider.living(), [("101-X0003-D1".into(), "access-3".into())]);
    assert!(rig.run("status 101-X0002-D1").exits(0).out.contains("deactivated chain sold"));
    snapshot!(rig.run("deactivate 101-X0001-D1 101-X0003-D1 --yes"));
    snapshot!(rig.run("deactivate 101-X0001-D1 101-X0003-D1 --yes --json").fits("results"));
}

#[test]
fn several_are_told_as_lines_of_json() {
    let rig = granted();
    rig.run("deactivate 101-X0001-D1 --yes").exits(0);
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    snapshot!(rig.run(&format!("{THREE} --format jsonl")).fits("event"));
}

#[test]
fn quiet_leaves_the_results() {
    snapshot!(granted().run(&format!("{THREE} --quiet")));
}

#[test]
fn a_name_that_fits_none_or_several_stops_the_whole_call() {
    let rig = Rig::new();
    let named = |license: &str| {
        let mut record = rig.record(license, "ann@example.com", 50);
        record.name = Some("Hudson".parse().unwrap());
        record
    };
    rig.seed([
        rig.record("101-X0001-D1", "ann@example.com", 50),
        named("101-X0002-D1"),
        named("101-X0003-D1"),
    ]);
    snapshot!(rig.run("deactivate 101-X0001-D1 nobody --yes"));
    snapshot!(rig.run("deactivate 101-X0001-D1 nobody --yes --format json").fits("error"));
    snapshot!(rig.run("deactivate 101-X0001-D1 nobody --yes --format jsonl").fits("event"));
    snapshot!(rig.run("deactivate 101-X0001-D1 Hudson --yes"));
    snapshot!(rig.run("deactivate 101-X0001-D1 --yes --json --format text"));
    assert_eq!(in_state(&rig, "active").len(), 3);
}

#[test]
fn a_tag_selects_what_is_left_and_narrows_what_is_named() {
    let rig = tagged(2);
    rig.seed([rig.record("101-X0009-D1", "ann@example.com", 50)]);
    snapshot!(rig.run("deactivate 101-X0001-D1 101-X0009-D1 --tag east --yes"));
    assert_eq!(in_state(&rig, "active"), ["101-X0002-D1", "101-X0009-D1"]);
    snapshot!(rig.run("deactivate --tag east --yes"));
    assert_eq!(in_state(&rig, "active"), ["101-X0009-D1"]);
    snapshot!(rig.run("deactivate --tag east"));
    snapshot!(rig.run("deactivate --tag north --json").fits("results"));
    snapshot!(rig.run("deactivate --tag north --format jsonl").fits("event"));
}

#[test]
fn a_dry_run_lists_each_by_company_with_the_warnings() {
    let rig = tagged(7);
    let mut other = rig.record("101-X0008-D1", "ann@example.com", 50);
    other.key.ubi = biotrack_auth::model::ids::Ubi::parse("604002").unwrap();
    other.tags = vec!["east".parse().unwrap()];
    other.held_by = Some("boss@example.com".into());
    rig.seed([other, rig.record("101-X0009-D1", "ann@example.com", 50)]);
    rig.adds_to_profile("revocation_scope = \"grant\"");
    snapshot!(rig.run("deactivate --tag east --dry-run"));
    snapshot!(rig.run("deactivate 101-X0001-D1 101-X0008-D1 --dry-run --json").fits("results"));
    snapshot!(rig.run("deactivate --tag east"));
    assert_eq!(in_state(&rig, "active").len(), 9);
}

#[test]
fn up_to_ten_are_named_in_one_question() {
    let rig = tagged(2);
    let answers = |answer| Person::answering(&[("Really deactivate 101-X0001-D1, 101-X0002-D1?", answer)]);
    snapshot!(rig.with(answers("n")).run("deactivate --tag east"));
    snapshot!(rig.with(answers("^C")).run("deactivate --tag east"));
    assert_eq!(in_state(&rig, "active").len(), 2);
    snapshot!(rig.with(answers("y")).run("deactivate --tag east"));
    assert_eq!(in_state(&rig, "deactivated").len(), 2);
}

#[test]
fn above_ten_the_number_must_be_typed() {
    let rig = tagged(11);
    let answers = |answer| Person::answering(&[("Type 11 to deactivate 11 licenses", answer)]);
    for wrong in ["", "y", "12", "^C"] {
        let refused = rig.with(answers(wrong)).run("deactivate --tag east");
        assert_eq!(refused.code, if wrong == "^C" { 130 } else { 1 }, "{}", refused.transcript());
        assert_eq!(in_state(&rig, "active").len(), 11, "{wrong}");
    }
    snapshot!(rig.with(answers("12")).run("deactivate --tag east"));
    snapshot!(rig.with(answers("11")).run("deactivate --tag east"));
    assert_eq!(in_state(&rig, "deactivated").len(), 11);
}

#[test]
fn one_that_somebody_is_at_stops_no_other() {
    let rig = granted();
    rig.run_while("renew 101-X0002-D1 --no-browser", |running| {
        running.says("redirect_uri=");
        snapshot!("one_that_somebody_is_at_stops_no_other", rig.run(THREE));
        running.hand.interrupts();
    })
    .exits(130);
    assert_eq!(in_state(&rig, "active"), ["101-X0002-D1"]);
    snapshot!("the_same_command_does_the_rest", rig.run(THREE));
    assert!(rig.provider.living().is_empty());
}

#[test]
fn while_the_provider_is_away_all_are_given_up_here_and_the_same_command_does_the_rest() {
    let rig = granted();
    rig.provider.is_away(true);
    snapshot!(rig.run(THREE));
    assert_eq!(with_condition(&rig, "revocation_pending"), 3);
    rig.provider.is_away(false);
    snapshot!(rig.run(&format!("{THREE} --json")).fits("results"));
    assert!(rig.provider.living().is_empty());
    snapshot!(rig.run(THREE));
}

#[test]
fn local_only_asks_nobody_for_any_of_them() {
    let rig = granted();
    snapshot!(rig.run(&format!("{THREE} --local-only")));
    assert_eq!((rig.provider.asked("/oauth/revoke"), rig.provider.living().len()), (0, 3));
}

#[test]
fn while_the_provider_wants_to_be_left_alone_none_of_the_others_is_asked_about() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(429, 3600)]);
    snapshot!(rig.run(THREE));
    assert_eq!((rig.provider.asked("/oauth/revoke"), with_condition(&rig, "revocation_pending")), (1, 3));
}

#[test]
fn ctrl_c_lets_the_one_under_way_be_finished_and_leaves_the_rest() {
    let rig = granted();
    let gate = rig.provider.stops("/oauth/revoke");
    snapshot!(rig.run_while(THREE, |running| {
        gate.is_reached();
        running.hand.interrupts();
        running.says("Finishing the current step");
        gate.opens();
    }));
    assert_eq!(in_state(&rig, "active"), ["101-X0002-D1", "101-X0003-D1"]);
    assert_eq!((rig.provider.asked("/oauth/revoke"), rig.provider.living().len()), (1, 2));
    snapshot!(rig.run(THREE));
}

#[test]
fn ctrl_c_cuts_a_wait_short_for_one_try_more() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 55)]);
    snapshot!(rig.run_while(THREE, |running| {
        running.says("Retrying in 55 s.");
        let gate = rig.provider.stops("/oauth/revoke");
        running.hand.interrupts();
        running.says("Finishing the current step");
        gate.opens();
    }));
    assert_eq!((rig.provider.asked("/oauth/revoke"), in_state(&rig, "active").len()), (2, 2));
}

#[test]
fn a_second_ctrl_c_ends_it_at_once_and_nothing_is_forgotten() {
    let rig = granted();
    let gate = rig.provider.stops("/oauth/revoke");
    let ended = rig.run_while(&format!("{THREE} --json"), |running| {
        gate.is_reached();
        running.hand.interrupts();
        running.says("Finishing the current step");
        running.hand.interrupts();
    });
    snapshot!(ended.fits("results"));
    assert_eq!((with_condition(&rig, "revocation_pending"), in_state(&rig, "active").len()), (1, 2));
}
