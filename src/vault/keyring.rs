//! The OS keyring: the Secret Service, macOS's Keychain, Windows' Credential Manager.

use super::bounded::Bounded;
use super::envelope::{Envelope, Opener, Seal};
use super::parts::{self, Head};
use crate::error::{Error, Result, VaultError, clean, excerpt};
use crate::model::flow::Place;
use crate::model::secret::Sealable;
use age::x25519::Identity;
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use std::collections::HashMap;
use std::time::Duration;

/// The service that all items are of.
const SERVICE: &str = "biotrack-auth";

/// The most bytes of one item: Windows' CRED_MAX_CREDENTIAL_BLOB_SIZE; the others have no limit worth the name.
const LIMIT: Option<usize> = if cfg!(windows) { Some(2560) } else { None };

/// The one thread of the process: the keyring crate's connection is one for the process, too.
static KEYRING: Bounded = Bounded::new(Duration::from_secs(5));

/// The OS keyring.
pub struct Keyring {
    limit: Option<usize>,
}

impl Keyring {
    pub(super) fn of_the_platform() -> Self {
        Self { limit: LIMIT }
    }

    /// One whose items hold no more than so many bytes: what Windows needs can so be tried everywhere.
    pub fn limited_to(bytes: usize) -> Self {
        Self { limit: Some(bytes.max(1)) }
    }

    pub(super) fn probe(&self, item: &str, secret: Sealable) -> Result<()> {
        let (item, limit) = (item.to_owned(), self.limit);
        KEYRING.ask("keep a probe", move || {
            keep(&item, secret.bytes(), limit)?;
            let read = read(&item, "the probe");
            // Whatever came of it, nothing is left behind.
            let removed = remove(&item);
            match read {
                Ok(read) if read.as_slice() == secret.bytes() => removed.map(|_| ()),
                Ok(_) | Err(Error::Vault(VaultError::Gone { .. } | VaultError::Broken { .. })) => {
                    Err(VaultError::Unfaithful.into())
                }
                Err(e) => Err(e),
            }
        })
    }

    /// Memo and identity share an item: one write, and neither is ever there without the other.
    pub(super) fn envelope(&self, item: &str, memo: &Sealable) -> Result<(Envelope, Place)> {
        let identity = Identity::generate();
        let to = [identity.to_public()];
        let envelope = Envelope { code: Seal::to(&to)?, answer: Seal::to(&to)? };
        let key = identity.to_string();
        let mut content = Vec::with_capacity(key.expose_secret().len() + 1 + memo.bytes().len());
        content.extend_from_slice(key.expose_secret().as_bytes());
        content.push(b'\n');
        content.extend_from_slice(memo.bytes());
        Ok((envelope, self.put(item, Sealable::from_bytes(content))?))
    }

    pub(super) fn unfold(&self, item: &str, whose: &str) -> Result<(Sealable, Opener)> {
        let content = self.get(item, whose)?;
        let line = content.bytes().iter().position(|byte| *byte == b'\n');
        line.and_then(|end| {
            let identity = str::from_utf8(&content.bytes()[..end]).ok()?.parse().ok()?;
            let memo = Sealable::from_bytes(content.bytes()[end + 1..].to_vec());
            Some((memo, Opener::with(vec![identity])))
        })
        .ok_or_else(|| broken(whose, "it isn't what this program keeps there"))
    }

    pub(super) fn put(&self, item: &str, secret: Sealable) -> Result<Place> {
        let (account, limit) = (item.to_owned(), self.limit);
        KEYRING.ask("keep a secret", move || keep(&account, secret.bytes(), limit))?;
        Ok(Place::Item(item.into()))
    }

    pub(super) fn get(&self, item: &str, whose: &str) -> Result<Sealable> {
        let (item, whose) = (item.to_owned(), whose.to_owned());
        KEYRING.ask("give a secret back", move || {
            let mut secret = read(&item, &whose)?;
            Ok(Sealable::from_bytes(std::mem::take(&mut *secret)))
        })
    }

    /// The accounts that begin so, without the further parts of long secrets; `None` where the store can't search.
    pub(super) fn items(&self, beginning: &str) -> Result<Option<Vec<String>>> {
        let beginning = beginning.to_owned();
        KEYRING.ask("list its items", move || search(&beginning))
    }

    pub(super) fn forget(&self, item: &str) -> Result<()> {
        let item = item.to_owned();
        KEYRING.ask("forget a secret", move || match remove(&item)? {
            true => Ok(()),
            false => unlocked(&item),
        })
    }
}

/// The first item goes last: a set that was cut short is no set. The parts go in their order, so that what is
/// left of such a set begins at the first part, and [`remove`] finds all of it.
fn keep(item: &str, secret: &[u8], limit: Option<usize>) -> Result<()> {
    let Some(head) = Head::needed(secret, limit) else {
        return set(item, secret);
    };
    let mut parts = secret.chunks(secret.len().div_ceil(head.count)).zip(1..);
    let kept = parts
        .try_for_each(|(part, number)| set(&parts::account(item, number), part))
        .and_then(|()| set(item, head.content().as_bytes()));
    if !matches!(kept, Ok(()) | Err(Error::Vault(VaultError::Locked))) {
        // What stopped it may stop this, too; the error that counts is the first. One that is locked
        // would only ask for its password once more.
        let _ = remove(item);
    }
    kept
}

fn read(item: &str, whose: &str) -> Result<Zeroizing<Vec<u8>>> {
    let Some(first) = get(item)? else {
        unlocked(item)?;
        return Err(VaultError::Gone { item: clean(item) }.into());
    };
    let Some(head) = Head::read(&first) else {
        return Ok(first);
    };
    let mut parts = Vec::new();
    for number in 1..=head.count {
        let Some(part) = get(&parts::account(item, number))? else {
            unlocked(item)?;
            return Err(broken(whose, format!("part {number} of {} is missing", head.count)));
        };
        parts.push(part);
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    if head.fits(&whole) { Ok(whole) } else { Err(broken(whose, "its parts don't belong together")) }
}

/// Removes an item with its parts; `false` where there was nothing.
fn remove(item: &str) -> Result<bool> {
    // Without the first item the others are no secret any more, only its remains.
    let first = delete(item)?;
    let mut count = 0;
    while get(&parts::account(item, count + 1))?.is_some() {
        count += 1;
    }
    // From the last on: if this is cut short, what is left still begins at the first part.
    for number in (1..=count).rev() {
        delete(&parts::account(item, number))?;
    }
    Ok(first || count > 0)
}

/// A locked keyring says of an entry that it doesn't know that it isn't there, and so does one that was never set
/// up. Only one that is open takes something in.
fn unlocked(item: &str) -> Result<()> {
    let trial = format!("{item}#open");
    set(&trial, b"-")?;
    delete(&trial).map(|_| ())
}

fn search(beginning: &str) -> Result<Option<Vec<String>>> {
    // Sets the store up, or says why there is none.
    entry("search")?;
    let attributes = HashMap::from([("service", SERVICE)]);
    let entries = match keyring_core::Entry::search(&attributes) {
        Ok(entries) => entries,
        // By its word, or because it names its attributes otherwise.
        Err(keyring::Error::NotSupportedByStore(_) | keyring::Error::Invalid(..)) => return Ok(None),
        Err(e) => return Err(fault(e, "list its items")),
    };
    let account = |entry: &keyring_core::Entry| match entry.get_specifiers() {
        Some((_, account)) => Some(account),
        None => entry.get_attributes().ok()?.remove("username"),
    };
    let mut found: Vec<String> = entries
        .iter()
        .filter_map(account)
        .filter(|account| account.starts_with(beginning))
        .map(|account| account.split('#').next().unwrap_or_default().to_owned())
        .collect();
    found.sort();
    found.dedup();
    Ok(Some(found))
}

fn set(account: &str, bytes: &[u8]) -> Result<()> {
    entry(account)?.set_secret(bytes).map_err(|e| fault(e, "keep a secret"))
}

fn get(account: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match entry(account)?.get_secret() {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(e) => Err(fault(e, "give a secret back")),
    }
}

fn delete(account: &str) -> Result<bool> {
    match entry(account)?.delete_credential() {
        Ok(()) => Ok(true),
        Err(keyring::Error::NoEntry) => Ok(false),
        Err(e) => Err(fault(e, "forget a secret")),
    }
}

fn entry(account: &str) -> Result<keyring::Entry> {
    keyring::Entry::new(SERVICE, account).map_err(|e| match (e, keyring::Entry::store_status()) {
        (keyring::Error::NoDefaultStore, Err(cause)) => {
            VaultError::NoKeyring { reason: reason(cause) }.into()
        }
        (e, _) => fault(e, "find an entry"),
    })
}

fn broken(whose: &str, reason: impl Into<String>) -> Error {
    VaultError::Broken { what: whose.into(), reason: reason.into() }.into()
}

fn fault(e: keyring::Error, what: &'static str) -> Error {
    match e {
        keyring::Error::NoStorageAccess(_) => VaultError::Locked,
        // It was locked between two steps of one call.
        e if e.to_string().contains("Secret.Error.IsLocked") => VaultError::Locked,
        e => VaultError::Keyring { what, reason: reason(&e) },
    }
    .into()
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
