//! Nobody is let in: hostile callbacks, a hostile provider and network, hostile openers, and crowds at the listener.

mod answers;
mod callbacks;
mod crowds;
mod exchange;
mod flood;
mod ledger_writer;
mod listening;
mod lookups;
mod neighbors;
mod network;
mod never_bare;
mod openers;
mod refreshing;
mod strangers;
mod swaps;
mod this_machine;
mod words;

use crate::crash::points::stride;
use crate::support::Run;
use biotrack_auth::error::is_unprintable;
use biotrack_auth::sandbox::visitor::{AdminChoice, Visitor};
use std::io::{Read, Write};
use std::net::TcpStream;
use url::Url;

/// The sandbox's admin opens an address and grants: where their browser would be sent back to.
pub fn granted(address: &str) -> Url {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Visitor::new().unwrap().answer(address, &AdminChoice::Grant).await.unwrap() })
}

/// CI takes some of them; BIOTRACK_TEST_ALL=1 all.
fn cut(cases: Vec<answers::Hostile>) -> Vec<answers::Hostile> {
    // Not the stride of the kill points: that would fall on the same few sorts again and again.
    let every = if stride() == 1 { 1 } else { 13 };
    cases.into_iter().step_by(every).collect()
}

/// A parameter of an address.
fn parameter(address: &Url, name: &str) -> String {
    address.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned()
}

/// Sends bytes to a port, and reads whatever comes back until the other side closes.
fn send(port: u16, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // The gate may have answered and closed before all of a long one is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A browser's GET.
fn get(host: &str, target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n").into_bytes()
}

/// An answer's status; 0 where there is none.
fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// S21: the headers that every page of the listener has.
#[track_caller]
fn is_guarded(what: &str, answer: &str) {
    let head = answer.split("\r\n\r\n").next().unwrap();
    for line in [
        "Content-Security-Policy: default-src 'none'",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
    ] {
        assert!(head.lines().any(|it| it.starts_with(line)), "{what}: no {line} in\n{head}");
    }
    assert!(!answer.to_lowercase().contains("<script") && !head.contains("Set-Cookie"), "{what}:\n{answer}");
}

/// S33: nothing in what was said can steer a terminal, and nothing is a panic's.
#[track_caller]
fn is_harmless(what: &str, run: &Run) {
    for text in [&run.out, &run.err] {
        let odd = text.chars().find(|c| *c != '\n' && is_unprintable(*c));
        assert_eq!(odd, None, "{what}: {text:?}");
        assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{what}: {text}");
    }
}
