//! A flood at the public address: from one source and from many, past a proxy that is trusted, quick and slow, while admins
//! answer. Each of them is granted, and a monitor is told how it is.

use super::{get, granted, send, status};
use crate::support::{Rig, send as signal};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use url::Url;

const PUBLIC: &str = "https://auth.example.com/callback";
const HOST: &str = "auth.example.com";
const ADMINS: usize = 12;

/// The listening program; it ends with the test.
struct Listening(Child, u16);

impl Listening {
    fn of(rig: &Rig, more: &[&str]) -> Self {
        let mut child = rig.start(&[&["listen", "--port", "0"], more].concat());
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.split_whitespace().nth(2).unwrap_or_else(|| panic!("{line}"));
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        // What it says is read to the end, so that it never waits for a reader.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self(child, port)
    }

    fn ends(mut self) {
        signal("TERM", &self.0);
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn backs(rig: &Rig) -> Vec<Url> {
    let link = |n: usize| {
        let license = format!("L-{n}");
        let words = [
            "register",
            "--ubi",
            "604001",
            "--license",
            &license,
            "--username",
            "ann@example.com",
            "--no-wait",
            "-q",
        ];
        granted(rig.run(&words).exits(0).out.trim_end())
    };
    (0..ADMINS).map(link).collect()
}

/// A request that the proxy passes on, of a visitor from there.
fn from(source: &str, target: &str) -> Vec<u8> {
    let headers = format!("X-Forwarded-For: {source}\r\nAccept");
    String::from_utf8(get(HOST, target)).unwrap().replacen("Accept", &headers, 1).into_bytes()
}

fn guess(n: usize) -> String {
    format!("/callback?code=guessed-{n}&state=guessed-{n}")
}

/// What the flood's requests come from.
type Source = fn(usize) -> String;

/// Every admin answers while this goes on, and a monitor asks.
fn all_come_through(port: u16, backs: &[Url]) {
    for back in backs {
        let answer = send(port, &from("198.51.100.200", &format!("/callback?{}", back.query().unwrap())));
        assert!(status(&answer) == 200 && answer.contains("Access granted"), "{answer}");
        let well = send(port, &from("198.51.100.201", "/healthz"));
        assert_eq!(status(&well), 200, "{well}");
    }
}

fn rig() -> Rig {
    let rig = Rig::new();
    rig.adds_to_profile(&format!("redirect.public_url = \"{PUBLIC}\""));
    rig
}

#[test]
fn two_hundred_at_once_and_29_a_second_keep_no_admin_out() {
    let sources: [Source; 2] = [|_| "203.0.113.9".into(), |n| format!("203.{}.{}.9", n / 250, n % 250)];
    for source in sources {
        let rig = rig();
        let backs = backs(&rig);
        let listen = Listening::of(&rig, &["--trust-proxy", "10.0.0.0/24"]);
        let port = listen.1;
        let refused = AtomicUsize::new(0);
        let floods = |n: usize| {
            if status(&send(port, &from(&source(n), &guess(n)))) == 429 {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        };
        std::thread::scope(|threads| {
            for one in 0..4 {
                let floods = &floods;
                threads.spawn(move || (0..212 / 4).for_each(|n| floods(one * 212 / 4 + n)));
            }
        });
        let over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let mut next = Instant::now();
                for n in 300.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    floods(n);
                    next += Duration::from_secs(1) / 29;
                    std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                }
            });
            all_come_through(port, &backs);
            over.store(true, Ordering::Relaxed);
        });
        assert!(refused.into_inner() > 0, "nothing was slowed down: it was no flood");
        assert_eq!(rig.counted("token_issued"), ADMINS);
        listen.ends();
    }
}

/// Two attacks more: whoever holds every place by saying nothing, or drips heads; and headers that say to be somebody else.
#[test]
fn held_connections_and_forged_sources_keep_no_admin_out_either() {
    let rig = rig();
    let backs = backs(&rig);
    let listen = Listening::of(&rig, &[]);
    let port = listen.1;
    let mut held: Vec<TcpStream> =
        (0..400).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    for (n, connection) in held.iter_mut().enumerate() {
        // Some have gone already, to make room.
        let _ = connection.write_all(if n % 2 == 0 { b"GET /callback?state=" } else { b"" });
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for n in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let forged = format!("198.51.{}.{}, 203.0.113.9", n / 250 % 250, n % 250);
                send(port, &from(&forged, &guess(n)));
                let both = format!("203.0.113.9\r\nForwarded: for=198.51.{}.{}", n / 250 % 250, n % 250);
                send(port, &from(&both, &guess(n)));
            }
        });
        all_come_through(port, &backs);
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(rig.counted("token_issued"), ADMINS);
    drop(held);
    listen.ends();
}
