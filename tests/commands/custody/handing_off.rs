//! Answers that come from elsewhere: which question they belong to, what is looked at before anything is sent, and that
//! each is taken once.

use super::*;
use crate::rig::{Visit, oracle, register};
use biotrack_auth::error::HandoffError;
use biotrack_auth::model::flow::FlowStage;
use std::sync::Mutex;

/// A link to L-1 is out, and its admin has granted: where they were sent back to.
fn answered_link(rig: &Rig) -> String {
    process(rig, |it| it.hand_out("L-1")).granted(rig)
}

fn refused(rig: &Rig, address: &str) -> Error {
    process(rig, |it| it.find(address).unwrap_err())
}

#[test]
fn nobody_waits_for_a_link_and_it_needs_no_room_here() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        process(&rig, |it| drop(it.hand_out("L-1")));
        let flow = flows(&rig, "L-1").pop().unwrap();
        assert_eq!((flow.owner, flow.stage), (None, FlowStage::Asked));
        assert!(!rig.file("spool").exists());
        assert_eq!(shown(&rig, "L-1").1, ["renewal_pending"]);
        let line = last_line(&rig, "L-1");
        assert!(line.starts_with("asked ann@example.com, handed out, until 2026-03-02T15:10:00Z"), "{line}");
    }
}

#[test]
fn an_answer_finds_its_question_and_its_grant_is_stored() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        let back = answered_link(&rig);
        let kept_as = process(&rig, |it| {
            let kept_as = it.complete(&back).unwrap();
            it.clean_up();
            kept_as
        });
        assert!(matches!(kept_as, StoreOutcome::Live { .. }), "{kept_as:?}");
        assert_eq!((kept(&rig, "L-1"), flows(&rig, "L-1")), (vec![(SecretRole::Live, 1)], vec![]));
        oracle::rests(&rig);
    }
}

#[test]
fn looking_for_the_question_changes_nothing() {
    let rig = Rig::with_keyring();
    let back = answered_link(&rig);
    let (before, items) = (flows(&rig, "L-1"), rig.keyring.items());
    process(&rig, |it| {
        let found = it.find(&back).unwrap();
        assert!(matches!(found, FoundFlow::Waiting(_)), "{found:?}");
    });
    assert_eq!((flows(&rig, "L-1"), rig.keyring.items()), (before, items));
}

#[test]
fn an_answer_to_no_question_here_is_a_strangers() {
    let rig = Rig::new();
    let back = answered_link(&rig);
    let other = back.replace("state=", "state=x");
    assert!(matches!(refused(&rig, &other), Error::Handoff(HandoffError::Stranger)));
    assert_eq!((flows(&rig, "L-1").len(), times(&rig, "issued")), (1, 0));
}

#[test]
fn an_answer_of_another_profile_is_not_taken_and_that_profile_is_named() {
    let rig = Rig::new();
    let back = answered_link(&rig);
    process_with(
        &rig,
        |profile| profile.profile = "other".into(),
        |it| {
            let told = it.find(&back).unwrap_err();
            assert_eq!(
                told.to_string(),
                "this answer is for L-1 in profile local-sandbox, not in other; nothing was sent"
            );
            assert!(told.hint().unwrap().contains("complete --profile local-sandbox"));
        },
    );
}

#[test]
fn an_answer_that_came_to_another_address_is_not_taken() {
    let rig = Rig::new();
    let back = answered_link(&rig);
    for moved in [
        back.replace("/callback", "/elsewhere"),
        back.replace("18273", "18274"),
        back.replace("http:", "https:"),
    ] {
        let told = refused(&rig, &moved);
        assert!(told.to_string().contains("it isn't at the redirect address of this request"), "{told}");
    }
    assert_eq!((flows(&rig, "L-1").len(), times(&rig, "issued")), (1, 0));
}

#[test]
fn an_answer_that_comes_too_late_is_not_sent_and_the_command_that_makes_a_new_link_is_named() {
    let rig = Rig::new();
    let back = answered_link(&rig);
    rig.minutes_pass(10);
    let told = refused(&rig, &back);
    assert!(matches!(told, Error::Handoff(HandoffError::Lapsed { .. })), "{told}");
    let hint = told.hint().unwrap();
    assert!(
        hint.contains("register --ubi 604001 --license L-1 --username ann@example.com --no-wait"),
        "{hint}"
    );
    assert_eq!(times(&rig, "issued"), 0);
}

#[test]
fn an_answer_is_taken_once() {
    let rig = Rig::new();
    let back = answered_link(&rig);
    process(&rig, |it| drop(it.complete(&back).unwrap()));
    let told = refused(&rig, &back);
    assert!(matches!(told, Error::Handoff(HandoffError::Used { .. })), "{told}");
    assert_eq!(times(&rig, "issued"), 1);
}

#[test]
fn of_two_who_take_the_same_answer_up_one_gets_it() {
    let rig = Rig::new();
    let back = answered_link(&rig);
    process(&rig, |first| {
        let FoundFlow::Waiting(flow) = first.find(&back).unwrap() else { panic!("it waits") };
        process(&rig, |second| drop(second.complete(&back).unwrap()));
        let told = first.take_up_found(*flow, &back).unwrap_err();
        assert!(matches!(told, Error::Handoff(HandoffError::Used { .. })), "{told}");
    });
    assert_eq!((times(&rig, "issued"), times(&rig, "refused")), (1, 0), "its code left once");
    oracle::holds(&rig);
}

#[test]
fn while_somebody_is_at_it_the_answer_is_left_to_them() {
    let rig = Rig::new();
    let back = answered_link(&rig);
    process(&rig, |first| {
        let _go = first.take_up(&back).unwrap();
        let told = process(&rig, |second| second.find(&back).unwrap_err());
        assert!(matches!(&told, Error::Busy { why, .. } if why.contains("sam@desk")), "{told}");
    });
}

#[test]
fn a_link_that_gave_way_to_a_newer_one_is_told_so() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        let old = answered_link(&rig);
        let new = answered_link(&rig);
        let told = refused(&rig, &old);
        assert!(matches!(told, Error::Handoff(HandoffError::Replaced { .. })), "{told}");
        process(&rig, |it| {
            drop(it.complete(&new).unwrap());
            it.clean_up();
        });
        assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)]);
    }
}

#[test]
fn what_the_older_links_answer_would_have_needed_is_forgotten() {
    let rig = Rig::with_keyring();
    process(&rig, |it| {
        drop(it.hand_out("L-1"));
        drop(it.hand_out("L-1"));
        it.clean_up();
    });
    assert_eq!(rig.keyring.accounts().len(), 1);
}

#[test]
fn a_code_that_is_taken_up_is_in_the_journal_with_its_owner_and_noted_as_sent_before_it_leaves() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        let back = answered_link(&rig);
        let (world, found) = (rig.world().clone(), Arc::new(Mutex::new(None)));
        let noted = found.clone();
        at(&rig, arrives(TOKEN), move || {
            let flow = flows(&Rig::of(world), "L-1").pop().unwrap();
            *noted.lock().unwrap() = Some((flow.stage, flow.owner.is_some()));
        });
        process(&rig, |it| drop(it.complete(&back).unwrap()));
        assert_eq!(found.lock().unwrap().take(), Some((FlowStage::Sent, true)));
    }
}

#[test]
fn an_answer_that_was_taken_up_by_a_process_that_died_is_finished_or_reported_first() {
    // Its code couldn't be sent.
    let rig = Rig::new();
    let back = answered_link(&rig);
    rig.provider.replies(TOKEN, std::iter::repeat_n(Reply::Unreachable, 3));
    process(&rig, |it| drop(it.complete(&back).unwrap_err()));
    process(&rig, |it| assert!(matches!(it.find(&back).unwrap(), FoundFlow::Left(_))));
    drop(rig.run(&format!("complete '{back}'")).exits(0));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1)]);
    oracle::rests(&rig);
    // It was on its way.
    let rig = Rig::new();
    let back = answered_link(&rig);
    process(&rig, |it| drop(it.take_up(&back).unwrap()));
    let done = rig.run(&format!("complete '{back}'")).exits(8);
    assert!(
        done.err.contains("an earlier command ended while BioTrack was answering for L-1"),
        "{}",
        done.err
    );
    assert!(done.err.contains("biotrack-auth register --ubi 604001 --license L-1"), "{}", done.err);
    assert_eq!((shown(&rig, "L-1").1, times(&rig, "issued")), (vec!["renewal_pending", "uncertain"], 0));
}

#[test]
fn a_refusal_closes_the_question_and_somebody_elses_answer_does_not() {
    let rig = Rig::new();
    let link = process(&rig, |it| it.hand_out("L-1"));
    let back = rig.provider.denies(&link.address);
    process(&rig, |it| {
        let told = it.complete(&back).unwrap_err();
        assert_eq!(told.exit(), 6, "{told}");
    });
    assert_eq!(
        (flows(&rig, "L-1"), history(&rig, "L-1")),
        (vec![], vec!["asked".to_owned(), "failed".to_owned()])
    );

    let link = process(&rig, |it| it.hand_out("L-1"));
    let back = link.granted(&rig).replace("iss=http%3A%2F%2F127.0.0.1%3A2", "iss=http%3A%2F%2Fevil.example");
    process(&rig, |it| {
        let told = it.complete(&back).unwrap_err();
        assert!(told.to_string().contains("the redirect came from http://evil.example"), "{told}");
    });
    assert_eq!((flows(&rig, "L-1").len(), times(&rig, "issued")), (1, 0));
}

#[test]
fn another_admins_grant_is_held_here_too() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let link = process(&rig, |it| it.hand_out("L-1"));
    let back = rig.provider.consents(&link.address, Some(BOB));
    process(&rig, |it| assert!(matches!(it.complete(&back).unwrap(), StoreOutcome::Held { .. })));
    assert_eq!(kept(&rig, "L-1"), [(SecretRole::Live, 1), (SecretRole::Held, 2)]);
}

#[test]
fn a_license_may_have_several_questions_and_the_first_grant_closes_the_rest() {
    // A link that is out, and a command that waits.
    let rig = Rig::new();
    let back = answered_link(&rig);
    process(&rig, |it| {
        let asked = it.ask("L-1").unwrap();
        let link = process(&rig, |other| other.hand_out("L-1"));
        assert_eq!(flows(&rig, "L-1").len(), 2);
        // The newer link took the older one's place, and nothing else did.
        assert!(matches!(refused(&rig, &back), Error::Handoff(HandoffError::Replaced { .. })));
        let back = link.granted(&rig);
        process(&rig, |other| drop(other.complete(&back).unwrap()));
        assert_eq!(flows(&rig, "L-1"), []);
        // Whoever waits hears of the grant.
        assert!(matches!(it.left_open(&asked.get().0).unwrap(), Some(StoreOutcome::Live { .. })));
    });
    assert_eq!((kept(&rig, "L-1"), times(&rig, "issued")), (vec![(SecretRole::Live, 1)], 1));

    // And the other way round.
    let rig = Rig::new();
    let back = answered_link(&rig);
    drop(rig.grant("L-1"));
    assert!(matches!(refused(&rig, &back), Error::Handoff(HandoffError::Used { .. })));
    oracle::rests(&rig);
}

#[test]
fn nobody_waits_for_a_license_beside_somebody_who_does() {
    let rig = Rig::new();
    process(&rig, |it| {
        let _waits = it.ask("L-1").unwrap();
        let question = process(&rig, |other| other.question("L-1", crate::rig::ADMIN, false));
        let told = process(&rig, |other| other.asks(vec![question]).unwrap().pop().unwrap().unwrap_err());
        assert!(matches!(told, Error::Busy { .. }), "{told}");
    });
}

#[test]
fn a_link_is_not_lost_by_what_else_is_done_to_its_license() {
    let rig = Rig::new();
    drop(rig.grant("L-1"));
    let link = process(&rig, |it| it.hand_out("L-1"));
    rig.minutes_pass(5);
    drop(rig.run("token L-1").exits(0));
    rig.minutes_pass(1);
    drop(rig.run("token L-1 --min-valid 60m").exits(0));
    let file = rig.write("facts.csv", "ubi,license,username,name\n604001,L-1,ann@example.com,Hudson\n");
    drop(rig.run(&format!("import {file} --yes")).exits(0));
    assert_eq!(flows(&rig, "L-1")[0].id, link.flow);
    let back = link.granted(&rig);
    process(&rig, |it| drop(it.complete(&back).unwrap()));
    assert_eq!(
        (kept(&rig, "L-1").last(), record(&rig, "L-1").name.unwrap().as_str()),
        (Some(&(SecretRole::Live, 2)), "Hudson")
    );
}

#[test]
fn whether_ledger_and_vault_can_be_used_is_found_out_before_an_answer_comes() {
    let rig = Rig::with_keyring();
    process(&rig, |it| it.is_well().unwrap());
    rig.keyring.locks(true);
    process(&rig, |it| assert_eq!(it.is_well().unwrap_err().exit(), 7));
    rig.keyring.locks(false);
    // Windows moves no file that is open.
    #[cfg(unix)]
    process(&rig, |it| {
        let (ledger, away) = (rig.file("ledger.db"), rig.file("away.db"));
        std::fs::rename(&ledger, &away).unwrap();
        assert_eq!(it.is_well().unwrap_err().exit(), 7);
        std::fs::rename(&away, &ledger).unwrap();
    });
}

#[test]
fn the_command_that_hands_out_again_keeps_what_the_license_is() {
    let rig = Rig::new();
    rig.visits([Visit::Denies]);
    drop(rig.run(&register("L-1")).exits(6));
    drop(rig.grant("L-1"));
    let link = process(&rig, |it| it.hand_out("L-1"));
    rig.minutes_pass(11);
    let next = Some("biotrack-auth renew 604001/L-1 --no-wait".to_owned());
    assert_eq!(shown(&rig, "L-1"), (State::Active, vec!["handoff_lapsed"], next));
    let told = refused(&rig, &link.granted(&rig));
    assert!(told.hint().unwrap().contains("biotrack-auth renew 604001/L-1 --no-wait"), "{told:?}");
}
