//! `deactivate` of one license: the grant is revoked, the tokens forgotten, the history kept.

use crate::rig::{Person, Reply, Rig, Visit, register};
use crate::snapshot;
use serde_json::json;

const LICENSE: &str = "101-X0007-D1";
const AWAITING: &str = "deactivate 101-X0007-D1 --awaiting --yes";
const YES: &str = "deactivate 101-X0007-D1 --yes";

fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant(LICENSE);
    rig
}

/// A license whose living grant stands beside another admin's, which is held.
fn held() -> Rig {
    let rig = granted();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(6);
    rig
}

/// State and conditions of the one license.
fn stands(rig: &Rig) -> (String, serde_json::Value) {
    let it = rig.run("status --json").exits(0).json()["authorizations"][0].clone();
    (it["state"].as_str().unwrap().to_owned(), it["conditions"].clone())
}

#[test]
fn a_refusal_of_the_revocation_is_told_as_the_providers_word_with_what_helps() {
    for (name, status, body) in [
        ("unsupported", 400, json!({"error": "unsupported_token_type"}).to_string()),
        ("wrong_client", 401, String::new()),
        ("not_found", 404, "<html>".into()),
    ] {
        let rig = granted();
        rig.provider.replies("/oauth/revoke", [Reply::Status(status, body)]);
        snapshot!(format!("revocation_refused_{name}"), rig.run(YES));
        assert_eq!(stands(&rig), ("deactivated".into(), json!(["revocation_pending"])));
        rig.run("status --check").exits(1);
        rig.run(&format!("{YES} --local-only")).exits(0);
        assert_eq!(stands(&rig), ("deactivated".into(), json!([])));
        rig.run("status --check --allow-empty").exits(0);
    }
    // A token that is gone there is what was wanted.
    let rig = granted();
    rig.provider
        .replies("/oauth/revoke", [Reply::Status(400, json!({"error": "invalid_token"}).to_string())]);
    rig.run(YES).exits(0);
    assert_eq!(stands(&rig), ("deactivated".into(), json!([])));
}

#[test]
fn a_revocation_whose_answer_is_lost_is_uncertain_until_the_next_one_settles_it() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Lost, Reply::Lost, Reply::Lost]);
    snapshot!("revocation_lost", rig.run(YES));
    assert_eq!(stands(&rig), ("deactivated".into(), json!(["uncertain", "revocation_pending"])));
    snapshot!("revocation_lost_card", rig.run(&format!("status {LICENSE}")));
    snapshot!("revocation_lost_check", rig.run("status --check"));
    snapshot!("revocation_settled", rig.run(YES));
    assert_eq!(stands(&rig), ("deactivated".into(), json!([])));
}

#[test]
fn its_help_says_what_it_takes() {
    snapshot!(Rig::bare().run("deactivate --help"));
}

#[test]
fn a_bare_deactivate_is_refused() {
    snapshot!(granted().run("deactivate --yes"));
}

#[test]
fn the_grant_is_revoked_and_the_history_kept() {
    let rig = granted();
    rig.days_pass(30);
    snapshot!(rig.run(&format!("{YES} --reason 'store closed'")));
    assert_eq!(rig.provider.log().last().unwrap(), "revoked 101-X0007-D1: access-1");
    snapshot!("the_card_of_a_deactivated_license", rig.run(&format!("status {LICENSE}")));
    snapshot!("a_deactivated_license_is_deactivated_already", rig.run(YES));
    assert_eq!(rig.provider.asked("/oauth/revoke"), 1);
}

#[test]
fn the_grant_is_revoked_as_json() {
    let rig = granted();
    snapshot!(rig.run(&format!("{YES} --json")).fits("results"));
    snapshot!(rig.run(&format!("{YES} --json")).fits("results"));
}

#[test]
fn the_grant_is_revoked_as_lines_of_json() {
    snapshot!(granted().run(&format!("{YES} --format jsonl")).fits("event"));
}

#[test]
fn outside_of_business_hours_only_the_warning_stays() {
    let rig = granted();
    rig.minutes_pass(13 * 60);
    snapshot!(rig.run(YES));
}

#[test]
fn an_expired_grant_is_given_up_without_a_warning() {
    let rig = granted();
    rig.days_pass(120);
    snapshot!(rig.run(YES));
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let rig = granted();
    snapshot!(rig.run(&format!("deactivate {LICENSE} --dry-run")));
    snapshot!(rig.run(&format!("deactivate {LICENSE} --dry-run --json")).fits("results"));
    snapshot!(rig.run(&format!("deactivate {LICENSE} --dry-run --format jsonl")).fits("event"));
    assert_eq!((stands(&rig), rig.provider.asked("/oauth/revoke")), (("active".into(), json!([])), 0));
}

#[test]
fn unattended_it_needs_a_yes() {
    let rig = granted();
    snapshot!(rig.run(&format!("deactivate {LICENSE}")));
    snapshot!(rig.run(&format!("deactivate {LICENSE} --json")).fits("results"));
    snapshot!(rig.run(&format!("deactivate {LICENSE} --format jsonl")).fits("event"));
    assert_eq!(stands(&rig).0, "active");
}

#[test]
fn a_person_is_asked() {
    let rig = granted();
    let answers = |answer| Person::answering(&[("Really deactivate 101-X0007-D1?", answer)]);
    let line = format!("deactivate {LICENSE}");
    snapshot!(rig.with(answers("n")).run(&line));
    snapshot!(rig.with(answers("^C")).run(&line));
    assert_eq!(stands(&rig).0, "active");
    snapshot!(rig.with(answers("y")).run(&line));
    assert!(rig.provider.living().is_empty());
}

#[test]
fn a_name_that_fits_none_is_refused() {
    let rig = granted();
    snapshot!(rig.run("deactivate 101-X0009-D1 --yes"));
    snapshot!(rig.run("deactivate 101-X0009-D1 --yes --json").fits("error"));
}

#[test]
fn a_pending_license_is_given_up_too() {
    let rig = Rig::new();
    rig.visits([Visit::Denies]);
    rig.run(&register(LICENSE)).exits(6);
    snapshot!(rig.run(YES));
    assert_eq!(stands(&rig).0, "deactivated");
}

#[test]
fn where_the_provider_offers_no_revocation_it_is_local_and_says_so() {
    let rig = granted();
    rig.provider.revokes_nothing();
    snapshot!(rig.run(YES));
    assert_eq!((rig.provider.asked("/oauth/revoke"), stands(&rig)), (0, ("deactivated".into(), json!([]))));
}

#[test]
fn local_only_asks_nobody() {
    let rig = granted();
    rig.provider.is_away(true);
    snapshot!(rig.run(&format!("{YES} --local-only")));
    assert_eq!(rig.provider.asked("/oauth/revoke"), 0);
}

#[test]
fn where_a_revocation_may_end_more_others_of_the_account_are_named() {
    let rig = granted();
    rig.grant("101-X0008-D1");
    rig.adds_to_profile("revocation_scope = \"grant\"");
    snapshot!(rig.run(&format!("deactivate {LICENSE} --dry-run")));
    snapshot!(rig.run(YES));
}

#[test]
fn a_revocation_that_is_not_answered_is_pending_and_the_same_command_tries_again() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    snapshot!(rig.run(YES));
    assert_eq!(stands(&rig), ("deactivated".into(), json!(["revocation_pending"])));
    snapshot!("the_card_of_a_pending_revocation", rig.run(&format!("status {LICENSE}")));
    snapshot!("the_check_of_a_pending_revocation", rig.run("status --check"));
    snapshot!(rig.run(YES));
    assert_eq!((stands(&rig), rig.provider.living()), (("deactivated".into(), json!([])), Vec::new()));
}

#[test]
fn a_revocation_that_is_not_answered_is_a_result_in_json() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    snapshot!(rig.run(&format!("{YES} --json")).fits("results"));
}

#[test]
fn a_license_is_registered_again_while_its_revocation_is_pending() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    rig.run(YES).exits(8);
    rig.grant(LICENSE);
    assert_eq!(stands(&rig), ("active".into(), json!(["revocation_pending"])));
    // The old grant goes, and only that.
    snapshot!(rig.run(YES));
    assert_eq!(stands(&rig), ("active".into(), json!([])));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

#[test]
fn where_a_revocation_may_end_more_an_old_one_is_never_sent_beside_a_new_grant() {
    let rig = granted();
    rig.adds_to_profile("revocation_scope = \"grant\"");
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    rig.run(YES).exits(8);
    rig.grant(LICENSE);
    assert_eq!(stands(&rig), ("active".into(), json!([])));
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
    assert_eq!(rig.provider.asked("/oauth/revoke"), 1);
}

#[test]
fn a_busy_provider_is_asked_again_when_it_says() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(429, 1)]);
    snapshot!(rig.run(YES));
    assert_eq!((rig.provider.asked("/oauth/revoke"), rig.provider.living().len()), (2, 0));
}

#[test]
fn whoever_wants_to_be_left_alone_for_longer_than_a_minute_is() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 61)]);
    rig.run(YES).exits(8);
    assert_eq!(rig.provider.asked("/oauth/revoke"), 1);
}

#[test]
fn while_the_provider_is_away_it_is_given_up_here_all_the_same() {
    let rig = granted();
    rig.provider.is_away(true);
    snapshot!(rig.run(YES));
    assert_eq!(stands(&rig), ("deactivated".into(), json!(["revocation_pending"])));
    rig.provider.is_away(false);
    snapshot!(rig.run(YES));
    assert!(rig.provider.living().is_empty());
}

#[test]
fn a_held_grant_is_thrown_away_and_the_living_one_stays() {
    let rig = held();
    snapshot!(rig.run(&format!("deactivate {LICENSE} --awaiting --dry-run")));
    snapshot!(rig.run(AWAITING));
    assert_eq!(stands(&rig), ("active".into(), json!([])));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
    // Run once more, it does nothing.
    snapshot!("nothing_awaits_approval", rig.run(AWAITING));
    assert_eq!(rig.provider.living().len(), 1);
}

#[test]
fn a_person_is_asked_about_the_held_grant_alone() {
    let rig = held();
    let answers = [("discard only the grant from boss@example.com", "n")];
    snapshot!(rig.with(Person::answering(&answers)).run(&format!("deactivate {LICENSE} --awaiting")));
    assert_eq!(stands(&rig), ("active".into(), json!(["awaiting_approval"])));
    rig.run(&format!("deactivate {LICENSE} --awaiting")).exits(2);
}

#[test]
fn giving_up_a_license_names_the_grant_that_awaits_approval_too() {
    let rig = held();
    let answers = [("deactivate 101-X0007-D1 and discard the grant from boss@example.com", "n")];
    snapshot!(rig.with(Person::answering(&answers)).run(&format!("deactivate {LICENSE}")));
    assert_eq!((rig.run(&format!("deactivate {LICENSE}")).code, rig.provider.living().len()), (2, 2));
    rig.run(YES).exits(0);
    assert_eq!((stands(&rig), rig.provider.living()), (("deactivated".into(), json!([])), Vec::new()));
}

#[test]
fn where_a_revocation_may_end_more_a_held_grant_is_only_forgotten() {
    let rig = held();
    rig.adds_to_profile("revocation_scope = \"grant\"");
    snapshot!(rig.run(AWAITING));
    assert_eq!((rig.provider.asked("/oauth/revoke"), rig.provider.living().len()), (0, 2));
}

#[test]
fn trying_a_held_grants_revocation_again_never_gives_up_the_living_one() {
    let rig = held();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    snapshot!(rig.run(AWAITING));
    assert_eq!(stands(&rig), ("active".into(), json!(["revocation_pending"])));
    snapshot!(rig.run(AWAITING));
    assert_eq!(stands(&rig), ("active".into(), json!([])));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
}

#[test]
fn a_held_grant_of_a_deactivated_license_can_be_thrown_away() {
    let rig = granted();
    rig.run(YES).exits(0);
    let created = rig.standing(LICENSE).record.created_at;
    rig.days_pass(1);
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    rig.run(&register(LICENSE)).exits(6);
    assert_eq!(stands(&rig), ("deactivated".into(), json!(["awaiting_approval"])));
    assert_eq!(rig.standing(LICENSE).record.created_at, created);
    snapshot!(rig.run(YES));
    assert_eq!(stands(&rig), ("deactivated".into(), json!([])));
    assert!(rig.provider.living().is_empty());
}

#[test]
fn a_held_first_grant_is_thrown_away_with_the_license() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    rig.run(&register(LICENSE)).exits(6);
    snapshot!(rig.run(YES));
    assert_eq!((stands(&rig).0, rig.provider.living().len()), ("deactivated".into(), 0));
}

#[test]
fn after_a_lost_answer_a_grant_may_still_stand() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Lost]);
    rig.run(&register(LICENSE)).exits(8);
    snapshot!(rig.run(YES));
}

#[test]
fn a_license_whose_tokens_live_elsewhere_is_not_revoked_here() {
    let rig = Rig::new();
    let mut exported = rig.record(LICENSE, "ann@example.com", 20);
    exported.held_elsewhere = true;
    rig.seed([exported]);
    snapshot!(rig.run(YES));
    assert_eq!(rig.provider.asked("/oauth/revoke"), 0);
}

#[test]
fn a_locked_keyring_is_told_and_nothing_is_given_up() {
    let rig = Rig::with_keyring();
    rig.grant(LICENSE);
    rig.keyring.locks(true);
    snapshot!(rig.run(YES));
    rig.keyring.locks(false);
    snapshot!("the_card_after_a_locked_keyring", rig.run(&format!("status {LICENSE}")));
    rig.run(YES).exits(0);
    assert!(rig.keyring.accounts().is_empty());
    assert!(rig.provider.living().is_empty());
}
