//! What the keyring crate doesn't tell of a Secret Service: what is locked, before that is asked for and the desktop
//! asks a person; whether it has a place for secrets at all; and which program it is.

use super::super::files;
use super::{KeyringFault, SERVICE};
use crate::error::clean;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use zbus::blocking::Connection;
use zbus::names::BusName;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

const NAME: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const PROMPTS: &str = "/org/freedesktop/secrets/prompt";
/// What an alias leads to where there is no such collection.
const NONE: &str = "/";

const KWALLET: &str = "KWallet";
const KEEPASSXC: &str = "KeePassXC";
/// So many older states of an entry it keeps, where a database's settings don't say otherwise.
const KEEPASSXCS_HISTORY: usize = 10;

/// Programs that offer a Secret Service, by what the system calls their process (cut at 15 bytes).
const KEEPERS: [(&str, &str); 6] = [
    ("gnome-keyring-d", "GNOME Keyring"),
    ("kwalletd5", KWALLET),
    ("kwalletd6", KWALLET),
    ("ksecretd", KWALLET),
    ("keepassxc", KEEPASSXC),
    ("oo7-daemon", "oo7"),
];

/// A connection of our own, which is made once, and what is known of who is at its other end.
#[derive(Default)]
pub(super) struct SecretService {
    bus: OnceLock<Option<Connection>>,
    process: OnceLock<Option<String>>,
    prompts: Mutex<Prompts>,
}

/// What it asks on the desktop.
#[derive(Default)]
struct Prompts {
    /// Those that were there before it was given a reason to ask: others' own.
    before: BTreeSet<String>,
    ours: BTreeSet<String>,
}

impl SecretService {
    /// That everything which is needed for these items is open, so that nobody is asked for it. Where the bus itself
    /// doesn't answer, the keyring crate has the better word for it.
    pub(super) fn asks_nobody(&self, account: Option<&str>) -> Result<(), KeyringFault> {
        // defense: S56 no-session-of-another-user
        if let Some(socket) = session().filter(|socket| files::is_in_other_hands(socket)) {
            return Err(KeyringFault::Absent(format!(
                "the D-Bus session at {} belongs to another user (DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR): sign in as this user, without su or sudo",
                clean(&socket.display().to_string())
            )));
        }
        let Some(bus) = self.bus() else { return Ok(()) };
        let Some(collection) = default_collection(bus) else { return Ok(()) };
        // After that: the first question may be what starts it.
        let process = self.process().unwrap_or_default();
        if collection.as_str() == NONE {
            return Err(KeyringFault::NotSetUp(self.keeper().unwrap_or_else(|| "the keyring".into())));
        }
        if self.keeper().as_deref() == Some(KWALLET) {
            // Collection and items are locked there for whoever hasn't used them yet; it's the wallet that needs the
            // password.
            return match wallet_is_open(bus, process, &collection) {
                Some(false) => Err(KeyringFault::Locked),
                _ => Ok(()),
            };
        }
        if property(bus, &collection, "Locked") == Some(true) {
            return Err(KeyringFault::Locked);
        }
        if self.keeper().as_deref() != Some(KEEPASSXC) {
            return Ok(());
        }
        // There each item may be locked for each program.
        let mut attributes = HashMap::from([("service", SERVICE)]);
        attributes.extend(account.map(|account| ("username", account)));
        let found = bus.call_method(
            Some(NAME),
            ROOT,
            Some("org.freedesktop.Secret.Service"),
            "SearchItems",
            &attributes,
        );
        let found = found
            .and_then(|reply| reply.body().deserialize::<(Vec<OwnedObjectPath>, Vec<OwnedObjectPath>)>());
        match found {
            Ok((_, locked)) if !locked.is_empty() => Err(KeyringFault::Asks(KEEPASSXC.into())),
            _ => Ok(()),
        }
    }

    /// KeePassXC knows nothing of what is in a database that is closed, while another one is open.
    pub(super) fn hides_some(&self) -> bool {
        let Some(bus) = self.bus().filter(|_| self.keeper().as_deref() == Some(KEEPASSXC)) else {
            return false;
        };
        let asked = ("org.freedesktop.Secret.Service", "Collections");
        let all = bus.call_method(Some(NAME), ROOT, Some("org.freedesktop.DBus.Properties"), "Get", &asked);
        let all = all.ok().and_then(|reply| reply.body().deserialize::<OwnedValue>().ok());
        let all = all.and_then(|all| Vec::<OwnedObjectPath>::try_from(all).ok()).unwrap_or_default();
        all.iter().any(|collection| property(bus, collection, "Locked") == Some(true))
    }

    /// The next call may have it ask.
    pub(super) fn may_ask(&self) {
        let before = self.bus().map(prompts).unwrap_or_default();
        *self.of_prompts() = Prompts { before, ours: BTreeSet::new() };
    }

    /// Whether it asks something since then. Nobody tells who had it ask, so that what is seen first is taken for ours.
    pub(super) fn is_asking(&self) -> bool {
        let now = self.bus().map(prompts).unwrap_or_default();
        let mut known = self.of_prompts();
        known.ours = now.difference(&known.before).cloned().collect();
        !known.ours.is_empty()
    }

    /// Takes back what it asks because of us; where that was answered, what it has asked since.
    pub(super) fn stops_asking(&self) {
        let Some(bus) = self.bus() else { return };
        let now = prompts(bus);
        let ours: Vec<_> = {
            let known = self.of_prompts();
            match known.ours.is_disjoint(&now) {
                true => now.difference(&known.before).cloned().collect(),
                false => now.intersection(&known.ours).cloned().collect(),
            }
        };
        for prompt in ours {
            let path = format!("{PROMPTS}/{prompt}");
            let dismissed =
                bus.call_method(Some(NAME), &*path, Some("org.freedesktop.Secret.Prompt"), "Dismiss", &());
            if let Err(e) = dismissed {
                tracing::debug!("a prompt of the keyring stays: {e}");
            }
        }
    }

    fn of_prompts(&self) -> MutexGuard<'_, Prompts> {
        self.prompts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many older secrets of an item it keeps, at the most, beside the newest.
    pub(super) fn keeps_of_each(&self) -> usize {
        if self.keeper().as_deref() == Some(KEEPASSXC) { KEEPASSXCS_HISTORY + 1 } else { 1 }
    }

    /// Which program it is, as far as that is known: whoever waits for a bus that doesn't answer may ask, too.
    pub(super) fn keeper(&self) -> Option<String> {
        let process = self.process.get()?.as_deref()?;
        let known = KEEPERS.iter().find(|(name, _)| *name == process);
        Some(known.map_or(process, |(_, called)| *called).to_owned())
    }

    /// What the system calls its process.
    fn process(&self) -> Option<&str> {
        let look = || {
            let bus = zbus::blocking::fdo::DBusProxy::new(self.bus()?).ok()?;
            let process = bus.get_connection_unix_process_id(BusName::try_from(NAME).ok()?).ok()?;
            let command = std::fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
            Some(clean(command.trim_end()))
        };
        self.process.get_or_init(look).as_deref()
    }

    fn bus(&self) -> Option<&Connection> {
        self.bus.get_or_init(|| Connection::session().ok()).as_ref()
    }
}

/// The prompts that are there, by the last part of their paths; a service that names none has none.
fn prompts(bus: &Connection) -> BTreeSet<String> {
    let described =
        bus.call_method(Some(NAME), PROMPTS, Some("org.freedesktop.DBus.Introspectable"), "Introspect", &());
    let described = described.and_then(|reply| reply.body().deserialize::<String>());
    let names = described.as_deref().unwrap_or_default().split("<node name=\"").skip(1);
    names.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

/// Where new items are kept.
fn default_collection(bus: &Connection) -> Option<OwnedObjectPath> {
    let reply = bus
        .call_method(Some(NAME), ROOT, Some("org.freedesktop.Secret.Service"), "ReadAlias", &"default")
        .ok()?;
    reply.body().deserialize().ok()
}

/// By KWallet's own word, whose wallets are named as their collections are labeled.
fn wallet_is_open(bus: &Connection, process: &str, collection: &OwnedObjectPath) -> Option<bool> {
    let wallet: String = property(bus, collection, "Label")?;
    // Plasma's newer daemon answers for the wallets by the name that its predecessor had.
    let process = if process == "ksecretd" { "kwalletd6" } else { process };
    let (service, path) = (format!("org.kde.{process}"), format!("/modules/{process}"));
    let reply = bus.call_method(Some(&*service), &*path, Some("org.kde.KWallet"), "isOpen", &wallet).ok()?;
    reply.body().deserialize().ok()
}

fn property<T: TryFrom<OwnedValue>>(bus: &Connection, collection: &OwnedObjectPath, name: &str) -> Option<T> {
    let asked = ("org.freedesktop.Secret.Collection", name);
    let reply = bus
        .call_method(Some(NAME), collection, Some("org.freedesktop.DBus.Properties"), "Get", &asked)
        .ok()?;
    reply.body().deserialize::<OwnedValue>().ok()?.try_into().ok()
}

/// The socket of the D-Bus session, where it has a path: whoever answers there is handed our secrets.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
