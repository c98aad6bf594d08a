//! A second answer to a flow whose first one brought nothing, and answers that come while the ledger can't be written: each code is
//! kept, and sent once, one of a license at a time.

use super::*;
use crate::rig::oracle;
use biotrack_auth::error::HandoffError;
use biotrack_auth::model::flow::FlowStage;
use biotrack_auth::model::secret::Secret;

/// The refusal of a code.
fn lapsed() -> Reply {
    Reply::Status(400, "{\"error\":\"invalid_grant\"}".into())
}

/// Asks, and is answered with a code that the provider refuses: the flow is open again, and waited for here.
fn refused_once(rig: &Rig, it: &mut Process<'_>) -> (FlowId, String) {
    rig.provider.replies(TOKEN, [lapsed()]);
    let asked = it.ask("L-1").unwrap();
    let (flow, address) = (asked.get().0.clone(), asked.get().1.address.clone());
    let go = it.arrived(&asked).unwrap();
    let answer = it.exchanged(go);
    assert!(it.store(vec![(flow.clone(), answer)]).pop().unwrap().is_err());
    assert_eq!(flows(rig, "L-1")[0].owner, None, "it's open again");
    (flow, address)
}

/// The code of another click on the same page.
fn another_code(rig: &Rig, address: &str) -> Secret {
    let back = url::Url::parse(&rig.provider.consents(address, None)).unwrap();
    Secret::new(back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned())
}

#[test]
fn a_second_answer_that_the_ledger_cannot_take_is_sent_as_soon_as_it_can() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        process(&rig, |it| {
            let (flow, address) = refused_once(&rig, it);
            let code = another_code(&rig, &address);
            rig.world().ledger_refuses(true);
            it.arrives(&flow, &code).unwrap();
            let unnoted = it.sends(&flow, &code).unwrap_err();
            assert!(matches!(unnoted, Error::Ledger(_)), "{unnoted}");
            rig.world().ledger_refuses(false);
            let go = it.sends(&flow, &code).unwrap();
            let answer = it.exchanged(go);
            it.store(vec![(flow, answer)]).pop().unwrap().unwrap();
            it.clean_up();
        });
        assert_eq!((times(&rig, "issued"), shown(&rig, "L-1").0), (1, State::Active));
        oracle::rests(&rig);
    }
}

#[test]
fn a_second_answer_that_only_the_spool_has_is_finished_by_whoever_comes_next() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        let left = process(&rig, |it| {
            let (flow, address) = refused_once(&rig, it);
            let code = another_code(&rig, &address);
            rig.world().ledger_refuses(true);
            it.arrives(&flow, &code).unwrap();
            assert_eq!(flows(&rig, "L-1")[0].stage, FlowStage::Asked, "that is all that the ledger knows");
            rig.world().killed_here()
        });
        let rig = Rig::of(left);
        rig.world().ledger_refuses(false);
        let asked = times(&rig, "consented");
        drop(rig.grant("L-1"));
        assert_eq!((times(&rig, "consented"), shown(&rig, "L-1").0), (asked, State::Active));
        oracle::rests(&rig);
    }
}

#[test]
fn what_only_the_spool_has_of_a_second_answer_is_left_alone_where_its_code_was_sent() {
    let rig = Rig::new();
    let left = process(&rig, |it| {
        let (flow, address) = refused_once(&rig, it);
        let code = another_code(&rig, &address);
        rig.world().ledger_refuses(true);
        it.arrives(&flow, &code).unwrap();
        let left = Rig::of(rig.world().killed_here());
        left.world().ledger_refuses(false);
        // Somebody else brought the same answer meanwhile, and the provider refused its code.
        left.ledger()
            .remember_sent(&flow, &biotrack_auth::model::secret::fingerprint(code.expose()))
            .unwrap();
        left
    });
    let asked = times(&left, "consented");
    drop(left.grant("L-1"));
    assert_eq!(times(&left, "consented"), asked + 1);
}

#[test]
fn a_code_that_only_the_spool_knows_to_be_sent_is_never_sent_again() {
    let rig = Rig::new();
    process(&rig, |it| {
        rig.provider.replies(TOKEN, [lapsed()]);
        let asked = it.ask("L-1").unwrap();
        let flow = asked.get().0.clone();
        let code = another_code(&rig, &asked.get().1.address);
        rig.world().ledger_refuses(true);
        let go = it.arrived_for(&flow, &code).unwrap();
        let answer = it.exchanged(go);
        rig.world().ledger_refuses(false);
        assert!(it.store(vec![(flow.clone(), answer)]).pop().unwrap().is_err());
        assert_eq!(flows(&rig, "L-1")[0].stage, FlowStage::Asked, "its link works again");
        let again = it.arrives(&flow, &code).unwrap_err();
        assert!(matches!(again, Error::Handoff(HandoffError::Used { .. })), "{again}");
        // Another click brings another code.
        let go = it.arrived_for(&flow, &another_code(&rig, &asked.get().1.address)).unwrap();
        let answer = it.exchanged(go);
        it.store(vec![(flow, answer)]).pop().unwrap().unwrap();
    });
    assert_eq!((rig.provider.asked(TOKEN), times(&rig, "issued")), (2, 1));
    // The same where the process was killed, and the next one read its spool.
    let rig = Rig::new();
    let mut sent = None;
    let left = process(&rig, |it| {
        let asked = it.ask("L-1").unwrap();
        let code = another_code(&rig, &asked.get().1.address);
        rig.world().ledger_refuses(true);
        drop(it.arrived_for(&asked.get().0, &code).unwrap());
        sent = Some(code);
        rig.world().killed_here()
    });
    let rig = Rig::of(left);
    rig.world().ledger_refuses(false);
    process(&rig, |it| drop(it.recover("L-1").unwrap()));
    let code = biotrack_auth::model::secret::fingerprint(sent.unwrap().expose());
    assert!(rig.ledger().flow_that_sent(&code).unwrap().is_some());
}

#[test]
fn while_another_code_of_the_license_is_on_its_way_none_is_sent_though_the_ledger_cannot_note_it() {
    let rig = Rig::new();
    let link = process(&rig, |it| it.hand_out("L-1"));
    let back = link.granted(&rig);
    process(&rig, |waits| {
        let asked = waits.ask("L-1").unwrap();
        let code = another_code(&rig, &asked.get().1.address);
        process(&rig, |sends| {
            let _go = sends.take_up(&back).unwrap();
            rig.world().ledger_refuses(true);
            waits.arrives(&asked.get().0, &code).unwrap();
            let busy = waits.sends(&asked.get().0, &code).unwrap_err();
            assert!(matches!(busy, Error::Busy { .. }), "{busy}");
        });
        // That one has ended.
        drop(waits.sends(&asked.get().0, &code).unwrap());
        rig.world().ledger_refuses(false);
    });
}

#[test]
fn a_code_that_another_process_noted_in_its_spool_as_being_sent_is_waited_for() {
    let rig = Rig::new();
    let link = process(&rig, |it| it.hand_out("L-1"));
    let back = link.granted(&rig);
    process(&rig, |spools| {
        let asked = spools.ask("L-1").unwrap();
        let code = another_code(&rig, &asked.get().1.address);
        rig.world().ledger_refuses(true);
        drop(spools.arrived_for(&asked.get().0, &code).unwrap());
        rig.world().ledger_refuses(false);
        process(&rig, |waits| {
            let busy = waits.take_up(&back).unwrap_err();
            assert!(matches!(busy, Error::Busy { .. }), "{busy}");
        });
    });
}

#[test]
fn an_answer_from_elsewhere_that_the_ledger_cannot_take_is_kept_and_sent_as_soon_as_it_can() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        let link = process(&rig, |it| it.hand_out("L-1"));
        let back = link.granted(&rig);
        process(&rig, |it| {
            rig.world().ledger_refuses(true);
            it.only_taken_up(&back).unwrap();
            assert_eq!(flows(&rig, "L-1")[0].owner, None);
        });
        rig.world().ledger_refuses(false);
        // The process has ended: whoever comes next finishes it, without anybody's consent.
        drop(rig.grant("L-1"));
        assert_eq!((times(&rig, "consented"), times(&rig, "issued")), (1, 1));
        oracle::rests(&rig);
    }
}
