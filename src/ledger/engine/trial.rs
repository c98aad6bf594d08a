//! A trial of the place where a ledger is to be: what every later command needs there is tried before a profile is made.

use super::db_error::of_sqlite;
use super::sqlite::open;
use crate::error::{Error, LedgerError, Result};
use crate::ledger::file_system::{check_locks, no_locks};
use crate::system::{OsRandom, Paths, Random, files};
use rusqlite::OpenFlags;
use std::path::Path;

/// Sees that the folder of the ledger is this user's to use, and that locks and shared memory work there. It's made where
/// it's missing; nothing else stays.
pub fn try_place(paths: &Paths) -> Result<()> {
    let ledger = paths.ledger();
    let unusable = |e: Error| {
        let (path, reason) = (ledger.display().to_string(), e.to_string());
        Error::from(LedgerError::Open { path, reason })
    };
    files::ensure_folder(&paths.data).map_err(unusable)?;
    let trial = paths.data.join(format!("trial-{}", OsRandom.name()?));
    let file = files::create_private(&trial).map_err(unusable)?;
    let tried = file.try_lock().map_err(|e| no_locks(&ledger, &e.into()).into());
    // On Windows a lock is held against this process's other handles, too: SQLite would wait for it.
    let _ = file.unlock();
    drop(file);
    let tried =
        tried.and_then(|()| check_locks(&ledger).map_err(Error::from)).and_then(|()| map(&trial, &ledger));
    for name in ["", "-wal", "-shm", "-journal"] {
        let mut beside = trial.clone().into_os_string();
        beside.push(name);
        let _ = std::fs::remove_file(beside);
    }
    tried
}

/// A database with a log beside it shares memory with whoever else has it open.
fn map(trial: &Path, ledger: &Path) -> Result<()> {
    let db = open(&trial.display().to_string(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let written = db
        .pragma_update(None, "journal_mode", "WAL")
        .and_then(|()| db.execute_batch("CREATE TABLE trial (one INTEGER) STRICT"));
    written.map_err(|e| of_sqlite(&ledger.display().to_string(), "be written", &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_leaves_nothing_but_the_folder() {
        let all = tempfile::tempdir().unwrap();
        let paths = Paths::within(&all.path().join("home"));
        try_place(&paths).unwrap();
        assert_eq!(std::fs::read_dir(&paths.data).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn what_every_later_command_would_refuse_is_refused_here() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let all = tempfile::tempdir().unwrap();
        let shared = all.path().join("shared");
        std::fs::create_dir(&shared).unwrap();
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o1777)).unwrap();
        let refused = try_place(&Paths::within(&shared)).unwrap_err();
        assert!(matches!(refused, Error::Ledger(LedgerError::Open { .. })), "{refused}");
        // A link of ours to a folder of ours will do, as it will for them.
        symlink(all.path(), all.path().join("link")).unwrap();
        try_place(&Paths::within(&all.path().join("link"))).unwrap();
    }
}
