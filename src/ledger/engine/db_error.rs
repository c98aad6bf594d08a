//! What can go wrong inside a transaction, and what an error of an engine means to an operator.

use crate::error::{Error, LedgerError};
use crate::ledger::file_system::{check_locks, lacking};
use rusqlite::{ErrorCode, ffi};
use std::path::Path;
use tokio_postgres::error::SqlState;

/// What can go wrong inside a transaction.
#[derive(Debug)]
pub(in crate::ledger) enum DbError {
    Sqlite(rusqlite::Error),
    Postgres(tokio_postgres::Error),
    /// A column holds what this program never writes.
    Unexpected {
        column: usize,
        why: String,
    },
    Ours(Error),
}

/// A column holds what this program never writes.
pub(in crate::ledger) fn unexpected_value(column: usize, why: impl std::fmt::Display) -> DbError {
    DbError::Unexpected { column, why: why.to_string() }
}

impl DbError {
    /// What it means to an operator of the ledger at `place`, who wanted it to do `what`.
    pub(in crate::ledger) fn named(self, place: &str, what: &'static str) -> Error {
        match self {
            Self::Sqlite(e) => of_sqlite(place, what, &e),
            Self::Postgres(e) => of_postgres(place, what, &e),
            Self::Unexpected { column, why } => {
                LedgerError::Io { what, reason: format!("column {column} of a row holds {why}") }.into()
            }
            Self::Ours(e) => e,
        }
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sqlite(e)
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(e: tokio_postgres::Error) -> Self {
        Self::Postgres(e)
    }
}

impl From<Error> for DbError {
    fn from(e: Error) -> Self {
        Self::Ours(e)
    }
}

impl From<LedgerError> for DbError {
    fn from(e: LedgerError) -> Self {
        Self::Ours(e.into())
    }
}

pub(super) fn of_sqlite(path: &str, what: &'static str, e: &rusqlite::Error) -> Error {
    let reason = match e {
        rusqlite::Error::SqliteFailure(_, Some(words)) => words.clone(),
        other => other.to_string(),
    };
    if let Some(lacking) = of_file_system(Path::new(path), e, &reason) {
        return lacking.into();
    }
    let path = path.to_owned();
    match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            LedgerError::Busy { path, seconds: None }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => LedgerError::Damaged { path, reason },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => LedgerError::Open { path, reason },
        _ => LedgerError::Io { what, reason },
    }
    .into()
}

/// What is the file system's fault. SQLite takes a lock that isn't given for one that somebody has.
fn of_file_system(path: &Path, e: &rusqlite::Error, reason: &str) -> Option<LedgerError> {
    let rusqlite::Error::SqliteFailure(code, _) = e else { return None };
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::FileLockingProtocolFailed => check_locks(path).err(),
        ErrorCode::SystemIoFailure => match code.extended_code {
            ffi::SQLITE_IOERR_SHMOPEN | ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMMAP => {
                Some(lacking(path, "shared memory", reason.to_owned()))
            }
            ffi::SQLITE_IOERR_LOCK | ffi::SQLITE_IOERR_RDLOCK | ffi::SQLITE_IOERR_SHMLOCK => {
                Some(lacking(path, "file locks", reason.to_owned()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// What an error of the server means to an operator.
fn of_postgres(place: &str, what: &'static str, e: &tokio_postgres::Error) -> Error {
    let (place, reason) = (place.to_owned(), words(e));
    match e.code() {
        Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => {
            LedgerError::Busy { path: place, seconds: None }
        }
        Some(code) if is_away(code) => LedgerError::Away { place, reason },
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => LedgerError::Refused { place, reason },
        // A pooler gave us another session's server process, or ours to another.
        Some(code) if is_another_sessions(code) => LedgerError::Pooled { place },
        Some(_) => LedgerError::ServerFailed { what, reason },
        None => LedgerError::Away { place, reason },
    }
    .into()
}

/// What the server, or the system below, says.
pub(super) fn words(e: &tokio_postgres::Error) -> String {
    let said = match e.as_db_error() {
        Some(said) => said.message().to_owned(),
        None => {
            let mut deepest: &dyn std::error::Error = e;
            while let Some(below) = deepest.source() {
                deepest = below;
            }
            deepest.to_string()
        }
    };
    crate::error::clean(&said)
}

/// A statement that we prepared isn't there, or one is there that we didn't prepare.
fn is_another_sessions(code: &SqlState) -> bool {
    // defense: S36 pooler-is-named
    [SqlState::DUPLICATE_PSTATEMENT, SqlState::INVALID_SQL_STATEMENT_NAME].contains(code)
}

/// Starting, stopping, or too many are connected.
pub(super) fn is_away(code: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(code)
}
