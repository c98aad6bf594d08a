//! The ledger's file as it is before a migration: whole in one file beside it, with what the log of commits holds.

use super::transaction_kind::PATIENCE;
use crate::error::{Error, LedgerError, Result};
use crate::system::files;
use rusqlite::{Connection, OpenFlags};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How a copy's name ends until it is whole.
const UNFINISHED: &str = "copy";

/// Makes a copy that an older program can use in the ledger's place: private, synced, and never in the place of one that holds
/// anything else. Whoever calls it lets nobody write meanwhile.
pub(super) fn make(ledger: &Path, schema: i64) -> Result<PathBuf> {
    let unfinished = beside(ledger, UNFINISHED);
    // What an earlier try left, which ended before its end.
    remove(ledger);
    let kept = write(ledger, &unfinished).and_then(|()| keep(&unfinished, ledger, schema));
    if kept.is_err() {
        remove(ledger);
    }
    kept.map_err(|e| LedgerError::Io { what: "be copied before it's migrated", reason: e.to_string() }.into())
}

/// Removes a copy that has no name yet, with what SQLite may keep beside it.
fn remove(ledger: &Path) {
    for end in ["", "-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(ledger, &format!("{UNFINISHED}{end}")));
    }
}

fn write(ledger: &Path, copy: &Path) -> Result<()> {
    drop(files::create_private(copy)?);
    let written = || -> rusqlite::Result<()> {
        let db =
            Connection::open_with_flags(files::as_sqlite_takes_it(ledger), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(PATIENCE)?;
        // Every page is read and built anew: a ledger that is damaged isn't copied as if it were whole.
        let copy = files::as_sqlite_takes_it(copy);
        db.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
        // As a ledger's own file is; else readers and writers would wait for each other.
        Connection::open(copy)?.pragma_update(None, "journal_mode", "WAL")
    };
    written().map_err(|e| fault(copy, e))?;
    let copied = files::open_existing(copy)?.ok_or_else(|| fault(copy, "it disappeared"))?;
    copied.sync_all().map_err(|e| fault(copy, e))
}

/// Gives a copy its name: the first that is free, or has the very same copy already, of a migration that was cut short.
fn keep(unfinished: &Path, ledger: &Path, schema: i64) -> Result<PathBuf> {
    let first = format!("schema-{schema}");
    let mut name = first.clone();
    for nth in 2.. {
        let copy = beside(ledger, &name);
        if fs::symlink_metadata(&copy).is_err() {
            fs::rename(unfinished, &copy).map_err(|e| fault(&copy, e))?;
            files::sync_folder_of(&copy)?;
            return Ok(copy);
        }
        if is_same(unfinished, &copy) {
            fs::remove_file(unfinished).map_err(|e| fault(unfinished, e))?;
            return Ok(copy);
        }
        name = format!("{first}.{nth}");
    }
    Err(fault(unfinished, "no name is free for it"))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let content = |path| {
        let mut bytes = Vec::new();
        files::read_private(path, files::FileSensitivity::Secret).ok()??.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    matches!((content(one), content(other)), (Some(one), Some(other)) if one == other)
}

fn beside(ledger: &Path, end: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

fn fault(path: &Path, reason: impl ToString) -> Error {
    Error::File { path: path.display().to_string(), reason: reason.to_string() }
}
