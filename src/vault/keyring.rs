//! Secrets in the OS keyring: an item each, or several where the platform limits an item's size.

use super::binding::{OpenedSecret, SealerKey, bind, unbind};
use super::envelope::{Envelope, Opener, Sealer};
use super::parts::{self, SplitSecretHeader};
use crate::error::clean;
use crate::error::{Error, Result, UnsealError, VaultError};
use crate::model::flow::SecretPlace;
use crate::model::seal::{ExpectedSeal, SealLabel};
use crate::model::secret::Sealable;
use crate::system::{KeyringFault, KeyringStore, KeyringThread};
use age::x25519::Identity;
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most bytes of one item: Windows' CRED_MAX_CREDENTIAL_BLOB_SIZE; the others have no limit worth the name.
const LIMIT: Option<usize> = if cfg!(windows) { Some(2560) } else { None };

/// The OS keyring.
pub struct Keyring {
    thread: Arc<KeyringThread>,
    limit: Option<usize>,
    /// Secrets are in it that a ledger names.
    is_needed: AtomicBool,
}

impl Keyring {
    pub(super) fn over(thread: Arc<KeyringThread>) -> Self {
        Self { thread, limit: LIMIT, is_needed: AtomicBool::new(false) }
    }

    /// One whose items hold no more than so many bytes: what Windows needs can so be tried everywhere.
    pub fn limited_to(bytes: usize, thread: Arc<KeyringThread>) -> Self {
        Self { thread, limit: Some(bytes.max(1)), is_needed: AtomicBool::new(false) }
    }

    pub(super) fn holds_secrets(&self) {
        self.is_needed.store(true, Ordering::Relaxed);
    }

    /// Whoever lacks a keyring may choose another vault; but not as long as what's needed is in this one.
    fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        job: impl FnOnce(&dyn KeyringStore) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        use VaultError::{Keyring, NoKeyring, NotSetUp, Silent};
        self.thread.ask(what, job).map_err(|e| match e {
            Error::Vault(e @ (NoKeyring { .. } | Keyring { .. } | NotSetUp { .. } | Silent { .. }))
                if self.is_needed.load(Ordering::Relaxed) =>
            {
                VaultError::Needed(Box::new(e)).into()
            }
            e => e,
        })
    }

    pub(super) fn keeper(&self) -> Option<String> {
        self.thread.known_keeper()
    }

    pub(super) fn probe(&self, item: &str, secret: Sealable) -> Result<()> {
        let (item, limit) = (item.to_owned(), self.limit);
        self.ask("store a probe", move |store| {
            keep(store, &item, secret.bytes(), limit)?;
            // As the next command will: some keep for one connection what no other ever gets.
            let read = read_by(|account| store.get_afresh(account), store, &item, "the probe");
            // Whatever came of it, nothing is left behind.
            let removed = remove(store, &item);
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
    pub(super) fn envelope(
        &self,
        item: &str,
        label: &SealLabel,
        memo: &Sealable,
    ) -> Result<(Envelope, SecretPlace)> {
        let identity = Identity::generate();
        let (to, sealer) = ([identity.to_public()], SealerKey::of(&identity));
        let envelope =
            Envelope { code: Sealer::to(&to, Some(&sealer))?, answer: Sealer::to(&to, Some(&sealer))? };
        let key = identity.to_string();
        let mut content = Vec::with_capacity(key.expose_secret().len() + 1 + memo.bytes().len());
        content.extend_from_slice(key.expose_secret().as_bytes());
        content.push(b'\n');
        content.extend_from_slice(memo.bytes());
        Ok((envelope, self.put(item, label, &Sealable::from_bytes(content))?))
    }

    pub(super) fn reopen_memo(&self, item: &str, row: &ExpectedSeal) -> Result<(Sealable, Opener)> {
        let content = self.get(item, row)?;
        let line = content.bytes().iter().position(|byte| *byte == b'\n');
        line.and_then(|end| {
            let identity = str::from_utf8(&content.bytes()[..end]).ok()?.parse().ok()?;
            let memo = Sealable::from_bytes(content.bytes()[end + 1..].to_vec());
            Some((memo, Opener::with(vec![identity], true)))
        })
        .ok_or_else(|| broken(&row.whose(), "it wasn't stored by this program"))
    }

    pub(super) fn put(&self, item: &str, label: &SealLabel, secret: &Sealable) -> Result<SecretPlace> {
        let secret = bind(label, Some(item), None, secret)?;
        let (account, limit) = (item.to_owned(), self.limit);
        self.ask("store a secret", move |store| keep(store, &account, secret.bytes(), limit))?;
        Ok(SecretPlace::Item(item.into()))
    }

    pub(super) fn get(&self, item: &str, row: &ExpectedSeal) -> Result<Sealable> {
        self.get_labeled(item, row).map(|(secret, _)| secret)
    }

    pub(super) fn get_labeled(
        &self,
        item: &str,
        row: &ExpectedSeal,
    ) -> Result<(Sealable, Option<SealLabel>)> {
        self.read_unchecked(item, &row.whose())?.checked(row, Some(item), false)
    }

    /// Whether an item was read, and is this row's; `false` where the keyring would have to ask somebody for it, and isn't made to.
    pub(super) fn look(&self, item: &str, row: &ExpectedSeal) -> Result<bool> {
        let (account, what) = (item.to_owned(), row.whose());
        let content = self.ask("return a secret", move |store| {
            let would_ask = Cell::new(false);
            let get = |account: &str| {
                let got = store.get_unasked(account);
                would_ask.set(matches!(
                    got,
                    Err(KeyringFault::Locked | KeyringFault::Asks(_) | KeyringFault::Unsupported)
                ));
                got
            };
            match read_by(get, store, &account, &what) {
                Err(_) if would_ask.get() => Ok(None),
                read => read.map(|mut secret| Some(Sealable::from_bytes(std::mem::take(&mut *secret)))),
            }
        })?;
        let Some(content) = content else { return Ok(false) };
        let opened =
            unbind(content, &[]).map_err(|reason: UnsealError| broken(&row.whose(), reason.to_string()))?;
        opened.checked(row, Some(item), false).map(|_| true)
    }

    /// Reads an item whatever it was written for, and judges nothing.
    pub(super) fn read_unchecked(&self, item: &str, whose: &str) -> Result<OpenedSecret> {
        let (account, what) = (item.to_owned(), whose.to_owned());
        let content = self.ask("return a secret", move |store| {
            let mut secret = read(store, &account, &what)?;
            Ok(Sealable::from_bytes(std::mem::take(&mut *secret)))
        })?;
        unbind(content, &[]).map_err(|reason: UnsealError| broken(whose, reason.to_string()))
    }

    /// The accounts that begin so, without the further parts of long secrets; `None` where the store can't search.
    pub(super) fn items(&self, beginning: &str) -> Result<Option<Vec<String>>> {
        let beginning = beginning.to_owned();
        self.ask("list its items", move |store| search(store, &beginning))
    }

    pub(super) fn forget(&self, item: &str) -> Result<()> {
        let item = item.to_owned();
        self.ask("delete a secret", move |store| match remove(store, &item)? {
            true => Ok(()),
            false => unlocked(store, &item),
        })
    }
}

/// The first item goes last: a set that was cut short is no set. The parts go in their order, so that what is
/// left of such a set begins at the first part, and [`remove`] finds all of it.
fn keep(store: &dyn KeyringStore, item: &str, secret: &[u8], limit: Option<usize>) -> Result<()> {
    let Some(head) = SplitSecretHeader::needed(secret, limit) else {
        return set(store, item, secret);
    };
    let mut parts = secret.chunks(secret.len().div_ceil(head.count)).zip(1..);
    let kept = parts
        .try_for_each(|(part, number)| set(store, &parts::account(item, number), part))
        .and_then(|()| set(store, item, head.content().as_bytes()));
    if !matches!(kept, Ok(()) | Err(Error::Vault(VaultError::Locked | VaultError::Asks { .. }))) {
        // What stopped it may stop this, too; the error that counts is the first. One that is locked
        // would only ask for its password once more.
        let _ = remove(store, item);
    }
    kept
}

fn read(store: &dyn KeyringStore, item: &str, whose: &str) -> Result<Zeroizing<Vec<u8>>> {
    read_by(|account| store.get(account), store, item, whose)
}

/// The same, by this way of getting an item.
fn read_by(
    get_item: impl Fn(&str) -> Result<Vec<u8>, KeyringFault>,
    store: &dyn KeyringStore,
    item: &str,
    whose: &str,
) -> Result<Zeroizing<Vec<u8>>> {
    let get = |account: &str| got(get_item(account));
    let Some(first) = get(item)? else {
        unlocked(store, item)?;
        if store.hides_some() {
            return Err(VaultError::Locked.into());
        }
        return Err(VaultError::Gone { item: clean(item) }.into());
    };
    let Some(head) = SplitSecretHeader::read(&first) else {
        return Ok(first);
    };
    let mut parts = Vec::new();
    for number in 1..=head.count {
        let Some(part) = get(&parts::account(item, number))? else {
            unlocked(store, item)?;
            return Err(broken(whose, format!("part {number} of {} is missing", head.count)));
        };
        parts.push(part);
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    if head.fits(&whole) { Ok(whole) } else { Err(broken(whose, "its parts don't belong together")) }
}

/// Removes an item with its parts; `false` where there was nothing.
fn remove(store: &dyn KeyringStore, item: &str) -> Result<bool> {
    // Without the first item the others are no secret any more, only its remains.
    let first = delete(store, item)?;
    let mut count = 0;
    while got(store.get(&parts::account(item, count + 1)))?.is_some() {
        count += 1;
    }
    // From the last on: if this is cut short, what is left still begins at the first part.
    for number in (1..=count).rev() {
        delete(store, &parts::account(item, number))?;
    }
    Ok(first || count > 0)
}

/// A locked keyring says of an entry that it doesn't know that it isn't there, and so does one that was never set
/// up. Only one that is open takes something in.
fn unlocked(store: &dyn KeyringStore, item: &str) -> Result<()> {
    let trial = format!("{item}#open");
    set(store, &trial, b"-")?;
    delete(store, &trial).map(|_| ())
}

fn search(store: &dyn KeyringStore, beginning: &str) -> Result<Option<Vec<String>>> {
    let accounts = match store.accounts() {
        Err(KeyringFault::Unsupported) => return Ok(None),
        accounts => accounts.map_err(|e| failed(e, "list its items"))?,
    };
    let mut found: Vec<String> = accounts
        .into_iter()
        .filter(|account| account.starts_with(beginning))
        .map(|account| account.split('#').next().unwrap_or_default().to_owned())
        .collect();
    found.sort();
    found.dedup();
    Ok(Some(found))
}

fn set(store: &dyn KeyringStore, account: &str, bytes: &[u8]) -> Result<()> {
    store.set(account, bytes).map_err(|e| failed(e, "store a secret"))
}

fn got(item: Result<Vec<u8>, KeyringFault>) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match item {
        // No secret of ours is empty: a keyring that gives nothing back has lost it.
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes)).filter(|bytes| !bytes.is_empty())),
        Err(KeyringFault::Missing) => Ok(None),
        Err(e) => Err(failed(e, "return a secret")),
    }
}

fn delete(store: &dyn KeyringStore, account: &str) -> Result<bool> {
    match store.delete(account) {
        Ok(()) => Ok(true),
        Err(KeyringFault::Missing) => Ok(false),
        Err(e) => Err(failed(e, "delete a secret")),
    }
}

fn broken(whose: &str, reason: impl Into<String>) -> Error {
    VaultError::Broken { what: whose.into(), reason: reason.into() }.into()
}

fn failed(fault: KeyringFault, what: &'static str) -> Error {
    let reason = match fault {
        KeyringFault::Absent(reason) => return VaultError::NoKeyring { reason }.into(),
        KeyringFault::Locked => return VaultError::Locked.into(),
        KeyringFault::Asks(keeper) => return VaultError::Asks { keeper }.into(),
        KeyringFault::Several(item, count) => {
            return VaultError::Several { item: clean(&item), count }.into();
        }
        KeyringFault::NotSetUp(keeper) => return VaultError::NotSetUp { keeper }.into(),
        KeyringFault::Missing => "it has no such item".to_owned(),
        KeyringFault::Unsupported => "it can't do that".to_owned(),
        KeyringFault::Garbled => "its answer can't be decrypted".to_owned(),
        KeyringFault::Failed(reason) => reason,
    };
    VaultError::Keyring { what, reason }.into()
}
