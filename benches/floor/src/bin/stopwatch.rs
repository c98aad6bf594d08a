//! `stopwatch REPORT CMD…`: runs a command and writes wall, user and system microseconds, peak KiB and exit code.
//!
//! A process inherits its parent's peak memory through fork, so that the parent must be as small as this.
#![forbid(unsafe_code)]

use std::process::Command;
use std::time::Instant;
use wait4::Wait4;

fn main() -> std::io::Result<()> {
    let mut words = std::env::args_os().skip(1);
    let (Some(report), Some(program)) = (words.next(), words.next()) else {
        return Err(std::io::Error::other("usage: stopwatch REPORT CMD…"));
    };
    let mut command = Command::new(program);
    command.args(words);
    let began = Instant::now();
    let ended = command.spawn()?.wait4()?;
    let wall = began.elapsed().as_micros();
    let used = ended.rusage;
    let line = format!(
        "{wall} {} {} {} {}\n",
        used.utime.as_micros(),
        used.stime.as_micros(),
        used.maxrss / 1024,
        ended.status.code().unwrap_or(-1)
    );
    std::fs::write(report, line)
}
