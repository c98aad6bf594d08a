//! Opening the file: private, migrated, waited for; and what SQLite's errors mean here.

use crate::edge::{Paths, Random, files};
use crate::error::{Error, LedgerError, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Migrations by number: the first makes schema 1. `PRAGMA user_version` tells how many were applied.
const MIGRATIONS: &[&str] = &[
    include_str!("../schema/001.sql"),
    include_str!("../schema/002.sql"),
    include_str!("../schema/003.sql"),
    include_str!("../schema/004.sql"),
    include_str!("../schema/005.sql"),
    include_str!("../schema/006.sql"),
    include_str!("../schema/007.sql"),
];

/// How long others are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The newest schema that this program knows.
pub(in crate::ledger) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

pub(in crate::ledger) fn write(paths: &Paths, random: &dyn Random) -> Result<(Connection, String)> {
    let file = paths.ledger();
    let name = file.display().to_string();
    let unopened = |e: Error| Error::from(LedgerError::Open { path: name.clone(), reason: e.to_string() });
    files::private_folder(&paths.data).map_err(unopened)?;
    refuse_emptied(paths, &name)?;
    files::open_private(&file).map_err(unopened)?;
    // defense: S30 beside-the-ledger
    check_beside(paths).map_err(unopened)?;
    let mut db = open(&name, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let version = version(&db, &name)?;
    // defense: S39 older-schema-is-migrated
    if version < newest() {
        // Two processes that start at once must not both make it: SQLite doesn't wait while the mode changes.
        let turn = files::open_private(&turn(paths)).map_err(unopened)?;
        turn.lock().map_err(|e| LedgerError::Open { path: name.clone(), reason: e.to_string() })?;
        migrate(&mut db, &name, random)?;
    }
    let id = identity(&db, &name)?;
    if named_beside(paths).is_none() {
        files::open_private(&turn(paths))
            .and_then(|mut beside| beside.write_all(id.as_bytes()).map_err(|e| Error::Failed(e.to_string())))
            .map_err(unopened)?;
    }
    Ok((db, id))
}

/// The file that whoever makes or migrates the ledger locks. From then on it names the ledger that was made.
fn turn(paths: &Paths) -> PathBuf {
    paths.data.join("ledger.lock")
}

/// The name of the ledger that was made here.
fn named_beside(paths: &Paths) -> Option<String> {
    std::fs::read_to_string(turn(paths)).ok().filter(|name| !name.is_empty())
}

/// To SQLite a file without a byte is a new one, and its log is thrown away. Where a ledger was made already, what was in
/// it is lost, and that is said; one that somebody took away is begun anew.
fn refuse_emptied(paths: &Paths, name: &str) -> Result<()> {
    match std::fs::metadata(paths.ledger()) {
        // defense: S39 emptied-ledger-is-refused
        Ok(it) if it.len() == 0 && named_beside(paths).is_some() => {
            Err(LedgerError::Damaged { path: name.into(), reason: "it has been emptied".into() }.into())
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let named = File::options().write(true).open(turn(paths));
            let _ = named.and_then(|named| named.set_len(0));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Opens it for reading, with its name and its schema; `None` where there is none.
pub(in crate::ledger) fn read(paths: &Paths) -> Result<Option<(Connection, String, i64)>> {
    let file = paths.ledger();
    let name = file.display().to_string();
    if std::fs::symlink_metadata(&file).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    files::check_private_file(&file)
        .and_then(|()| check_beside(paths))
        .map_err(|e| LedgerError::Open { path: name.clone(), reason: e.to_string() })?;
    refuse_emptied(paths, &name)?;
    let db = match prepare(&name, OpenFlags::SQLITE_OPEN_READ_ONLY) {
        // Someone was killed while making it: only who may write can roll that back.
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
            open(&name, OpenFlags::SQLITE_OPEN_READ_WRITE)?
        }
        opened => opened.map_err(|e| fault(&name, "be opened", &e))?,
    };
    let schema = version(&db, &name)?;
    if schema == 0 {
        // Another process is just making it.
        return Ok(None);
    }
    let id = identity(&db, &name)?;
    Ok(Some((db, id, schema)))
}

/// What SQLite keeps beside the ledger holds what the ledger does, and it writes there without a look at whose that is.
fn check_beside(paths: &Paths) -> Result<()> {
    let beside = ["ledger.db-wal", "ledger.db-shm", "ledger.db-journal"];
    beside.iter().try_for_each(|name| files::check_private_file(&paths.data.join(name)))
}

fn open(name: &str, flags: OpenFlags) -> Result<Connection> {
    prepare(name, flags).map_err(|e| fault(name, "be opened", &e))
}

fn prepare(name: &str, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // More than there are statements: each is parsed once.
    const STATEMENTS: usize = 128;
    let db = Connection::open_with_flags(name, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.busy_timeout(PATIENCE)?;
    // Else the last process to close pays two more syncs.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // defense: S35 commits-are-synced
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    Ok(db)
}

/// Takes what its log has into the file itself, so that the file alone is the whole.
pub(in crate::ledger) fn fold_its_log(file: &std::path::Path) -> Result<()> {
    let name = file.display().to_string();
    let db = open(&name, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.pragma(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).map_err(|e| fault(&name, "be folded", &e))
}

fn version(db: &Connection, name: &str) -> Result<i64> {
    let found: i64 = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|e| fault(name, "be read", &e))?;
    // defense: S39 newer-schema-is-refused
    if found > newest() {
        return Err(LedgerError::Newer { path: name.into(), found, known: newest() }.into());
    }
    Ok(found)
}

fn migrate(db: &mut Connection, name: &str, random: &dyn Random) -> Result<()> {
    let id = random.name()?;
    let run = |db: &mut Connection| -> rusqlite::Result<()> {
        db.pragma_update(None, "journal_mode", "WAL")?;
        let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let applied: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for migration in MIGRATIONS.iter().skip(usize::try_from(applied).unwrap_or(0)) {
            tx.execute_batch(migration)?;
        }
        tx.execute("INSERT OR IGNORE INTO meta (name, value) VALUES ('id', ?1)", [&id])?;
        tx.pragma_update(None, "user_version", newest())?;
        tx.commit()
    };
    run(db).map_err(|e| fault(name, "be made or migrated", &e))
}

fn identity(db: &Connection, name: &str) -> Result<String> {
    db.query_row("SELECT value FROM meta WHERE name = 'id'", [], |row| row.get(0))
        .map_err(|e| fault(name, "be read", &e))
}

/// What an error of SQLite means to an operator.
pub(in crate::ledger) fn fault(path: &str, what: &'static str, e: &rusqlite::Error) -> Error {
    let reason = match e {
        rusqlite::Error::SqliteFailure(_, Some(words)) => words.clone(),
        other => other.to_string(),
    };
    let path = path.to_owned();
    match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            LedgerError::Busy { path, seconds: PATIENCE.as_secs() }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => LedgerError::Damaged { path, reason },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => LedgerError::Open { path, reason },
        _ => LedgerError::Io { what, reason },
    }
    .into()
}
