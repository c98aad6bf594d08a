//! `drive REPORT [until FIFO] CMD…`: runs a command that asks for a consent, consents, and times what follows.
//!
//! The first address on loopback that the command prints is followed up to the redirect. The clock starts before the
//! browser connects to the command's listener. Written are the microseconds until the browser was answered, and until
//! the command had ended (or, with a daemon, until a byte came through FIFO), and what `stopwatch` writes of it.
#![forbid(unsafe_code)]

use floor::oauth::Admin;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use wait4::{ResUse, Wait4};

/// A command that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the quickest person looks at the page.
const PERSON: Duration = Duration::from_millis(50);

fn main() -> io::Result<()> {
    let mut words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.len() < 2 {
        return Err(io::Error::other("usage: drive REPORT [until FIFO] CMD…"));
    }
    let report = words.remove(0);
    let fifo = (words[0] == "until").then(|| words.drain(..2).nth(1)).flatten();
    let mut command = Command::new(&words[0]);
    let (said, says) = io::pipe()?;
    command.args(&words[1..]).stdin(Stdio::inherit()).stdout(says.try_clone()?).stderr(says);
    let began = Instant::now();
    let mut child = command.spawn()?;
    // Its ends of the pipe go with it: else the reader would never see the last of it.
    drop(command);
    let id = child.id();
    let addresses = listen_to(said);
    let (tell, ended) = channel();
    std::thread::spawn(move || {
        let ended: io::Result<ResUse> = child.wait4();
        tell.send((Instant::now(), ended))
    });
    let came = fifo.map(|fifo| {
        let (tell, came) = channel();
        std::thread::spawn(move || {
            let read = File::open(fifo).and_then(|mut fifo| fifo.read(&mut [0; 1]));
            tell.send((Instant::now(), read))
        });
        came
    });
    let timed = consent(&addresses).and_then(|(sent, answered)| {
        let done = match came {
            Some(came) => within(&came)?.0,
            None => Instant::now(),
        };
        Ok((sent, answered, done))
    });
    if timed.is_err() {
        // It would wait on for an answer.
        let _ = Command::new("kill").arg(id.to_string()).status();
    }
    let (at, ended) = within(&ended)?;
    let (ended, (sent, answered, done)) = (ended?, timed?);
    let done = done.max(at);
    let used = ended.rusage;
    let line = format!(
        "{} {} {} {} {} {} {}\n",
        (answered - sent).as_micros(),
        (done - sent).as_micros(),
        (at - began).as_micros(),
        used.utime.as_micros(),
        used.stime.as_micros(),
        used.maxrss / 1024,
        ended.status.code().unwrap_or(-1)
    );
    std::fs::write(report, line)
}

/// When the redirect was sent to the listener, and when it was answered.
fn consent(addresses: &Receiver<String>) -> io::Result<(Instant, Instant)> {
    let mut admin = Admin::default();
    let back = admin.grant(&within(addresses)?)?;
    // A person takes longer: whatever the command still does after it has printed the address is over by then.
    std::thread::sleep(PERSON);
    let sent = Instant::now();
    // A listener that closes without a word has got what it wanted all the same.
    let _ = admin.visit(&back);
    Ok((sent, Instant::now()))
}

fn within<T>(channel: &Receiver<T>) -> io::Result<T> {
    channel
        .recv_timeout(PATIENCE)
        .map_err(|_| io::Error::other("nothing happened in time, or it ended before"))
}

/// The addresses on loopback in what is printed; the rest goes to standard error, to be read when it fails.
fn listen_to(said: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, addresses) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            eprintln!("{line}");
            let from = line.find("http://127.0.0.1:").or_else(|| line.find("http://localhost:"));
            if let Some(from) = from {
                let address = line[from..].split([' ', '"', '\'', '<', '>']).next().unwrap_or_default();
                // One without a query asks for nothing: some name their listener before.
                if address.contains('?') {
                    let _ = tell.send(address.to_owned());
                }
            }
        }
    });
    addresses
}
