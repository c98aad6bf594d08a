//! A keyring in memory that can be told to fail its next call.

use biotrack_auth::edge::{KeyringFault, KeyringStore};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Items by their accounts, and the faults that come next.
#[derive(Default)]
pub struct FakeKeyring(Mutex<Content>);

#[derive(Default)]
struct Content {
    items: BTreeMap<String, Vec<u8>>,
    locked: bool,
    /// For the call after so many others; the fault.
    faults: Vec<(usize, KeyringFault)>,
}

impl FakeKeyring {
    /// The next call fails so.
    pub fn fails(&self, fault: KeyringFault) {
        self.fails_after(0, fault);
    }

    /// The call behind so many others fails so.
    pub fn fails_after(&self, calls: usize, fault: KeyringFault) {
        self.0.lock().unwrap().faults.push((calls, fault));
    }

    /// From now on every call says that it's locked, or none does any more.
    pub fn locks(&self, locked: bool) {
        self.0.lock().unwrap().locked = locked;
    }

    /// The accounts that it has.
    pub fn accounts(&self) -> Vec<String> {
        self.0.lock().unwrap().items.keys().cloned().collect()
    }

    fn call<T>(
        &self,
        work: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> Result<T, KeyringFault>,
    ) -> Result<T, KeyringFault> {
        let mut content = self.0.lock().unwrap();
        if content.locked {
            return Err(KeyringFault::Locked);
        }
        if let Some(at) = content.faults.iter().position(|(calls, _)| *calls == 0) {
            return Err(content.faults.remove(at).1);
        }
        content.faults.iter_mut().for_each(|(calls, _)| *calls -= 1);
        work(&mut content.items)
    }
}

impl KeyringStore for FakeKeyring {
    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringFault> {
        self.call(|items| {
            items.insert(account.into(), secret.to_vec());
            Ok(())
        })
    }

    fn get(&self, account: &str) -> Result<Vec<u8>, KeyringFault> {
        self.call(|items| items.get(account).cloned().ok_or(KeyringFault::Missing))
    }

    fn delete(&self, account: &str) -> Result<(), KeyringFault> {
        self.call(|items| items.remove(account).map(drop).ok_or(KeyringFault::Missing))
    }

    fn accounts(&self) -> Result<Vec<String>, KeyringFault> {
        self.call(|items| Ok(items.keys().cloned().collect()))
    }
}
