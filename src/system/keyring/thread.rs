//! The one thread that talks to a keyring, for callers who wait only so long.

use super::KeyringStore;
use super::platform::PlatformStore;
use crate::error::{Result, VaultError};
#[cfg(unix)]
use crate::system::tty;
use crate::system::{signals, threads};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long the platform's keyring may take for one answer where nobody is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take where a person is there, who may have to find the password first.
const PATIENCE_WITH_A_PERSON: Duration = Duration::from_secs(120);

/// After that long it's most likely asking something on the desktop.
const SOON: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce(&dyn KeyringStore) + Send>;

/// A keyring's thread, born with the first question. Once it owes an answer it's given up for good: it may still be
/// inside that call, and whatever it says later is about a question that nobody has any more.
pub struct KeyringThread {
    store: Arc<dyn KeyringStore>,
    patience: Duration,
    jobs: Mutex<Option<Sender<Job>>>,
    given_up: Arc<AtomicBool>,
    person: OnceLock<PersonPresence>,
}

/// Who is there to answer what a keyring asks.
struct PersonPresence {
    tell: Box<dyn Fn(&str) + Send + Sync>,
    told: AtomicBool,
}

impl KeyringThread {
    pub fn over(store: Arc<dyn KeyringStore>, patience: Duration) -> Self {
        Self { store, patience, jobs: Mutex::new(None), given_up: Arc::default(), person: OnceLock::new() }
    }

    /// The platform's: one for the process, as is the keyring crate's connection.
    pub fn of_the_platform() -> Arc<Self> {
        static PLATFORM: LazyLock<Arc<KeyringThread>> =
            LazyLock::new(|| Arc::new(KeyringThread::over(Arc::new(PlatformStore::default()), PATIENCE)));
        PLATFORM.clone()
    }

    /// A person is there from now on: what asks something on the desktop is waited for, and they are told.
    pub fn waits_for_a_person(&self, tell: impl Fn(&str) + Send + Sync + 'static) {
        let person = PersonPresence { tell: Box::new(tell), told: AtomicBool::new(false) };
        if self.person.set(person).is_ok() {
            self.store.a_person_answers();
        }
    }

    /// Has the thread do it, and waits for what comes of it. Nobody ever joins the thread, so that a hung call
    /// doesn't hold the process at its end.
    pub fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        job: impl FnOnce(&dyn KeyringStore) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.given_up.load(Ordering::SeqCst) {
            return Err(self.silent(what));
        }
        let (reply, answer) = mpsc::sync_channel(1);
        self.send(Box::new(move |store| {
            // Where nobody waits any more the answer is dropped, and a secret in it wiped.
            let _ = reply.send(job(store));
        }))?;
        match self.wait(&answer) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => {
                self.given_up.store(true, Ordering::SeqCst);
                // Where nobody is there, nothing is asked.
                if self.person.get().is_some() {
                    take_back(&self.store);
                }
                tracing::debug!(what, "gave the keyring up");
                Err(self.silent(what))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(VaultError::Keyring { what, reason: "its thread ended".into() }.into())
            }
        }
    }

    fn wait<T>(&self, answer: &Receiver<T>) -> std::result::Result<T, RecvTimeoutError> {
        let Some(person) = self.person.get() else { return answer.recv_timeout(self.patience) };
        match answer.recv_timeout(SOON.min(self.patience)) {
            Err(RecvTimeoutError::Timeout) => {}
            answered => return answered,
        }
        let store = self.store.clone();
        #[cfg(unix)]
        tty::watch();
        signals::before_the_end(move || take_back(&store));
        if !person.told.swap(true, Ordering::SeqCst) {
            (person.tell)(&format!(
                "Waiting for {}: it may be asking on the desktop for its password or for permission.",
                self.keeper()
            ));
        }
        let until = Instant::now() + self.patience();
        let mut is_known = false;
        loop {
            is_known = is_known || within_a_moment(&self.store, |store| store.is_asking()).unwrap_or(false);
            let left = until.saturating_duration_since(Instant::now());
            match answer.recv_timeout(if is_known { left } else { left.min(SOON) }) {
                Err(RecvTimeoutError::Timeout) if Instant::now() < until => {}
                answered => return answered,
            }
        }
    }

    fn patience(&self) -> Duration {
        match self.person.get() {
            Some(_) => self.patience.max(PATIENCE_WITH_A_PERSON),
            None => self.patience,
        }
    }

    /// What is asked, as people call it.
    fn keeper(&self) -> String {
        self.known_keeper().unwrap_or_else(|| "the keyring".into())
    }

    /// The same, where it's known: who has asked it something knows.
    pub fn known_keeper(&self) -> Option<String> {
        self.store.keeper()
    }

    fn silent(&self, what: &'static str) -> crate::error::Error {
        VaultError::Silent { keeper: self.keeper(), seconds: self.patience().as_secs(), what }.into()
    }

    fn send(&self, job: Job) -> Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |reason: String| VaultError::Keyring { what: "answer", reason };
        if jobs.is_none() {
            // D-Bus's library starts three of its own, and panics where it can't.
            threads::rehearse(4)?;
            let (sender, queue) = mpsc::channel::<Job>();
            let (store, given_up) = (self.store.clone(), self.given_up.clone());
            thread::Builder::new()
                .name("keyring".into())
                .spawn(move || {
                    for job in queue {
                        if given_up.load(Ordering::SeqCst) {
                            break;
                        }
                        job(store.as_ref());
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

/// What the keyring asks outlives us, unless it's taken back.
fn take_back(store: &Arc<dyn KeyringStore>) {
    within_a_moment(store, |store| store.stops_asking());
}

/// What comes of a word with the keyring that is waited for no longer than this.
fn within_a_moment<T: Send + 'static>(
    store: &Arc<dyn KeyringStore>,
    say: impl FnOnce(&dyn KeyringStore) -> T + Send + 'static,
) -> Option<T> {
    let (store, (done, is_done)) = (store.clone(), mpsc::channel());
    let said = thread::Builder::new().name("keyring's prompt".into()).spawn(move || {
        let _ = done.send(say(store.as_ref()));
    });
    said.ok().and_then(|_| is_done.recv_timeout(SOON).ok())
}

#[cfg(test)]
mod tests {
    use super::super::KeyringFault;
    use super::*;
    use crate::error::Error;

    struct Nothing;

    impl KeyringStore for Nothing {
        fn set(&self, _: &str, _: &[u8]) -> Result<(), KeyringFault> {
            Err(KeyringFault::Unsupported)
        }
        fn get(&self, _: &str) -> Result<Vec<u8>, KeyringFault> {
            Err(KeyringFault::Missing)
        }
        fn delete(&self, _: &str) -> Result<(), KeyringFault> {
            Err(KeyringFault::Missing)
        }
        fn accounts(&self) -> Result<Vec<String>, KeyringFault> {
            Ok(Vec::new())
        }
    }

    fn bounded() -> KeyringThread {
        KeyringThread::over(Arc::new(Nothing), Duration::from_millis(50))
    }

    #[test]
    fn answers_come_back_from_one_thread() {
        let bounded = bounded();
        let name = |_| bounded.ask("say its name", |_| Ok(thread::current().id())).unwrap();
        let names: Vec<_> = (0..3).map(name).collect();
        assert!(names.iter().all(|n| *n == names[0] && *n != thread::current().id()));
    }

    #[test]
    fn after_one_silence_it_is_never_asked_again() {
        let bounded = bounded();
        let (release, held) = mpsc::channel::<()>();
        let hung = bounded.ask("hang", move |_| Ok(held.recv().is_ok()));
        assert!(matches!(hung, Err(Error::Vault(VaultError::Silent { what: "hang", .. }))));
        release.send(()).unwrap();
        let next = bounded.ask("answer", |_| -> Result<()> { panic!("it must not be asked") });
        assert!(matches!(next, Err(Error::Vault(VaultError::Silent { what: "answer", .. }))));
    }

    #[test]
    fn what_is_asked_on_the_desktop_is_taken_back_where_a_person_was_there() {
        struct Asking(Mutex<Vec<&'static str>>);
        impl KeyringStore for Asking {
            fn set(&self, _: &str, _: &[u8]) -> Result<(), KeyringFault> {
                Err(KeyringFault::Unsupported)
            }
            fn get(&self, _: &str) -> Result<Vec<u8>, KeyringFault> {
                Err(KeyringFault::Missing)
            }
            fn delete(&self, _: &str) -> Result<(), KeyringFault> {
                Err(KeyringFault::Missing)
            }
            fn accounts(&self) -> Result<Vec<String>, KeyringFault> {
                Ok(Vec::new())
            }
            fn stops_asking(&self) {
                self.0.lock().unwrap().push("stops");
            }
        }
        let store = Arc::new(Asking(Mutex::default()));
        let bounded = KeyringThread::over(store.clone(), Duration::from_millis(50));
        bounded.ask("answer", |_| Ok(())).unwrap();
        let (_release, held) = mpsc::channel::<()>();
        assert!(bounded.ask("hang", move |_| Ok(held.recv().is_ok())).is_err());
        assert!(store.0.lock().unwrap().is_empty(), "nobody was there to be asked");
        let asked: Arc<dyn KeyringStore> = store.clone();
        take_back(&asked);
        assert_eq!(*store.0.lock().unwrap(), ["stops"]);
    }

    #[test]
    fn a_panic_on_the_thread_is_an_error_here() {
        let bounded = bounded();
        for _ in 0..2 {
            let crashed = bounded.ask("crash", |_| -> Result<()> { std::panic::resume_unwind(Box::new(())) });
            assert!(matches!(crashed, Err(Error::Vault(VaultError::Keyring { .. }))));
        }
    }
}
