//! One thread that alone talks to the keyring, for callers who wait only so long: its answer may never come.

use crate::error::{Result, VaultError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// A thread, born with the first question. Once it owes an answer it's given up for good:
/// it may still be inside that call, and whatever it says later is about a question that nobody has any more.
pub(super) struct Bounded {
    patience: Duration,
    jobs: Mutex<Option<Sender<Job>>>,
    given_up: AtomicBool,
}

impl Bounded {
    pub(super) const fn new(patience: Duration) -> Self {
        Self { patience, jobs: Mutex::new(None), given_up: AtomicBool::new(false) }
    }

    /// Has the thread do it, and waits for what comes of it. Nobody ever joins the thread, so that a hung call
    /// doesn't hold the process at its end.
    pub(super) fn ask<T: Send + 'static>(
        &'static self,
        what: &'static str,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.given_up.load(Ordering::SeqCst) {
            return Err(self.silent(what));
        }
        let (reply, answer) = mpsc::sync_channel(1);
        self.send(Box::new(move || {
            // Where nobody waits any more the answer is dropped, and a secret in it wiped.
            let _ = reply.send(job());
        }))?;
        match answer.recv_timeout(self.patience) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => {
                self.given_up.store(true, Ordering::SeqCst);
                tracing::debug!(what, "gave the keyring up");
                Err(self.silent(what))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(VaultError::Keyring { what, reason: "its thread ended".into() }.into())
            }
        }
    }

    fn silent(&self, what: &'static str) -> crate::error::Error {
        VaultError::Silent { seconds: self.patience.as_secs(), what }.into()
    }

    fn send(&'static self, job: Job) -> Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |reason: String| VaultError::Keyring { what: "answer", reason };
        if jobs.is_none() {
            let (sender, queue) = mpsc::channel::<Job>();
            thread::Builder::new()
                .name("keyring".into())
                .spawn(move || {
                    for job in queue {
                        if self.given_up.load(Ordering::SeqCst) {
                            break;
                        }
                        job();
                    }
                })
                .map_err(|e| failed(format!("no thread can be started for it: {e}")))?;
            *jobs = Some(sender);
        }
        match jobs.as_ref().map(|sender| sender.send(job)) {
            Some(Ok(())) => Ok(()),
            _ => Err(failed("its thread ended".into()).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn bounded() -> &'static Bounded {
        Box::leak(Box::new(Bounded::new(Duration::from_millis(50))))
    }

    #[test]
    fn answers_come_back_from_one_thread() {
        let bounded = bounded();
        let name = |_| bounded.ask("say its name", || Ok(thread::current().id())).unwrap();
        let names: Vec<_> = (0..3).map(name).collect();
        assert!(names.iter().all(|n| *n == names[0] && *n != thread::current().id()));
    }

    #[test]
    fn after_one_silence_it_is_never_asked_again() {
        let bounded = bounded();
        let (release, held) = mpsc::channel::<()>();
        let hung = bounded.ask("hang", move || Ok(held.recv().is_ok()));
        assert!(matches!(hung, Err(Error::Vault(VaultError::Silent { what: "hang", .. }))));
        release.send(()).unwrap();
        let next = bounded.ask("answer", || -> Result<()> { panic!("it must not be asked") });
        assert!(matches!(next, Err(Error::Vault(VaultError::Silent { what: "answer", .. }))));
    }

    #[test]
    fn a_panic_on_the_thread_is_an_error_here() {
        let bounded = bounded();
        for _ in 0..2 {
            let crashed = bounded.ask("crash", || -> Result<()> { std::panic::resume_unwind(Box::new(())) });
            assert!(matches!(crashed, Err(Error::Vault(VaultError::Keyring { .. }))));
        }
    }
}
