//! S15, S16, S22: other processes of this machine crowd the waiting program's port, or guess at its state. The true
//! answer is served within a second all the same, in less than 64 MB and with few threads.

use super::{get, granted, is_guarded, is_harmless, send, status};
use crate::crash::points::stride;
use crate::support::asked::Asked;
use crate::support::proxy::Proxy;
use crate::support::{Rig, outside, register};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A process that crowds a port until it's dropped.
struct Crowding(Child);

impl Crowding {
    fn stands(port: u16, how: &str, many: usize) -> Self {
        let mut child = outside("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/hostile/crowd.py"))
            .args([port.to_string(), how.into(), many.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "stands\n", "{how} {many}");
        Self(child)
    }
}

impl Drop for Crowding {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A figure of the program's, from the kernel.
fn figure(asked: &Asked, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", asked.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|other: char| !other.is_ascii_digit()).parse().unwrap()
}

/// One crowd at a time: each has the whole machine's loopback to itself.
static ALONE: Mutex<()> = Mutex::new(());

/// The true answer comes while these crowd the port; the whole program's figures, told and bounded.
fn served(what: &str, crowds: &[(&str, usize)]) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let rig = Rig::new();
    let waiting = Asked::start(&rig, &register("L-1", &["--no-browser"]));
    let back = granted(&waiting.address);
    let host = back.authority().to_owned();
    let before = figure(&waiting, "Threads:");
    let mut standing = Vec::new();
    let mut slowest = Duration::ZERO;
    for (how, many) in crowds {
        standing.push(Crowding::stands(waiting.port(), how, *many));
        for _ in 0..20 {
            let began = Instant::now();
            let answer = send(waiting.port(), &get(&host, "/callback?code=guessed&state=guessed"));
            slowest = slowest.max(began.elapsed());
            assert_eq!(status(&answer), 400, "{what}: {answer:?}");
        }
    }
    let threads = figure(&waiting, "Threads:");
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", waiting.id())).unwrap().count();
    let memory = figure(&waiting, "VmHWM:");
    let began = Instant::now();
    let answer = send(waiting.port(), &get(&host, &format!("/callback?{}", back.query().unwrap())));
    let took = began.elapsed();
    assert_eq!(status(&answer), 200, "{what}: {answer}");
    is_guarded(what, &answer);
    is_harmless(what, &waiting.ended().exits(0));
    assert_eq!(rig.only()["state"], "active");
    let _ = writeln!(
        std::io::stderr(),
        "{what}: the true answer took {} ms, a stranger's at most {} ms; {memory} KiB at the peak, {threads} threads \
         ({before} before), {descriptors} descriptors",
        took.as_millis(),
        slowest.as_millis()
    );
    // The figures of issue 6.
    assert!(took < Duration::from_secs(1), "{what}: {took:?}");
    // A stranger's own wait has no figure: whoever comes right behind thousands waits until they are worked off.
    assert!(memory < 64 * 1024, "{what}: {memory} KiB");
    assert!(threads <= before + 8, "{what}: {threads} threads, {before} before");
    assert!(descriptors < 400, "{what}: {descriptors} descriptors");
}

#[test]
fn half_open_connections_hold_nobody_up() {
    served("1,500 half-open", &[("open", 500), ("half", 500), ("open", 500)]);
}

#[test]
fn slow_and_foreign_talk_holds_nobody_up() {
    served("drips and TLS hellos", &[("drip", 300), ("hello", 500), ("half", 300)]);
}

#[test]
fn ten_thousand_held_open_hold_nobody_up() {
    let (many, what) = if stride() == 1 { (10_000, "10,000 held open") } else { (3_000, "3,000 held open") };
    served(what, &[("open", many)]);
}

#[test]
fn whoever_guesses_states_guesses_in_vain() {
    let rig = Rig::new();
    let exchanged = Proxy::lossy(&rig, 0);
    let waiting = Asked::start(&rig, &register("L-1", &["--no-browser"]));
    let back = granted(&waiting.address);
    let (host, port) = (back.authority().to_owned(), waiting.port());
    let many = if stride() == 1 { 5_000 } else { 2_000 };
    // Four at once, as other processes would.
    std::thread::scope(|scope| {
        for guesser in 0..4 {
            let host = &host;
            scope.spawn(move || {
                for nth in 0..many / 4 {
                    // As long as the true one.
                    let state = format!("{:043}", nth * 4 + guesser);
                    let answer = send(port, &get(host, &format!("/callback?code=guessed&state={state}")));
                    assert_eq!(status(&answer), 400, "{answer}");
                }
            });
        }
    });
    assert_eq!(exchanged.asked(), 0);
    let answer = send(port, &get(&host, &format!("/callback?{}", back.query().unwrap())));
    assert_eq!(status(&answer), 200, "{answer}");
    waiting.ended().exits(0);
    assert_eq!((exchanged.asked(), rig.counted("token_issued")), (1, 1));
}

#[test]
fn a_squatted_port_is_told_before_anyone_is_asked() {
    let rig = Rig::new();
    let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = squatter.local_addr().unwrap().port();
    let noted = rig.elsewhere("noted");
    let browser = format!("touch {}", noted.display());
    // By flag and by profile; renewals too.
    rig.register("L-old").exits(0);
    rig.adds_to_profile(&format!("redirect.port = {port}"));
    let known = rig.truth().len();
    let flag = port.to_string();
    for arguments in [
        register("L-1", &["--browser", &browser, "--port", &flag]),
        register("L-1", &["--browser", &browser]),
        vec!["renew", "L-old", "--browser", &browser],
    ] {
        rig.run(&arguments).exits(2).answers_nothing().says(&flag).says("--port");
    }
    assert!(!noted.exists() && rig.truth().len() == known, "somebody was asked");
    assert_eq!(rig.status()["summary"]["total"], 1);
    drop(squatter);
    // Who comes second to a port that waits is the one who is told.
    let waiting = Asked::start(&rig, &register("L-1", &["--no-browser"]));
    assert_eq!(waiting.port(), port);
    assert!(TcpListener::bind(("127.0.0.1", port)).is_err(), "the port can be taken from us");
    // Nobody from outside this machine reaches it.
    let outward = std::net::UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
    if let Ok(ours) = outward.map(|it| it.ip()).map_err(drop) {
        assert!(ours.is_loopback() || TcpStream::connect((ours, port)).is_err(), "it listens on {ours}");
    }
}
