//! Running an operator's command: its words, never a shell; the event on its standard input; killed when it takes too long.
//!
//! The event is a file, whole and locked before the command begins, and the command inherits it with its lock. So whoever
//! comes after this process was killed sees whether the command still runs, and no command ever gets half an event.

use super::files;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a running hook is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Runs a command to its end in a folder, whoever calls. `event` is the file for what is on its standard input, one for each
/// event; it's gone afterwards. The error says what went wrong, without what is in the event.
pub fn run(
    words: &[String],
    folder: Option<&Path>,
    event: &Path,
    input: &[u8],
    timeout: Duration,
) -> Result<(), String> {
    let (program, arguments) = words.split_first().ok_or("it has no words")?;
    let stdin = written(event, input)?;
    let ended = run_on(program, arguments, folder, &stdin, timeout);
    let _ = fs::remove_file(event);
    ended
}

fn run_on(
    program: &str,
    arguments: &[String],
    folder: Option<&Path>,
    stdin: &File,
    timeout: Duration,
) -> Result<(), String> {
    let mut command = Command::new(program);
    command.current_dir(folder.filter(|it| it.is_dir()).unwrap_or(Path::new(".")));
    // What it prints is talk, not this program's answer.
    command.args(arguments).stdout(Stdio::from(std::io::stderr()));
    command.stdin(stdin.try_clone().map_err(|e| e.to_string())?);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|e| format!("{program} can't be run: {e}"))?;
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

/// Writes an event, and opens it for the command; refused while a command that an earlier run started still has it.
fn written(event: &Path, input: &[u8]) -> Result<File, String> {
    let unwritten = |e: &dyn std::fmt::Display| format!("its event can't be written: {e}");
    if let Some(folder) = event.parent() {
        files::private_folder(folder).map_err(|e| unwritten(&e))?;
    }
    if let Some(left) = files::read_private(event, files::Holds::Secret).map_err(|e| unwritten(&e))? {
        if is_held(&left) {
            return Err("it was started by a run that was killed, and still runs".into());
        }
        // Whether that run's command did its work can't be known: it gets the same event again.
        fs::remove_file(event).map_err(|e| unwritten(&e))?;
    }
    let mut file = files::create_private(event).map_err(|e| unwritten(&e))?;
    file.write_all(input).map_err(|e| unwritten(&e))?;
    let file = files::read_private(event, files::Holds::Secret)
        .map_err(|e| unwritten(&e))?
        .ok_or("its event is gone again")?;
    hold(&file).map_err(|e| unwritten(&e))?;
    Ok(file)
}

#[cfg(unix)]
fn is_held(file: &File) -> bool {
    file.try_lock().is_err()
}

#[cfg(unix)]
fn hold(file: &File) -> std::io::Result<()> {
    file.lock()
}

/// A lock keeps others from reading there, the command among them.
#[cfg(not(unix))]
fn is_held(_: &File) -> bool {
    false
}

#[cfg(not(unix))]
fn hold(_: &File) -> std::io::Result<()> {
    Ok(())
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
