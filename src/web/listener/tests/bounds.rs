//! S22: what a connection may take of the front server, and how many it holds, on every system.

use super::*;
use std::io::ErrorKind;

#[test]
fn s22_the_connection_evicted_is_the_oldest() {
    let rig = Rig::echo(LoopbackHost::Ipv4Literal);
    let _crowd: Vec<_> = (0..front_server::OPEN).map(|_| rig.connect()).collect();
    let head = get(rig.port, "/callback");
    let (some, rest) = head.split_at(9);
    let mut slow = rig.send(some);
    let _more: Vec<_> = (0..front_server::OPEN / 2).map(|_| rig.connect()).collect();
    callback(rig.port);
    slow.write_all(rest.as_bytes()).unwrap();
    assert!(all(slow).ends_with("you asked for /callback"));
}

#[test]
fn s22_a_header_without_end_is_told_so() {
    let rig = Rig::echo(LoopbackHost::Ipv4Literal);
    let line = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(100_000));
    assert_eq!(rig.status(&line), 431);
    // Whoever still writes isn't reset for a while: elsewhere than on Linux that would eat the answer.
    let mut browser = rig.send(&line[..20_000]);
    let mut answer = String::new();
    browser.read_to_string(&mut answer).unwrap();
    for _ in 0..3 {
        browser.write_all(b"more").unwrap();
        callback(rig.port);
    }
}

#[test]
fn s22_a_slow_head_is_ended_at_its_deadline() {
    let rig = Rig::within(Duration::from_millis(50), LoopbackHost::Ipv4Literal);
    let mut drip = rig.connect();
    // Each byte comes in time; the whole doesn't.
    let error = loop {
        if let Err(error) = drip.write_all(b"G") {
            break error.kind();
        }
        drip.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        match drip.read(&mut [0]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => break error.kind(),
            Ok(size) => {
                assert_eq!(size, 0);
                break ErrorKind::ConnectionReset;
            }
        }
    };
    // Windows says aborted of what the other side ended in the midst of a write.
    let ended =
        matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted);
    assert!(ended, "{error:?}");
}

#[test]
fn s22_more_held_than_pass_at_once_are_all_served() {
    let rig = Rig::new(LoopbackHost::Ipv4Literal);
    let browsers: Vec<_> = (0..150).map(|_| rig.ask("/callback")).collect();
    let mut held: std::collections::VecDeque<Request> =
        (0..front_server::UNANSWERED).map(|_| rig.next()).collect();
    for _ in front_server::UNANSWERED..150 {
        assert!(rig.requests.try_recv().is_err(), "more than may pass at once");
        // One is answered for each one more.
        held.pop_front().unwrap().answer(page("done"));
        held.push_back(rig.next());
    }
    held.into_iter().for_each(|request| request.answer(page("done")));
    for browser in browsers {
        assert!(all(browser).ends_with("done"));
    }
}
