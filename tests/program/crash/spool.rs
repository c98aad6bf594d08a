//! The spool beside the ledger: whichever knows more is believed, and nothing goes back.

use crate::support::Rig;
use crate::support::stored::{PROFILE, key};
use biotrack_auth::ledger::{Intent, Ledger, Spool};
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::{Change, Flow, Owner, Purpose, Sealed, Stage};
use biotrack_auth::model::ids::{FlowId, Generation, Username};
use jiff::Timestamp;

/// A process's ledger and spool, with one question asked.
fn asked(rig: &Rig) -> (Ledger, Spool, FlowId) {
    let mut ledger = Ledger::open(&rig.env()).unwrap();
    let username = Username::parse("ann@example.com").unwrap();
    let record = Authorization::asked(PROFILE, key("L-1"), username.clone());
    let flow = Flow {
        id: FlowId("the-flow".into()),
        profile: PROFILE.into(),
        key: key("L-1"),
        purpose: Purpose::Register,
        username,
        base: Generation(0),
        redirect_uri: String::new(),
        opened: Timestamp::UNIX_EPOCH,
        deadline: Timestamp::UNIX_EPOCH,
        owner: Some(Owner { mark: String::new(), label: String::new() }),
        memo: None,
        stage: Stage::Asked,
    };
    let change =
        Change { record, expect: Generation(0), moves: Vec::new(), closes: None, events: Vec::new() };
    let spool = ledger.reserve(1).unwrap();
    let id = flow.id.clone();
    ledger
        .intend(vec![Intent { flow, change, state: None, handed_off: false }])
        .unwrap()
        .pop()
        .unwrap()
        .unwrap();
    (ledger, spool, id)
}

fn code() -> Stage {
    Stage::Arrived(Sealed(b"code".to_vec()))
}

fn answer() -> Stage {
    Stage::Answered(Sealed(b"answer".to_vec()))
}

/// What the next process finds, before and after it merges.
fn found(rig: &Rig) -> (Stage, Stage) {
    let mut ledger = Ledger::open(&rig.env()).unwrap();
    let shown = ledger.standing(PROFILE, &key("L-1")).unwrap().unwrap().flows.pop().unwrap().stage;
    let merged = ledger.unfinished(PROFILE, None).unwrap().pop().unwrap().stage;
    assert_eq!(std::fs::read_dir(rig.file("spool")).unwrap().count(), 0, "merged once");
    (shown, merged)
}

#[test]
fn what_only_the_spool_knows_is_shown_and_merged() {
    let rig = Rig::new();
    let (ledger, mut spool, flow) = asked(&rig);
    spool.keep(&flow, &answer()).unwrap();
    drop((ledger, spool));
    assert_eq!(found(&rig), (answer(), answer()));
}

#[test]
fn a_code_that_the_ledger_knows_was_sent_is_not_sent_again() {
    let rig = Rig::new();
    let (mut ledger, mut spool, flow) = asked(&rig);
    spool.keep(&flow, &code()).unwrap();
    ledger.note(&flow, &Stage::Sent).unwrap();
    drop((ledger, spool));
    assert_eq!(found(&rig), (Stage::Sent, Stage::Sent));
}

#[test]
fn an_answer_in_the_ledger_is_not_overwritten_by_what_came_before_it() {
    let rig = Rig::new();
    let (mut ledger, mut spool, flow) = asked(&rig);
    spool.keep(&flow, &Stage::Sent).unwrap();
    ledger.keep_answer(&flow, &answer()).unwrap();
    drop((ledger, spool));
    assert_eq!(found(&rig), (answer(), answer()));
}
