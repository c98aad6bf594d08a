//! Asking the provider whether grants live: only its own word, said twice, makes one invalid.

use super::*;
use crate::rig::oracle;
use biotrack_auth::custody::IntrospectionSummary;
use serde_json::json;

const RENEW: &str = "renew L-1 --browser scripted";

fn granted() -> Rig {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig
}

fn look(rig: &Rig, licenses: &[&str]) -> IntrospectionSummary {
    process(rig, |it| it.look_up(licenses))
}

/// How many live, how many are invalid, and what is said of those that nothing is known of.
fn found(looked: IntrospectionSummary) -> (usize, usize, Vec<String>) {
    (looked.active, looked.invalid.len(), looked.unknown.into_iter().map(|(_, why)| why).collect())
}

#[test]
fn a_living_grant_is_active_by_its_access_token_and_once_that_has_lapsed_by_its_refresh_token() {
    let rig = granted();
    assert_eq!(found(look(&rig, &["L-1"])), (1, 0, vec![]));
    assert_eq!(times(&rig, "introspected"), 1);
    rig.minutes_pass(61);
    assert_eq!(found(look(&rig, &["L-1"])), (1, 0, vec![]));
    assert_eq!(times(&rig, "introspected"), 2);
    assert_eq!(times(&rig, "refreshed"), 0);
}

#[test]
fn a_dead_grant_is_marked_invalid_once_both_its_tokens_were_called_inactive_twice_and_its_refresh_was_refused()
 {
    let rig = granted();
    rig.provider.ends_grants_of("L-1");
    assert_eq!(found(look(&rig, &["L-1"])), (0, 1, vec![]));
    assert_eq!(times(&rig, "introspected"), 4);
    assert_eq!((shown(&rig, "L-1").0, kept(&rig, "L-1")), (State::Invalid, vec![(SecretRole::Live, 1)]));
    assert_eq!(times(&rig, "refused"), 1);
    let told = "invalid 127.0.0.1:2 refused the refresh: the grant is no longer valid";
    assert!(last_line(&rig, "L-1").starts_with(told), "{}", last_line(&rig, "L-1"));
}

#[test]
fn a_grant_is_not_dead_because_this_client_may_not_look() {
    // RFC 7662 2.2: who may not look hears "inactive", too.
    let rig = granted();
    drop(rig.grant("L-2"));
    drop(rig.grant("L-3"));
    rig.provider
        .replies(INTROSPECT, std::iter::repeat_with(|| Reply::Changed(json!({"active": false}))).take(20));
    let (active, invalid, unknown) = found(look(&rig, &["L-1", "L-2", "L-3"]));
    assert_eq!((active, invalid), (1, 0), "one refresh shows it");
    assert!(unknown.len() == 2 && unknown[0].contains("that a refresh then proved valid"), "{unknown:?}");
    assert_eq!(times(&rig, "refreshed"), 1, "the others' tokens aren't rotated");
    for license in ["L-1", "L-2", "L-3"] {
        assert_eq!(shown(&rig, license), (State::Active, vec![], None));
    }
    oracle::rests(&rig);
}

#[test]
fn an_inactive_grant_that_nothing_can_confirm_is_unknown() {
    // No refresh token; or the refresh itself gets no word on the grant.
    let rig = Rig::new();
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"refresh_token": null}))]);
    drop(rig.grant("L-1"));
    rig.provider
        .replies(INTROSPECT, std::iter::repeat_with(|| Reply::Changed(json!({"active": false}))).take(2));
    let (active, invalid, unknown) = found(look(&rig, &["L-1"]));
    assert!(
        (active, invalid) == (0, 0) && unknown[0].contains("no refresh token to confirm that"),
        "{unknown:?}"
    );
    for reply in
        [Reply::Status(503, String::new()), Reply::Status(401, r#"{"error":"invalid_client"}"#.into())]
    {
        let rig = granted();
        rig.provider
            .replies(INTROSPECT, std::iter::repeat_with(|| Reply::Changed(json!({"active": false}))).take(4));
        rig.provider.replies(TOKEN, [reply]);
        let (active, invalid, unknown) = found(look(&rig, &["L-1"]));
        assert_eq!((active, invalid, unknown.len()), (0, 0, 1));
        assert_eq!(shown(&rig, "L-1").0, State::Active);
    }
}

#[test]
fn a_grant_that_is_called_inactive_only_once_lives() {
    let rig = granted();
    let inactive = || Reply::Changed(json!({"active": false}));
    rig.provider.replies(INTROSPECT, [inactive(), inactive()]);
    assert_eq!(found(look(&rig, &["L-1"])), (1, 0, vec![]));
    assert_eq!(shown(&rig, "L-1").0, State::Active);
    // Its refresh token is active: the access token alone says nothing.
    rig.provider.replies(INTROSPECT, [inactive()]);
    assert_eq!(found(look(&rig, &["L-1"])), (1, 0, vec![]));
}

#[test]
fn no_clear_answer_changes_nothing() {
    let rig = granted();
    for reply in [Reply::Status(503, String::new()), Reply::Lost, Reply::Status(200, "<html>".into())] {
        rig.provider.replies(INTROSPECT, [reply.clone(), reply]);
        assert_eq!(found(look(&rig, &["L-1"])), (0, 0, vec!["the provider gave no clear answer".into()]));
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    }
    // Neither does one that comes only the second time.
    let inactive = || Reply::Changed(json!({"active": false}));
    rig.provider.replies(INTROSPECT, [inactive(), inactive(), Reply::Lost, Reply::Lost]);
    assert_eq!(found(look(&rig, &["L-1"])), (0, 0, vec!["the provider gave no clear answer".into()]));
}

#[test]
fn a_provider_that_may_look_no_refresh_tokens_up_proves_nothing_by_calling_one_inactive() {
    let rig = granted();
    rig.minutes_pass(61);
    let inactive = || Reply::Changed(json!({"active": false}));
    rig.provider.replies(INTROSPECT, [inactive()]);
    let (active, invalid, unknown) = found(look(&rig, &["L-1"]));
    assert!(
        (active, invalid) == (0, 0) && unknown[0].contains("this provider doesn't introspect refresh tokens")
    );
    assert_eq!(shown(&rig, "L-1").0, State::Active);
}

#[test]
fn one_that_looks_another_grants_refresh_token_up_is_believed() {
    let rig = granted();
    drop(rig.grant("L-2"));
    rig.minutes_pass(61);
    rig.provider.ends_grants_of("L-1");
    assert_eq!(found(look(&rig, &["L-1", "L-2"])), (1, 1, vec![]));
    assert_eq!((shown(&rig, "L-1").0, shown(&rig, "L-2").0), (State::Invalid, State::Active));
}

#[test]
fn a_grant_that_was_replaced_while_it_was_asked_about_is_not_called_invalid() {
    let rig = granted();
    rig.provider.ends_grants_of("L-1");
    let (world, mut looks) = (rig.world().clone(), 0);
    rig.world().watch(move |moment| {
        looks += usize::from(*moment == answered(INTROSPECT));
        if looks == 4 {
            looks += 1;
            let world = world.clone();
            std::thread::scope(|scope| {
                scope.spawn(|| drop(Rig::of(world).run(RENEW).exits(0))).join().unwrap();
            });
        }
    });
    assert_eq!(found(look(&rig, &["L-1"])), (1, 0, vec![]));
    rig.world().unwatch();
    assert_eq!((shown(&rig, "L-1").0, kept(&rig, "L-1")), (State::Active, vec![(SecretRole::Live, 2)]));
    oracle::rests(&rig);
}

#[test]
fn what_has_no_living_grant_or_no_tokens_here_is_unknown() {
    let rig = Rig::with_keyring();
    drop(rig.grant("L-1"));
    let item = rig.keyring.accounts().pop().unwrap();
    rig.keyring.loses(&item);
    let (active, invalid, unknown) = found(look(&rig, &["L-1"]));
    assert!(
        (active, invalid) == (0, 0) && unknown[0].contains("the ledger names the vault entry"),
        "{unknown:?}"
    );
    assert_eq!(times(&rig, "introspected"), 0);
}

#[test]
fn where_there_is_nowhere_to_look_nothing_is_known() {
    let rig = granted();
    rig.provider.replies(
        "/.well-known/oauth-authorization-server",
        std::iter::repeat_n(Reply::Changed(json!({"introspection_endpoint": null})), 2),
    );
    assert_eq!(found(look(&rig, &["L-1"])), (0, 0, vec!["the provider has no introspection_url".into()]));
}

#[test]
fn tokens_that_a_lost_refresh_may_have_rotated_are_inactive_and_that_calls_no_grant_dead() {
    let rig = granted();
    drop(rig.grant("L-2"));
    rig.minutes_pass(61);
    rig.provider.replies(TOKEN, [Reply::Garbled(200, "<html>".into())]);
    drop(rig.run("token L-1").exits(8));
    assert_eq!(found(look(&rig, &["L-1", "L-2"])), (1, 0, vec!["the answer to a refresh is lost".into()]));
    assert_eq!((shown(&rig, "L-1").0, shown(&rig, "L-1").1), (State::Active, vec!["uncertain"]));
    oracle::holds(&rig);
}
