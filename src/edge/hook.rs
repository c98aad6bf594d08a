//! Running an operator's command: its words, never a shell; the event on its standard input; killed when it takes too long.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a running hook is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Runs a command to its end. The error says what went wrong, without what was on its standard input.
pub fn run(words: &[String], input: &[u8], timeout: Duration) -> Result<(), String> {
    let (program, arguments) = words.split_first().ok_or("it has no words")?;
    let mut command = Command::new(program);
    // What it prints is talk, not this program's answer.
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::from(std::io::stderr()));
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|e| format!("{program} can't be run: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // One that doesn't read must not hold us; what it leaves unread is its own affair.
        let writer = std::thread::Builder::new().name("hook".into());
        writer.spawn(move || drop(stdin.write_all(&input))).map_err(|e| e.to_string())?;
    }
    let until = Instant::now() + timeout;
    loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{program} ended with {status}")),
            None if Instant::now() >= until => {
                kill(&mut child);
                return Err(format!("{program} took longer than {} s and was stopped", timeout.as_secs()));
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

/// Ends it with all that it started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}
