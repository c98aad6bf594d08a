//! Many codes at once: a few are exchanged, and the others wait for their turns. Only what is sent is noted as sent, so that
//! whoever goes on after a crash sends what never left, and no consent is wasted.

use super::*;
use crate::rig::HeldRequest;
use crate::rig::oracle;
use crate::rig::transcript::IN_VAIN;
use biotrack_auth::model::flow::FlowStage;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// How many are exchanged at once.
const PLACES: usize = 8;

/// How many consents come in one moment.
const MANY: usize = 12;

/// How many questions have come how far: codes that wait for their turns, and codes that are on their way.
fn waiting_and_sent(rig: &Rig) -> (usize, usize) {
    let flows = rig.ledger().all_flows().unwrap();
    let count = |is: fn(&FlowStage) -> bool| flows.iter().filter(|flow| is(&flow.stage)).count();
    (count(|stage| matches!(stage, FlowStage::Arrived(_))), count(|stage| *stage == FlowStage::Sent))
}

/// Waits until all codes have come, while the provider answers none; and what a process that is killed then leaves.
#[track_caller]
fn killed_with_a_queue(rig: &Rig, gate: &HeldRequest) -> Rig {
    gate.is_reached_by(PLACES);
    let began = Instant::now();
    while waiting_and_sent(rig) != (MANY - PLACES, PLACES) {
        assert!(began.elapsed() < IN_VAIN, "it never came to that: {:?}", waiting_and_sent(rig));
        std::thread::yield_now();
    }
    Rig::of(rig.world().killed_here())
}

/// Of those whose codes had left nobody knows what came of them; all others are granted by the consents that there were.
#[track_caller]
fn nothing_is_wasted(rig: &Rig) {
    let granted = rig.provider.living().len();
    assert_eq!((granted, times(rig, "consented")), (MANY - PLACES, MANY), "{:#?}", rig.provider.log());
    oracle::holds(rig);
}

fn register_all(rig: &Rig, how: &str) -> String {
    let rows: String = (0..MANY).map(|at| format!("604001,L-{at:02},ann@example.com\n")).collect();
    let path = rig.write("stores.csv", &format!("ubi,license,username\n{rows}"));
    format!("register --from '{path}' --tabs {MANY} {how}")
}

fn through_browsers(rig: &Rig) -> String {
    register_all(rig, &format!("--browser '{}'", rig.browser_program()))
}

#[test]
fn a_run_over_many_that_is_killed_wastes_no_consent_whose_code_had_not_left() {
    for rig in [Rig::new(), Rig::with_keyring()] {
        let (gate, command) = (rig.provider.holds(TOKEN), through_browsers(&rig));
        let (mut left, noted) = (None, &rig);
        let done = rig.run_while(&command, |_| {
            left = Some(killed_with_a_queue(noted, &gate));
            gate.opens();
        });
        // Those that weren't killed are all stored.
        drop(done.exits(0));
        assert_eq!((rig.provider.living().len(), times(&rig, "consented")), (MANY, MANY));
        oracle::rests(&rig);
        let left = left.unwrap();
        // The admin who would be asked of what is uncertain isn't there.
        left.visits(std::iter::repeat_n(crate::rig::Visit::Denies, PLACES));
        drop(left.run(&through_browsers(&left)).exits(3));
        nothing_is_wasted(&left);
    }
}

#[test]
fn ctrl_c_lets_what_has_arrived_be_sent_and_stored() {
    let rig = Rig::new();
    let (gate, command) = (rig.provider.holds(TOKEN), through_browsers(&rig));
    let done = rig.run_while(&command, |running| {
        drop(killed_with_a_queue(&rig, &gate));
        running.hand.interrupts();
        running.says("One moment");
        gate.opens();
    });
    drop(done.exits(0));
    assert_eq!((rig.provider.living().len(), times(&rig, "consented")), (MANY, MANY));
    oracle::rests(&rig);
}

#[test]
fn a_listener_that_is_killed_wastes_no_consent_whose_code_had_not_left() {
    let rig = Rig::new();
    rig.adds_to_profile("redirect.public_url = \"https://auth.example.com/callback\"");
    let handed = rig.run(&register_all(&rig, "--no-wait --json")).exits(0).json();
    let links = handed["results"].as_array().unwrap().iter();
    let answers: Vec<_> =
        links.map(|it| rig.provider.consents(it["authorize_url"].as_str().unwrap(), None)).collect();
    let gate = rig.provider.holds(TOKEN);
    let mut left = None;
    let done = rig.run_while("listen --port 0", |running| {
        let said = running.says("Listening on 127.0.0.1:");
        let port = said.split("Listening on 127.0.0.1:").nth(1).unwrap().split(' ').next().unwrap();
        let browsers: Vec<_> = answers.iter().map(|answer| brings(port, answer)).collect();
        left = Some(killed_with_a_queue(&rig, &gate));
        gate.opens();
        for mut browser in browsers {
            let mut page = String::new();
            browser.read_to_string(&mut page).unwrap();
            assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        }
        running.hand.interrupts();
    });
    drop(done.exits(0));
    assert_eq!(rig.provider.living().len(), MANY);
    oracle::rests(&rig);
    let left = left.unwrap();
    drop(left.run_while("listen --port 0", |running| {
        // What was left is finished before it listens to anybody.
        let began = Instant::now();
        while waiting_and_sent(&left) != (0, 0) {
            assert!(began.elapsed() < IN_VAIN);
            std::thread::yield_now();
        }
        running.hand.interrupts();
    }));
    nothing_is_wasted(&left);
}

/// A browser that was sent back to the public address, as the proxy passes it on. It waits for its page.
fn brings(port: &str, back: &str) -> TcpStream {
    let back = url::Url::parse(back).unwrap();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let head = format!(
        "GET {}?{} HTTP/1.1\r\nHost: auth.example.com\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n",
        back.path(),
        back.query().unwrap()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn an_answer_that_was_handed_in_is_sent_by_whoever_goes_on() {
    let rig = Rig::new();
    let link = process(&rig, |it| it.hand_out("L-1"));
    let back = link.granted(&rig);
    process(&rig, |it| it.only_taken_up(&back).unwrap());
    assert!(matches!(flows(&rig, "L-1")[0].stage, FlowStage::Arrived(_)));
    drop(rig.run(&format!("complete '{back}'")).exits(0));
    assert_eq!((rig.provider.living().len(), times(&rig, "consented")), (1, 1));
    oracle::rests(&rig);
}
