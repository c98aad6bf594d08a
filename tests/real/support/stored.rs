//! What the program really keeps of a license, read through the library, and whether the provider takes it.

use super::Rig;
use biotrack_auth::config::Config;
use biotrack_auth::custody::SealLabeler;
use biotrack_auth::ledger::Ledger;
use biotrack_auth::model::flow::{
    RecordCommit, SealedBytes, SecretPlace, SecretRole, SecretsChange, StoredSecret,
};
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::ids::{License, LicenseId, Ubi};
use biotrack_auth::model::seal::SealKind;
use biotrack_auth::model::secret::Sealable;
use biotrack_auth::model::server::LedgerPlace;
use biotrack_auth::system::{Env, Paths, Terminal, Variables};
use biotrack_auth::vault::Vault;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

/// The profile of every rig.
pub const PROFILE: &str = "local-sandbox";

/// The key of a license as [`super::register`] asks for it.
pub fn key(license: &str) -> LicenseId {
    LicenseId { ubi: Ubi::parse("604001").unwrap(), license: License::parse(license).unwrap() }
}

/// As the sandbox's log names a secret.
pub fn hashed(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the keyring has of this name, by the word of another program: its connection outlives no daemon.
#[cfg(target_os = "linux")]
fn kept_in_keyring(item: &str) -> Sealable {
    let kept = crate::keyring::session::look_up(item);
    // Behind what it says of itself: two lines.
    let secret = kept.splitn(3, '\n').nth(2).unwrap_or(&kept);
    Sealable::from_bytes(secret.as_bytes().to_vec())
}

#[cfg(not(target_os = "linux"))]
fn kept_in_keyring(item: &str) -> Sealable {
    let vault = Vault::keyring(biotrack_auth::system::KeyringThread::of_the_platform());
    vault.read_unchecked(&SecretPlace::Item(item.to_owned()), item).unwrap().secret
}

impl Rig {
    /// The machine with this home.
    pub fn env(&self) -> Env {
        let machine = Env::system().unwrap();
        let nobody = Terminal::captured(Box::new(std::io::sink()), Box::new(std::io::sink()));
        let mut env =
            machine.within(Paths::within(self.home()), machine.clock.clone(), machine.browser.clone());
        env.terminal = nobody;
        env
    }

    /// Where the home's configuration says that the ledger is.
    pub fn ledger_place(&self) -> LedgerPlace {
        match Config::load(&self.env().paths) {
            Ok(config) => config.ledger_place(&Variables::default(), "nobody").unwrap(),
            Err(_) => LedgerPlace::File,
        }
    }

    /// The ledger, for writing.
    pub fn ledger(&self) -> Ledger {
        Ledger::open_or_make(&self.env(), &self.ledger_place()).unwrap()
    }

    /// What secrets are sealed for in this home.
    pub fn seals(&self) -> SealLabeler {
        self.seals_of(&self.ledger())
    }

    fn seals_of(&self, ledger: &Ledger) -> SealLabeler {
        SealLabeler::of(ledger, Config::load(&self.env().paths).unwrap().registrations())
    }

    /// The ledger, for reading, where there is one.
    pub fn read_ledger(&self) -> Option<Ledger> {
        Ledger::read(&self.env(), &self.ledger_place()).unwrap()
    }

    /// What processes keep beside the ledger while they work.
    pub fn left_beside(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.home()).unwrap().map(|it| it.unwrap().path());
        let theirs = |folder: &PathBuf| {
            let name = folder.file_name().unwrap().to_str().unwrap();
            folder.is_dir() && (["owners", "claims"].contains(&name) || name.starts_with("spool"))
        };
        folders
            .filter(theirs)
            .flat_map(|it| std::fs::read_dir(it).unwrap())
            .map(|it| it.unwrap().path())
            .collect()
    }

    /// The engine finds the ledger whole; a server looks after its own pages.
    #[track_caller]
    pub fn is_whole(&self) {
        if let LedgerPlace::File = self.ledger_place() {
            let db = rusqlite::Connection::open(self.file("ledger.db")).unwrap();
            let said: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(said, "ok");
        }
    }

    /// The grants that a license has in a role, opened with the home's own identity.
    pub fn grants(&self, license: &str, role: SecretRole) -> Vec<Granted> {
        self.all_grants(&[key(license)], role).pop().unwrap_or_default()
    }

    /// The same of many licenses, in their order.
    pub fn all_grants(&self, keys: &[LicenseId], role: SecretRole) -> Vec<Vec<Granted>> {
        let env = self.env();
        let Some(ledger) = self.read_ledger() else { return vec![Vec::new(); keys.len()] };
        let (sealed, seals) = (Vault::sealed(&env.paths.identity, Vec::new()), self.seals_of(&ledger));
        let open = |key: &LicenseId, secret: StoredSecret| {
            let kept = match &secret.place {
                SecretPlace::Item(item) => kept_in_keyring(item),
                SecretPlace::Blob(_) => sealed.get(&secret.place, &seals.row(PROFILE, key, &secret)).unwrap(),
            };
            Granted::from_sealable(&kept, key).unwrap_or_else(|e| panic!("{secret:?}: {e}"))
        };
        let of = |key: &LicenseId| {
            let secrets = ledger.secrets(PROFILE, key, role).unwrap().into_iter();
            secrets.map(|secret| open(key, secret)).collect()
        };
        keys.iter().map(of).collect()
    }

    /// Makes something else of the grant in use, as if it had been stored so.
    pub fn remake(&self, license: &str, made: impl Fn(&mut Granted)) {
        let (env, key) = (self.env(), key(license));
        let mut ledger = self.ledger();
        let vault = match self.keyring {
            true => Vault::keyring(env.keyring.clone()),
            false => Vault::sealed(&env.paths.identity, Vec::new()),
        };
        let (mut record, seals) =
            (ledger.standing(PROFILE, &key).unwrap().unwrap().record, self.seals_of(&ledger));
        let old = ledger.secrets(PROFILE, &key, SecretRole::Live).unwrap().pop().unwrap();
        let kept = vault.get(&old.place, &seals.row(PROFILE, &key, &old)).unwrap();
        let mut granted = Granted::from_sealable(&kept, &key).unwrap();
        made(&mut granted);
        record.generation = record.generation.next();
        let label = seals.tokens(PROFILE, &key, SealKind::Tokens, record.generation, None);
        let item = format!("{}/{PROFILE}/{}/{}/remade", ledger.id(), key.ubi, key.license);
        let place = vault.put(&item, &label, &granted.to_sealable(&key)).unwrap();
        let moves = vec![SecretsChange::Drop(old.id), SecretsChange::Put(SecretRole::Live, place)];
        let change = RecordCommit { record, moves, ends: None, events: Vec::new() };
        ledger.commit(&[change]).unwrap().pop().unwrap().unwrap();
        vault.forget(&old.place).unwrap();
    }

    /// The access token in use is over. The grant stays the one that it was, in its place.
    pub fn age(&self, license: &str) {
        let (env, key) = (self.env(), key(license));
        let vault = match self.keyring {
            true => Vault::keyring(env.keyring.clone()),
            false => Vault::sealed(&env.paths.identity, Vec::new()),
        };
        let (ledger, seals) = (self.ledger(), self.seals());
        let old = ledger.secrets(PROFILE, &key, SecretRole::Live).unwrap().pop().unwrap();
        let kept = vault.get(&old.place, &seals.row(PROFILE, &key, &old)).unwrap();
        let mut granted = Granted::from_sealable(&kept, &key).unwrap();
        granted.access_expires_at = Some(granted.received_at);
        let label = seals.tokens(PROFILE, &key, SealKind::Tokens, old.generation, None);
        let id = old.id;
        let item = match &old.place {
            SecretPlace::Item(item) => item,
            SecretPlace::Blob(_) => "aged",
        };
        if let SecretPlace::Blob(SealedBytes(blob)) =
            vault.put(item, &label, &granted.to_sealable(&key)).unwrap()
        {
            #[cfg(target_os = "linux")]
            if let LedgerPlace::Server(server) = self.ledger_place() {
                let blob = hex::encode(blob);
                let change = format!("UPDATE biotrack_auth.secret SET blob = '\\x{blob}' WHERE id = {id}");
                super::team::shared().says(&server.database, &change);
                return;
            }
            let ledger = rusqlite::Connection::open(self.file("ledger.db")).unwrap();
            // The ledger's log stays as the program leaves it.
            ledger.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
            ledger.execute("UPDATE secret SET blob = ?2 WHERE id = ?1", (id, blob)).unwrap();
        }
    }

    /// The grant in use.
    pub fn live(&self, license: &str) -> Option<Granted> {
        self.grants(license, SecretRole::Live).pop()
    }

    /// Whether the provider opens its door to the access token.
    pub fn accepts(&self, granted: &Granted) -> bool {
        let address = self.sandbox().address();
        let host = address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        let token = granted.access.expose();
        write!(
            stream,
            "GET /api/ping HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 200 ")
    }
}
