//! What other people's tools say of what the program writes and ships. `tests/run` installs them.

mod calendar;
mod cron;
mod jq;
mod listen;
mod many;
mod monitoring;
mod peers;
mod prometheus;
mod spreadsheet;
mod systemd;
mod traced;

use crate::support::{Run, outside};
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A shipped file.
fn shipped(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("contrib").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(shipped(path)).unwrap()
}

/// Runs it with this text on standard input.
fn fed(command: &mut Command, input: &str) -> Run {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Run::of(child.wait_with_output().unwrap())
}

/// What a Python script, fed this text, prints as JSON. Debian's own Python: its packages are there.
fn python(script: &str, input: &str) -> Value {
    fed(outside("python3").args(["-c", script]), input).exits(0).json()
}

/// Runs a script as root in mounts of its own, so that nothing it lays over the machine's files stays.
fn in_own_mounts(script: &str) -> Daemon {
    let root = rustix::process::geteuid().is_root();
    let mut command = if root { outside("unshare") } else { outside("sudo") };
    if !root {
        command.args(["-n", "unshare"]);
    }
    let child = command
        .args(["--mount", "--pid", "--fork", "--kill-child", "bash", "-euc", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Daemon { child: Some(child) }
}

/// A daemon that ends with its test.
struct Daemon {
    child: Option<Child>,
}

impl Daemon {
    /// Waits until something holds; if the daemon ends before, what it said.
    fn until<T>(&mut self, seconds: u64, what: &str, holds: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(found) = holds() {
                return found;
            }
            let ended = self.child.as_mut().unwrap().try_wait().unwrap().is_some();
            if ended || Instant::now() > deadline {
                let mut child = self.child.take().unwrap();
                let _ = child.kill();
                panic!("{what} didn't come: {:?}", Run::of(child.wait_with_output().unwrap()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
