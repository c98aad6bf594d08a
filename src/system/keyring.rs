//! The platform's keyring: its items, and the one thread that alone talks to it, for callers who wait only so long.

#[cfg(all(unix, not(target_os = "macos")))]
use super::files;
#[cfg(all(unix, not(target_os = "macos")))]
use crate::error::clean;
use crate::error::{Result, VaultError, excerpt};
use std::collections::HashMap;
#[cfg(all(unix, not(target_os = "macos")))]
use std::ffi::OsString;
#[cfg(all(unix, not(target_os = "macos")))]
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The service that all items are of.
const SERVICE: &str = "biotrack-auth";

/// How long the platform's keyring may take for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a keyring didn't do what it was asked. No word in it holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringFault {
    /// There is no keyring to talk to; the platform's word.
    Absent(String),
    /// It is there, but locked.
    Locked,
    /// It has no such item, or says so because it's locked.
    Missing,
    /// This kind of keyring can't do that at all.
    Unsupported,
    /// Anything else; the platform's word.
    Failed(String),
}

/// What keeps items by their account's name: the platform, or what stands in its place in a test.
pub trait KeyringStore: Send + Sync {
    /// Keeps a secret under this name, in the place of what was kept there.
    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringFault>;
    /// Gives a secret back.
    fn get(&self, account: &str) -> Result<Vec<u8>, KeyringFault>;
    /// Removes an item.
    fn delete(&self, account: &str) -> Result<(), KeyringFault>;
    /// The names of all items of this program.
    fn accounts(&self) -> Result<Vec<String>, KeyringFault>;
}

/// The Secret Service, macOS's Keychain, or Windows' Credential Manager.
struct PlatformStore;

impl KeyringStore for PlatformStore {
    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringFault> {
        entry(account)?.set_secret(secret).map_err(fault)
    }

    fn get(&self, account: &str) -> Result<Vec<u8>, KeyringFault> {
        entry(account)?.get_secret().map_err(fault)
    }

    fn delete(&self, account: &str) -> Result<(), KeyringFault> {
        entry(account)?.delete_credential().map_err(fault)
    }

    fn accounts(&self) -> Result<Vec<String>, KeyringFault> {
        // Sets the store up, or says why there is none.
        entry("search")?;
        let entries = match keyring_core::Entry::search(&HashMap::from([("service", SERVICE)])) {
            Ok(entries) => entries,
            // By its word, or because it names its attributes otherwise.
            Err(keyring::Error::NotSupportedByStore(_) | keyring::Error::Invalid(..)) => {
                return Err(KeyringFault::Unsupported);
            }
            Err(e) => return Err(fault(e)),
        };
        let account = |entry: &keyring_core::Entry| match entry.get_specifiers() {
            Some((_, account)) => Some(account),
            None => entry.get_attributes().ok()?.remove("username"),
        };
        Ok(entries.iter().filter_map(account).collect())
    }
}

fn entry(account: &str) -> Result<keyring::Entry, KeyringFault> {
    // defense: S56 no-session-of-another-user
    #[cfg(all(unix, not(target_os = "macos")))]
    if let Some(socket) = session().filter(|socket| files::is_in_other_hands(socket)) {
        return Err(KeyringFault::Absent(format!(
            "the D-Bus session at {} is in another user's hands (DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR): log in as this user, not by su or sudo",
            clean(&socket.display().to_string())
        )));
    }
    keyring::Entry::new(SERVICE, account).map_err(|e| match (e, keyring::Entry::store_status()) {
        (keyring::Error::NoDefaultStore, Err(cause)) => KeyringFault::Absent(reason(cause)),
        (e, _) => fault(e),
    })
}

/// The socket of the D-Bus session, where it has a path: whoever answers there is handed our secrets.
#[cfg(all(unix, not(target_os = "macos")))]
fn session() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "D-Bus's own library reads them there, too")]
    let (address, folder) =
        (std::env::var_os("DBUS_SESSION_BUS_ADDRESS"), std::env::var_os("XDG_RUNTIME_DIR"));
    match address {
        Some(address) => socket_of(address.to_str()?),
        None => Some(Path::new(&folder?).join("bus")),
    }
}

/// The path in an address as `unix:path=/run/user/1000/bus,guid=…` (D-Bus Specification, Server Addresses).
#[cfg(all(unix, not(target_os = "macos")))]
fn socket_of(address: &str) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let first = address.split(';').next()?.strip_prefix("unix:")?;
    let path = first.split(',').find_map(|it| it.strip_prefix("path="))?;
    let mut bytes = path.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => decoded.extend(hex::decode([bytes.next()?, bytes.next()?]).ok()?),
            byte => decoded.push(byte),
        }
    }
    Some(OsString::from_vec(decoded).into())
}

fn fault(e: keyring::Error) -> KeyringFault {
    match e {
        keyring::Error::NoStorageAccess(_) => KeyringFault::Locked,
        keyring::Error::NoEntry => KeyringFault::Missing,
        // It was locked between two steps of one call.
        e if e.to_string().contains("Secret.Error.IsLocked") => KeyringFault::Locked,
        e => KeyringFault::Failed(reason(&e)),
    }
}

/// The platform's word in one short line. Never the error's debug text: some hold the secret.
fn reason(e: &keyring::Error) -> String {
    let text = match e {
        keyring::Error::Ambiguous(entries) => format!("it has {} entries of that name", entries.len()),
        keyring::Error::PlatformFailure(cause) => cause.to_string(),
        e => e.to_string(),
    };
    let known = [
        ("no secret service provider or dbus session", "there is no D-Bus session here"),
        ("Failed to connect to address", "there is no D-Bus session here"),
        ("Error.ServiceUnknown", "no program on this D-Bus session offers the Secret Service"),
        ("Error.NameHasNoOwner", "no program on this D-Bus session offers the Secret Service"),
    ];
    match known.iter().find(|(sign, _)| text.contains(sign)) {
        Some((_, said)) => (*said).into(),
        None => excerpt(text.lines().next().unwrap_or_default(), 200),
    }
}

type Job = Box<dyn FnOnce(&dyn KeyringStore) + Send>;

/// A keyring's thread, born with the first question. Once it owes an answer it's given up for good: it may still be
/// inside that call, and whatever it says later is about a question that nobody has any more.
pub struct KeyringThread {
    store: Arc<dyn KeyringStore>,
    patience: Duration,
    jobs: Mutex<Option<Sender<Job>>>,
    given_up: Arc<AtomicBool>,
}

impl KeyringThread {
    /// A thread over a store that is waited for so long.
    pub fn over(store: Arc<dyn KeyringStore>, patience: Duration) -> Self {
        Self { store, patience, jobs: Mutex::new(None), given_up: Arc::default() }
    }

    /// The platform's: one for the process, as is the keyring crate's connection.
    pub fn of_the_platform() -> Arc<Self> {
        static PLATFORM: LazyLock<Arc<KeyringThread>> =
            LazyLock::new(|| Arc::new(KeyringThread::over(Arc::new(PlatformStore), PATIENCE)));
        PLATFORM.clone()
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

    fn send(&self, job: Job) -> Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |reason: String| VaultError::Keyring { what: "answer", reason };
        if jobs.is_none() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn the_socket_of_a_session_stands_in_its_address() {
        for (address, socket) in [
            ("unix:path=/run/user/1000/bus", Some("/run/user/1000/bus")),
            ("unix:guid=1,path=/tmp/dbus-a%20b;tcp:host=x", Some("/tmp/dbus-a b")),
            ("unix:abstract=/tmp/dbus", None),
            ("tcp:host=127.0.0.1,port=1", None),
        ] {
            assert_eq!(socket_of(address), socket.map(PathBuf::from), "{address}");
        }
    }
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
    fn a_panic_on_the_thread_is_an_error_here() {
        let bounded = bounded();
        for _ in 0..2 {
            let crashed = bounded.ask("crash", |_| -> Result<()> { std::panic::resume_unwind(Box::new(())) });
            assert!(matches!(crashed, Err(Error::Vault(VaultError::Keyring { .. }))));
        }
    }
}
