//! What one process at a time may do: it takes its turn, and whoever finds the turn taken leaves the work to that one.

use super::engine::{LedgerEngine, ServerLock};
use super::file_system::no_locks;
use super::store::Ledger;
use crate::error::{Error, Result};
use crate::system::files;
use std::fs::{File, TryLockError};
use std::time::Duration;

/// A turn, until it's dropped: on this machine, or on every one that shares the ledger.
pub struct TurnLock {
    file: Option<File>,
    _server: Option<ServerLock>,
}

impl Drop for TurnLock {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // Closing alone would leave it to a child that has just been started and still has a copy.
            let _ = file.unlock();
        }
    }
}

/// The locks of turns on a server. Claims' numbers are hashes.
const HOOKS: i64 = 0x0062_6961_7574_6801;
const VAULT: i64 = 0x0062_6961_7574_6802;

impl Ledger {
    /// Lets one process at a time run the hooks, so that each is run once; `None` where another is at it.
    pub fn hooks_turn(&self) -> Result<Option<TurnLock>> {
        self.turn("hooks.lock", HOOKS)
    }

    /// Lets one process at a time give all secrets other places, or clear away those that nothing names; `None` where
    /// another is at it.
    pub fn vault_turn(&self) -> Result<Option<TurnLock>> {
        self.turn("vault.lock", VAULT)
    }

    fn turn(&self, file: &str, number: i64) -> Result<Option<TurnLock>> {
        if let LedgerEngine::Postgres(session) = &self.engine {
            let taken = ServerLock::take(session, number, Duration::ZERO)?;
            return Ok(taken.map(|(lock, _)| TurnLock { file: None, _server: Some(lock) }));
        }
        files::ensure_folder(&self.paths.data)?;
        let file = files::open_private(&self.paths.data.join(file))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(TurnLock { file: Some(file), _server: None })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(Error::from(no_locks(&self.paths.ledger(), &e))),
        }
    }
}
