//! The line to the server is cut behind each answer in turn: what was half done is undone, and what was asked of the
//! provider isn't lost.

use super::Team;
use crate::support::register;
use crate::support::team::shared;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lets so many answers through, of all connections together, and then cuts whichever brings the next: once.
struct Line {
    port: u16,
    left: Arc<AtomicUsize>,
}

impl Line {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, left) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(usize::MAX)));
        let counted = left.clone();
        std::thread::spawn(move || {
            for ours in listener.incoming().map_while(Result::ok) {
                let theirs = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (mut from, mut to) = (ours.try_clone().unwrap(), theirs.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                let counted = counted.clone();
                std::thread::spawn(move || answers(theirs, ours, &counted));
            }
        });
        Self { port, left }
    }
}

fn answers(mut theirs: TcpStream, mut ours: TcpStream, left: &AtomicUsize) {
    let mut buffer = [0; 65536];
    while let Ok(read @ 1..) = theirs.read(&mut buffer) {
        if ours.write_all(&buffer[..read]).is_err() {
            break;
        }
        let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if before == Ok(1) {
            break;
        }
    }
    for line in [ours, theirs] {
        let _ = line.shutdown(Shutdown::Both);
    }
}

#[test]
fn a_line_that_is_cut_behind_any_answer_leaves_nothing_half_done() {
    let team = Team::of(shared(), 1);
    let line = Line::to(shared().port);
    let config = team.home(0).join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let (before, after) = text.split_once(&format!("localhost:{}/", shared().port)).unwrap();
    let after = after.replacen('?', "?sslmode=disable&", 1);
    fs::write(&config, format!("{before}127.0.0.1:{}/{after}", line.port)).unwrap();
    let mut cut = 0;
    for nth in 1.. {
        let license = format!("L-{nth}");
        line.left.store(nth, Ordering::SeqCst);
        let run = team.run(0, &register(&license, &[]));
        let whole = line.left.swap(usize::MAX, Ordering::SeqCst) != 0;
        assert!([0, 7].contains(&run.code), "{nth}: {run:?}");
        let issued = |team: &Team| {
            team.rig
                .truth()
                .iter()
                .filter(|it| it["event"] == "token_issued" && it["license"] == *license)
                .count()
        };
        let granted = issued(&team);
        // Whatever it was: the same command ends it, and nobody consents twice.
        let again = team.run(0, &register(&license, &[]));
        assert!([0, 2].contains(&again.code), "{nth}: {again:?}\nafter {run:?}");
        assert_eq!(issued(&team), 1, "{nth}: {granted} before\n{run:?}\n{again:?}");
        let history = team.run(0, &["history", &license, "--json"]).exits(0).json();
        let events: Vec<_> =
            history["links"].as_array().unwrap().iter().map(|it| it["event"].clone()).collect();
        let told = |event: &str| events.iter().filter(|it| it.as_str() == Some(event)).count();
        assert!(told("asked") >= 1 && told("granted") == 1, "{nth}: {events:?}\n{run:?}");
        team.run(0, &["token", &license]).exits(0);
        team.run(0, &["history", "verify"]).exits(0);
        assert!(!team.asks(), "{nth}: a question is left open");
        if whole {
            break;
        }
        cut += 1;
    }
    assert!(cut > 40, "only {cut} answers were cut off");
}
