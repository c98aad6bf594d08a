//! `crowd REPORT ADMINS CMD…`: runs a command that prints a JSON line for each page it opens, and grants each at once.
//!
//! So many admins sit at browsers that keep their connections to the provider. Written are the grants, the microseconds
//! from the first page to the last grant that was told, and what `stopwatch` writes of the command.
#![forbid(unsafe_code)]

use floor::oauth::{Admin, field};
use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use wait4::Wait4;

fn main() -> io::Result<()> {
    let mut words = std::env::args_os().skip(1);
    let (Some(report), Some(admins), Some(program)) = (words.next(), words.next(), words.next()) else {
        return Err(io::Error::other("usage: crowd REPORT ADMINS CMD…"));
    };
    let admins: usize = admins.to_string_lossy().parse().map_err(io::Error::other)?;
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped());
    let (open, pages) = channel();
    let pages = Arc::new(Mutex::new(pages));
    for _ in 0..admins {
        let pages = pages.clone();
        std::thread::spawn(move || sit(&pages));
    }
    let began = Instant::now();
    let mut child = command.spawn()?;
    let lines = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).lines();
    let (mut first, mut last, mut granted) = (None, began, 0_u32);
    for line in lines {
        let line = line?;
        match field(&line, "event") {
            Some("opened") => {
                first.get_or_insert_with(Instant::now);
                let address = field(&line, "authorize_url").unwrap_or_default();
                let _ = open.send(address.to_owned());
            }
            Some("granted") => (last, granted) = (Instant::now(), granted + 1),
            Some("failed") => eprintln!("{line}"),
            _ => {}
        }
    }
    let ended = child.wait4()?;
    let wall = began.elapsed().as_micros();
    let used = ended.rusage;
    let line = format!(
        "{granted} {} {wall} {} {} {} {}\n",
        (last - first.unwrap_or(last)).as_micros(),
        used.utime.as_micros(),
        used.stime.as_micros(),
        used.maxrss / 1024,
        ended.status.code().unwrap_or(-1)
    );
    std::fs::write(report, line)
}

fn sit(pages: &Mutex<Receiver<String>>) {
    let mut admin = Admin::default();
    loop {
        let next = pages.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(address) = next else { return };
        let visited = admin.grant(&address).and_then(|back| admin.visit(&back));
        if let Err(e) = visited {
            eprintln!("an admin couldn't grant: {e}");
        }
    }
}
