//! The claim on a license's tokens: held for the seconds of a refresh, or of giving them up. It saves work; what
//! proves is the compare on the record's generation.

use super::engine::{LedgerEngine, ServerLock};
use super::file_system::no_locks;
use super::store::Ledger;
use crate::error::{Error, Result};
use crate::model::ids::LicenseId;
use crate::system::{WatchedStep, files};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A license's tokens, claimed until dropped, however the process ends.
pub struct Claim {
    /// Somebody else had it when it was asked for.
    pub waited: bool,
    /// Held until this is dropped.
    _lock: Lock,
}

enum Lock {
    /// On this machine; the file is open for its lock.
    File { path: PathBuf, _file: File },
    /// On every machine: it goes with the connection.
    Server { _lock: ServerLock },
}

impl Ledger {
    /// Claims the tokens of a credential, which is what issuer, client, UBI and license name together. Waits for so
    /// long for another process; then it's busy.
    pub fn claim(
        &self,
        (issuer, client): (&str, &str),
        key: &LicenseId,
        keyring: bool,
        wait: Duration,
    ) -> Result<Claim> {
        let busy = || Error::Busy {
            license: key.license.to_string(),
            why: "another process is refreshing or deactivating it".into(),
        };
        if let LedgerEngine::Postgres(session) = &self.engine {
            let number = number(issuer, client, key);
            let taken = ServerLock::take(session, number, wait)?;
            let (_lock, waited) = taken.ok_or_else(|| match (busy(), session.lock_holder()) {
                (Error::Busy { license, why }, Some(holder)) => {
                    Error::Busy { license, why: format!("{why} ({holder})") }
                }
                (busy, _) => busy,
            })?;
            return Ok(Claim { waited, _lock: Lock::Server { _lock } });
        }
        let folder = self.paths.claims(keyring);
        let unusable = |e: Error| self.unusable(e);
        files::ensure_private_folder(&folder).map_err(unusable)?;
        let path = folder.join(name(issuer, client, key));
        let until = Instant::now() + wait;
        let mut waited = false;
        loop {
            let file = files::open_private(&path).map_err(unusable)?;
            let locked = match file.try_lock() {
                Ok(()) => Some(file),
                Err(TryLockError::WouldBlock) => {
                    waited = true;
                    self.steps.reached(WatchedStep::AwaitingClaim);
                    // defense: S36 one-claim-on-the-tokens
                    lock_within(file, until.saturating_duration_since(Instant::now()))
                }
                Err(TryLockError::Error(e)) => return Err(no_locks(&path, &e).into()),
            };
            let Some(file) = locked else {
                return Err(busy());
            };
            // Whoever had it may have removed the name meanwhile: then the next one locks another file.
            if is_there(&file, &path) {
                return Ok(Claim { waited, _lock: Lock::File { path, _file: file } });
            }
        }
    }
}

/// The file's name says nothing of the license, and holds no character that a file system minds.
fn name(issuer: &str, client: &str, key: &LicenseId) -> String {
    hex::encode(&digest(issuer, client, key)[..16])
}

/// The same as the number of a server's lock.
fn number(issuer: &str, client: &str, key: &LicenseId) -> i64 {
    digest(issuer, client, key).iter().take(8).fold(0, |number, byte| number << 8 | i64::from(*byte))
}

fn digest(issuer: &str, client: &str, key: &LicenseId) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [issuer, client, key.ubi.as_str(), key.license.as_str()] {
        // With its length, so that no two credentials are written alike.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Waits on a thread of its own: a lock has no time limit. One that comes too late is let go of at once.
fn lock_within(file: File, wait: Duration) -> Option<File> {
    let (sender, locked) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("claim".into());
    thread
        .spawn(move || {
            if file.lock().is_ok() {
                let _ = sender.send(file);
            }
        })
        .ok()?;
    locked.recv_timeout(wait).ok()
}

#[cfg(unix)]
fn is_there(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let name = |found: &fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata(), fs::symlink_metadata(path)), (Ok(ours), Ok(there)) if name(&ours) == name(&there))
}

#[cfg(not(unix))]
fn is_there(_: &File, _: &Path) -> bool {
    // It's never removed.
    true
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Windows takes the name of an open file away at once, or keeps it and refuses everyone, as the file system does; and
        // it has no number by which whoever waited could see which file the name stands for. There the file stays.
        if let Self::File { path, .. } = self
            && cfg!(unix)
        {
            // While it's still locked: who waits for it looks whether the name is still there.
            let _ = fs::remove_file(path);
        }
    }
}
