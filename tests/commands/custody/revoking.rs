//! Giving grants back: what is noted before the provider is asked, what is kept until it has answered, and what is said.

use super::*;
use crate::rig::{Visit, oracle};
use biotrack_auth::model::flow::FlowStage;
use std::sync::Mutex;

const DEACTIVATE: &str = "deactivate L-1 --yes";

fn granted(rig: Rig) -> Rig {
    drop(rig.grant("L-1"));
    rig
}

/// Another admin's grant waits.
fn bob_waits(rig: &Rig) {
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
}

#[test]
fn that_a_grant_is_given_back_is_on_the_disk_before_it_is_and_its_tokens_stay_until_it_was() {
    for rig in [granted(Rig::new()), granted(Rig::with_keyring())] {
        let (world, found) = (rig.world().clone(), Arc::new(Mutex::new(None)));
        let noted = found.clone();
        at(&rig, arrives(REVOKE), move || {
            let rig = Rig::of(world);
            let flow = flows(&rig, "L-1").pop().unwrap();
            *noted.lock().unwrap() = Some((flow.purpose, flow.stage, kept(&rig, "L-1")));
        });
        let done = rig.run(&format!("{DEACTIVATE} --reason 'store closed'")).exits(0);
        let expected = (Purpose::Deactivate, FlowStage::Sent, vec![(SecretRole::Live, 1)]);
        assert_eq!(found.lock().unwrap().take(), Some(expected));
        assert!(done.out.contains("At BioTrack: revoked."), "{}", done.out);
        assert_eq!((shown(&rig, "L-1").0, kept(&rig, "L-1")), (State::Deactivated, vec![]));
        assert_eq!(history(&rig, "L-1"), ["asked", "granted", "deactivated", "revoked"]);
        let lines = rig.ledger().last_lines(PROFILE, &key("L-1"), 2).unwrap();
        assert_eq!(lines[0].detail, "store closed");
        oracle::rests(&rig);
    }
}

#[test]
fn the_record_and_its_history_stay_and_a_second_time_there_is_nothing_to_do() {
    let rig = granted(Rig::new());
    drop(rig.run(DEACTIVATE).exits(0));
    let given_up = record(&rig, "L-1");
    assert!(given_up.deactivated_at.is_some() && given_up.created_at.is_some());
    assert_eq!(rig.run(DEACTIVATE).exits(0).out, "L-1 is already deactivated: nothing to do.\n");
    assert_eq!((times(&rig, "revoked"), history(&rig, "L-1").len()), (1, 4));
}

#[test]
fn every_grant_of_the_license_goes_the_waiting_one_too_once_the_license_itself_goes() {
    let rig = granted(Rig::new());
    // A replaced one whose end failed, one in use, and one that waits.
    rig.provider.replies(REVOKE, [Reply::Unreachable, Reply::Unreachable]);
    drop(rig.run("renew L-1 --browser scripted").exits(0));
    bob_waits(&rig);
    assert_eq!(
        kept(&rig, "L-1"),
        [(SecretRole::Superseded, 1), (SecretRole::Live, 2), (SecretRole::Held, 3)]
    );
    process(&rig, |it| {
        let revocation = it.deactivate("L-1").unwrap();
        assert!(matches!(revocation, Revocation::Revoked), "{revocation:?}");
    });
    assert_eq!((kept(&rig, "L-1"), rig.provider.living()), (vec![], vec![]));
    assert_eq!(record(&rig, "L-1").held_by, None);
}

#[test]
fn a_discarded_grant_is_given_up_beside_the_living_one_however_often_that_is_run() {
    let rig = granted(Rig::new());
    bob_waits(&rig);
    revocation_fails(&rig);
    let discard = "deactivate L-1 --awaiting --yes";
    drop(rig.run(discard).exits(8));
    let next = Some("biotrack-auth deactivate 604001/L-1 --awaiting".to_owned());
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec!["revocation_pending"], next));
    for _ in 0..3 {
        drop(rig.run(discard).exits(0));
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    }
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)]);
    drop(rig.run(DEACTIVATE).exits(0));
    assert_eq!(shown(&rig, "L-1").0, State::Deactivated);
}

#[test]
fn while_the_provider_does_not_answer_the_tokens_are_kept_and_the_license_is_given_up_here() {
    for rig in [granted(Rig::new()), granted(Rig::with_keyring())] {
        revocation_fails(&rig);
        let done = rig.run(DEACTIVATE).exits(8);
        assert!(done.out.contains("L-1 is deactivated here; its history is kept."), "{}", done.out);
        assert!(done.out.contains("NOT revoked yet; the tokens are kept."), "{}", done.out);
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Unwanted, 1)]);
        let next = Some("biotrack-auth deactivate 604001/L-1".to_owned());
        assert_eq!(shown(&rig, "L-1"), (State::Deactivated, vec!["revocation_pending"], next));
        assert_eq!(flows(&rig, "L-1"), []);
        oracle::holds(&rig);
        drop(rig.run("token L-1").exits(4));
        oracle::goes_on(&rig);
        assert_eq!((shown(&rig, "L-1").1, kept(&rig, "L-1")), (vec![], vec![]));
        assert_eq!(
            history(&rig, "L-1"),
            ["asked", "granted", "deactivated", "not_revoked", "revoked"],
            "given up once"
        );
        oracle::rests(&rig);
    }
}

#[test]
fn where_the_provider_cannot_be_reached_at_all_it_is_given_up_here_and_asked_later() {
    let rig = granted(Rig::new());
    rig.provider
        .replies("/.well-known/oauth-authorization-server", std::iter::repeat_n(Reply::Unreachable, 3));
    drop(rig.run(DEACTIVATE).exits(8));
    assert_eq!(shown(&rig, "L-1").1, ["revocation_pending"]);
    oracle::goes_on(&rig);
    oracle::rests(&rig);
}

#[test]
fn a_license_whose_revocation_is_pending_can_be_registered_anew_and_the_old_grant_goes() {
    for (scope, left) in [
        ("token", vec![(SecretRole::Unwanted, 1), (SecretRole::Live, 2)]),
        ("grant", vec![(SecretRole::Live, 2)]),
    ] {
        let rig = granted(Rig::new());
        revocation_fails(&rig);
        drop(rig.run(DEACTIVATE).exits(8));
        rig.adds_to_profile(&format!("revocation_scope = \"{scope}\""));
        drop(rig.grant("L-1"));
        assert_eq!(kept(&rig, "L-1"), left, "{scope}");
        oracle::holds(&rig);
        oracle::goes_on(&rig);
        oracle::rests(&rig);
        assert_eq!(times(&rig, "revoked L-1: access-1"), usize::from(scope == "token"));
    }
}

#[test]
fn where_the_provider_offers_no_revocation_that_is_said() {
    let rig = granted(Rig::new());
    rig.provider.revokes_nothing();
    let done = rig.run(DEACTIVATE).exits(0);
    assert!(done.out.contains("At BioTrack: not revoked, because it offers no revocation"), "{}", done.out);
    assert_eq!((shown(&rig, "L-1").1, kept(&rig, "L-1")), (vec![], vec![]));
    assert_eq!(history(&rig, "L-1").last().unwrap(), "deactivated");
    oracle::rests_but(&rig, &[1]);
}

#[test]
fn nobody_is_asked_where_only_this_place_is_meant() {
    let rig = granted(Rig::new());
    let done = rig.run(&format!("{DEACTIVATE} --local-only")).exits(0);
    assert!(done.out.contains("At BioTrack: not revoked (--local-only)"), "{}", done.out);
    assert_eq!((kept(&rig, "L-1"), times(&rig, "revoked")), (vec![], 0));
    oracle::rests_but(&rig, &[1]);
}

#[test]
fn what_lives_elsewhere_is_not_revoked_from_here() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        let backup = super::bundles::backup_of_a_grant(&rig);
        drop(rig.run(&format!("import {backup} --yes")).exits(0));
        let done = rig.run(DEACTIVATE).exits(0);
        assert!(done.out.contains("another host has the tokens"), "{}", done.out);
        assert_eq!((kept(&rig, "L-1"), times(&rig, "revoked")), (vec![], 0));
        assert!(!record(&rig, "L-1").held_elsewhere);
        oracle::rests_but(&rig, &[1]);
    }
}

#[test]
fn where_there_is_no_grant_there_is_nothing_to_revoke() {
    let rig = Rig::new();
    rig.visits([Visit::Denies]);
    drop(rig.run(&crate::rig::register("L-1")).exits(6));
    let done = rig.run(DEACTIVATE).exits(0);
    assert!(done.out.contains("At BioTrack: nothing left to revoke."), "{}", done.out);
    assert_eq!(shown(&rig, "L-1").0, State::Deactivated);
    assert_eq!(times(&rig, "revoked"), 0);
}

#[test]
fn a_grant_whose_answer_was_lost_may_still_stand_and_that_is_said() {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Lost]);
    drop(rig.run(&crate::rig::register("L-1")).exits(8));
    let done = rig.run(DEACTIVATE).exits(0);
    assert!(
        done.out.contains("a grant may still be valid. BioTrack's answer or the grant's tokens were lost"),
        "{}",
        done.out
    );
    assert_eq!(shown(&rig, "L-1"), (State::Deactivated, vec![], None));
    oracle::rests(&rig);
}

#[test]
fn a_lost_grant_beside_the_one_that_was_revoked_is_told_of() {
    let rig = granted(Rig::new());
    rig.provider.replies(TOKEN, [Reply::Lost]);
    drop(rig.run("renew L-1 --browser scripted").exits(8));
    let done = rig.run(DEACTIVATE).exits(0);
    assert_eq!(rig.provider.living().len(), 1);
    assert!(done.out.contains("may still be valid"), "{}", done.out);
    oracle::holds(&rig);
}

#[test]
fn a_grant_whose_newest_tokens_are_lost_may_still_stand_whatever_was_revoked_and_that_is_said() {
    // Killed as the refresh was answered: nobody was told.
    let rig = granted(Rig::new());
    rig.minutes_pass(61);
    let (world, left) = (rig.world().clone(), Arc::new(Mutex::new(None)));
    let kept_aside = left.clone();
    at(&rig, answered(TOKEN), move || *kept_aside.lock().unwrap() = Some(world.killed_here()));
    drop(rig.run("token L-1").exits(0));
    let rig = Rig::of(left.lock().unwrap().take().unwrap());
    for command in [DEACTIVATE, "renew L-1 --username bob@example.com --break-first --yes --browser scripted"]
    {
        let rig = Rig::of(rig.world().killed_here());
        let done = rig.run(command).exits(0);
        assert_eq!(rig.provider.living().iter().filter(|(_, token)| token == "access-1.1").count(), 1);
        assert!(
            done.transcript().contains("BioTrack's answer to a grant, or the grant's tokens, were lost"),
            "{}",
            done.transcript()
        );
        assert!(history(&rig, "L-1").contains(&"uncertain".to_owned()));
        oracle::holds(&rig);
    }
}

#[test]
fn a_revocation_that_is_tried_again_leaves_nothing_in_doubt() {
    let rig = granted(Rig::new());
    let (world, left) = (rig.world().clone(), Arc::new(Mutex::new(None)));
    let kept_aside = left.clone();
    at(&rig, answered(REVOKE), move || *kept_aside.lock().unwrap() = Some(world.killed_here()));
    drop(rig.run(DEACTIVATE).exits(0));
    let rig = Rig::of(left.lock().unwrap().take().unwrap());
    let done = rig.run(DEACTIVATE).exits(0);
    assert!(done.out.contains("revoked") && !done.out.contains("may still be valid"), "{}", done.out);
}

#[test]
fn a_vault_that_gives_nothing_back_leaves_all_as_it_was() {
    let rig = granted(Rig::with_keyring());
    let before = record(&rig, "L-1");
    rig.keyring.locks(true);
    drop(rig.run(DEACTIVATE).exits(7));
    rig.keyring.locks(false);
    // It was intended, and given up again.
    let after = Authorization { revision: before.revision, ..record(&rig, "L-1") };
    assert_eq!((after, kept(&rig, "L-1")), (before, vec![(SecretRole::Live, 1)]));
    assert_eq!((flows(&rig, "L-1"), times(&rig, "revoked")), (vec![], 0));
}

#[test]
fn who_cannot_read_the_tokens_any_more_can_still_give_the_license_up_here() {
    let rig = granted(Rig::with_keyring());
    let item = rig.keyring.accounts().pop().unwrap();
    rig.keyring.loses(&item);
    let done = rig.run(DEACTIVATE).exits(7);
    assert!(done.err.contains("biotrack-auth deactivate --local-only 604001/L-1"), "{}", done.err);
    drop(rig.run(&format!("{DEACTIVATE} --local-only")).exits(0));
    assert_eq!((shown(&rig, "L-1").0, kept(&rig, "L-1")), (State::Deactivated, vec![]));
}

#[test]
fn a_refresh_that_was_left_is_finished_first_so_that_its_tokens_are_revoked_too() {
    let rig = granted(Rig::new());
    rig.minutes_pass(61);
    let world = rig.world().clone();
    at(&rig, answered(TOKEN), move || world.ledger_refuses(true));
    drop(rig.run("token L-1").exits(7));
    rig.world().ledger_refuses(false);
    drop(rig.run(DEACTIVATE).exits(0));
    assert_eq!(times(&rig, "revoked L-1: access-1.1"), 1, "by the refresh token that is good by now");
    assert_eq!(flows(&rig, "L-1"), []);
    oracle::rests(&rig);
}

#[test]
fn a_refresh_whose_answer_is_lost_is_closed_with_the_license() {
    let rig = granted(Rig::new());
    rig.provider.keeps_refresh_tokens();
    rig.minutes_pass(61);
    rig.provider.replies(TOKEN, [Reply::Status(503, String::new())]);
    drop(rig.run("token L-1").exits(8));
    drop(rig.run(DEACTIVATE).exits(0));
    assert_eq!((flows(&rig, "L-1"), shown(&rig, "L-1").1), (vec![], vec![]));
    oracle::rests(&rig);
}

#[test]
fn the_tokens_are_claimed_until_all_is_committed_so_that_no_refresh_brings_some_that_nobody_revokes() {
    let rig = granted(Rig::new());
    let claimed = Arc::new(Mutex::new(Vec::new()));
    for moment in [arrives(REVOKE), answered(REVOKE)] {
        let (world, noted) = (rig.world().clone(), claimed.clone());
        at(&rig, moment, move || noted.lock().unwrap().push(is_claimed(&Rig::of(world), "L-1")));
        drop(rig.run(DEACTIVATE).exits(0));
        drop(rig.grant("L-1"));
    }
    assert_eq!(*claimed.lock().unwrap(), [true, true]);
    assert!(!is_claimed(&rig, "L-1"), "and no longer");
}

#[test]
fn somebody_who_is_asking_about_the_license_is_not_passed_over() {
    let rig = granted(Rig::new());
    process(&rig, |it| {
        let _waits = it.ask("L-1").unwrap();
        let done = rig.run(DEACTIVATE).exits(1);
        assert!(done.err.contains("L-1 is busy: sam@desk"), "{}", done.err);
    });
    assert_eq!((times(&rig, "revoked"), kept(&rig, "L-1")), (0, vec![(SecretRole::Live, 1)]));
}

#[test]
fn a_link_that_is_out_is_taken_back_with_the_license() {
    let rig = granted(Rig::new());
    let link = process(&rig, |it| it.hand_out("L-1"));
    drop(rig.run(DEACTIVATE).exits(0));
    assert_eq!(flows(&rig, "L-1"), []);
    let back = link.granted(&rig);
    drop(rig.run(&format!("complete '{back}'")).exits(6));
    assert_eq!(shown(&rig, "L-1").0, State::Deactivated);
    assert_eq!(times(&rig, "issued"), 1);
}

#[test]
fn what_is_left_of_a_license_is_its_grants_and_its_open_questions() {
    let rig = granted(Rig::new());
    let left = || process(&rig, |it| it.has_left("L-1"));
    assert!(left());
    drop(rig.run(DEACTIVATE).exits(0));
    assert!(!left());
    process(&rig, |it| drop(it.hand_out("L-1")));
    assert!(left());
}

#[test]
fn a_refusal_of_a_revocation_is_one_whatever_its_status_and_the_history_says_it_once() {
    for status in [200, 400] {
        let rig = Rig::new();
        drop(rig.grant("L-1"));
        let refusal = r#"{"error":"unsupported_token_type"}"#.to_owned();
        rig.provider.replies(REVOKE, vec![Reply::Status(status, refusal); 2]);
        for _ in 0..2 {
            let done = rig.run("deactivate L-1 --yes").exits(8);
            assert!(done.err.contains("biotrack-auth deactivate --local-only 604001/L-1"), "{}", done.err);
        }
        assert_eq!(history(&rig, "L-1"), ["asked", "granted", "deactivated", "not_revoked"]);
        assert!(last_line(&rig, "L-1").ends_with("it doesn't revoke tokens of this kind"));
        let done = rig.run("token L-1").exits(4);
        let register = "Ask the admin to grant access: biotrack-auth register --ubi 604001 --license L-1 ";
        assert!(done.err.contains(register), "{}", done.err);
    }
}

#[test]
fn a_renewal_says_that_the_grant_before_is_not_revoked() {
    for reply in [Reply::Lost, Reply::Status(400, r#"{"error":"unsupported_token_type"}"#.into())] {
        let rig = Rig::new();
        drop(rig.grant("L-1"));
        rig.days_pass(90);
        rig.provider.replies(REVOKE, [reply]);
        let done = rig.run("renew L-1 --browser scripted").exits(0);
        assert!(
            done.err.contains("Note: the previous grant of 604001/L-1 isn't revoked yet: "),
            "{}",
            done.err
        );
        assert_eq!(history(&rig, "L-1")[2..], ["asked", "renewed", "not_revoked"]);
        oracle::holds(&rig);
    }
}
