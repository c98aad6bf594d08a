//! `renew` of one license: the old grant stays until the new one is proven and stored.

use crate::rig::{PROFILE, Person, Reply, Rig, Visit, get, key, register};
use crate::snapshot;
use serde_json::{Value, json};

const LICENSE: &str = "101-X0007-D1";
const RENEW: &str = "renew 101-X0007-D1 --browser scripted";

/// A license that was granted sixty days ago.
fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant(LICENSE);
    rig.days_pass(60);
    rig
}

/// The one license, as `status --json` tells it.
fn only(rig: &Rig) -> serde_json::Value {
    rig.run("status --json").exits(0).json()["authorizations"][0].clone()
}

#[test]
fn its_help_says_what_it_takes() {
    snapshot!(Rig::bare().run("renew --help"));
}

#[test]
fn a_bare_renew_is_refused() {
    let rig = granted();
    snapshot!(rig.run("renew"));
    snapshot!(rig.run("renew --json").fits("error"));
    snapshot!(rig.run("renew --browser scripted --dry-run"));
    assert_eq!(rig.opened().len(), 1);
}

#[test]
fn the_new_grant_takes_the_old_ones_place() {
    let rig = granted();
    snapshot!(rig.run(RENEW));
    // Stored first, and the old one revoked after that.
    assert_eq!(
        rig.provider.log(),
        [
            "consented 101-X0007-D1 by ann@example.com: code-1",
            "issued 101-X0007-D1: access-1",
            "consented 101-X0007-D1 by ann@example.com: code-2",
            "issued 101-X0007-D1: access-2",
            "revoked 101-X0007-D1: access-1",
        ]
    );
}

#[test]
fn the_new_grant_takes_the_old_ones_place_as_json() {
    snapshot!(granted().run(&format!("{RENEW} --json")).fits("results"));
}

#[test]
fn an_expired_license_is_renewed_too() {
    let rig = granted();
    rig.days_pass(60);
    snapshot!(rig.run(RENEW));
}

#[test]
fn where_a_revocation_may_end_more_the_old_grant_is_only_forgotten() {
    let rig = granted();
    rig.adds_to_profile("revocation_scope = \"grant\"");
    rig.run(RENEW).exits(0);
    assert_eq!(rig.provider.asked("/oauth/revoke"), 0);
    assert_eq!(only(&rig)["conditions"], json!([]));
}

#[test]
fn a_replaced_grants_revocation_that_is_not_answered_holds_nothing_up_and_is_tried_again() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    snapshot!(rig.run(RENEW));
    assert_eq!(rig.provider.living().len(), 2);
    rig.run(RENEW).exits(0);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-3".into())]);
}

#[test]
fn a_refused_renewal_leaves_the_old_grant_as_it_was() {
    let rig = granted();
    let before = only(&rig);
    rig.visits([Visit::Denies]);
    snapshot!(rig.run(RENEW));
    assert_eq!(only(&rig), before);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
}

#[test]
fn a_wrong_grant_leaves_the_old_one_as_it_was() {
    let rig = granted();
    let before = only(&rig);
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"company": "Other Vendor LLC"}))]);
    snapshot!(rig.run(RENEW));
    assert_eq!(only(&rig), before);
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
}

#[test]
fn a_lost_answer_leaves_the_old_grant_in_use_and_says_that_it_is_uncertain() {
    let rig = granted();
    rig.provider.replies("/oauth/token", [Reply::Lost]);
    snapshot!(rig.run(RENEW));
    snapshot!("the_card_of_an_uncertain_renewal", rig.run(&format!("status {LICENSE}")));
    rig.run(RENEW).exits(0);
    assert_eq!(only(&rig)["conditions"], json!([]));
}

#[test]
fn a_provider_that_is_away_is_told_before_anybody_is_asked() {
    let rig = granted();
    rig.provider.is_away(true);
    snapshot!(rig.run(RENEW));
    assert_eq!(rig.opened().len(), 1);
}

#[test]
fn a_locked_keyring_is_told_before_anybody_is_asked() {
    let rig = Rig::with_keyring();
    rig.grant(LICENSE);
    rig.keyring.locks(true);
    snapshot!(rig.run(RENEW));
    assert_eq!(rig.opened().len(), 1);
}

#[test]
fn in_a_keyring_the_new_grant_is_a_new_item_and_the_old_one_goes() {
    let rig = Rig::with_keyring();
    rig.grant(LICENSE);
    let before = rig.keyring.accounts();
    rig.run(RENEW).exits(0);
    let after = rig.keyring.accounts();
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
}

#[test]
fn a_keyring_that_locks_as_the_grant_comes_leaves_the_old_one_and_the_next_command_stores_the_new() {
    let rig = Rig::with_keyring();
    rig.grant(LICENSE);
    rig.visits([Visit::Leaves]);
    snapshot!(rig.run_while(RENEW, |running| {
        running.says("Opening it in a browser");
        rig.keyring.locks(true);
        get(&rig.provider.consents(&rig.opened()[1], None));
    }));
    rig.keyring.locks(false);
    snapshot!("the_card_of_a_grant_that_waits", rig.run(&format!("status {LICENSE}")));
    // Nobody is needed for it.
    snapshot!(rig.run(&format!("renew {LICENSE}")));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

/// The grant is as it was, and for ten minutes an answer that still comes is taken.
#[track_caller]
fn is_left_as(rig: &Rig, before: Value) {
    let mut now = only(rig);
    assert_eq!(now["next_command"], "biotrack-auth complete -");
    now["next_command"] = before["next_command"].clone();
    assert_eq!(now, before);
    rig.minutes_pass(11);
    let lapsed = only(rig);
    let told = ["state", "conditions", "next_command", "renewed_at"];
    told.iter().for_each(|name| assert_eq!(lapsed[name], before[name], "it lapses without a condition"));
}

#[test]
fn ctrl_c_while_the_page_is_open_leaves_the_old_grant() {
    let rig = granted();
    let before = only(&rig);
    rig.visits([Visit::Interrupts]);
    snapshot!(rig.run(RENEW));
    is_left_as(&rig, before);
}

#[test]
fn nobody_in_time_leaves_the_old_grant() {
    let rig = granted();
    let before = only(&rig);
    rig.visits([Visit::Leaves]);
    snapshot!(rig.run(&format!("{RENEW} --timeout 1s --json")).fits("results"));
    is_left_as(&rig, before);
}

#[test]
fn unattended_without_a_browser_nobody_is_asked() {
    let rig = granted();
    snapshot!(rig.run(&format!("renew {LICENSE}")));
    snapshot!(rig.run(&format!("renew {LICENSE} --json")).fits("results"));
}

#[test]
fn a_name_that_fits_none_is_refused() {
    let rig = granted();
    snapshot!(rig.run("renew 101-X0009-D1 --browser scripted"));
    snapshot!(rig.run("renew 101-X0009-D1 --browser scripted --json").fits("error"));
}

#[test]
fn a_name_that_fits_several_is_refused_with_each_of_them() {
    let rig = granted();
    let other = "register --ubi 604002 --license 101-X0007-D1 --username bob@example.com --browser scripted";
    rig.run(other).exits(0);
    snapshot!(rig.run(RENEW));
    snapshot!(rig.run(&format!("{RENEW} --json")).fits("error"));
    snapshot!(rig.run("renew 604002/101-X0007-D1 --browser scripted"));
}

#[test]
fn a_store_is_found_by_its_name_and_its_ocm_license() {
    let rig = Rig::new();
    let more = "--name 'Hudson St' --ocm-license OCM-RETL-24-000064";
    rig.run(&format!("{} {more}", register(LICENSE))).exits(0);
    let shown = |selector: &str| rig.run(&format!("status '{selector}'")).exits(0).out;
    assert!(shown("Hudson St").contains(LICENSE) && shown("OCM-RETL-24-000064").contains(LICENSE));
    let renewed = |selector: &str| rig.run(&format!("renew '{selector}' --browser scripted")).exits(0).out;
    assert!(renewed("Hudson St").starts_with("Hudson St\n"));
    assert!(renewed("OCM-RETL-24-000064").starts_with("Hudson St\n"));
}

#[test]
fn a_pending_license_is_asked_again() {
    let rig = Rig::new();
    rig.visits([Visit::Denies]);
    rig.run(&register(LICENSE)).exits(6);
    snapshot!(rig.run(RENEW));
}

#[test]
fn a_deactivated_license_has_register() {
    let rig = granted();
    rig.run(&format!("deactivate {LICENSE} --yes")).exits(0);
    snapshot!(rig.run(RENEW));
}

#[test]
fn another_username_is_asked_and_recorded() {
    let rig = granted();
    snapshot!(rig.run(&format!("{RENEW} --username bob@example.com --yes")));
    assert_eq!(rig.provider.log()[2], "consented 101-X0007-D1 by bob@example.com: code-2");
}

#[test]
fn a_person_confirms_another_username_first() {
    let rig = granted();
    let line = format!("{RENEW} --username bob@example.com");
    let answers = |answer| Person::answering(&[("Ask bob@example.com from now on?", answer)]);
    snapshot!(rig.with(answers("n")).run(&line));
    snapshot!(rig.with(answers("^C")).run(&line));
    assert_eq!(rig.opened().len(), 1);
    snapshot!(rig.with(answers("y")).run(&line));
    // The same in another case is no other.
    rig.with(Person::watching()).run(&format!("{RENEW} --username BOB@example.com")).exits(0);
}

#[test]
fn another_admins_grant_is_held_beside_the_living_one() {
    let rig = granted();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    snapshot!(rig.run(RENEW));
    snapshot!("the_card_of_a_held_renewal", rig.run(&format!("status {LICENSE}")));
    assert_eq!(rig.provider.living().len(), 2);
    snapshot!(
        "a_held_renewal_is_taken_without_a_new_consent",
        rig.run(&format!("renew {LICENSE} --awaiting --yes"))
    );
    // The grant that it replaced goes.
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

#[test]
fn a_held_renewal_is_taken_as_json() {
    let rig = granted();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    rig.run(RENEW).exits(6);
    snapshot!(rig.run(&format!("renew {LICENSE} --awaiting --yes --json")).fits("results"));
}

#[test]
fn a_newer_grant_of_the_right_admin_throws_a_held_one_away() {
    let rig = granted();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    rig.run(RENEW).exits(6);
    rig.run(RENEW).exits(0);
    assert_eq!(only(&rig)["conditions"], json!([]));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-3".into())]);
}

#[test]
fn with_any_user_whoever_grants_will_do() {
    let rig = granted();
    rig.visits([Visit::GrantsAs("boss@example.com".into())]);
    snapshot!(rig.run(&format!("{RENEW} --any-user")));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

#[test]
fn an_answer_that_is_sent_back_can_be_pasted() {
    let rig = granted();
    rig.visits([Visit::IsPasted(|back| {
        vec!["http://127.0.0.1:18273/callback?code=c&state=s".into(), back.into()]
    })]);
    snapshot!(rig.with(Person::watching()).run(&format!("renew {LICENSE}")));
}

#[test]
fn somebody_else_at_the_license_is_named() {
    let rig = granted();
    rig.run_while(&format!("renew {LICENSE} --no-browser"), |running| {
        running.says("redirect_uri=");
        snapshot!("somebody_else_at_the_license_is_named", rig.run(RENEW));
        running.hand.interrupts();
    })
    .exits(130);
}

#[test]
fn break_first_gives_the_old_grant_up_before_the_new_one_is_asked_for() {
    let rig = granted();
    snapshot!(rig.run(&format!("{RENEW} --username bob@example.com --break-first --yes")));
    assert_eq!(
        rig.provider.log()[2..],
        [
            "revoked 101-X0007-D1: access-1",
            "consented 101-X0007-D1 by bob@example.com: code-2",
            "issued 101-X0007-D1: access-2",
        ]
    );
}

#[test]
fn break_first_needs_a_yes_and_somebody_to_ask() {
    let rig = granted();
    let line = format!("renew {LICENSE} --username bob@example.com --break-first");
    snapshot!(rig.run(&format!("{line} --yes")));
    snapshot!(rig.run(&format!("{line} --browser scripted")));
    let answers =
        |answer| Person::answering(&[("Ask bob@example.com from now on?", "y"), ("Really end", answer)]);
    snapshot!(rig.with(answers("n")).run(&line));
    snapshot!(rig.with(answers("^C")).run(&line));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-1".into())]);
    snapshot!(rig.with(answers("y")).run(&line));
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

#[test]
fn break_first_is_for_one_license_with_a_username() {
    let rig = granted();
    snapshot!(rig.run(&format!("{RENEW} --break-first")));
    snapshot!(rig.run("renew --all --username bob@example.com --break-first --yes"));
    snapshot!(rig.run(&format!("{RENEW} --username bob@example.com --break-first --yes --dry-run")));
    assert_eq!(rig.provider.living().len(), 1);
}

#[test]
fn break_first_asks_nobody_where_the_old_grant_is_not_revoked() {
    let rig = granted();
    rig.provider.replies("/oauth/revoke", [Reply::Busy(503, 3600)]);
    snapshot!(rig.run(&format!("{RENEW} --username bob@example.com --break-first --yes")));
    assert_eq!(rig.opened().len(), 1);
}

#[test]
fn a_no_after_the_break_leaves_the_license_without_a_grant_and_the_other_admin_is_asked_again() {
    let rig = granted();
    rig.visits([Visit::Denies]);
    snapshot!(rig.run(&format!("{RENEW} --username bob@example.com --break-first --yes")));
    snapshot!("after_the_break", rig.run(&format!("status {LICENSE}")));
    drop(rig.run(RENEW).exits(0));
    assert!(rig.provider.log().last().unwrap().contains("issued"), "{:?}", rig.provider.log());
    assert_eq!(rig.standing(LICENSE).record.username.as_str(), "bob@example.com");
    assert_eq!(rig.provider.living(), [(LICENSE.into(), "access-2".into())]);
}

#[test]
fn a_license_whose_tokens_live_elsewhere_is_asked_anew() {
    let rig = Rig::new();
    let mut record = rig.record(LICENSE, "ann@example.com", 20);
    record.held_elsewhere = true;
    rig.seed([record]);
    snapshot!(rig.run(RENEW));
    assert!(!rig.ledger().standing(PROFILE, &key(LICENSE)).unwrap().unwrap().record.held_elsewhere);
}
