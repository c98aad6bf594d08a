//! What a dead process left is finished or reported before anything new is asked: by the stage that it had come to.

use super::*;
use crate::rig::{Visit, oracle, register};
use biotrack_auth::error::ProviderError;
use biotrack_auth::model::flow::FlowStage;
use serde_json::json;
use std::path::PathBuf;

fn granted(rig: Rig) -> Rig {
    drop(rig.grant("L-1"));
    rig
}

/// Why not a byte of a request left.
fn unreachable() -> Error {
    ProviderError::Unreachable {
        host: "127.0.0.1:2".into(),
        setting: "token_url",
        reason: "Connection refused".into(),
    }
    .into()
}

/// A process dies while its admin is at the page.
fn left_asked(rig: &Rig) {
    process(rig, |it| drop(it.ask("L-1").unwrap()));
}

/// One dies with a code that couldn't be sent yet.
fn left_arrived(rig: &Rig) {
    process(rig, |it| {
        let asked = it.ask("L-1").unwrap();
        drop(it.arrived(&asked).unwrap());
        let told = it.ended(&asked.get().0, unreachable());
        assert_eq!(told.to_string(), unreachable().to_string());
    });
    assert!(matches!(flows(rig, "L-1")[0].stage, FlowStage::Arrived(_)));
}

/// One dies while its code is on the way.
fn left_sent(rig: &Rig) {
    process(rig, |it| {
        let asked = it.ask("L-1").unwrap();
        drop(it.arrived(&asked).unwrap());
    });
    assert_eq!(flows(rig, "L-1")[0].stage, FlowStage::Sent);
}

/// One dies whose grant couldn't be stored; it was granted by this admin.
fn left_answered(rig: &Rig, who: Option<&str>) {
    process(rig, |it| {
        let answer = it.granted("L-1", who);
        rig.world().table_refuses("secret", true);
        let told = it.store(vec![answer]).pop().unwrap().unwrap_err();
        assert!(told.to_string().contains("the grant can't be stored yet"), "{told}");
        rig.world().table_refuses("secret", false);
    });
    assert!(matches!(flows(rig, "L-1")[0].stage, FlowStage::Answered(_)));
}

#[test]
fn one_that_was_only_asked_stays_open_until_its_time_is_over_and_is_asked_anew_beside_it() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        left_asked(&rig);
        assert_eq!(shown(&rig, "L-1").1, Vec::<&str>::new(), "nothing had been sent");
        process(&rig, |it| {
            assert!(!it.can_finish_alone("L-1"));
            let recovered = it.recover("L-1").unwrap();
            assert!(matches!(recovered[..], [RecoveryOutcome::Unanswered]), "{recovered:?}");
        });
        assert_eq!((last_line(&rig, "L-1").as_str(), flows(&rig, "L-1").len()), ("asked ann@example.com", 1));
        rig.minutes_pass(11);
        process(&rig, |it| drop(it.recover("L-1").unwrap()));
        assert_eq!((flows(&rig, "L-1"), shown(&rig, "L-1").1), (vec![], Vec::<&str>::new()));
        left_asked(&rig);
        drop(rig.grant("L-1"));
        assert_eq!(flows(&rig, "L-1"), []);
        oracle::rests(&rig);
    }
}

#[test]
fn an_unsent_code_is_sent_once_and_its_grant_stored_without_a_person() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        left_arrived(&rig);
        let (_, conditions, next) = shown(&rig, "L-1");
        assert!(
            conditions.is_empty() && next.is_some(),
            "no byte left, so nothing is uncertain: {conditions:?}"
        );
        process(&rig, |it| {
            assert!(it.can_finish_alone("L-1"));
            let recovered = it.recover("L-1").unwrap();
            let ours = |it: &RecoveryOutcome| matches!(it, RecoveryOutcome::Finished { kept: StoreOutcome::Live { .. }, username } if username.as_str() == crate::rig::ADMIN);
            assert!(recovered.len() == 1 && ours(&recovered[0]), "{recovered:?}");
            it.clean_up();
        });
        assert_eq!((times(&rig, "consented"), times(&rig, "issued")), (1, 1));
        oracle::rests(&rig);
    }
}

#[test]
fn that_an_unsent_code_is_sent_now_is_noted_before_it_is() {
    let rig = Rig::new();
    left_arrived(&rig);
    let (world, found) = (rig.world().clone(), Arc::new(std::sync::Mutex::new(None)));
    let noted = found.clone();
    at(&rig, arrives(TOKEN), move || {
        *noted.lock().unwrap() = Some(flows(&Rig::of(world), "L-1").pop().unwrap().stage);
    });
    process(&rig, |it| drop(it.recover("L-1").unwrap()));
    assert_eq!(found.lock().unwrap().take(), Some(FlowStage::Sent));
}

#[test]
fn while_the_provider_is_away_the_code_waits_on_and_nothing_new_is_asked() {
    let rig = Rig::new();
    left_arrived(&rig);
    rig.provider.replies(TOKEN, std::iter::repeat_n(Reply::Unreachable, 3));
    drop(rig.run(&register("L-1")).exits(8));
    assert!(matches!(flows(&rig, "L-1")[0].stage, FlowStage::Arrived(_)));
    assert_eq!(times(&rig, "consented"), 1);
    drop(rig.run(&register("L-1")).exits(0));
    assert_eq!(times(&rig, "consented"), 1);
    oracle::rests(&rig);
}

#[test]
fn a_code_that_has_lapsed_meanwhile_is_told_of_and_asked_anew() {
    let rig = Rig::new();
    left_arrived(&rig);
    rig.provider.replies(TOKEN, [Reply::Status(400, json!({"error": "invalid_grant"}).to_string())]);
    let done = rig.run(&register("L-1")).exits(0);
    assert!(
        done.err.contains("The unfinished grant that an earlier command left for L-1 can't be used"),
        "{}",
        done.err
    );
    assert_eq!(times(&rig, "consented"), 2);
    assert_eq!(history(&rig, "L-1"), ["asked", "failed", "asked", "granted"]);
}

#[test]
fn a_code_that_was_on_its_way_makes_the_record_uncertain() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        left_sent(&rig);
        let next =
            Some("biotrack-auth register --ubi 604001 --license L-1 --username ann@example.com".to_owned());
        assert_eq!(shown(&rig, "L-1"), (State::Pending, vec!["uncertain"], next.clone()));
        process(&rig, |it| {
            assert!(!it.can_finish_alone("L-1"));
            let recovered = it.recover("L-1").unwrap();
            assert!(matches!(recovered[..], [RecoveryOutcome::Uncertain]), "{recovered:?}");
        });
        assert_eq!(shown(&rig, "L-1"), (State::Pending, vec!["uncertain"], next));
        assert_eq!(last_line(&rig, "L-1"), "uncertain the program ended before the answer was stored");
        assert_eq!(times(&rig, "issued"), 0, "it's never sent twice");
        drop(rig.grant("L-1"));
        assert_eq!(shown(&rig, "L-1").1, Vec::<&str>::new());
        oracle::rests(&rig);
    }
}

#[test]
fn a_grant_that_could_not_be_stored_is_stored_without_asking_anybody() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        left_answered(&rig, None);
        oracle::holds(&rig);
        let asked = rig.provider.log().len();
        process(&rig, |it| {
            assert!(it.can_finish_alone("L-1"));
            let recovered = it.recover("L-1").unwrap();
            assert!(
                matches!(recovered[..], [RecoveryOutcome::Finished { kept: StoreOutcome::Live { .. }, .. }]),
                "{recovered:?}"
            );
        });
        assert_eq!(rig.provider.log().len(), asked);
        assert_eq!((kept(&rig, "L-1"), shown(&rig, "L-1").0), (vec![(SecretRole::Live, 1)], State::Active));
        process(&rig, |it| it.clean_up());
        oracle::rests(&rig);
    }
}

/// The keyring's items of open questions are gone, or left without their secret.
fn loses_questions(rig: &Rig, emptied: bool) {
    let mine = rig.keyring.accounts().into_iter().filter(|item| item.contains("/flow-"));
    let lost: Vec<_> = mine.collect();
    assert!(!lost.is_empty());
    for item in lost {
        if emptied { rig.keyring.puts(&item, b"") } else { rig.keyring.loses(&item) }
    }
}

#[test]
fn an_answer_that_nothing_opens_any_more_is_told_of_once_and_bars_nobodys_way() {
    for emptied in [false, true] {
        let rig = Rig::with_keyring();
        left_answered(&rig, None);
        loses_questions(&rig, emptied);
        // What comes next is what is shown.
        let (_, conditions, next) = shown(&rig, "L-1");
        assert!(conditions == ["granted_not_stored"] && next.unwrap().contains(" register "));
        let done = rig.run(&register("L-1")).exits(0);
        assert!(done.err.contains("A grant that an earlier command got for L-1 is lost"), "{}", done.err);
        assert!(done.err.contains("the admin can remove it"), "{}", done.err);
        assert_eq!(history(&rig, "L-1"), ["asked", "uncertain", "asked", "granted"]);
        assert_eq!((shown(&rig, "L-1").1, times(&rig, "consented")), (Vec::<&str>::new(), 2));
        assert!(!rig.run("renew L-1 --browser scripted").exits(0).err.contains("is lost"));
        oracle::rests_but(&rig, &[1]);
    }
    // A keyring that is locked has lost nothing.
    let rig = Rig::with_keyring();
    left_answered(&rig, None);
    rig.keyring.locks(true);
    drop(rig.run(&register("L-1")).exits(7));
    rig.keyring.locks(false);
    drop(rig.run(&register("L-1")).exits(0));
    assert_eq!(times(&rig, "consented"), 1);
}

#[test]
fn a_license_whose_renewal_lost_its_answer_can_be_renewed_and_deactivated() {
    for line in ["renew L-1 --browser scripted", "deactivate L-1 --yes"] {
        let rig = granted(Rig::with_keyring());
        left_answered(&rig, None);
        loses_questions(&rig, false);
        let done = rig.run(line).exits(0);
        assert!((done.out + &done.err).contains("the admin can remove it"), "{line}");
        assert_eq!(shown(&rig, "L-1").1, Vec::<&str>::new());
        oracle::rests_but(&rig, &[2]);
    }
}

#[test]
fn a_code_that_nothing_opens_any_more_was_never_sent_and_is_asked_for_anew() {
    let rig = Rig::with_keyring();
    left_arrived(&rig);
    loses_questions(&rig, false);
    let done = rig.run(&register("L-1")).exits(0);
    assert!(
        done.err.contains("The unfinished grant that an earlier command left for L-1 can't be used"),
        "{}",
        done.err
    );
    assert_eq!(history(&rig, "L-1"), ["asked", "failed", "asked", "granted"]);
    assert_eq!((times(&rig, "consented"), times(&rig, "issued")), (2, 1));
    oracle::rests(&rig);
}

#[test]
fn a_refresh_whose_answer_nothing_opens_any_more_is_sent_again_once_the_token_has_lapsed() {
    let rig = granted(Rig::with_keyring());
    rig.provider.keeps_refresh_tokens();
    rig.minutes_pass(61);
    let world = rig.world().clone();
    at(&rig, answered(TOKEN), move || world.table_refuses("secret", true));
    drop(rig.run("token L-1").exits(7));
    rig.world().table_refuses("secret", false);
    assert!(matches!(flows(&rig, "L-1")[0].stage, FlowStage::Answered(_)));
    for item in rig.keyring.accounts() {
        if item.contains("/flow-") || item.contains("/2-") {
            rig.keyring.loses(&item);
        }
    }
    rig.minutes_pass(61);
    assert_eq!(rig.run("token L-1").exits(0).out, "access-1.2\n");
    assert_eq!((flows(&rig, "L-1"), shown(&rig, "L-1").1), (vec![], Vec::<&str>::new()));
    oracle::rests(&rig);
}

#[test]
fn whether_or_not_a_person_is_there_what_can_be_finished_alone_is() {
    let rig = Rig::new();
    left_answered(&rig, None);
    let unattended = "register --ubi 604001 --license L-1 --username ann@example.com";
    drop(rig.run(unattended).exits(0));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)]);
    // Where it can't, nothing is touched.
    let rig = Rig::new();
    left_sent(&rig);
    drop(rig.run(unattended).exits(4));
    assert_eq!(flows(&rig, "L-1").len(), 1);
}

#[test]
fn another_admins_grant_is_held_by_whoever_recovers_it_too() {
    for rig in [granted(Rig::new()), granted(Rig::with_keyring())] {
        left_answered(&rig, Some(BOB));
        let done = rig.run("renew L-1 --browser scripted").exits(6);
        assert!(done.err.contains("Stored the grant for L-1"), "{}", done.err);
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 2)]);
        assert_eq!(times(&rig, "consented"), 2);
        oracle::holds(&rig);
    }
}

#[test]
fn a_wrong_grant_is_refused_by_whoever_recovers_it_too() {
    for rig in [granted(Rig::new()), granted(Rig::with_keyring())] {
        process(&rig, |it| {
            rig.provider.replies(TOKEN, [Reply::Changed(json!({"company": "Other Vendor LLC"}))]);
            let answer = it.granted("L-1", None);
            rig.world().table_refuses("secret", true);
            let told = it.store(vec![answer]).pop().unwrap().unwrap_err();
            let fate = told.hint().unwrap();
            assert!(fate.contains("kept sealed in the journal"), "{fate}");
            rig.world().table_refuses("secret", false);
        });
        oracle::holds(&rig);
        let done = rig.run("renew L-1 --browser scripted").exits(0);
        assert!(done.err.contains("can't be used: L-1: the grant differs from the request"), "{}", done.err);
        assert_eq!(
            (kept(&rig, "L-1"), times(&rig, "revoked L-1: access-2")),
            (vec![(SecretRole::Live, 3)], 1)
        );
        oracle::rests(&rig);
    }
}

#[test]
fn it_is_said_whose_grant_was_finished_where_another_admin_is_asked_now() {
    let rig = Rig::new();
    left_answered(&rig, None);
    let other = register("L-1").replace(crate::rig::ADMIN, BOB);
    let done = rig.run(&other).exits(0);
    assert!(
        done.err.contains("ann@example.com granted it. To ask bob@example.com, run the command again."),
        "{}",
        done.err
    );
    assert_eq!(record(&rig, "L-1").username.as_str(), crate::rig::ADMIN);
}

#[test]
fn a_deactivation_that_was_cut_short_is_told_of_and_finished_by_the_same_command() {
    let rig = granted(Rig::new());
    let (world, left) = (rig.world().clone(), Arc::new(std::sync::Mutex::new(None)));
    let kept_aside = left.clone();
    at(&rig, answered(REVOKE), move || *kept_aside.lock().unwrap() = Some(world.killed_here()));
    drop(rig.run("deactivate L-1 --yes").exits(0));
    let left = left.lock().unwrap().take().unwrap();
    let rig = Rig::of(left.killed_here());
    let next = Some("biotrack-auth deactivate 604001/L-1".to_owned());
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec!["uncertain"], next));
    oracle::goes_on(&rig);
    assert_eq!(shown(&rig, "L-1"), (State::Deactivated, vec![], None));
    oracle::rests(&rig);

    let rig = Rig::of(left);
    let done = rig.run("renew L-1 --browser scripted").exits(0);
    assert!(done.err.contains("An earlier command ended while it deactivated L-1"), "{}", done.err);
    oracle::rests(&rig);
}

#[test]
fn a_license_that_is_given_up_without_asking_the_provider_leaves_what_it_cannot_find_out_uncertain() {
    type Leaves = fn(&Rig);
    let left: [(Leaves, usize); 4] =
        [(left_asked, 0), (left_arrived, 0), (left_sent, 1), (|rig| left_answered(rig, None), 1)];
    for (leave, uncertain) in left {
        let rig = Rig::new();
        leave(&rig);
        process(&rig, |it| it.abandon("L-1").unwrap());
        let told = history(&rig, "L-1").iter().filter(|it| *it == "uncertain").count();
        // The deactivation itself closes what is open then.
        let open = flows(&rig, "L-1");
        assert!(open.iter().all(|it| it.owner.is_none() && it.stage == FlowStage::Asked), "{open:?}");
        assert_eq!(told, uncertain);
        assert!(times(&rig, "issued") <= 1);
    }
}

#[test]
fn a_link_that_is_out_is_nobodys_leftover_until_its_time_is_over() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        process(&rig, |it| drop(it.hand_out("L-1")));
        process(&rig, |it| assert!(it.recover("L-1").unwrap().is_empty()));
        assert_eq!(flows(&rig, "L-1").len(), 1);
        rig.minutes_pass(11);
        assert_eq!(shown(&rig, "L-1").1, ["handoff_lapsed"]);
        process(&rig, |it| assert!(it.recover("L-1").unwrap().is_empty()));
        assert_eq!((flows(&rig, "L-1"), rig.keyring.accounts()), (vec![], vec![]));
    }
}

#[test]
fn a_refresh_that_was_left_is_finished_by_the_next_one() {
    let rig = granted(Rig::new());
    rig.minutes_pass(61);
    rig.provider.replies(TOKEN, [Reply::Status(503, String::new())]);
    drop(rig.run("token L-1").exits(8));
    process(&rig, |it| assert!(it.recover("L-1").unwrap().is_empty()));
    assert_eq!(flows(&rig, "L-1").len(), 1);
}

#[test]
fn what_a_living_process_is_at_is_left_to_it() {
    let rig = Rig::new();
    process(&rig, |first| {
        let asked = first.ask("L-1").unwrap();
        process(&rig, |second| assert!(second.recover("L-1").unwrap().is_empty()));
        // It goes on as if nobody had been there.
        let go = first.arrived(&asked).unwrap();
        let granted = first.exchanged(go);
        assert!(first.store(vec![(asked.get().0.clone(), granted)])[0].is_ok());
    });
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)]);
}

#[test]
fn a_wrong_grant_that_waits_for_its_end_is_given_back_by_the_next_command() {
    let rig = granted(Rig::new());
    rig.provider.replies(TOKEN, [Reply::Changed(json!({"company": "Other Vendor LLC"}))]);
    rig.provider.replies(REVOKE, [Reply::Unreachable]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Unwanted, 2)]);
    // As long as the provider doesn't answer, that keeps nobody from anything.
    rig.provider.replies(REVOKE, [Reply::Unreachable]);
    rig.visits([Visit::Denies]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
    assert_eq!(shown(&rig, "L-1").1, ["revocation_pending"]);
    rig.visits([Visit::Denies]);
    drop(rig.run("renew L-1 --browser scripted").exits(6));
    assert_eq!((kept(&rig, "L-1"), shown(&rig, "L-1").1), (vec![(SecretRole::Live, 1)], vec![]));
    oracle::rests(&rig);
}

#[test]
fn what_is_set_aside_a_second_time_stays_as_it_is() {
    let rig = Rig::new();
    left_answered(&rig, None);
    let before = flows(&rig, "L-1").pop().unwrap().stage;
    rig.world().table_refuses("secret", true);
    drop(rig.run(&register("L-1")).exits(7));
    rig.world().table_refuses("secret", false);
    assert_eq!(flows(&rig, "L-1").pop().unwrap().stage, before);
    drop(rig.run(&register("L-1")).exits(0));
    assert_eq!(times(&rig, "consented"), 1);
    oracle::rests(&rig);
}

/// A code comes while the journal can't be written: that it's being sent is noted in the spool.
fn sent_by_the_spool(it: &mut Process<'_>) -> (FlowId, Result<Granted>) {
    let asked = it.ask("L-1").unwrap();
    it.rig.world().table_refuses("flow", true);
    let go = it.arrived(&asked).unwrap();
    it.rig.world().table_refuses("flow", false);
    (asked.get().0.clone(), it.exchanged(go))
}

fn spools(rig: &Rig) -> Vec<PathBuf> {
    std::fs::read_dir(rig.file("spool")).unwrap().map(|it| it.unwrap().path()).collect()
}

#[test]
fn what_the_spool_has_of_a_question_goes_with_it() {
    let rig = Rig::new();
    process(&rig, |it| {
        let answer = sent_by_the_spool(it);
        assert_eq!(flows(&rig, "L-1")[0].stage, FlowStage::Asked);
        assert!(it.store(vec![answer])[0].is_ok());
    });
    assert_eq!(spools(&rig), Vec::<PathBuf>::new());
    oracle::rests(&rig);
}

#[test]
fn what_only_the_spool_knows_is_known_to_the_next_command() {
    let rig = Rig::new();
    let left = process(&rig, |it| {
        let _ = sent_by_the_spool(it);
        rig.world().killed_here()
    });
    let rig = Rig::of(left);
    assert_eq!((flows(&rig, "L-1")[0].stage.clone(), spools(&rig).len()), (FlowStage::Asked, 1));
    oracle::holds(&rig);
    process(&rig, |it| {
        let recovered = it.recover("L-1").unwrap();
        assert!(matches!(recovered[..], [RecoveryOutcome::Uncertain]), "{recovered:?}");
    });
    drop(rig.grant("L-1"));
    oracle::rests(&rig);
}

#[test]
fn what_the_spool_knows_never_takes_a_question_back() {
    let rig = Rig::new();
    let left = process(&rig, |it| {
        let answer = sent_by_the_spool(it);
        rig.world().table_refuses("secret", true);
        assert!(it.store(vec![answer])[0].is_err());
        rig.world().table_refuses("secret", false);
        rig.world().killed_here()
    });
    let rig = Rig::of(left);
    assert!(matches!(flows(&rig, "L-1")[0].stage, FlowStage::Answered(_)) && spools(&rig).len() == 1);
    drop(rig.run(&register("L-1")).exits(0));
    assert_eq!((times(&rig, "consented"), kept(&rig, "L-1")), (1, vec![(SecretRole::Live, 1)]));
    oracle::rests(&rig);
}

#[test]
fn a_dead_process_is_known_by_its_lock_whether_its_mark_is_still_there_or_not() {
    let rig = Rig::new();
    left_sent(&rig);
    // Ended by itself: its mark is gone. Killed: its mark is there, and nobody holds it.
    let owner = flows(&rig, "L-1")[0].owner.clone().unwrap();
    assert!(!rig.file("owners").join(&owner.mark).exists());
    let killed = Rig::of(rig.world().killed_here());
    let mark = killed.file("owners").join(&owner.mark);
    std::fs::write(&mark, "").unwrap();
    for rig in [rig, killed] {
        process(&rig, |it| {
            let recovered = it.recover("L-1").unwrap();
            assert!(matches!(recovered[..], [RecoveryOutcome::Uncertain]), "{recovered:?}");
        });
    }
}

#[test]
fn a_renewal_whose_old_grant_went_first_is_gone_on_with_wherever_it_was_cut_short() {
    const BREAK: &str = "renew L-1 --username bob@example.com --break-first --yes --browser scripted";
    let name_and_go_on = "biotrack-auth renew --username bob@example.com --break-first 604001/L-1";
    let renew = "biotrack-auth renew 604001/L-1";
    let moments = [
        (Moment::Arrives("/oauth/revoke".into()), State::Active, vec!["uncertain"], name_and_go_on),
        (Moment::Answered("/oauth/revoke".into()), State::Active, vec!["uncertain"], name_and_go_on),
        (Moment::Consents, State::Expired, vec![], "biotrack-auth complete -"),
        (Moment::Arrives(TOKEN.into()), State::Expired, vec!["uncertain"], renew),
    ];
    for rig in [Rig::new(), Rig::with_keyring()] {
        drop(rig.grant("L-1"));
        for (moment, state, conditions, next) in moments.clone() {
            let rig = Rig::of(rig.world().killed_here());
            let (world, left) = (rig.world().clone(), Arc::new(std::sync::Mutex::new(None)));
            let kept_aside = left.clone();
            at(&rig, moment, move || *kept_aside.lock().unwrap() = Some(world.killed_here()));
            drop(rig.run(BREAK).exits(0));
            let rig = Rig::of(left.lock().unwrap().take().unwrap());
            assert_eq!(shown(&rig, "L-1"), (state, conditions, Some(next.to_owned())));
            oracle::holds(&rig);
            oracle::goes_on(&rig);
            let granted = record(&rig, "L-1");
            assert_eq!((granted.username.as_str(), granted.granted_by.as_deref()), (BOB, Some(BOB)));
            oracle::rests(&rig);
        }
    }
}
