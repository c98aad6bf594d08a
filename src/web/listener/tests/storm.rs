//! S22: whatever else comes in, the true callback is answered, and not because others ran out of time; in bounded room.

use super::alone::{Crowd, alone};
use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// One that answers at once. What holds its place by saying nothing loses none by the clock, so that whoever is answered was
/// made room for.
fn rig_in_a_storm() -> Rig {
    Rig::echo_within(Duration::from_hours(1), LoopbackHost::Ipv4Literal)
}

/// A figure of this process's own, from the kernel.
fn figure(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|other: char| !other.is_ascii_digit()).parse().unwrap()
}

/// What the storm may cost: memory at its peak in KiB, and threads.
struct Room {
    memory: usize,
    threads: usize,
}

impl Room {
    fn now() -> Room {
        Room { memory: figure("VmRSS:"), threads: figure("Threads:") }
    }

    fn check(&self, threads: usize) {
        let memory = figure("VmHWM:") - self.memory;
        assert!(memory < 64 * 1024, "{memory} KiB more");
        let more = figure("Threads:").saturating_sub(self.threads);
        assert!(more <= threads, "{more} threads more");
        let mut err = io::stderr();
        let _ = writeln!(err, "at the peak {memory} KiB more, now {more} threads more");
    }
}

#[test]
fn s22_half_open_connections() {
    alone("storm::half_open_run_alone_by_its_parent", 1024);
}

#[test]
#[ignore = "run by s22_half_open_connections, alone"]
fn half_open_run_alone_by_its_parent() {
    let rig = rig_in_a_storm();
    callback(rig.port);
    let room = Room::now();
    let mut crowds = Vec::new();
    for say in ["", "GET /callback?code=false HTTP/1.1", ""] {
        // A callback that arrives in the midst of a crowd, not only after it.
        let port = rig.port;
        let among = std::thread::spawn(move || (0..20).for_each(|_| callback(port)));
        crowds.push(Crowd::gather(rig.port, 500, say));
        among.join().unwrap();
        callback(rig.port);
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
        assert!(open < 300, "{open} descriptors");
    }
    room.check(8);
}

#[test]
fn s22_drips_floods_and_rubbish() {
    alone("storm::rubbish_run_alone_by_its_parent", 1024);
}

#[test]
#[ignore = "run by s22_drips_floods_and_rubbish, alone"]
fn rubbish_run_alone_by_its_parent() {
    let rig = rig_in_a_storm();
    callback(rig.port);
    let room = Room::now();
    let (over, port) = (AtomicBool::new(false), rig.port);
    std::thread::scope(|scope| {
        // Also where something here fails: the storm's threads would blow for ever.
        let calm = Calm(&over);
        scope.spawn(|| {
            let mut drips: Vec<_> = (0..300).map(|_| connect(port)).collect();
            while !over.load(Ordering::Relaxed) {
                for drip in &mut drips {
                    if drip.write_all(b"x").is_err() {
                        *drip = connect(port);
                    }
                }
            }
        });
        scope.spawn(|| {
            let resetting = runtime();
            while !over.load(Ordering::Relaxed) {
                reset(port, &resetting, b"GET /callback?code=");
            }
        });
        for _ in 0..5 {
            callback(rig.port);
            endless_header(&rig);
            callback(rig.port);
            assert_eq!(all(rig.send(b"\x16\x03\x01\x00\x05hello")), "");
            for rubbish in [&b"\xff\xfe\xfd"[..], b"GET /\xc3\x28 HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"GET /\0"]
            {
                assert_eq!(status(&all(rig.send(rubbish))), 400);
            }
            callback(rig.port);
        }
        drop(calm);
    });
    room.check(8);
}

/// Ends a storm when it goes.
struct Calm<'a>(&'a AtomicBool);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends 200 MB of one header line, or as much as is taken.
fn endless_header(rig: &Rig) {
    let mut stream = rig.send(format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nX-Long: ", rig.port));
    let block = [b'x'; 64 * 1024];
    let sent = (0..3200).take_while(|_| stream.write_all(&block).is_ok()).count();
    assert!(sent < 3200, "all 200 MB were taken");
}

/// Leaves in mid-request with a reset, not a farewell.
fn reset(port: u16, runtime: &Runtime, bytes: &[u8]) {
    let mut stream = connect(port);
    let _ = stream.write_all(bytes);
    stream.set_nonblocking(true).unwrap();
    let _inside = runtime.enter();
    tokio::net::TcpStream::from_std(stream).unwrap().set_zero_linger().unwrap();
}

#[test]
fn s22_many_whole_requests_at_once() {
    alone("storm::many_at_once_run_alone_by_its_parent", 1024);
}

#[test]
#[ignore = "run by s22_many_whole_requests_at_once, alone"]
fn many_at_once_run_alone_by_its_parent() {
    let rig = rig_in_a_storm();
    callback(rig.port);
    let room = Room::now();
    for _ in 0..20 {
        let idle: Vec<_> = (0..20).map(|_| rig.connect()).collect();
        let asked: Vec<_> = (0..200).map(|_| rig.ask("/callback")).collect();
        callback(rig.port);
        for browser in asked {
            assert!(all(browser).ends_with("you asked for /callback"));
        }
        drop(idle);
    }
    room.check(8);
}

#[test]
fn s22_out_of_descriptors() {
    alone("storm::out_of_descriptors_run_alone_by_its_parent", 64);
}

#[test]
#[ignore = "run by s22_out_of_descriptors, alone and with 64 descriptors"]
fn out_of_descriptors_run_alone_by_its_parent() {
    let rig = rig_in_a_storm();
    callback(rig.port);
    let _crowd = Crowd::gather(rig.port, 300, "GET /callb");
    callback(rig.port);
    // The control: descriptors really were at their end.
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(open > 24, "{open}");
    // And as a storm, not only a crowd.
    let _more = Crowd::gather(rig.port, 300, "");
    callback(rig.port);
}
