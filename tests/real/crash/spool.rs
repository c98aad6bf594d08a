//! The spool beside the ledger: whichever knows more is believed, and nothing goes back.

use crate::support::Rig;
use crate::support::stored::{PROFILE, key};
use biotrack_auth::ledger::{Intent, Ledger, Spool};
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::{Flow, FlowOwner, FlowStage, OldSeals, Purpose, RecordCommit, SealedBytes};
use biotrack_auth::model::ids::{FlowId, Generation, Username};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// A process's ledger and spool, with one question asked.
fn asked(rig: &Rig) -> (Ledger, Spool, FlowId) {
    let mut ledger = rig.ledger();
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
        handed_off: false,
        had_answer: false,
        owner: Some(FlowOwner { mark: String::new(), label: String::new() }),
        memo: None,
        stage: FlowStage::Asked,
        old: OldSeals::default(),
    };
    let change = RecordCommit { record, moves: Vec::new(), ends: None, events: Vec::new() };
    let spool = ledger.reserve(1).unwrap();
    let id = flow.id.clone();
    ledger.record_flows(vec![Intent { flow, change, state: None }]).unwrap().pop().unwrap().unwrap();
    (ledger, spool, id)
}

fn code() -> FlowStage {
    FlowStage::Arrived(SealedBytes(b"code".to_vec()))
}

fn answer() -> FlowStage {
    FlowStage::Answered(SealedBytes(b"answer".to_vec()))
}

/// What the next process finds, before and after it merges.
fn found(rig: &Rig) -> (FlowStage, FlowStage) {
    let mut ledger = rig.ledger();
    let shown = ledger.standing(PROFILE, &key("L-1")).unwrap().unwrap().flows.pop().unwrap().stage;
    let merged = ledger.unfinished(PROFILE, None).unwrap().pop().unwrap().stage;
    assert_eq!(std::fs::read_dir(rig.file("spool")).unwrap().count(), 0, "merged once");
    // A look reads no secret, and so shows only how far it had come.
    let shown = if shown.order() == merged.order() { merged.clone() } else { shown };
    (shown, merged)
}

#[test]
fn what_only_the_spool_knows_is_shown_and_merged() {
    let rig = Rig::new();
    let (ledger, mut spool, flow) = asked(&rig);
    spool.keep(&flow, &answer(), None).unwrap();
    drop((ledger, spool));
    assert_eq!(found(&rig), (answer(), answer()));
}

#[test]
fn a_code_that_the_ledger_knows_was_sent_is_not_sent_again() {
    let rig = Rig::new();
    let (mut ledger, mut spool, flow) = asked(&rig);
    spool.keep(&flow, &code(), None).unwrap();
    ledger.note(&flow, &FlowStage::Sent).unwrap();
    drop((ledger, spool));
    assert_eq!(found(&rig), (FlowStage::Sent, FlowStage::Sent));
}

#[test]
fn an_answer_in_the_ledger_is_not_overwritten_by_what_came_before_it() {
    let rig = Rig::new();
    let (mut ledger, mut spool, flow) = asked(&rig);
    spool.keep(&flow, &FlowStage::Sent, None).unwrap();
    drop(ledger.note_synced(&flow, &answer()).unwrap());
    drop((ledger, spool));
    assert_eq!(found(&rig), (answer(), answer()));
}

/// What an unused spool is called between two processes.
fn spare(rig: &Rig) -> PathBuf {
    rig.file("spool.spare")
}

#[test]
fn the_room_of_an_unused_one_goes_to_the_next_process() {
    use std::os::unix::fs::MetadataExt;
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let first = spare(&rig).metadata().unwrap();
    assert_eq!((first.len(), first.mode() & 0o7777), (16 * 1024, 0o600));
    rig.register("L-2").exits(0);
    assert_eq!(spare(&rig).metadata().unwrap().ino(), first.ino());
    assert_eq!(std::fs::read_dir(rig.file("spool")).unwrap().count(), 0);
}

#[test]
fn one_whose_name_a_power_cut_took_back_is_merged_all_the_same() {
    let rig = Rig::new();
    let (ledger, mut spool, flow) = asked(&rig);
    spool.keep(&flow, &answer(), None).unwrap();
    let used = std::fs::read_dir(rig.file("spool")).unwrap().next().unwrap().unwrap().path();
    std::fs::rename(used, spare(&rig)).unwrap();
    drop((ledger, spool));
    let mut ledger = rig.ledger();
    drop(ledger.reserve(1).unwrap());
    assert_eq!(ledger.unfinished(PROFILE, None).unwrap().pop().unwrap().stage, answer());
    drop(ledger);
    assert_eq!(found(&rig), (answer(), answer()));
}

#[test]
fn what_somebody_laid_in_a_spares_place_is_neither_written_to_nor_in_the_way() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let rig = Rig::new();
    let theirs = rig.elsewhere("theirs");
    let blank = vec![b'\n'; 16 * 1024];
    std::fs::write(&theirs, &blank).unwrap();
    let laid: [&dyn Fn(&Path); 4] = [
        &|at| symlink(&theirs, at).unwrap(),
        &|at| std::fs::create_dir(at).unwrap(),
        &|at| std::fs::write(at, "").unwrap(),
        &|at| {
            std::fs::write(at, &blank).unwrap();
            std::fs::set_permissions(at, PermissionsExt::from_mode(0o666)).unwrap();
        },
    ];
    for (number, lay) in laid.iter().enumerate() {
        let _ = std::fs::remove_dir(spare(&rig));
        let _ = std::fs::remove_file(spare(&rig));
        lay(&spare(&rig));
        rig.register(&format!("L-{number}")).exits(0);
        assert_eq!(std::fs::read(&theirs).unwrap(), blank);
        assert_eq!(std::fs::read_dir(rig.file("spool")).unwrap().count(), 0);
    }
}
