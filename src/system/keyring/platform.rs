//! The platform's own keyring, by the keyring crate.

use super::{KeyringFault, KeyringStore, SERVICE};
use crate::error::excerpt;
use keyring_core::Entry;
use secrecy::zeroize::Zeroizing;
use std::collections::HashMap;
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(target_os = "linux")]
use zbus_secret_service_keyring_store::Store;

/// So often a connection is made, where one after the other turns out to be garbled.
const TRIES: usize = 4;

/// The Secret Service, macOS's Keychain, or Windows' Credential Manager.
#[derive(Default)]
pub(super) struct PlatformStore {
    #[cfg(target_os = "linux")]
    service: super::secret_service::SecretService,
    #[cfg(target_os = "linux")]
    a_person_answers: AtomicBool,
}

impl KeyringStore for PlatformStore {
    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringFault> {
        self.asks_nobody_in_vain(Some(account))?;
        unless_garbled(|| {
            let item = entry(account)?;
            match item.set_secret(secret) {
                Err(keyring::Error::Ambiguous(several)) => {
                    let mut several = several.iter();
                    let first = several.next().map_or(Ok(()), |first| first.set_secret(secret));
                    first.map_err(fault)?;
                    several.try_for_each(|other| self.erase(other))?;
                }
                set => set.map_err(fault)?,
            }
            // Over a garbled connection nothing is kept, or something else, and nobody says so.
            let kept = Zeroizing::new(secret_of(&item, account)?);
            if kept.as_slice() == secret { Ok(()) } else { Err(KeyringFault::Garbled) }
        })
    }

    fn get(&self, account: &str) -> Result<Vec<u8>, KeyringFault> {
        self.asks_nobody_in_vain(Some(account))?;
        unless_garbled(|| secret_of(&entry(account)?, account))
    }

    fn delete(&self, account: &str) -> Result<(), KeyringFault> {
        self.asks_nobody_in_vain(Some(account))?;
        unless_garbled(|| match entry(account)?.get_credential() {
            Err(keyring::Error::Ambiguous(several)) => several.iter().try_for_each(|item| self.erase(item)),
            item => self.erase(&item.map_err(fault)?),
        })
    }

    fn accounts(&self) -> Result<Vec<String>, KeyringFault> {
        self.asks_nobody_in_vain(None)?;
        // Sets the store up, or says why there is none.
        unless_garbled(|| entry("search"))?;
        let entries = match Entry::search(&HashMap::from([("service", SERVICE)])) {
            Ok(entries) => entries,
            // By its word, or because it names its attributes otherwise, as Windows' does. Its own search, by a pattern, takes a
            // list from the system that it doesn't check, and under Wine that ended the process.
            Err(keyring::Error::NotSupportedByStore(_) | keyring::Error::Invalid(..)) => {
                return Err(KeyringFault::Unsupported);
            }
            Err(e) => return Err(fault(e)),
        };
        let account = |entry: &Entry| match entry.get_specifiers() {
            Some((_, account)) => Some(account),
            None => entry.get_attributes().ok()?.remove("username"),
        };
        Ok(entries.iter().filter_map(account).collect())
    }

    #[cfg(target_os = "linux")]
    fn get_afresh(&self, account: &str) -> Result<Vec<u8>, KeyringFault> {
        use keyring_core::api::CredentialStoreApi;

        self.asks_nobody_in_vain(Some(account))?;
        unless_garbled(|| {
            let store = Store::new().map_err(fault)?;
            secret_of(&store.build(SERVICE, account, None).map_err(fault)?, account)
        })
    }

    #[cfg(target_os = "linux")]
    fn get_unasked(&self, account: &str) -> Result<Vec<u8>, KeyringFault> {
        self.service.asks_nobody(Some(account))?;
        unless_garbled(|| secret_of(&entry(account)?, account))
    }

    /// The Keychain asks about each item that another build of this program wrote, and says so to nobody before.
    #[cfg(target_os = "macos")]
    fn get_unasked(&self, _: &str) -> Result<Vec<u8>, KeyringFault> {
        Err(KeyringFault::Unsupported)
    }

    #[cfg(target_os = "linux")]
    fn keeper(&self) -> Option<String> {
        self.service.keeper()
    }

    #[cfg(not(target_os = "linux"))]
    fn keeper(&self) -> Option<String> {
        let called = if cfg!(windows) { "the Windows Credential Manager" } else { "the macOS Keychain" };
        cfg!(any(windows, target_os = "macos")).then(|| called.to_owned())
    }

    #[cfg(target_os = "linux")]
    fn a_person_answers(&self) {
        self.a_person_answers.store(true, Ordering::SeqCst);
    }

    #[cfg(target_os = "linux")]
    fn hides_some(&self) -> bool {
        self.service.hides_some()
    }

    #[cfg(target_os = "linux")]
    fn is_asking(&self) -> bool {
        self.service.is_asking()
    }

    #[cfg(target_os = "linux")]
    fn stops_asking(&self) {
        self.service.stops_asking();
    }
}

impl PlatformStore {
    /// Some keep what they delete, KeePassXC in its recycle bin, and with it the last that an entry was: a secret is
    /// written over before.
    fn erase(&self, item: &Entry) -> Result<(), KeyringFault> {
        #[cfg(target_os = "linux")]
        for overwritten in 0..self.service.keeps_of_each() {
            item.set_secret(format!("deleted {overwritten}").as_bytes()).map_err(fault)?;
        }
        item.delete_credential().map_err(fault)
    }

    /// What the keyring would ask on the desktop is not asked for where nobody answers it: the prompt would stay there
    /// when we're gone.
    #[cfg(target_os = "linux")]
    fn asks_nobody_in_vain(&self, account: Option<&str>) -> Result<(), KeyringFault> {
        match self.service.asks_nobody(account) {
            Err(KeyringFault::Locked | KeyringFault::Asks(_))
                if self.a_person_answers.load(Ordering::SeqCst) =>
            {
                self.service.may_ask();
                Ok(())
            }
            asks_nobody => asks_nobody,
        }
    }

    /// macOS asks in its own way, and Windows never.
    #[cfg(not(target_os = "linux"))]
    fn asks_nobody_in_vain(&self, _: Option<&str>) -> Result<(), KeyringFault> {
        Ok(())
    }
}

/// Does it, over another connection where this one turns out to be garbled or gone: KWallet derives another key than its
/// client from about one key exchange in a hundred, where a number begins with a zero byte, and forgets some sessions.
fn unless_garbled<T>(work: impl Fn() -> Result<T, KeyringFault>) -> Result<T, KeyringFault> {
    for _ in 1..TRIES {
        match work() {
            Err(KeyringFault::Garbled) => reconnect()?,
            done => return done,
        }
    }
    work()
}

/// The keyring crate keeps one connection for the whole process: another takes its place.
#[cfg(target_os = "linux")]
fn reconnect() -> Result<(), KeyringFault> {
    tracing::debug!("a connection to the keyring failed; reconnecting");
    match Store::new().map_err(fault) {
        Ok(store) => {
            keyring_core::set_default_store(store);
            Ok(())
        }
        // The next try makes one.
        Err(KeyringFault::Garbled) => Ok(()),
        Err(e) => Err(e),
    }
}

#[cfg(not(target_os = "linux"))]
fn reconnect() -> Result<(), KeyringFault> {
    Ok(())
}

/// What an entry keeps. Somebody's restored copy has the same name: where they are alike it's no matter which is read, and
/// otherwise nobody here knows which is right.
fn secret_of(item: &Entry, account: &str) -> Result<Vec<u8>, KeyringFault> {
    let several = match item.get_secret() {
        Err(keyring::Error::Ambiguous(several)) => several,
        secret => return secret.map_err(fault),
    };
    let mut secrets = Vec::with_capacity(several.len());
    for one in &several {
        secrets.push(Zeroizing::new(one.get_secret().map_err(fault)?));
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets.dedup();
    match secrets.pop() {
        Some(mut secret) if secrets.is_empty() => Ok(std::mem::take(&mut *secret)),
        None => Ok(Vec::new()),
        Some(_) => Err(KeyringFault::Several(account.to_owned(), several.len())),
    }
}

fn entry(account: &str) -> Result<Entry, KeyringFault> {
    // The first time, this makes the store.
    let status = keyring::Entry::store_status();
    new_entry(account).map_err(|e| match (e, status) {
        (keyring::Error::NoDefaultStore, Err(cause)) if is_garbled(cause) => KeyringFault::Garbled,
        (keyring::Error::NoDefaultStore, Err(cause)) => KeyringFault::Absent(reason(cause)),
        (e, _) => fault(e),
    })
}

#[cfg(not(windows))]
fn new_entry(account: &str) -> keyring_core::Result<Entry> {
    Entry::new(SERVICE, account)
}

/// Its items don't roam with the profile, as they do unless that is said: a grant has one home. Items of earlier versions,
/// which did, have the same name, and are read; what is written over them stays here.
#[cfg(windows)]
fn new_entry(account: &str) -> keyring_core::Result<Entry> {
    Entry::new_with_modifiers(SERVICE, account, &HashMap::from([("persistence", "Local")]))
}

/// By its words, for the keyring crate has no type for it.
fn is_garbled(e: &keyring::Error) -> bool {
    const SIGNS: [&str; 4] = [
        "message decryption failed",
        "public key size is invalid",
        // The Secret Service's own word for a session that it has closed.
        "Secret.Error.NoSession",
        // KWallet's: it forgets one, now and then, when another program has ended its own.
        "Can't find session",
    ];
    let text = e.to_string();
    SIGNS.iter().any(|sign| text.contains(sign))
}

fn fault(e: keyring::Error) -> KeyringFault {
    match e {
        // Windows has nothing to unlock, but none without a session that somebody signed in to.
        keyring::Error::NoStorageAccess(_) if cfg!(windows) => {
            KeyringFault::Failed("nobody is signed in here, as in a service or over SSH".into())
        }
        keyring::Error::NoStorageAccess(_) => KeyringFault::Locked,
        keyring::Error::NoEntry => KeyringFault::Missing,
        e if is_garbled(&e) => KeyringFault::Garbled,
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
