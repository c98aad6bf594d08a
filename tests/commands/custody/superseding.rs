//! A new grant takes an old one's place: make before break, and what becomes of the old one.

use super::*;
use crate::rig::{Visit, World, oracle};
use std::sync::Mutex;

/// The token sets of a license at the first moment of this kind of a command.
fn kept_at(rig: &Rig, moment: Moment, command: &str) -> Vec<(SecretRole, usize)> {
    let (world, found): (World, _) = (rig.world().clone(), Arc::new(Mutex::new(None)));
    let noted = found.clone();
    at(rig, moment, move || *noted.lock().unwrap() = Some(kept(&Rig::of(world), "L-1")));
    drop(rig.run(command).exits(0));
    rig.world().unwatch();
    found.lock().unwrap().take().unwrap()
}

const RENEW: &str = "renew L-1 --browser scripted";

#[test]
fn the_old_grant_is_in_use_until_the_new_one_is_stored_and_goes_only_then() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    assert_eq!(kept_at(&rig, answered(TOKEN), RENEW), [(SecretRole::Live, 1)]);
    let both = kept_at(&rig, arrives(REVOKE), RENEW);
    assert_eq!(both, [(SecretRole::Superseded, 2), (SecretRole::Live, 3)]);
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 3)]);
    oracle::rests(&rig);
}

#[test]
fn the_browser_has_its_answer_before_the_old_grant_is_cleared_away() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    // Whoever clicked doesn't wait for a revocation that takes long: the page is there while it's under way.
    let (world, page) = (rig.world().clone(), Arc::new(Mutex::new(String::new())));
    let seen = page.clone();
    let history_then = Arc::new(Mutex::new(Vec::new()));
    let noted = history_then.clone();
    at(&rig, arrives(REVOKE), move || {
        let there = Rig::of(world);
        *noted.lock().unwrap() = history(&there, "L-1");
        *seen.lock().unwrap() = there.run("status L-1").out;
    });
    drop(rig.run(RENEW).exits(0));
    assert_eq!(history_then.lock().unwrap().last().unwrap(), "renewed");
    assert!(page.lock().unwrap().contains("Renewed"), "{}", page.lock().unwrap());
    assert!(rig.page().contains("200 OK"), "{}", rig.page());
}

#[test]
fn the_old_grant_is_revoked_only_where_that_cannot_end_the_new_one() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    drop(rig.run(RENEW).exits(0));
    assert_eq!(times(&rig, "revoked L-1: access-1"), 1);
    rig.adds_to_profile("revocation_scope = \"grant\"");
    drop(rig.run(RENEW).exits(0));
    assert_eq!(times(&rig, "revoked"), 1, "that grant is only forgotten");
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 3)]);
    oracle::rests(&rig);
}

#[test]
fn where_nothing_can_be_revoked_the_old_grant_is_forgotten() {
    let rig = Rig::new();
    rig.provider.revokes_nothing();
    drop(rig.grant("L-1"));
    drop(rig.run(RENEW).exits(0));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
    oracle::rests_but(&rig, &[1]);
}

#[test]
fn an_old_grant_whose_end_failed_goes_with_the_next_command_and_never_before_the_provider_said_so() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        drop(rig.grant("L-1"));
        rig.provider.replies(REVOKE, [Reply::Unreachable, Reply::Lost]);
        drop(rig.run(RENEW).exits(0));
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Superseded, 1), (SecretRole::Live, 2)]);
        drop(rig.run(RENEW).exits(0));
        assert_eq!(
            kept(&rig, "L-1"),
            [(SecretRole::Superseded, 1), (SecretRole::Superseded, 2), (SecretRole::Live, 3)]
        );
        oracle::holds(&rig);
        drop(rig.run(RENEW).exits(0));
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 4)]);
        oracle::rests(&rig);
    }
}

#[test]
fn a_deactivation_gives_back_what_a_renewal_could_not() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.provider.replies(REVOKE, [Reply::Unreachable]);
    drop(rig.run(RENEW).exits(0));
    drop(rig.run("deactivate L-1 --yes").exits(0));
    assert_eq!((kept(&rig, "L-1"), rig.provider.living()), (vec![], vec![]));
}

/// The keyring has lost the only grant's tokens.
fn loses_live(rig: &Rig) {
    let item = rig.keyring.accounts().into_iter().find(|it| it.contains("/L-1/")).unwrap();
    rig.keyring.loses(&item);
}

#[test]
fn an_old_grant_whose_tokens_are_lost_is_told_of_once_and_bars_nobodys_way() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    loses_live(&rig);
    let done = rig.run(RENEW).exits(0);
    assert!(done.err.contains("L-1: the vault has lost the tokens of an earlier grant"), "{}", done.err);
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
    assert_eq!(history(&rig, "L-1"), ["asked", "granted", "asked", "renewed", "uncertain"]);
    assert_eq!((shown(&rig, "L-1").1, rig.run("doctor").err.contains("missing")), (vec![], false));
    drop(rig.run(RENEW).exits(0));
    drop(rig.run("deactivate L-1 --yes").exits(0));
    assert_eq!(history(&rig, "L-1").iter().filter(|word| *word == "uncertain").count(), 1);
    assert_eq!(kept(&rig, "L-1"), []);
    oracle::rests_but(&rig, &[1]);
}

#[test]
fn an_old_grant_that_was_lost_while_the_provider_was_away_goes_with_the_license() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    let old = rig.keyring.accounts().pop().unwrap();
    rig.provider.replies(REVOKE, [Reply::Unreachable]);
    drop(rig.run(RENEW).exits(0));
    rig.keyring.loses(&old);
    // What `status` doesn't call a condition is no finding either.
    let told = rig.run("doctor").out;
    assert!(told.contains("the tokens of an earlier grant of L-1, which a newer one replaced"), "{told}");
    assert_eq!((shown(&rig, "L-1").1, told.contains("✗ vault")), (vec![], false), "{told}");
    let done = rig.run("deactivate L-1 --yes").exits(0);
    assert!(
        done.out.contains("At BioTrack: revoked.") && done.out.contains("may still be valid"),
        "{}",
        done.out
    );
    assert_eq!((kept(&rig, "L-1"), times(&rig, "revoked L-1: access-2")), (vec![], 1));
    oracle::rests_but(&rig, &[1]);
}

#[test]
fn a_renewal_keeps_when_the_license_was_first_granted_and_a_new_registration_begins_anew() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let first = rig.now();
    rig.days_pass(90);
    drop(rig.run(RENEW).exits(0));
    let renewed = record(&rig, "L-1");
    assert_eq!((renewed.created_at, renewed.renewed_at), (Some(first), Some(rig.now())));
    assert_eq!(renewed.expires_at, Some(rig.now() + SignedDuration::from_hours(2400)));
    drop(rig.run("deactivate L-1 --yes").exits(0));
    rig.days_pass(1);
    drop(rig.grant("L-1"));
    let anew = record(&rig, "L-1");
    assert_eq!((anew.created_at, anew.renewed_at, anew.deactivated_at), (Some(rig.now()), None, None));
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
}

#[test]
fn who_is_asked_from_now_on_is_recorded_with_the_new_grant_and_not_before() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let other = format!("{RENEW} --username {BOB} --yes");
    rig.visits([Visit::Denies]);
    drop(rig.run(&other).exits(6));
    assert_eq!(record(&rig, "L-1").username.as_str(), crate::rig::ADMIN);
    drop(rig.run(&other).exits(0));
    assert_eq!(record(&rig, "L-1").username.as_str(), BOB);
    assert_eq!(record(&rig, "L-1").granted_by.as_deref(), Some(BOB));
}

#[test]
fn a_new_grant_ends_doubts_about_the_old_one() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.provider.replies(TOKEN, [Reply::Lost]);
    drop(rig.run(RENEW).exits(8));
    assert_eq!(shown(&rig, "L-1").1, ["uncertain"]);
    drop(rig.run(RENEW).exits(0));
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    rig.provider.ends_grants_of("L-1");
    rig.minutes_pass(61);
    drop(rig.run("token L-1").exits(4));
    assert_eq!(shown(&rig, "L-1").0, State::Invalid);
    drop(rig.run(RENEW).exits(0));
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
}

#[test]
fn with_a_new_grant_unwanted_older_ones_go_too_where_only_forgetting_is_safe() {
    for (scope, left) in [
        ("token", vec![(SecretRole::Unwanted, 2), (SecretRole::Live, 3)]),
        ("grant", vec![(SecretRole::Live, 3)]),
    ] {
        let rig = Rig::new();
        drop(rig.grant("L-1"));
        // A wrong grant, whose revocation isn't answered.
        rig.provider.replies(TOKEN, [Reply::Changed(serde_json::json!({"company": "Other Vendor LLC"}))]);
        rig.provider.replies(REVOKE, [Reply::Unreachable]);
        drop(rig.run(RENEW).exits(6));
        rig.adds_to_profile(&format!("revocation_scope = \"{scope}\""));
        process(&rig, |it| {
            drop(it.grant("L-1").unwrap());
            assert_eq!(record(&rig, "L-1").revocation_pending, scope == "token");
            it.clean_up();
        });
        assert_eq!(kept(&rig, "L-1"), left, "{scope}");
        oracle::holds(&rig);
    }
}

#[test]
fn a_newer_grant_discards_one_that_waits() {
    for (scope, revoked) in [("token", 2), ("grant", 0)] {
        let rig = Rig::new();
        rig.adds_to_profile(&format!("revocation_scope = \"{scope}\""));
        drop(rig.grant("L-1"));
        rig.visits([Visit::GrantsAs(BOB.into())]);
        drop(rig.run(RENEW).exits(6));
        drop(rig.run(RENEW).exits(0));
        assert_eq!(
            (kept(&rig, "L-1"), times(&rig, "revoked")),
            (vec![(SecretRole::Live, 3)], revoked),
            "{scope}"
        );
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
        oracle::rests(&rig);
    }
}

#[test]
fn what_others_changed_while_the_admin_clicked_is_not_written_over() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let world = rig.world().clone();
    at(&rig, Moment::Consents, move || {
        let named = "UPDATE authorization SET name = 'Hudson' WHERE license = 'L-1'";
        assert_eq!(world.ledger().execute(named, []).unwrap(), 1);
    });
    drop(rig.run(RENEW).exits(0));
    assert_eq!(record(&rig, "L-1").name.unwrap().as_str(), "Hudson");
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
}

#[test]
fn a_refresh_while_the_admin_clicks_is_normal() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    rig.minutes_pass(61);
    let world = rig.world().clone();
    at(&rig, Moment::Consents, move || {
        assert_eq!(Rig::of(world).run("token L-1").exits(0).out, "access-1.1\n");
    });
    drop(rig.run(RENEW).exits(0));
    rig.world().unwatch();
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
    assert_eq!(
        times(&rig, "revoked L-1: access-1.1"),
        1,
        "the grant is revoked by the tokens that it has by now"
    );
    oracle::rests(&rig);
}

#[test]
fn clearing_away_waits_for_a_provider_that_was_not_reached() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    process(&rig, |it| drop(it.grant("L-1").unwrap()));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Superseded, 1), (SecretRole::Live, 2)]);
    offline(&rig, |it| {
        assert!(!it.tidy_needs_provider(), "nothing was touched");
        it.recover("L-1").unwrap();
        assert!(it.tidy_needs_provider());
        it.clean_up();
    });
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Superseded, 1), (SecretRole::Live, 2)]);
    process(&rig, |it| {
        it.recover("L-1").unwrap();
        it.clean_up();
    });
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
}

#[test]
fn of_two_that_clear_away_the_same_neither_takes_a_living_grant_along() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    process(&rig, |it| drop(it.grant("L-1").unwrap()));
    let world = rig.world().clone();
    at(&rig, arrives(REVOKE), move || {
        // The other one is quicker, and renews on top.
        let other = Rig::of(world);
        process(&other, |it| {
            it.recover("L-1").unwrap();
            it.clean_up();
        });
        drop(other.run(RENEW).exits(0));
    });
    process(&rig, |it| {
        it.recover("L-1").unwrap();
        it.clean_up();
    });
    rig.world().unwatch();
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 3)]);
    oracle::rests(&rig);
}

#[test]
fn a_copy_of_a_grant_that_lives_elsewhere_is_forgotten_and_not_revoked() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        let backup = super::bundles::backup_of_a_grant(&rig);
        drop(rig.run(&format!("import {backup} --yes")).exits(0));
        assert_eq!(shown(&rig, "L-1").1, ["exported"]);
        drop(rig.run(RENEW).exits(0));
        assert_eq!((kept(&rig, "L-1"), times(&rig, "revoked")), (vec![(SecretRole::Live, 2)], 0));
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
        // It lives where it came from.
        oracle::rests_but(&rig, &[1]);
    }
}
