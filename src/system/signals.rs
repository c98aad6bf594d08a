//! Ctrl-C and the polite signals; on Windows Ctrl-C, Ctrl-Break, a closed window, a log-off and a shut-down.

use std::sync::Arc;
#[cfg(unix)]
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Ctrl-C and the polite signals, but those that whoever started us had us ignore (nohup): they stay ignored, also by
/// the command that `exec` puts in our place.
#[cfg(unix)]
pub(super) fn polite() -> Vec<SignalKind> {
    let mut kinds: Vec<_> = POLITE.iter().map(|(kind, _)| kind()).collect();
    // Once this process catches one, nobody can tell any more how it began.
    static IGNORED: LazyLock<Vec<SignalKind>> =
        LazyLock::new(|| ignored().unwrap_or_else(|| ignored_by_a_child(&POLITE)));
    kinds.retain(|kind| !IGNORED.contains(kind));
    kinds
}

/// Does this at each of them, on tasks of the runtime inside whose context it's called.
#[cfg(windows)]
pub(super) fn at_each(act: impl Fn() + Clone + Send + 'static) {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};
    // Each kind has a type of its own. They are made here and not on their tasks, so that none is missed.
    macro_rules! spawn {
        ($($kind:ident),*) => {$(
            if let Ok(mut arrivals) = $kind() {
                let act = act.clone();
                tokio::spawn(async move {
                    while arrivals.recv().await.is_some() {
                        act();
                    }
                });
            }
        )*};
    }
    spawn!(ctrl_c, ctrl_break, ctrl_close, ctrl_logoff, ctrl_shutdown);
}

/// Whether somebody counts them from now on: until then each of them ends the process.
pub(super) fn are_counted() -> bool {
    COUNTED.load(Ordering::SeqCst)
}

static COUNTED: AtomicBool = AtomicBool::new(false);

/// What is done before a signal ends the process.
type LastAct = Box<dyn Fn() + Send>;

static LAST_ACT: Mutex<Option<LastAct>> = Mutex::new(None);

/// Has this done before a signal ends the process, in the place of what was to be done before: what others would go on doing for
/// us, who are gone then.
pub(super) fn before_the_end(act: impl Fn() + Send + 'static) {
    *LAST_ACT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(act));
}

/// A signal is about to end the process.
pub(super) fn ends() {
    let act = LAST_ACT.lock().unwrap_or_else(PoisonError::into_inner).take();
    act.into_iter().for_each(|act| act());
}

/// Whether a hangup has come: the terminal is gone, or somebody wants a service to begin anew.
#[cfg(unix)]
pub(super) fn hung_up() -> bool {
    HUNG_UP.load(Ordering::SeqCst)
}

/// The same, where there is no such signal.
#[cfg(not(unix))]
pub(super) fn hung_up() -> bool {
    false
}

#[cfg(unix)]
static HUNG_UP: AtomicBool = AtomicBool::new(false);

/// How many came in this process that didn't end it.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

/// How many came in this process that didn't end it: who waits for a reader gives up then.
pub(super) fn arrived() -> usize {
    ARRIVED.load(Ordering::SeqCst)
}

/// One came. Several in this process may hear of the same one, a moment apart.
pub(super) fn note_arrival() {
    const THE_SAME: Duration = Duration::from_millis(200);
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|last| last.elapsed() >= THE_SAME) {
        *last = Some(Instant::now());
        ARRIVED.fetch_add(1, Ordering::SeqCst);
    }
}

/// A signal, and the name that `kill` knows.
#[cfg(unix)]
type NamedSignal = (fn() -> SignalKind, &'static str);

/// Those signals.
#[cfg(unix)]
const POLITE: [NamedSignal; 3] =
    [(SignalKind::interrupt, "INT"), (SignalKind::terminate, "TERM"), (SignalKind::hangup, "HUP")];

/// Which of those signals are ignored, by the system's own word (proc_pid_status(5)); unknown where there is no such file, as
/// on macOS.
#[cfg(unix)]
fn ignored() -> Option<Vec<SignalKind>> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    // A bit each, from 1.
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    let kinds = POLITE.iter().map(|(kind, _)| kind());
    Some(kinds.filter(|kind| mask >> (kind.as_raw_value() - 1) & 1 == 1).collect())
}

/// The same where the system doesn't tell: a child ignores what its parent ignores, so one that sends itself the signal
/// and lives to tell shows it.
#[cfg(unix)]
fn ignored_by_a_child(signals: &[NamedSignal]) -> Vec<SignalKind> {
    use std::process::{Command, Stdio};
    let start = |name: &str| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "kill -s \"$0\" $$ && exit 0", name]).env_clear();
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    };
    // All of them at once: this is before the first word to a person.
    let children: Vec<_> = signals.iter().map(|(kind, name)| (kind(), start(name))).collect();
    let lives = |child: std::io::Result<std::process::Child>| {
        child.and_then(|mut child| child.wait()).is_ok_and(|ended| ended.success())
    };
    children.into_iter().filter_map(|(kind, child)| lives(child).then_some(kind)).collect()
}

/// Where Ctrl-C and the polite signals come from.
#[derive(Debug, Clone, Default)]
pub enum Signals {
    /// The system.
    #[default]
    System,
    /// Whoever counts them up, in a test.
    ByHand(watch::Receiver<usize>),
}

impl Signals {
    /// Whether one has come by now that didn't end the process.
    pub(super) fn has_come(&self) -> bool {
        match self {
            Self::System => arrived() > 0,
            Self::ByHand(counted) => *counted.borrow() > 0,
        }
    }

    /// Counts them from now on. Must be called inside the runtime's context.
    pub(super) fn watch(&self) -> InterruptCounter {
        match self {
            Self::System => InterruptCounter::of_the_system(),
            Self::ByHand(counted) => InterruptCounter { before: *counted.borrow(), counted: counted.clone() },
        }
    }
}

/// Counts Ctrl-C and the polite signals from its making on, also between two waits; none of them ends the process.
#[derive(Debug, Clone)]
pub struct InterruptCounter {
    counted: watch::Receiver<usize>,
    /// How many had come before.
    before: usize,
}

impl InterruptCounter {
    /// Must be made inside the runtime's context.
    #[cfg(unix)]
    fn of_the_system() -> Self {
        COUNTED.store(true, Ordering::SeqCst);
        let (sender, counted) = watch::channel(0);
        let sender = Arc::new(sender);
        for kind in polite() {
            let Ok(mut arrivals) = signal(kind) else { continue };
            let sender = sender.clone();
            tokio::spawn(async move {
                while arrivals.recv().await.is_some() {
                    HUNG_UP.fetch_or(kind == SignalKind::hangup(), Ordering::SeqCst);
                    note_arrival();
                    sender.send_modify(|count| *count += 1);
                }
            });
        }
        Self { counted, before: 0 }
    }

    /// Must be made inside the runtime's context. A closed window leaves the process the few seconds that Windows gives: tokio's
    /// handler doesn't return from it, so that the system waits. At a log-off or a shut-down a program of a desktop may be ended
    /// without a word, as by a kill.
    #[cfg(windows)]
    fn of_the_system() -> Self {
        COUNTED.store(true, Ordering::SeqCst);
        let (sender, counted) = watch::channel(0);
        let sender = Arc::new(sender);
        at_each(move || {
            note_arrival();
            sender.send_modify(|count| *count += 1);
        });
        Self { counted, before: 0 }
    }

    /// Whether one has come.
    pub fn any(&self) -> bool {
        *self.counted.borrow() > self.before
    }

    /// Waits until so many have come.
    pub async fn come(mut self, count: usize) {
        let wanted = self.before + count;
        if self.counted.wait_for(|seen| *seen >= wanted).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_child_shows_what_is_ignored_as_the_system_says_it() {
        // This test's own process ignores what its runner does, and surely SIGPIPE, as every Rust program.
        if let Some(told) = ignored() {
            assert_eq!(ignored_by_a_child(&POLITE), told);
        }
        // std gives a child the default for SIGPIPE back.
        assert_eq!(ignored_by_a_child(&[(SignalKind::pipe, "PIPE")]), []);
        assert_eq!(ignored_by_a_child(&[(SignalKind::child, "CHLD")]), [SignalKind::child()]);
    }
}
