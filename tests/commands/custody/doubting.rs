//! A refresh whose answer is lost, says nothing, or can't be stored: what is uncertain, what is asked again, what is finished.

use super::refreshing::{RENEW, lapsed, lapsed_in, renewed_at};
use super::*;
use crate::rig::oracle;
use biotrack_auth::model::flow::FlowStage;
use serde_json::json;
use std::sync::Mutex;

#[test]
fn tokens_that_the_vault_cannot_take_wait_sealed_and_are_not_shown_before_they_are_stored() {
    let rig = lapsed_in(Rig::with_keyring());
    let keyring = rig.keyring.clone();
    at(&rig, answered(TOKEN), move || keyring.locks(true));
    let done = rig.run("token L-1").exits(7);
    assert!(
        done.out.is_empty() && done.err.contains("but its new tokens can't be stored yet"),
        "{}",
        done.transcript()
    );
    rig.keyring.locks(false);
    assert!(matches!(flows(&rig, "L-1")[0].stage, FlowStage::Answered(_)));
    let next = Some("biotrack-auth exec 604001/L-1 -- true".to_owned());
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec!["granted_not_stored"], next));
    oracle::holds(&rig);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    assert_eq!(times(&rig, "refreshed"), 1, "the provider isn't asked again");
    oracle::rests(&rig);
}

#[test]
fn tokens_that_not_even_the_journal_can_take_wait_in_the_spool() {
    for rig in [lapsed(), lapsed_in(Rig::with_keyring())] {
        let world = rig.world().clone();
        at(&rig, answered(TOKEN), move || world.ledger_refuses(true));
        let done = rig.run("token L-1").exits(7);
        assert!(done.out.is_empty(), "{}", done.transcript());
        rig.world().ledger_refuses(false);
        assert_eq!(flows(&rig, "L-1")[0].stage, FlowStage::Sent);
        oracle::holds(&rig);
        assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
        assert_eq!(times(&rig, "refreshed"), 1);
        oracle::rests(&rig);
    }
}

#[test]
fn what_certainly_was_not_used_leaves_no_doubt() {
    let client = json!({"error": "invalid_client"}).to_string();
    let unused = [
        (Reply::Unreachable, "can't be reached"),
        (Reply::Status(429, String::new()), "answered the refresh with HTTP 429"),
        (Reply::Status(400, client), "it doesn't accept the client id or secret"),
    ];
    for (reply, said) in unused {
        let rig = lapsed();
        rig.provider.replies(TOKEN, [reply]);
        let done = rig.run("token L-1").exits(8);
        assert!(done.err.contains(said), "{}", done.err);
        assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
        assert_eq!((flows(&rig, "L-1"), history(&rig, "L-1").len()), (vec![], 2));
        assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    }
}

#[test]
fn whatever_keeps_a_refresh_from_succeeding_a_living_access_token_is_handed_out() {
    let refused = |status, code: &str| Reply::Status(status, json!({"error": code}).to_string());
    for (reply, hint) in [
        (Reply::Unreachable, ""),
        (Reply::Busy(429, 60), ""),
        (Reply::Status(503, String::new()), ""),
        (Reply::Status(403, String::new()), ""),
        (refused(401, "invalid_client"), "biotrack-auth config show --origin"),
        (refused(403, "unauthorized_client"), "biotrack-auth config show --origin"),
        (refused(400, "invalid_request"), "biotrack-auth config show --origin"),
    ] {
        for command in ["token L-1 --min-valid 60m", "exec L-1 -- true"] {
            let rig = Rig::new();
            drop(rig.grant("L-1"));
            rig.minutes_pass(if command.starts_with("token") { 1 } else { 55 });
            rig.provider.replies(TOKEN, [reply.clone()]);
            let done = rig.run(command).exits(0);
            assert!(done.err.contains("The previous token is still valid, until "), "{}", done.err);
            assert!(done.err.contains(hint), "{}", done.err);
            oracle::holds(&rig);
        }
    }
    // One that the provider calls dead isn't.
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.minutes_pass(1);
    rig.provider.replies(TOKEN, [refused(400, "invalid_grant")]);
    drop(rig.run("token L-1 --min-valid 60m").exits(4));
}

#[test]
fn after_a_lost_answer_it_is_asked_once_more_and_only_once() {
    let rig = lapsed();
    rig.provider.keeps_refresh_tokens();
    rig.provider.replies(TOKEN, [Reply::Lost]);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.2\n");
    assert_eq!(times(&rig, "refreshed"), 2);
    rig.minutes_pass(61);
    rig.provider.replies(TOKEN, [Reply::Lost, Reply::Lost]);
    drop(rig.run("token L-1").exits(8));
    assert_eq!(times(&rig, "refreshed"), 4);
    let next = Some("biotrack-auth exec 604001/L-1 -- true".to_owned());
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec!["uncertain"], next));
    oracle::holds(&rig);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.5\n", "the next command finds out");
    oracle::rests(&rig);
}

#[test]
fn an_answer_that_says_nothing_makes_it_uncertain_and_the_history_says_so_once() {
    for reply in [Reply::Status(503, String::new()), Reply::Status(200, "<html>".into())] {
        let rig = lapsed();
        for _ in 0..3 {
            rig.provider.replies(TOKEN, [reply.clone()]);
            drop(rig.run("token L-1").exits(8));
            assert_eq!(shown(&rig, "L-1").1, ["uncertain"]);
        }
        assert_eq!(history(&rig, "L-1"), ["asked", "granted", "uncertain"]);
        oracle::holds(&rig);
        oracle::goes_on(&rig);
        oracle::rests(&rig);
    }
}

#[test]
fn a_provider_that_failed_itself_may_have_acted_whatever_the_status_says() {
    for code in ["server_error", "temporarily_unavailable"] {
        for status in [400, 401, 404] {
            let said = json!({"error": code, "error_description": "try later"}).to_string();
            // It had rotated.
            let rig = lapsed();
            rig.provider.replies(TOKEN, [Reply::Garbled(status, said.clone())]);
            let done = rig.run("token L-1").exits(8);
            assert!(done.err.contains(&format!("the error {code} (\"try later\")")), "{}", done.err);
            assert_eq!(shown(&rig, "L-1").1, ["uncertain"]);
            oracle::holds(&rig);
            oracle::goes_on(&rig);
            oracle::rests(&rig);

            let rig = Rig::new();
            rig.provider.replies(TOKEN, [Reply::Garbled(status, said)]);
            drop(rig.run(&crate::rig::register("L-1")).exits(8));
            assert_eq!(shown(&rig, "L-1").1, ["uncertain"], "the code may have brought a grant");
            oracle::holds(&rig);
            oracle::goes_on(&rig);
            oracle::rests(&rig);
        }
    }
}

#[test]
fn what_may_have_been_sent_before_is_not_unsent_because_the_provider_is_away_now() {
    let rig = lapsed();
    rig.provider.replies(TOKEN, [Reply::Status(503, String::new()), Reply::Unreachable]);
    drop(rig.run("token L-1").exits(8));
    drop(rig.run("token L-1").exits(8));
    assert_eq!(shown(&rig, "L-1").1, ["uncertain"]);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    oracle::rests(&rig);
}

#[test]
fn a_token_that_still_lasts_is_given_though_an_earlier_refresh_is_uncertain_and_the_provider_away() {
    let rig = Rig::new();
    rig.provider.keeps_refresh_tokens();
    drop(rig.grant("L-1"));
    rig.minutes_pass(1);
    rig.provider.replies(TOKEN, [Reply::Lost]);
    assert_eq!(rig.run("token L-1 --min-valid 60m").exits(0).out, "access-1\n");
    rig.minutes_pass(1);
    process(&rig, |it| {
        let found = it.at_hand("L-1", SignedDuration::from_mins(10)).unwrap();
        assert!(matches!(found, CachedToken::Unsettled(_)), "{found:?}");
    });
    rig.provider
        .replies("/.well-known/oauth-authorization-server", std::iter::repeat_n(Reply::Unreachable, 3));
    let done = rig.run("token L-1").exits(0);
    assert_eq!(done.out, "access-1\n");
    assert!(done.err.contains("The previous token is still valid, until "), "{}", done.err);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.2\n", "it's settled as soon as it can be");
    assert_eq!(shown(&rig, "L-1").1, Vec::<&str>::new());
}

#[test]
fn a_lost_answer_of_a_grant_that_was_replaced_meanwhile_is_not_asked_for_again() {
    let rig = lapsed();
    rig.provider.keeps_refresh_tokens();
    rig.provider.replies(TOKEN, [Reply::Lost]);
    renewed_at(&rig, answered(TOKEN));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-2\n");
    assert_eq!((times(&rig, "refreshed"), times(&rig, "refused")), (1, 0));
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    oracle::rests(&rig);
}

#[test]
fn an_old_grant_that_lives_on_because_its_newest_tokens_are_lost_is_told_of() {
    let rig = lapsed();
    rig.provider.replies(TOKEN, [Reply::Lost]);
    renewed_at(&rig, answered(TOKEN));
    assert_eq!(rig.run("token L-1").exits(0).out, "access-2\n");
    oracle::holds(&rig);
}

#[test]
fn a_refresh_that_was_left_open_is_closed_by_a_new_consent() {
    let rig = lapsed();
    rig.provider.replies(TOKEN, [Reply::Status(503, String::new())]);
    drop(rig.run("token L-1").exits(8));
    drop(rig.run(RENEW).exits(0));
    assert_eq!(flows(&rig, "L-1"), []);
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    oracle::rests(&rig);
}

#[test]
fn a_process_that_died_between_vault_and_ledger_is_finished_without_asking_again() {
    let rig = lapsed_in(Rig::with_keyring());
    let (world, left) = (rig.world().clone(), Arc::new(Mutex::new(None)));
    let kept_aside = left.clone();
    rig.world().watch(move |moment| {
        // Its own item has the generation and the question in its name.
        if let Moment::Asked("set", account) = moment
            && account.rsplit('/').next().unwrap().starts_with("2-")
        {
            kept_aside.lock().unwrap().get_or_insert_with(|| world.killed_here());
        }
    });
    drop(rig.run("token L-1").exits(0));
    let rig = Rig::of(left.lock().unwrap().take().unwrap());
    assert_eq!(shown(&rig, "L-1").1, ["uncertain"]);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    assert_eq!(times(&rig, "refreshed"), 1);
    oracle::rests(&rig);
}

#[test]
fn a_lost_answer_does_not_end_a_grant_whose_access_token_still_lasts() {
    for lost in [Reply::Lost, Reply::Status(503, String::new()), Reply::Status(200, "<html>".into())] {
        let rig = Rig::new();
        drop(rig.grant("L-1"));
        rig.minutes_pass(30);
        rig.provider.replies(TOKEN, [act_and(&lost)]);
        let done = rig.run("token L-1 --min-valid 45m").exits(0);
        assert_eq!(done.out, "access-1\n", "reporting goes on");
        assert!(done.err.contains("The previous token is still valid, until 2026-"), "{}", done.err);
        // However often it's asked for, until it lapses.
        for minutes in [0, 1, 20, 8] {
            rig.minutes_pass(minutes);
            assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n", "{minutes}");
            assert_eq!(rig.run("exec L-1 -- true").code, 0, "{minutes}");
        }
        assert_eq!(rig.provider.asked(TOKEN), 2, "the consent and the one refresh");
        assert_eq!(rig.provider.living().len(), 1);
        assert_eq!((shown(&rig, "L-1").0, shown(&rig, "L-1").1), (State::Active, vec!["uncertain"]));
        oracle::holds(&rig);
    }
}

/// It rotates and the answer never comes, whatever stands in its place.
fn act_and(lost: &Reply) -> Reply {
    match lost {
        Reply::Status(status, body) => Reply::Garbled(*status, body.clone()),
        other => other.clone(),
    }
}

#[test]
fn a_refresh_token_that_the_provider_calls_good_is_sent_again_while_the_access_token_lives_but_not_too_soon()
{
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    rig.minutes_pass(30);
    rig.provider.replies(TOKEN, [Reply::Unheard]);
    drop(rig.run("token L-1 --min-valid 45m").exits(0));
    // The first try may still be acted on.
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    assert_eq!((rig.provider.asked(TOKEN), rig.provider.asked(INTROSPECT)), (2, 0));
    rig.minutes_pass(1);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    oracle::rests(&rig);
}

#[test]
fn an_access_token_that_the_provider_calls_inactive_is_no_reason_to_send_a_lost_refresh_again_while_it_lives()
{
    let rig = Rig::new();
    rig.provider.ends_earlier_tokens();
    drop(rig.grant("L-1"));
    rig.minutes_pass(30);
    rig.provider.replies(TOKEN, [Reply::Lost]);
    drop(rig.run("token L-1 --min-valid 45m").exits(0));
    rig.minutes_pass(1);
    // Inactive is also what a provider says to whoever may not look: sending the refresh again could end a living grant.
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1\n");
    assert_eq!((rig.provider.asked(TOKEN), rig.provider.asked(INTROSPECT)), (2, 1));
    rig.minutes_pass(30);
    let done = rig.run("token L-1").exits(8);
    assert_eq!(rig.provider.asked(TOKEN), 3, "there is nothing left to be spared");
    assert!(done.err.contains("introspection calls the refresh token inactive"), "{}", done.err);
}

#[test]
fn where_introspection_is_offered_it_is_asked_before_a_lost_refresh_is_sent_again_whether_a_token_lives_or_not()
 {
    for lapsed_since in [0, 61] {
        let rig = lapsed();
        rig.provider.replies(TOKEN, [Reply::Unheard, Reply::Status(503, String::new())]);
        let order = Arc::new(Mutex::new(Vec::new()));
        let seen = order.clone();
        rig.world().watch(move |moment| {
            if let Moment::Arrives(path) = moment {
                seen.lock().unwrap().push(path.clone());
            }
        });
        drop(rig.run("token L-1").exits(8));
        rig.minutes_pass(lapsed_since);
        assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
        let mut order = order.lock().unwrap().clone();
        order.retain(|path| path == TOKEN || path == INTROSPECT);
        assert_eq!(order, [TOKEN, INTROSPECT, TOKEN, INTROSPECT, TOKEN]);
        oracle::rests(&rig);
    }
}

#[test]
fn where_no_token_lives_the_lost_answer_is_waited_for_and_asked_again_once_its_deadline_is_over() {
    let rig = lapsed();
    rig.provider.replies(TOKEN, [Reply::Unheard]);
    let waits = waits(&rig);
    let done = rig.run("token L-1").exits(0);
    assert_eq!((done.out.as_str(), waits.lock().unwrap().as_slice()), ("access-1.1\n", &[20][..]));
    assert!(done.err.contains("retrying in 20 s."), "{}", done.err);

    // The same for the next process, where the first was killed.
    let rig = lapsed();
    let (world, left) = (rig.world().clone(), Arc::new(Mutex::new(None)));
    let kept_aside = left.clone();
    at(&rig, arrives(TOKEN), move || *kept_aside.lock().unwrap() = Some(world.killed_here()));
    drop(rig.run("token L-1").exits(0));
    let left = Rig::of(left.lock().unwrap().take().unwrap());
    let waits = self::waits(&left);
    assert_eq!(left.run("token L-1").exits(0).out, "access-1.1\n");
    assert_eq!(*waits.lock().unwrap(), [20]);
}

/// The waits from now on, in seconds.
fn waits(rig: &Rig) -> Arc<Mutex<Vec<u64>>> {
    let waits = Arc::new(Mutex::new(Vec::new()));
    let seen = waits.clone();
    rig.world().watch(move |moment| {
        if let Moment::Waits(wait) = moment {
            seen.lock().unwrap().push(wait.as_secs());
        }
    });
    waits
}

#[test]
fn a_refusal_behind_a_lost_answer_is_doubted_and_believed_once_a_separate_try_brings_it_again() {
    // Rotated, so that the second try ends the grant; in the same command or in the next.
    for lost in [Reply::Lost, Reply::Garbled(200, "<html>".into())] {
        let rig = lapsed();
        rig.provider.replies(TOKEN, [lost]);
        let mut done = rig.run("token L-1").exits(8);
        if rig.provider.asked(TOKEN) == 2 {
            done = rig.run("token L-1").exits(8);
        }
        assert!(
            done.err.contains("the grant is no longer valid, and introspection calls the refresh token inactive; that isn't certain, because the answer to an earlier try was lost"),
            "{}",
            done.err
        );
        assert_eq!((shown(&rig, "L-1").0, shown(&rig, "L-1").1), (State::Active, vec!["uncertain"]));
        assert!(
            last_line(&rig, "L-1").contains("the grant is no longer valid"),
            "{}",
            last_line(&rig, "L-1")
        );
        oracle::holds(&rig);
        let done = rig.run("token L-1").exits(4);
        assert!(done.err.contains("biotrack-auth renew 604001/L-1"), "{}", done.err);
        assert_eq!(shown(&rig, "L-1").0, State::Invalid);
        oracle::goes_on(&rig);
        oracle::rests(&rig);
    }
}

#[test]
fn a_living_grant_that_is_refused_because_an_earlier_try_is_still_under_way_is_not_called_invalid() {
    let busy =
        json!({"error": "invalid_grant", "error_description": "token request is already being processed"});
    let rig = lapsed();
    rig.provider.replies(TOKEN, [Reply::Unheard, Reply::Status(400, busy.to_string())]);
    let done = rig.run("token L-1").exits(8);
    assert!(done.err.contains("already being processed"), "{}", done.err);
    assert_eq!((shown(&rig, "L-1").0, shown(&rig, "L-1").1), (State::Active, vec!["uncertain"]));
    oracle::holds(&rig);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec![], None));
    oracle::rests(&rig);

    // A try in between that says nothing begins the doubt anew.
    let rig = lapsed();
    let refused = || Reply::Status(400, busy.to_string());
    rig.provider.replies(TOKEN, [Reply::Unheard, refused(), Reply::Status(503, String::new()), refused()]);
    for _ in 0..3 {
        drop(rig.run("token L-1").exits(8));
    }
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.1\n");
    oracle::rests(&rig);
}
