//! Running an operator's command: its words, never a shell; the event on its standard input; killed when it takes too long.
//!
//! The event is a file, whole and locked before the command begins, and the command inherits it with its lock. So whoever
//! comes after this process was killed sees whether the command still runs, and no command ever gets half an event.

use super::files;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How often a running hook is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What is longer than the system takes to end a command that it was told to kill.
const ENDED: Duration = Duration::from_secs(1);

/// What keeps a command from success.
#[derive(Debug, PartialEq, Eq)]
pub enum HookFault {
    /// What went wrong, without what is in the event.
    Failed(String),
    /// It was stopped before its end, because this process ends.
    Stopped,
}

impl From<String> for HookFault {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// A command to be run on an event.
#[derive(Debug)]
pub struct Hook {
    /// Program and arguments.
    pub words: Vec<String>,
    /// The folder that it runs in; where there is none, this process's.
    pub folder: Option<PathBuf>,
    /// The file for what is on its standard input, one for each event; it's gone afterwards.
    pub event: PathBuf,
    /// The event.
    pub input: String,
    /// How long it may take.
    pub timeout: Duration,
}

impl Hook {
    /// Runs it to its end, unless that isn't wanted any more: then it's stopped, with all that it started.
    pub fn run(&self, is_over: &dyn Fn() -> bool) -> Result<(), HookFault> {
        let (program, arguments) =
            self.words.split_first().ok_or_else(|| HookFault::from("it has no words".to_owned()))?;
        let stdin = written(&self.event, self.input.as_bytes())?;
        let ended = run_on((program, arguments), self.folder.as_deref(), &stdin, self.timeout, is_over);
        // Some of Windows' file systems keep the name of a file that is removed until nobody has it open.
        drop(stdin);
        let _ = fs::remove_file(&self.event);
        ended
    }

    /// Starts it beside everything else. `wake` is called when it has ended.
    pub fn start(self, wake: impl Fn() + Send + 'static) -> RunningHook {
        let stop = Arc::new(AtomicBool::new(false));
        let (done, ended) = channel();
        let (is_over, unstarted) = (stop.clone(), done.clone());
        let started = std::thread::Builder::new().name("hook".into()).spawn(move || {
            let _ = done.send(self.run(&|| is_over.load(Ordering::SeqCst)));
            wake();
        });
        if let Err(e) = started {
            let _ = unstarted.send(Err(HookFault::Failed(format!("it can't be started: {e}"))));
        }
        RunningHook { stop, ended }
    }
}

/// A hook that runs beside everything else; dropped before its end, it's stopped.
#[derive(Debug)]
pub struct RunningHook {
    stop: Arc<AtomicBool>,
    ended: Receiver<Result<(), HookFault>>,
}

impl RunningHook {
    /// How it ended; `None`: it still runs.
    pub fn ended(&self) -> Option<Result<(), HookFault>> {
        self.ended.try_recv().ok()
    }

    /// Waits for its end, unless that isn't wanted any more.
    pub fn wait(&self, is_over: &dyn Fn() -> bool) -> Result<(), HookFault> {
        while !is_over() {
            if let Ok(ended) = self.ended.recv_timeout(LOOK) {
                return ended;
            }
        }
        Err(HookFault::Stopped)
    }
}

impl Drop for RunningHook {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = self.ended.recv_timeout(ENDED);
    }
}

fn run_on(
    (program, arguments): (&str, &[String]),
    folder: Option<&Path>,
    stdin: &File,
    timeout: Duration,
    is_over: &dyn Fn() -> bool,
) -> Result<(), HookFault> {
    let mut command = Command::new(program);
    command.current_dir(folder.filter(|it| it.is_dir()).unwrap_or(Path::new(".")));
    // What it prints is talk, not this program's answer.
    command.args(arguments).stdout(Stdio::from(std::io::stderr()));
    command.stdin(stdin.try_clone().map_err(|e| e.to_string())?);
    let mut child = children::spawn(command).map_err(|e| format!("{program} can't be run: {e}"))?;
    let until = Instant::now() + timeout;
    loop {
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{program} ended with {status}").into()),
            None if is_over() => {
                children::kill(&mut child);
                return Err(HookFault::Stopped);
            }
            None if Instant::now() >= until => {
                children::kill(&mut child);
                let seconds = timeout.as_secs();
                return Err(format!("{program} took longer than {seconds} s and was stopped").into());
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

/// Writes an event, and opens it for the command; refused while a command that an earlier run started still has it.
fn written(event: &Path, input: &[u8]) -> Result<File, String> {
    let unwritten = |e: &dyn std::fmt::Display| format!("its event can't be written: {e}");
    if let Some(folder) = event.parent() {
        files::ensure_private_folder(folder).map_err(|e| unwritten(&e))?;
    }
    if let Some(left) =
        files::read_private(event, files::FileSensitivity::Secret).map_err(|e| unwritten(&e))?
    {
        if is_held(event, left) {
            return Err("a run that was killed started it, and it is still running".into());
        }
        // Whether that run's command did its work can't be known: it gets the same event again.
        fs::remove_file(event).map_err(|e| unwritten(&e))?;
    }
    let mut file = files::create_private(event).map_err(|e| unwritten(&e))?;
    file.write_all(input).map_err(|e| unwritten(&e))?;
    drop(file);
    let file = files::read_private(event, files::FileSensitivity::Secret)
        .map_err(|e| unwritten(&e))?
        .ok_or("its event is gone again")?;
    held(event, file).map_err(|e| unwritten(&e))
}

/// Whether somebody holds the event, which was opened here only to see that.
#[cfg(unix)]
fn is_held(_: &Path, file: File) -> bool {
    file.try_lock().is_err()
}

/// The event, held by whoever has it open.
#[cfg(unix)]
fn held(_: &Path, file: File) -> std::io::Result<File> {
    file.lock()?;
    Ok(file)
}

/// A lock of Windows would keep the command from reading, too. So its event is opened in a way in which others may read it, and
/// not write.
#[cfg(windows)]
fn is_held(event: &Path, file: File) -> bool {
    const SHARING_VIOLATION: i32 = 32;
    drop(file);
    let opened = fs::OpenOptions::new().write(true).open(event);
    opened.is_err_and(|e| e.raw_os_error() == Some(SHARING_VIOLATION))
}

#[cfg(windows)]
fn held(event: &Path, file: File) -> std::io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    drop(file);
    fs::OpenOptions::new().read(true).share_mode(FILE_SHARE_READ).open(event)
}

/// A command that can be ended with all that it started: by its process group.
#[cfg(unix)]
mod children {
    use std::io;
    use std::process::{Child, Command};

    pub(super) fn spawn(mut command: Command) -> io::Result<Child> {
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn()
    }

    pub(super) fn kill(child: &mut Child) {
        if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The same by a job, which holds every process that one of its own starts.
#[cfg(windows)]
mod children {
    use super::{ENDED, LOOK};
    use process_wrap::std::{ChildWrapper, CommandWrap, JobObject};
    use std::io;
    use std::process::Command;
    use std::time::Instant;

    pub(super) fn spawn(command: Command) -> io::Result<Box<dyn ChildWrapper>> {
        CommandWrap::from(command).wrap(JobObject).spawn()
    }

    pub(super) fn kill(child: &mut Box<dyn ChildWrapper>) {
        let _ = child.start_kill();
        // Waiting without an end would wait for the job's own word, too, which an earlier look may have taken.
        let until = Instant::now() + ENDED;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod stopping {
    use super::*;
    use std::io::Read;

    /// The variable by which a child of the hook knows which file to lock.
    const LOCKS: &str = "BIOTRACK_TEST_LOCKS";

    /// Not a test of its own: the hook of the next one, and, once more, the hook's child.
    #[test]
    #[ignore = "run by the next test, in processes of its own"]
    #[expect(clippy::disallowed_methods, reason = "how a test's process learns what it is to do")]
    fn hanging() {
        if let Some(path) = std::env::var_os(LOCKS) {
            let path = PathBuf::from(path);
            let file = File::create(&path).unwrap();
            file.lock().unwrap();
            fs::write(path.with_extension("locked"), "").unwrap();
            loop {
                std::thread::park();
            }
        }
        let mut event = String::new();
        std::io::stdin().read_to_string(&mut event).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(std::env::args_os().skip(1)).env(LOCKS, event);
        child.spawn().unwrap().wait().unwrap();
    }

    #[test]
    fn what_a_hook_started_ends_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let locked = folder.path().join("held");
        let ours = std::env::current_exe().unwrap();
        let words = [&*ours.to_string_lossy(), "--ignored", "--exact", "system::hook::stopping::hanging"];
        let hook = Hook {
            words: words.map(str::to_owned).to_vec(),
            folder: None,
            event: folder.path().join("events").join("event"),
            input: locked.display().to_string(),
            timeout: Duration::from_secs(600),
        };
        let is_over = || locked.with_extension("locked").exists();
        assert_eq!(hook.run(&is_over), Err(HookFault::Stopped));
        // Waits until the child's lock has gone with it.
        File::open(&locked).unwrap().lock().unwrap();
        assert!(!hook.event.exists());
    }

    /// A command has its event open as its standard input, also after whoever started it was killed.
    #[test]
    fn an_event_that_a_command_still_has_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let event = folder.path().join("events").join("event");
        let mut has_it = written(&event, b"first").unwrap();
        let why = written(&event, b"again").unwrap_err();
        assert!(why.contains("it is still running"), "{why}");
        let mut read = String::new();
        has_it.read_to_string(&mut read).unwrap();
        assert_eq!(read, "first");
        drop(has_it);
        assert!(written(&event, b"again").is_ok());
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    /// A hook that notes that it runs, and hangs.
    fn hanging(folder: &Path) -> (Hook, PathBuf) {
        let note = folder.join("runs");
        let words = [
            "sh",
            "-c",
            "echo $$ >\"$0.new\"; mv \"$0.new\" \"$0\"; exec sleep 86000",
            &note.display().to_string(),
        ]
        .map(str::to_owned)
        .to_vec();
        let event = folder.join("events").join("event");
        (Hook { words, folder: None, event, input: "{}".into(), timeout: Duration::from_secs(600) }, note)
    }

    fn is_there(note: &Path) -> bool {
        let process = fs::read_to_string(note).unwrap();
        let process = rustix::process::Pid::from_raw(process.trim().parse().unwrap()).unwrap();
        rustix::process::test_kill_process(process).is_ok()
    }

    #[test]
    fn a_hook_whose_end_nobody_waits_for_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let (hook, note) = hanging(folder.path());
        let event = hook.event.clone();
        assert_eq!(hook.run(&|| note.exists()), Err(HookFault::Stopped));
        assert!(!is_there(&note) && !event.exists());
    }

    #[test]
    fn a_hook_that_runs_beside_the_rest_goes_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (hook, note) = hanging(folder.path());
        let running = hook.start(|| {});
        assert_eq!(running.wait(&|| note.exists()), Err(HookFault::Stopped));
        assert_eq!(running.ended(), None);
        drop(running);
        assert!(!is_there(&note));
    }

    #[test]
    fn the_end_of_a_hook_wakes_whoever_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let event = folder.path().join("event");
        let (woken, wait) = channel();
        let hook = |word: &str| Hook {
            words: vec![word.into()],
            folder: None,
            event: event.clone(),
            input: "{}".into(),
            timeout: Duration::from_secs(600),
        };
        for (word, is_well) in [("true", true), ("false", false)] {
            let woken = woken.clone();
            let running = hook(word).start(move || woken.send(()).unwrap());
            wait.recv().unwrap();
            assert_eq!(running.ended().unwrap().is_ok(), is_well);
        }
    }
}
