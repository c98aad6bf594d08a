//! Another admin than the one who was asked granted: that grant waits, sealed, until somebody takes it or gives it back.

use super::*;
use crate::rig::{Person, Reply, Visit, oracle, register};

const RENEW: &str = "renew L-1 --browser scripted";

/// A home where L-1 is granted, and Bob's grant waits.
fn held() -> Rig {
    held_in(Rig::new())
}

fn held_in(rig: Rig) -> Rig {
    drop(rig.grant("L-1"));
    bob_renews(&rig);
    rig
}

fn bob_renews(rig: &Rig) {
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run(RENEW).exits(6));
}

#[test]
fn a_waiting_grant_is_not_live_and_changes_nothing_of_the_one_in_use() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        drop(rig.grant("L-1"));
        let before = record(&rig, "L-1");
        rig.minutes_pass(1);
        bob_renews(&rig);
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 2)]);
        let next = Some("biotrack-auth renew 604001/L-1 --awaiting".to_owned());
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec!["awaiting_approval"], next));
        assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
        let after = record(&rig, "L-1");
        // And it was used once.
        let but_for_that = Authorization {
            held_by: None,
            generation: before.generation,
            revision: before.revision,
            last_used_at: None,
            ..after.clone()
        };
        assert_eq!(but_for_that, before);
        assert_eq!((after.held_by.as_deref(), after.generation), (Some(BOB), before.generation.next()));
        assert_eq!(last_line(&rig, "L-1"), "held granted by bob@example.com, not ann@example.com");
        oracle::holds(&rig);
    }
}

#[test]
fn who_granted_is_compared_without_case() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("Ann@Example.COM".into())]);
    drop(rig.run(&register("L-1")).exits(0));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)]);
    assert_eq!(record(&rig, "L-1").granted_by.as_deref(), Some("Ann@Example.COM"));
}

#[test]
fn it_is_taken_as_it_is_without_a_new_consent() {
    for (scope, revoked) in [("token", 1), ("grant", 0)] {
        let rig = held();
        rig.adds_to_profile(&format!("revocation_scope = \"{scope}\""));
        let first = record(&rig, "L-1").created_at;
        rig.days_pass(3);
        drop(rig.run("renew L-1 --awaiting --yes").exits(0));
        assert_eq!((times(&rig, "consented"), times(&rig, "revoked")), (2, revoked), "{scope}");
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
        let taken = record(&rig, "L-1");
        assert_eq!((taken.created_at, taken.granted_by.as_deref(), taken.held_by), (first, Some(BOB), None));
        // Its own days count from when it was granted, not from now.
        assert_eq!(taken.renewed_at, Some(rig.now() - SignedDuration::from_hours(72)));
        assert_eq!(taken.username.as_str(), crate::rig::ADMIN, "the same admin is asked the next time");
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
        oracle::rests(&rig);
    }
}

#[test]
fn a_first_grant_that_waits_makes_no_record_active_until_it_is_taken() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run(&register("L-1")).exits(6));
    assert_eq!((shown(&rig, "L-1").0, kept(&rig, "L-1")), (State::Pending, vec![(SecretRole::Held, 1)]));
    drop(rig.run("renew L-1 --awaiting --yes").exits(0));
    let taken = record(&rig, "L-1");
    assert_eq!((taken.created_at, taken.renewed_at), (Some(rig.now()), None));
    assert_eq!(history(&rig, "L-1"), ["asked", "held", "granted"]);
    oracle::rests(&rig);
}

#[test]
fn a_license_that_was_given_up_is_granted_anew_by_taking_it() {
    let rig = held();
    drop(rig.run(RENEW).exits(0));
    drop(rig.run("deactivate L-1 --yes").exits(0));
    rig.days_pass(1);
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run(&register("L-1")).exits(6));
    assert_eq!(shown(&rig, "L-1").0, State::Deactivated);
    drop(rig.run("renew L-1 --awaiting --yes").exits(0));
    let taken = record(&rig, "L-1");
    assert_eq!((taken.created_at, taken.renewed_at, taken.deactivated_at), (Some(rig.now()), None, None));
    oracle::rests(&rig);
}

#[test]
fn a_newer_waiting_grant_takes_the_place_of_the_older_one() {
    for (scope, revoked) in [("token", 1), ("grant", 0)] {
        let rig = held();
        rig.adds_to_profile(&format!("revocation_scope = \"{scope}\""));
        rig.visits([Visit::GrantsAs("eve@example.com".into())]);
        drop(rig.run(RENEW).exits(6));
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 3)], "{scope}");
        assert_eq!(times(&rig, "revoked L-1: access-2"), revoked, "{scope}");
        assert_eq!(record(&rig, "L-1").held_by.as_deref(), Some("eve@example.com"));
    }
}

#[test]
fn whoever_grants_will_do_where_that_is_said_beforehand() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run(&format!("{RENEW} --any-user")).exits(0));
    assert_eq!((kept(&rig, "L-1"), record(&rig, "L-1").held_by), (vec![(SecretRole::Live, 2)], None));
    oracle::rests(&rig);
}

#[test]
fn a_person_is_asked_and_their_no_leaves_it_waiting() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let question = "L-1 was granted by bob@example.com, not ann@example.com. Accept this grant?";
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.with(Person::answering(&[(question, "n")])).run(RENEW).exits(6));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 2)]);
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.with(Person::answering(&[(question, "y")])).run(RENEW).exits(0));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 3)]);
    oracle::rests(&rig);
}

#[test]
fn giving_it_back_leaves_the_grant_in_use_and_revokes_only_where_that_cannot_end_it() {
    for (scope, revoked) in [("token", 1), ("grant", 0)] {
        let rig = held();
        rig.adds_to_profile(&format!("revocation_scope = \"{scope}\""));
        let done = rig.run("deactivate L-1 --awaiting --yes").exits(0);
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)], "{scope}");
        assert_eq!(times(&rig, "revoked L-1: access-2"), revoked, "{scope}");
        assert_eq!(
            done.out.contains("not revoked, because that could end the license's own grant"),
            scope == "grant"
        );
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
        assert!(record(&rig, "L-1").deactivated_at.is_none());
        assert!(history(&rig, "L-1").ends_with(&["failed".into()]) || scope == "token");
        oracle::rests_but(&rig, if scope == "grant" { &[2] } else { &[] });
    }
}

#[test]
fn one_whose_revocation_is_not_answered_is_kept_and_named_and_the_license_stays_in_use() {
    for rig in [held(), held_in(Rig::with_keyring())] {
        revocation_fails(&rig);
        drop(rig.run("deactivate L-1 --awaiting --yes").exits(8));
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Unwanted, 2)]);
        let next = Some("biotrack-auth deactivate 604001/L-1 --awaiting".to_owned());
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec!["revocation_pending"], next));
        oracle::holds(&rig);
        oracle::goes_on(&rig);
        assert_eq!(
            (kept(&rig, "L-1"), times(&rig, "revoked L-1: access-2")),
            (vec![(SecretRole::Live, 1)], 1)
        );
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
        oracle::rests(&rig);
    }
}

#[test]
fn where_nothing_waits_nothing_is_accepted() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    assert_eq!(process(&rig, |it| it.awaiting("L-1")), None);
    for line in ["renew L-1 --awaiting --yes", "deactivate L-1 --awaiting --yes"] {
        drop(rig.run(line).exits(0));
        assert_eq!(
            (kept(&rig, "L-1"), history(&rig, "L-1").len()),
            (vec![(SecretRole::Live, 1)], 2),
            "{line}"
        );
    }
}

#[test]
fn only_the_grant_that_was_shown_is_accepted_or_discarded() {
    let rig = held();
    let shown = process(&rig, |it| it.awaiting("L-1")).unwrap();
    rig.visits([Visit::GrantsAs("eve@example.com".into())]);
    drop(rig.run(RENEW).exits(6));
    process(&rig, |it| {
        assert!(it.accept(&shown).is_err());
        assert!(it.discard(&shown).is_err());
    });
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 3)]);
    assert_eq!(record(&rig, "L-1").held_by.as_deref(), Some("eve@example.com"));
    process(&rig, |it| {
        let shown = it.awaiting("L-1").unwrap();
        it.accept(&shown).unwrap();
        // And once.
        assert!(it.accept(&shown).is_err());
        assert!(it.discard(&shown).is_err());
    });
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Superseded, 1), (SecretRole::Live, 3)]);
}

#[test]
fn a_refresh_in_between_makes_it_no_other_grant() {
    let rig = held();
    let shown = process(&rig, |it| it.awaiting("L-1")).unwrap();
    rig.minutes_pass(61);
    drop(rig.run("token L-1").exits(0));
    process(&rig, |it| it.accept(&shown).unwrap());
    assert_eq!(record(&rig, "L-1").held_by, None);
}

#[test]
fn discarding_it_leaves_a_link_that_is_out() {
    let rig = held();
    process(&rig, |it| drop(it.hand_out("L-1")));
    drop(rig.run("deactivate L-1 --awaiting --yes").exits(0));
    assert_eq!((kept(&rig, "L-1"), flows(&rig, "L-1").len()), (vec![(SecretRole::Live, 1)], 2));
}

#[test]
fn beside_no_living_grant_it_is_revoked_whatever_a_revocation_reaches() {
    let rig = Rig::new();
    rig.adds_to_profile("revocation_scope = \"grant\"");
    rig.visits([Visit::GrantsAs(BOB.into())]);
    drop(rig.run(&register("L-1")).exits(6));
    drop(rig.run("deactivate L-1 --awaiting --yes").exits(0));
    assert_eq!((kept(&rig, "L-1"), times(&rig, "revoked L-1: access-1")), (vec![], 1));
    assert_eq!(shown(&rig, "L-1").0, State::Pending, "the license stays as it was");
}

#[test]
fn it_is_discarded_while_the_provider_is_away_and_revoked_once_it_is_back() {
    for (scope, code, waits) in [("token", 8, true), ("grant", 0, false)] {
        let rig = held();
        rig.adds_to_profile(&format!("revocation_scope = \"{scope}\""));
        rig.provider.is_away(true);
        drop(rig.run("deactivate L-1 --awaiting --yes").exits(code));
        assert_eq!(shown(&rig, "L-1").1, if waits { vec!["revocation_pending"] } else { vec![] }, "{scope}");
        rig.provider.is_away(false);
        drop(rig.run("deactivate L-1 --awaiting --yes").exits(0));
        assert_eq!(
            (shown(&rig, "L-1"), times(&rig, "revoked")),
            ((State::Active, vec![], None), usize::from(waits))
        );
    }
}

#[test]
fn a_vault_that_does_not_give_it_back_keeps_it_from_being_discarded() {
    let rig = held_in(Rig::with_keyring());
    let before = record(&rig, "L-1");
    rig.keyring.locks(true);
    drop(rig.run("deactivate L-1 --awaiting --yes").exits(7));
    rig.keyring.locks(false);
    assert_eq!(
        (record(&rig, "L-1"), kept(&rig, "L-1")),
        (before, vec![(SecretRole::Live, 1), (SecretRole::Held, 2)])
    );
}

#[test]
fn accepting_it_closes_what_nobody_has_answered() {
    for minutes in [0, 11] {
        let rig = held();
        process(&rig, |it| drop(it.hand_out("L-1")));
        assert_eq!(flows(&rig, "L-1").len(), 2, "the link, and the question that another admin answered");
        rig.minutes_pass(minutes);
        process(&rig, |it| {
            let shown = it.awaiting("L-1").unwrap();
            it.accept(&shown).unwrap();
        });
        assert_eq!(flows(&rig, "L-1"), []);
    }
}

#[test]
fn a_vault_that_does_not_give_it_back_leaves_all_as_it_was() {
    let rig = held_in(Rig::with_keyring());
    let before = record(&rig, "L-1");
    rig.keyring.locks(true);
    drop(rig.run("renew L-1 --awaiting --yes").exits(7));
    rig.keyring.locks(false);
    assert_eq!(record(&rig, "L-1"), before);
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 2)]);
}

#[test]
fn taking_it_settles_nothing_that_is_uncertain() {
    let rig = held();
    rig.provider.replies("/oauth/token", [Reply::Lost]);
    rig.run("renew L-1 --browser scripted").exits(8);
    rig.run("renew L-1 --awaiting --yes").exits(0);
    assert_eq!(shown(&rig, "L-1").1, ["uncertain"]);
    oracle::holds(&rig);
}
