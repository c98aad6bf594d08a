//! Ctrl-C and the polite signals.

#[cfg(unix)]
use std::sync::Arc;
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
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let ignored = ignored().unwrap_or_default();
    kinds.retain(|kind| ignored >> (kind.as_raw_value() - 1) & 1 == 0);
    kinds
}

/// Whether somebody counts them from now on: until then each of them ends the process.
pub(super) fn are_counted() -> bool {
    COUNTED.load(Ordering::SeqCst)
}

static COUNTED: AtomicBool = AtomicBool::new(false);

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

/// The signals that are ignored, a bit each from 1 (proc_pid_status(5)); unknown where there is no such file.
#[cfg(unix)]
fn ignored() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
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

    /// Must be made inside the runtime's context.
    #[cfg(not(unix))]
    fn of_the_system() -> Self {
        COUNTED.store(true, Ordering::SeqCst);
        let (sender, counted) = watch::channel(0);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                note_arrival();
                sender.send_modify(|count| *count += 1);
            }
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
