//! A keyring in memory that can be told to fail one of its next calls.

use super::moments::{Moment, Watch};
use biotrack_auth::system::{KeyringFault, KeyringStore};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Items by their accounts, and the mishaps that come next.
pub struct FakeKeyring {
    content: Mutex<Content>,
    watch: Arc<Watch>,
}

#[derive(Default)]
struct Content {
    items: BTreeMap<String, Vec<u8>>,
    locked: bool,
    /// Accounts of which it has two entries, which differ.
    doubled: BTreeSet<String>,
    /// For the call after so many others.
    mishaps: Vec<(usize, Mishap)>,
}

/// What befalls a call.
enum Mishap {
    /// It isn't done.
    Fails(KeyringFault),
    /// It's done, says that it isn't, and somebody locks the keyring.
    LiesAndLocks,
}

impl FakeKeyring {
    pub fn empty(watch: Arc<Watch>) -> Self {
        Self { content: Mutex::default(), watch }
    }

    /// Another one with the same items.
    pub fn copied(&self, watch: Arc<Watch>) -> Self {
        let items = self.content.lock().unwrap().items.clone();
        Self { content: Mutex::new(Content { items, ..Content::default() }), watch }
    }

    /// How many mishaps are still to come.
    pub fn mishaps_to_come(&self) -> usize {
        self.content.lock().unwrap().mishaps.len()
    }

    /// What an account holds is something else from now on.
    pub fn puts(&self, account: &str, secret: &[u8]) {
        self.content.lock().unwrap().items.insert(account.into(), secret.to_vec());
    }

    /// An item is gone, by somebody else's hand.
    pub fn loses(&self, account: &str) {
        self.content.lock().unwrap().items.remove(account);
    }

    /// Somebody has restored another entry of that name.
    pub fn doubles(&self, account: &str) {
        self.content.lock().unwrap().doubled.insert(account.into());
    }

    /// The next call fails so.
    pub fn fails(&self, fault: KeyringFault) {
        self.fails_after(0, fault);
    }

    /// The call behind so many others fails so.
    pub fn fails_after(&self, calls: usize, fault: KeyringFault) {
        self.befalls(calls, Mishap::Fails(fault));
    }

    /// The call behind so many others is done, and says that it failed; from then on it's locked.
    pub fn lies_and_locks_after(&self, calls: usize) {
        self.befalls(calls, Mishap::LiesAndLocks);
    }

    fn befalls(&self, calls: usize, mishap: Mishap) {
        self.content.lock().unwrap().mishaps.push((calls, mishap));
    }

    /// From now on every call says that it's locked, or none does any more.
    pub fn locks(&self, locked: bool) {
        self.content.lock().unwrap().locked = locked;
    }

    /// The accounts that it has.
    pub fn accounts(&self) -> Vec<String> {
        self.content.lock().unwrap().items.keys().cloned().collect()
    }

    /// All that it has.
    pub fn items(&self) -> BTreeMap<String, Vec<u8>> {
        self.content.lock().unwrap().items.clone()
    }

    fn call<T>(
        &self,
        what: &'static str,
        account: &str,
        work: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> Result<T, KeyringFault>,
    ) -> Result<T, KeyringFault> {
        self.watch.sees(&Moment::Asks(what, account.into()));
        let done = self.content.lock().unwrap().call(work);
        self.watch.sees(&Moment::Asked(what, account.into()));
        done
    }
}

impl Content {
    fn call<T>(
        &mut self,
        work: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> Result<T, KeyringFault>,
    ) -> Result<T, KeyringFault> {
        if self.locked {
            return Err(KeyringFault::Locked);
        }
        let due = self.mishaps.iter().position(|(calls, _)| *calls == 0);
        let due = due.map(|at| self.mishaps.remove(at).1);
        self.mishaps.iter_mut().for_each(|(calls, _)| *calls -= 1);
        match due {
            None => work(&mut self.items),
            Some(Mishap::Fails(fault)) => Err(fault),
            Some(Mishap::LiesAndLocks) => {
                let _ = work(&mut self.items);
                self.locked = true;
                Err(KeyringFault::Failed("the connection broke".into()))
            }
        }
    }
}

impl KeyringStore for FakeKeyring {
    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringFault> {
        self.call("set", account, |items| {
            items.insert(account.into(), secret.to_vec());
            Ok(())
        })
    }

    fn get(&self, account: &str) -> Result<Vec<u8>, KeyringFault> {
        let doubled = self.content.lock().unwrap().doubled.contains(account);
        self.call("get", account, |items| match items.get(account) {
            Some(_) if doubled => Err(KeyringFault::Several(account.to_owned(), 2)),
            item => item.cloned().ok_or(KeyringFault::Missing),
        })
    }

    fn delete(&self, account: &str) -> Result<(), KeyringFault> {
        self.call("delete", account, |items| items.remove(account).map(drop).ok_or(KeyringFault::Missing))
    }

    fn accounts(&self) -> Result<Vec<String>, KeyringFault> {
        self.call("list", "", |items| Ok(items.keys().cloned().collect()))
    }
}
