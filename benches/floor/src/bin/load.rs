//! `load PROVIDER FLIGHT MANY`: how many grants a second the provider itself can give, so many in flight: page, form and
//! token request over kept connections, and nothing stored. Prints grants and microseconds.
#![forbid(unsafe_code)]

use floor::http::{Connection, parameter, split};
use floor::oauth::{self, Admin};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Nobody listens there: the redirect isn't followed.
const BACK: &str = "http://127.0.0.1:1/callback";

fn main() -> io::Result<()> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [provider, flight, many] = words.as_slice() else {
        return Err(io::Error::other("usage: load PROVIDER FLIGHT MANY"));
    };
    let number = |text: &str| text.parse::<usize>().map_err(io::Error::other);
    let (flight, many) = (number(flight)?, number(many)?);
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..flight).map(|_| scope.spawn(|| work(provider, &next, many))).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("panic"))))
    })?;
    println!("{many} {}", began.elapsed().as_micros());
    Ok(())
}

fn work(provider: &str, next: &AtomicUsize, many: usize) -> io::Result<()> {
    let mut admin = Admin::default();
    let mut client = Connection::to(split(provider)?.0);
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= many {
            return Ok(());
        }
        let back = admin.grant(&oauth::authorize(provider, BACK, &format!("101-X{at:06}-D1")))?;
        let code = parameter(&back, "code").unwrap_or_default();
        let answer = client.post("/oauth/token", &oauth::exchange(code, BACK))?;
        if answer.status != 200 {
            return Err(io::Error::other(answer.body));
        }
    }
}
