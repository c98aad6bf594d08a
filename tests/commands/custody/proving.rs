//! A new grant's proof: nothing but the provider's word on a refresh calls one dead, and until it's proven the grant that it
//! replaced stays.

use super::*;
use crate::rig::{Done, Visit, oracle, register};
use serde_json::json;

const RENEW: &str = "renew L-1 --browser scripted";

/// L-1 is granted, at a profile that wants new grants looked up.
fn granted_in(rig: Rig) -> Rig {
    drop(rig.grant("L-1"));
    rig.adds_to_profile("introspect = true");
    rig.days_pass(90);
    rig
}

fn homes() -> [Rig; 2] {
    [granted_in(Rig::new()), granted_in(Rig::with_keyring())]
}

fn inactive() -> Reply {
    Reply::Changed(json!({"active": false}))
}

/// A request that comes to what it usually does.
fn usual() -> Reply {
    Reply::Changed(json!({}))
}

fn unconfirmed(rig: &Rig) -> Vec<String> {
    record(rig, "L-1").unconfirmed
}

#[test]
fn a_new_grant_that_is_called_inactive_or_cannot_be_looked_up_is_no_wasted_consent() {
    for (reply, why) in [
        (inactive(), "the provider reports that the new grant is inactive"),
        (Reply::Status(500, String::new()), "the provider gave no clear answer"),
        (Reply::Status(401, r#"{"error":"invalid_client"}"#.into()), "the provider gave no clear answer"),
        (Reply::Unheard, "the provider gave no clear answer"),
    ] {
        let rig = Rig::new();
        rig.adds_to_profile("introspect = true");
        rig.provider.replies(INTROSPECT, [reply]);
        let done = rig.run(&register("L-1")).exits(0);
        let told = format!("Introspection ({why})");
        assert!(done.err.contains(&format!("Not confirmed by BioTrack's answer: {told}.")), "{}", done.err);
        assert_eq!((kept(&rig, "L-1"), unconfirmed(&rig)), (vec![(SecretRole::Live, 1)], vec![told]));
        assert_eq!(shown(&rig, "L-1").0, State::Active);
        oracle::rests(&rig);
    }
}

#[test]
fn a_provider_without_introspection_confirms_no_grant_and_loses_none() {
    let rig = Rig::new();
    rig.adds_to_profile("introspect = true");
    let without = Reply::Changed(json!({"introspection_endpoint": null}));
    rig.provider.replies("/.well-known/oauth-authorization-server", [without]);
    drop(rig.grant("L-1"));
    assert_eq!(unconfirmed(&rig), ["Introspection (the provider offers no introspection)"]);
}

#[test]
fn a_grant_that_is_active_replaces_the_old_one_at_once() {
    for rig in homes() {
        drop(rig.run(RENEW).exits(0));
        assert_eq!((kept(&rig, "L-1"), unconfirmed(&rig)), (vec![(SecretRole::Live, 2)], vec![]));
        assert_eq!((times(&rig, "refreshed"), times(&rig, "revoked")), (0, 1));
        oracle::rests(&rig);
    }
}

#[test]
fn what_a_look_leaves_open_a_refresh_proves_and_the_old_grant_goes() {
    for rig in homes() {
        rig.provider.replies(INTROSPECT, [inactive()]);
        drop(rig.run(RENEW).exits(0));
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 2)]);
        assert_eq!((times(&rig, "refreshed"), times(&rig, "revoked")), (1, 1));
        assert_eq!(rig.run("token L-1").exits(0).out, "access-2.1\n");
        oracle::rests(&rig);
    }
}

#[test]
fn until_a_new_grant_is_proven_the_old_one_is_neither_revoked_nor_forgotten() {
    for rig in homes() {
        rig.provider.replies(INTROSPECT, [Reply::Status(500, String::new())]);
        rig.provider.replies(TOKEN, [usual(), Reply::Status(400, r#"{"error":"invalid_client"}"#.into())]);
        drop(rig.run(RENEW).exits(0));
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Superseded, 1), (SecretRole::Live, 2)]);
        assert_eq!((times(&rig, "refreshed"), times(&rig, "revoked")), (0, 0));
        oracle::holds(&rig);
        // Another command on the license that proves nothing changes nothing.
        assert_eq!(rig.run("token L-1").exits(0).out, "access-2\n");
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Superseded, 1), (SecretRole::Live, 2)]);
        rig.minutes_pass(61);
        assert_eq!(rig.run("token L-1").exits(0).out, "access-2.1\n");
        assert_eq!((kept(&rig, "L-1"), times(&rig, "revoked")), (vec![(SecretRole::Live, 2)], 1));
        oracle::rests(&rig);
    }
}

#[test]
fn a_later_look_proves_it_too() {
    let rig = granted_in(Rig::new());
    rig.provider.replies(INTROSPECT, [Reply::Status(500, String::new())]);
    rig.provider.replies(TOKEN, [usual(), Reply::Status(400, r#"{"error":"invalid_client"}"#.into())]);
    drop(rig.run(RENEW).exits(0));
    drop(rig.run("status --online").exits(0));
    assert_eq!((kept(&rig, "L-1"), times(&rig, "revoked")), (vec![(SecretRole::Live, 2)], 1));
    oracle::rests(&rig);
}

#[test]
fn a_new_grant_that_proves_dead_gives_its_place_back_to_the_old_one() {
    for rig in homes() {
        let before = record(&rig, "L-1");
        rig.provider.replies(INTROSPECT, [inactive()]);
        rig.provider.replies(TOKEN, [usual(), Reply::Status(400, r#"{"error":"invalid_grant"}"#.into())]);
        let done = rig.run(&format!("{RENEW} --json")).exits(8);
        let told = done.json()["results"][0].clone();
        let after = record(&rig, "L-1");
        let ends = after.expires_at.unwrap().to_string();
        assert_eq!(
            (&told["outcome"], &told["authorization"]["expires_at"]),
            (&json!("failed"), &json!(ends))
        );
        assert_eq!(told["authorization"]["unconfirmed"], json!([]));
        let said = told["error"].to_string();
        assert!(
            said.contains("then refused it (") && said.contains("the previous grant is used again"),
            "{said}"
        );
        assert!(
            said.contains("biotrack-auth renew 604001/L-1") && !done.err.contains("Not confirmed"),
            "{said}"
        );
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)]);
        assert_eq!((after.expires_at, after.renewed_at), (before.expires_at, before.renewed_at));
        assert_eq!((shown(&rig, "L-1").0, unconfirmed(&rig)), (State::Due, vec![]));
        assert!(
            last_line(&rig, "L-1").contains("the grant from before is used again"),
            "{}",
            last_line(&rig, "L-1")
        );
        assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n", "and it goes on");
    }
}

/// A link that is out for L-1.
fn link(rig: &Rig) -> String {
    let handed = rig.run("renew L-1 --no-wait --json").exits(0).json();
    handed["results"][0]["authorize_url"].as_str().unwrap().to_owned()
}

type Renewal = fn(&Rig) -> Done;

/// The ways in which a renewal of L-1 comes to its result, which is the first.
fn renewals() -> [(&'static str, Renewal); 4] {
    [
        ("one", |rig| rig.run(&format!("{RENEW} --json"))),
        ("several", |rig| {
            let browser = rig.browser_program();
            rig.run(&format!("renew L-1 L-2 --browser '{browser}' --json"))
        }),
        ("from elsewhere", |rig| {
            let answer = rig.provider.answer_to(&link(rig));
            rig.run(&format!("complete {answer} --json"))
        }),
        ("of another admin", |rig| {
            rig.visits([Visit::GrantsAs(BOB.into())]);
            drop(rig.run(RENEW).exits(6));
            rig.run("renew L-1 --awaiting --yes --json")
        }),
    ]
}

#[test]
fn a_result_is_what_the_record_says_once_the_command_has_proven_the_new_grant() {
    for (name, renew) in renewals() {
        let rig = granted_in(Rig::new());
        drop(rig.grant("L-2"));
        let looks = if name == "several" { vec![inactive(), usual()] } else { vec![inactive()] };
        rig.provider.replies(INTROSPECT, looks);
        let done = renew(&rig).exits(0);
        let told = done.json()["results"][0].clone();
        assert_eq!(told["authorization"]["unconfirmed"], json!(unconfirmed(&rig)), "{name}");
        assert!(name == "of another admin" || unconfirmed(&rig).is_empty(), "{name}");
        assert!(!done.err.contains("Introspection ("), "{name}: {}", done.err);
    }
}

#[test]
fn of_several_the_one_whose_new_grant_is_refused_has_failed() {
    let rig = granted_in(Rig::new());
    drop(rig.grant("L-2"));
    rig.provider.replies(INTROSPECT, [inactive()]);
    rig.provider.replies(TOKEN, [usual(), Reply::Status(400, r#"{"error":"invalid_grant"}"#.into())]);
    let browser = rig.browser_program();
    let done = rig.run(&format!("renew L-1 L-2 --browser '{browser}' --json")).exits(3).json();
    let told = |at: usize| done["results"][at]["outcome"].clone();
    assert_eq!((told(0), told(1)), (json!("failed"), json!("granted")), "{done}");
}

#[test]
fn a_grant_that_came_from_elsewhere_and_is_refused_has_failed() {
    let rig = granted_in(Rig::new());
    let answer = rig.provider.answer_to(&link(&rig));
    rig.provider.replies(INTROSPECT, [inactive()]);
    rig.provider.replies(TOKEN, [usual(), Reply::Status(400, r#"{"error":"invalid_grant"}"#.into())]);
    let done = rig.run(&format!("complete {answer}")).exits(8);
    assert!(done.err.contains("the previous grant is used again"), "{}", done.err);
}

#[test]
fn a_lost_refresh_of_the_grant_before_is_settled_before_the_result_is_told() {
    for (name, renew) in renewals() {
        let rig = Rig::new();
        drop(rig.grant("L-1"));
        rig.days_pass(90);
        drop(rig.grant("L-2"));
        rig.provider.replies(TOKEN, [Reply::Status(503, String::new())]);
        drop(rig.run("token L-1").exits(8));
        assert_eq!(shown(&rig, "L-1").1, ["uncertain"]);
        let told = renew(&rig).exits(0).json()["results"][0]["authorization"].clone();
        let (_, conditions, next) = shown(&rig, "L-1");
        assert_eq!(
            (&told["conditions"], &told["next_command"]),
            (&json!(conditions), &json!(next)),
            "{name}"
        );
        assert_eq!(told["conditions"], json!([]), "{name}");
    }
}

/// Rows have random numbers: which stands first is another in each ledger.
#[test]
fn a_grant_that_nobody_approved_never_takes_that_place() {
    for _ in 0..8 {
        let rig = granted_in(Rig::new());
        rig.visits([Visit::GrantsAs("bob@hudson.example".into())]);
        drop(rig.run(RENEW).exits(6));
        rig.provider.replies(INTROSPECT, [inactive()]);
        rig.provider.replies(TOKEN, [usual(), Reply::Status(400, r#"{"error":"invalid_grant"}"#.into())]);
        drop(rig.run(RENEW).exits(8));
        assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    }
}

#[test]
fn where_the_old_one_has_ended_meanwhile_a_dead_new_one_is_invalid() {
    let rig = granted_in(Rig::new());
    rig.provider.replies(INTROSPECT, [inactive()]);
    rig.provider.replies(TOKEN, [usual(), Reply::Status(400, r#"{"error":"invalid_client"}"#.into())]);
    drop(rig.run(RENEW).exits(0));
    rig.days_pass(11);
    rig.provider.replies(TOKEN, [Reply::Status(400, r#"{"error":"invalid_grant"}"#.into())]);
    drop(rig.run("token L-1").exits(4));
    assert_eq!(shown(&rig, "L-1").0, State::Invalid);
}

#[test]
fn a_second_new_grant_that_is_proven_clears_both_before_it_away() {
    let rig = granted_in(Rig::new());
    rig.provider.replies(INTROSPECT, [inactive()]);
    rig.provider.replies(TOKEN, [usual(), Reply::Status(400, r#"{"error":"invalid_client"}"#.into())]);
    drop(rig.run(RENEW).exits(0));
    rig.minutes_pass(1);
    drop(rig.run(RENEW).exits(0));
    assert_eq!((kept(&rig, "L-1"), times(&rig, "revoked")), (vec![(SecretRole::Live, 3)], 2));
    oracle::rests(&rig);
}

#[test]
fn a_deactivation_revokes_the_old_one_as_well() {
    let rig = granted_in(Rig::new());
    rig.provider.replies(INTROSPECT, [inactive()]);
    rig.provider.replies(TOKEN, [usual(), Reply::Status(400, r#"{"error":"invalid_client"}"#.into())]);
    drop(rig.run(RENEW).exits(0));
    drop(rig.run("deactivate L-1 --yes").exits(0));
    assert_eq!((kept(&rig, "L-1"), rig.provider.living().len()), (vec![], 0));
    oracle::rests(&rig);
}

#[test]
fn another_admins_grant_waits_whatever_a_look_says_and_replaces_nothing() {
    let rig = granted_in(Rig::new());
    rig.visits([Visit::GrantsAs(BOB.into())]);
    rig.provider.replies(INTROSPECT, [inactive()]);
    drop(rig.run(RENEW).exits(6));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 2)]);
    oracle::holds(&rig);
}
