//! A grant that isn't the one that was asked for is never stored: by its facts, its tokens, its scope, or the provider's word.

use super::*;
use crate::rig::{oracle, register};
use serde_json::json;

#[test]
fn a_grant_that_differs_in_any_fact_is_never_stored_and_is_given_back() {
    let wrong = [
        ("company", "Company"),
        ("application", "Application"),
        ("ubi", "UBI"),
        ("access_type", "Access Type"),
        ("location", "Location"),
        ("resource", "Resource"),
        ("operation", "Operation"),
        ("token_type", "Token type"),
    ];
    let rig = Rig::new();
    for (count, (member, label)) in (1..).zip(wrong) {
        rig.provider.replies(TOKEN, [Reply::Changed(json!({member: "another"}))]);
        let done = rig.run(&register("L-1")).exits(6);
        let told = format!("{label} is \"another\"");
        assert!(done.err.contains(&told), "{}", done.err);
        assert!(done.err.contains("The wrong grant was revoked, and nothing was stored."), "{}", done.err);
        assert_eq!((shown(&rig, "L-1").0, kept(&rig, "L-1")), (State::Pending, vec![]));
        assert_eq!(times(&rig, "revoked"), count);
    }
    assert_eq!(rig.provider.living(), []);
    assert_eq!(history(&rig, "L-1")[..3], ["asked", "failed", "revoked"]);
}

#[test]
fn a_token_with_characters_that_none_may_have_is_never_stored() {
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"access_token": "two\r\nlines"}))]);
    let done = rig.run(&register("L-1")).exits(6);
    assert!(done.err.contains("Access token is \"unprintable\""), "{}", done.err);
    assert_eq!(kept(&rig, "L-1"), []);
}

#[test]
fn a_scope_that_is_missing_makes_it_another_grant() {
    let rig = Rig::new();
    rig.adds_to_profile("scopes = [\"sales\", \"stock\"]");
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"scope": "sales"}))]);
    let done = rig.run(&register("L-1")).exits(6);
    assert!(done.err.contains("Scope is \"without it\", not \"stock\""), "{}", done.err);
    assert_eq!(kept(&rig, "L-1"), []);
}

#[test]
fn where_a_revocation_could_end_others_a_wrong_grant_is_left_and_that_is_said() {
    let rig = Rig::new();
    rig.adds_to_profile("revocation_scope = \"grant\"");
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"location": "L-2"}))]);
    let done = rig.run(&register("L-1")).exits(6);
    assert!(
        done.err.contains("It can't be revoked separately, so it stays valid at BioTrack"),
        "{}",
        done.err
    );
    assert_eq!((times(&rig, "revoked"), kept(&rig, "L-1")), (0, vec![]));
    oracle::holds_but(&rig, &[1]);
}

#[test]
fn a_wrong_grant_whose_end_is_not_confirmed_is_kept_for_the_next_command() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        rig.provider.replies(TOKEN, [Reply::Changed(json!({"company": "Other Vendor LLC"}))]);
        rig.provider.replies(REVOKE, [Reply::Unreachable]);
        let done = rig.run(&register("L-1")).exits(6);
        assert!(done.err.contains("BioTrack has not confirmed its revocation yet"), "{}", done.err);
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Unwanted, 1)]);
        assert_eq!(shown(&rig, "L-1").1, ["revocation_pending"]);
        oracle::holds(&rig);
        drop(rig.run(&register("L-1")).exits(0));
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
        oracle::rests(&rig);
    }
}

#[test]
fn a_grant_that_differs_anyway_is_not_looked_up() {
    let rig = Rig::new();
    rig.adds_to_profile("introspect = true");
    drop(rig.run(&register("L-1")).exits(0));
    let looks = times(&rig, "introspected");
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"company": "Other Vendor LLC"}))]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
    assert_eq!(times(&rig, "introspected"), looks);
}
