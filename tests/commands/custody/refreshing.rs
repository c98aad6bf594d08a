//! A new access token inside a living grant: decided under the claim, noted before it's sent, stored before it's seen.

use super::*;
use crate::rig::oracle;
use biotrack_auth::model::flow::{FlowStage, SecretPlace};
use serde_json::json;
use std::sync::Mutex;

pub(super) const RENEW: &str = "renew L-1 --browser scripted";

/// A home where L-1 is granted, and its access token has lapsed.
pub(super) fn lapsed() -> Rig {
    lapsed_in(Rig::new())
}

pub(super) fn lapsed_in(rig: Rig) -> Rig {
    drop(rig.grant("L-1"));
    rig.minutes_pass(61);
    rig
}

/// Another process renews L-1 at the first moment of this kind.
pub(super) fn renewed_at(rig: &Rig, moment: Moment) {
    let world = rig.world().clone();
    at(rig, moment, move || drop(Rig::of(world).run(RENEW).exits(0)));
}

/// The item that holds the living tokens.
fn live_item(rig: &Rig) -> String {
    let live = rig.ledger().secrets(PROFILE, &key("L-1"), SecretRole::Live).unwrap().pop().unwrap();
    let SecretPlace::Item(item) = live.place else { panic!("it's sealed") };
    item
}

#[test]
fn a_token_that_lasts_is_given_without_the_network() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.minutes_pass(49);
    let asked = Arc::new(Mutex::new(0));
    let counted = asked.clone();
    rig.world()
        .watch(move |moment| *counted.lock().unwrap() += usize::from(matches!(moment, Moment::Arrives(_))));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    assert_eq!(*asked.lock().unwrap(), 0);
    rig.minutes_pass(2);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n", "less than ten minutes are left");
}

#[test]
fn an_hour_is_assumed_where_the_provider_does_not_say_how_long_a_token_lives() {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"expires_in": null}))]);
    drop(rig.grant("L-1"));
    rig.minutes_pass(49);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    rig.minutes_pass(2);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
}

#[test]
fn a_token_that_came_since_the_command_began_is_as_good_as_any_gets() {
    let rig = lapsed();
    assert_eq!(rig.run("token L-1 --min-valid 5h").exits(0).out, "access-1.1\n");
    assert_eq!(times(&rig, "refreshed"), 1);
    let lasts = |it: &Process<'_>| {
        matches!(it.at_hand("L-1", SignedDuration::from_hours(1)).unwrap(), CachedToken::Lasts(_))
    };
    // Whoever has waited while another one refreshed doesn't do so again.
    process(&rig, |it| assert!(lasts(it)));
    rig.minutes_pass(1);
    process(&rig, |it| assert!(!lasts(it), "by the next command it's old"));
}

#[test]
fn a_token_from_the_future_came_by_another_clock_and_is_not_trusted() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.minutes_pass(-1);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    rig.minutes_pass(-1);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
}

#[test]
fn without_a_living_grant_there_is_no_token_and_the_command_that_has_it_consented_is_named() {
    let refused = |rig: &Rig, code: u8, said: &str| {
        let done = rig.run("token L-1").exits(code.into());
        assert!(done.err.contains(said) && done.out.is_empty(), "{}", done.transcript());
    };
    let rig = Rig::new();
    rig.visits([crate::rig::Visit::Denies]);
    drop(rig.run(&crate::rig::register("L-1")).exits(6));
    refused(&rig, 4, "L-1 is pending");
    refused(&rig, 4, "biotrack-auth register --ubi 604001 --license L-1 --username ann@example.com");
    drop(rig.grant("L-1"));
    rig.days_pass(101);
    refused(&rig, 4, "L-1 is expired");
    refused(&rig, 4, "biotrack-auth renew 604001/L-1");
    drop(rig.run("deactivate L-1 --yes").exits(0));
    refused(&rig, 4, "L-1 is deactivated");
    drop(rig.grant("L-1"));
    rig.world().ledger().execute("DELETE FROM secret", []).unwrap();
    refused(&rig, 4, "L-1 is active, but its tokens are not on this host");
    refused(&rig, 4, "biotrack-auth renew 604001/L-1");
    assert_eq!(times(&rig, "refreshed"), 0);
}

#[test]
fn a_grant_without_a_refresh_token_has_tokens_until_its_first_one_lapses() {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"refresh_token": null}))]);
    drop(rig.grant("L-1"));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    rig.minutes_pass(61);
    let done = rig.run("token L-1").exits(4);
    assert!(done.err.contains("L-1 is expired"), "{}", done.err);
    assert!(done.err.contains("biotrack-auth renew 604001/L-1"), "{}", done.err);
}

#[test]
fn that_a_refresh_token_is_sent_is_on_the_disk_before_it_is_with_all_that_its_answer_needs() {
    for rig in [lapsed(), lapsed_in(Rig::with_keyring())] {
        let (world, found) = (rig.world().clone(), Arc::new(Mutex::new(None)));
        let noted = found.clone();
        at(&rig, arrives(TOKEN), move || {
            let rig = Rig::of(world);
            let flow = flows(&rig, "L-1").pop().unwrap();
            let memo = flow.memo.clone().unwrap();
            let readable =
                rig.vault_of(&memo).reopen_memo(&memo, &rig.seals().row_of_verifier(&flow)).is_ok();
            let spools = std::fs::read_dir(rig.file("spool")).unwrap().count();
            *noted.lock().unwrap() = Some((flow.purpose, flow.stage, readable, spools));
        });
        drop(rig.run("token L-1").exits(0));
        assert_eq!(found.lock().unwrap().take(), Some((Purpose::Refresh, FlowStage::Sent, true, 1)));
        assert_eq!(flows(&rig, "L-1"), []);
    }
}

#[test]
fn each_refresh_takes_the_place_of_the_tokens_before_it_and_revokes_nothing() {
    let rig = lapsed_in(Rig::with_keyring());
    let first = live_item(&rig);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    assert_eq!(rig.keyring.accounts(), [live_item(&rig)]);
    assert_ne!(live_item(&rig), first);
    rig.minutes_pass(61);
    assert_eq!(
        rig.run("token L-1").exits(0).out,
        "access-1.2\n",
        "the newest refresh token is the one that's sent"
    );
    assert_eq!((times(&rig, "revoked"), kept(&rig, "L-1")), (0, vec![(SecretRole::Live, 1)]));
    assert_eq!(history(&rig, "L-1"), ["asked", "granted"], "one that only brings a token isn't history");
    oracle::rests(&rig);
}

#[test]
fn an_answer_without_a_refresh_token_leaves_the_old_one_and_what_was_reported_with_the_consent() {
    let rig = lapsed();
    rig.provider.keeps_refresh_tokens();
    for token in ["access-1.1\n", "access-1.2\n"] {
        assert_eq!(rig.run("token L-1").exits(0).out, token);
        rig.minutes_pass(61);
    }
    let granted = rig.live("L-1");
    assert_eq!(granted.refresh.unwrap().expose(), "refresh-1");
    assert_eq!(granted.reported.username.as_deref(), Some(crate::rig::ADMIN));
}

#[test]
fn a_provider_that_rotates_and_keeps_the_new_token_to_itself_leaves_a_dead_one_and_that_is_told() {
    let rig = lapsed();
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"refresh_token": null}))]);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    rig.minutes_pass(61);
    let done = rig.run("token L-1").exits(4);
    let told = "the last refresh returned no new refresh token, and the provider refused the old one";
    assert!(done.err.contains(told) && done.err.contains("biotrack-auth renew 604001/L-1"), "{}", done.err);
    assert!(last_line(&rig, "L-1").contains(told), "{}", last_line(&rig, "L-1"));
    assert_eq!(shown(&rig, "L-1").0, State::Invalid);
    oracle::goes_on(&rig);
    // The next one is told of as any other.
    rig.provider.ends_grants_of("L-1");
    rig.minutes_pass(61);
    assert!(!rig.run("token L-1").exits(4).err.contains(told));
}

#[test]
fn a_grant_that_the_provider_calls_dead_is_marked_so_and_nothing_is_erased() {
    let rig = lapsed();
    rig.provider.ends_grants_of("L-1");
    let done = rig.run("token L-1").exits(4);
    assert!(
        done.err.contains("L-1 is invalid") && done.err.contains("biotrack-auth renew 604001/L-1"),
        "{}",
        done.err
    );
    assert_eq!(shown(&rig, "L-1").0, State::Invalid);
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)]);
    assert_eq!(history(&rig, "L-1"), ["asked", "granted", "invalid"]);
    assert_eq!(flows(&rig, "L-1"), []);
    drop(rig.run("token L-1").exits(4));
    assert_eq!(times(&rig, "refused"), 1, "it isn't asked again");
}

#[test]
fn invalid_grant_is_believed_only_of_the_grant_that_is_still_in_use() {
    for rig in [lapsed(), lapsed_in(Rig::with_keyring())] {
        // The renewal gives the old grant back, and the refresh of it is refused.
        renewed_at(&rig, arrives(TOKEN));
        assert_eq!(rig.run("token L-1").exits(0).out, "access-2\n");
        assert_eq!(times(&rig, "refused refresh_token"), 1);
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
        oracle::rests(&rig);
    }
}

#[test]
fn an_answer_to_a_grant_that_was_replaced_meanwhile_never_takes_the_newer_ones_place() {
    for rig in [lapsed(), lapsed_in(Rig::with_keyring())] {
        renewed_at(&rig, answered(TOKEN));
        assert_eq!(rig.run("token L-1").exits(0).out, "access-2\n");
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
        assert_eq!(rig.provider.living().len(), 1, "the older grant is given back by its newest tokens");
        oracle::rests(&rig);
    }
}

#[test]
fn a_grant_that_is_stored_between_reading_and_noting_is_the_one_that_is_used() {
    let rig = lapsed_in(Rig::with_keyring());
    let item = live_item(&rig);
    renewed_at(&rig, Moment::Asked("get", item));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-2\n");
    assert_eq!(times(&rig, "refreshed"), 0);

    // And where the old item is gone before it's read.
    let rig = lapsed_in(Rig::with_keyring());
    let item = live_item(&rig);
    renewed_at(&rig, Moment::Asks("get", item));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-2\n");
    assert_eq!(times(&rig, "refreshed"), 0);
    oracle::rests(&rig);
}

#[test]
fn the_tokens_are_claimed_from_before_they_are_read_until_the_new_ones_are_stored() {
    let rig = lapsed_in(Rig::with_keyring());
    let (item, claimed) = (live_item(&rig), Arc::new(Mutex::new(Vec::new())));
    let (world, noted) = (rig.world().clone(), claimed.clone());
    rig.world().watch(move |moment| {
        // The first look, without the network, needs no claim.
        let looked = matches!(moment, Moment::Asks("get", account) if *account == item);
        if looked || matches!(moment, Moment::Arrives(_) | Moment::Answered(_) | Moment::Asked("set", _)) {
            noted.lock().unwrap().push((format!("{moment:?}"), is_claimed(&Rig::of(world.clone()), "L-1")));
        }
    });
    drop(rig.run("token L-1").exits(0));
    rig.world().unwatch();
    let claimed: Vec<_> = claimed.lock().unwrap().iter().map(|(_, claimed)| *claimed).collect();
    // A look, the metadata's question and answer; then under the claim: the tokens, the memo, question, answer, new tokens.
    assert_eq!(claimed, [false, false, false, true, true, true, true, true]);
    assert!(!is_claimed(&rig, "L-1"), "and no longer");
}

#[test]
fn two_at_once_refresh_once_and_both_have_the_same_token() {
    let rig = lapsed();
    let (world, other) = (rig.world().clone(), Arc::new(Mutex::new(None)));
    let begun = other.clone();
    rig.world().watch(move |moment| {
        if *moment == arrives(TOKEN) {
            let world = world.clone();
            let begin = || std::thread::spawn(move || Rig::of(world).run("token L-1"));
            begun.lock().unwrap().get_or_insert_with(begin);
        }
    });
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    let other = other.lock().unwrap().take().unwrap();
    assert_eq!(other.join().unwrap().exits(0).out, "access-1.1\n");
    assert_eq!(times(&rig, "refreshed"), 1);
}

#[test]
fn an_answer_for_another_license_is_not_handed_out_and_its_refresh_token_is_kept() {
    let rig = lapsed();
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"location": "L-2"}))]);
    let done = rig.run("token L-1").exits(6);
    assert!(
        done.out.is_empty() && done.err.contains("Location is \"L-2\", not \"L-1\""),
        "{}",
        done.transcript()
    );
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    oracle::holds(&rig);
    // The old refresh token is spent: with it the grant would have ended.
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.2\n");
    oracle::rests(&rig);
}

#[test]
fn a_refresh_token_of_another_type_or_of_odd_characters_is_not_handed_out() {
    for odd in [json!({"token_type": "mac"}), json!({"access_token": "two\nlines"})] {
        let rig = lapsed();
        rig.provider.replies(TOKEN, [Reply::Changed(odd)]);
        assert!(rig.run("token L-1").exits(6).out.is_empty());
        assert_eq!(rig.run("token L-1").exits(0).out, "access-1.2\n");
    }
}

#[test]
fn a_stored_token_that_no_header_may_hold_is_not_handed_out() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    let item = live_item(&rig);
    let stored = String::from_utf8(rig.keyring.items()[&item].clone()).unwrap();
    rig.keyring.puts(&item, stored.replace("access-1", "two\\nlines").as_bytes());
    let done = rig.run("token L-1").exits(8);
    assert!(
        done.out.is_empty() && done.err.contains("an access token with invalid characters"),
        "{}",
        done.transcript()
    );
}

#[test]
fn a_token_set_of_another_license_is_refused_wherever_it_stands() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    drop(rig.grant("L-2"));
    let other = rig.keyring.accounts().into_iter().find(|it| it.contains("/L-2/")).unwrap();
    rig.keyring.puts(&live_item(&rig), &rig.keyring.items()[&other]);
    let done = rig.run("token L-1").exits(7);
    let told = format!("L-1: the secret in the ledger was sealed for the keyring's item {other}");
    assert!(done.out.is_empty() && done.err.contains(&told), "{}", done.transcript());
}

#[test]
fn a_refresh_moves_the_end_only_where_the_profile_says_that_it_does() {
    for rolling in [false, true] {
        let rig = Rig::new();
        rig.adds_to_profile(&format!("rolling = {rolling}"));
        drop(rig.grant("L-1"));
        let first = record(&rig, "L-1").expires_at.unwrap();
        rig.days_pass(10);
        let later = first + SignedDuration::from_hours(240);
        rig.provider.replies(TOKEN, [Reply::Changed(json!({"expiration_date": later.to_string()}))]);
        drop(rig.run("token L-1").exits(0));
        assert_eq!(record(&rig, "L-1").expires_at, Some(if rolling { later } else { first }));
        assert_eq!(history(&rig, "L-1").last().unwrap(), if rolling { "prolonged" } else { "granted" });
        // The same end again is nothing new.
        rig.minutes_pass(61);
        rig.provider.replies(TOKEN, [Reply::Changed(json!({"expiration_date": later.to_string()}))]);
        drop(rig.run("token L-1").exits(0));
        assert_eq!(history(&rig, "L-1").len(), if rolling { 3 } else { 2 });
    }
}

#[test]
fn a_rolling_grant_whose_end_is_not_told_is_estimated_from_the_refresh() {
    let rig = Rig::new();
    rig.adds_to_profile("rolling = true");
    rig.provider.replies(TOKEN, std::iter::repeat_n(Reply::Changed(json!({"expiration_date": null})), 2));
    drop(rig.grant("L-1"));
    let first = record(&rig, "L-1");
    rig.days_pass(10);
    drop(rig.run("token L-1").exits(0));
    let later = record(&rig, "L-1");
    assert!(later.expires_estimated && later.expires_at > first.expires_at, "{later:?}");
}

#[test]
fn an_earlier_end_that_a_refresh_tells_always_counts() {
    for rolling in [false, true] {
        let rig = lapsed();
        rig.adds_to_profile(&format!("rolling = {rolling}"));
        let sooner = "2026-03-20T00:00:00Z";
        rig.provider.replies(TOKEN, [Reply::Changed(json!({"expiration_date": sooner}))]);
        drop(rig.run("token L-1").exits(0));
        assert_eq!(record(&rig, "L-1").expires_at, Some(sooner.parse().unwrap()), "{rolling}");
        assert_eq!(last_line(&rig, "L-1"), format!("shortened by a refresh, until {sooner}"));
    }
    // By a few seconds it differs where a lifetime is told, and nothing is made of that.
    let rig = lapsed();
    let before = record(&rig, "L-1").expires_at.unwrap();
    let sooner = before - SignedDuration::from_secs(30);
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"expiration_date": sooner.to_string()}))]);
    drop(rig.run("token L-1").exits(0));
    assert_eq!(record(&rig, "L-1").expires_at, Some(before));
    // Neither is of one that can't be.
    let rig = lapsed();
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"expiration_date": "2025-01-01T00:00:00Z"}))]);
    drop(rig.run("token L-1").exits(0));
    assert_eq!(record(&rig, "L-1").expires_at, Some(before));
}
