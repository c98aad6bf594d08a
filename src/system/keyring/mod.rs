//! The platform's keyring: its items, and the one thread that alone talks to it, for callers who wait only so long.

mod platform;
#[cfg(target_os = "linux")]
mod secret_service;
mod thread;

pub use thread::KeyringThread;

/// The service that all items are of.
const SERVICE: &str = "biotrack-auth";

/// Why a keyring didn't do what it was asked. No word in it holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringFault {
    /// There is no keyring to talk to; the platform's word.
    Absent(String),
    /// It is there, but locked, or would have to ask a person where there is none.
    Locked,
    /// It is open, and asks a person about each access, where there is none; which program it is.
    Asks(String),
    /// It has so many items of that name, and they differ.
    Several(String, usize),
    /// It is there, and has no place yet where secrets could be kept; which program it is.
    NotSetUp(String),
    /// It has no such item, or says so because it's locked.
    Missing,
    /// This kind of keyring can't do that at all.
    Unsupported,
    /// Both ends of this connection have another key, so that neither can read what the other encrypted.
    Garbled,
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

    /// Gives a secret back as another process would get it, which has a connection of its own.
    fn get_afresh(&self, account: &str) -> Result<Vec<u8>, KeyringFault> {
        self.get(account)
    }

    /// Gives a secret back where nobody has to be asked for it, whoever is there: else it's [locked](KeyringFault::Locked), or
    /// [unsupported](KeyringFault::Unsupported) where that can't be told before.
    fn get_unasked(&self, account: &str) -> Result<Vec<u8>, KeyringFault> {
        self.get(account)
    }

    /// The program that is asked, as people call it; `None` where nobody tells.
    fn keeper(&self) -> Option<String> {
        None
    }

    /// From now on a person is there to answer what the keyring asks on the desktop. Until then nothing is asked of it that
    /// would make it ask.
    fn a_person_answers(&self) {}

    /// Whether it may have items that it doesn't show, because a part of it is closed.
    fn hides_some(&self) -> bool {
        false
    }

    /// Whether it's seen to ask something on the desktop since a call that still hangs.
    fn is_asking(&self) -> bool {
        false
    }

    /// Nobody waits any more for what is asked on the desktop: it's taken back. May be called while another call hangs.
    fn stops_asking(&self) {}
}
