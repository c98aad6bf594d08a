//! What a statement runs on, what goes into it and what comes back.

use super::{postgres, sqlite};
use crate::error::{Error, LedgerError};
use crate::ledger::meta;
use crate::model::secret::Fingerprint;
use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::rc::Rc;

/// The engine that holds this ledger.
pub(in crate::ledger) enum Engine {
    /// A file here.
    Sqlite(sqlite::LedgerFile),
    /// A server that several hosts share.
    Postgres(Rc<postgres::Session>),
}

/// An engine as statements see it: inside a transaction, or outside of any.
#[derive(Clone, Copy)]
pub(in crate::ledger) enum Db<'a> {
    /// A file here.
    Sqlite(&'a Connection),
    /// A server.
    Postgres(&'a postgres::Session),
}

/// How a transaction begins. In each the ledger is looked at again: others may have migrated or moved it since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionKind {
    /// It writes, and nobody else does meanwhile.
    Alone,
    /// The same; on a server nobody notes anything either, and whoever waits for its end sees what it did.
    Undisturbed,
    /// It notes something of this process's own. On a server it waits for nobody else who writes.
    Plain,
    /// The same, and it waits for nobody at all.
    InPassing,
    /// It reads, and all that it reads is of one moment.
    Snapshot,
}

/// A value that is given to a statement.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) enum Value<'a> {
    Null,
    Number(i64),
    Flag(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// The values of a statement, in their order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::ledger::engine::Value::from($value)),*] };
}
pub(in crate::ledger) use values;

/// A row of an answer.
pub(in crate::ledger) enum Row<'a> {
    /// Of SQLite.
    Sqlite(&'a rusqlite::Row<'a>),
    /// Of a server.
    Postgres(&'a postgres::Row),
}

/// What stands in a row's column.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) enum Cell<'r> {
    Null,
    Number(i64),
    Text(&'r str),
    Bytes(&'r [u8]),
}

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

impl Engine {
    /// For statements that need no transaction.
    pub(in crate::ledger) fn db(&self) -> Db<'_> {
        match self {
            Self::Sqlite(file) => file.db(),
            Self::Postgres(session) => Db::Postgres(session),
        }
    }

    /// By which connection it's reached: another number after it was lost and made anew.
    pub(in crate::ledger) fn connection(&self) -> u64 {
        match self {
            Self::Sqlite(_) => 0,
            Self::Postgres(session) => session.connections(),
        }
    }

    /// One synced transaction; others wait for it, and it for them.
    pub(in crate::ledger) fn transaction<T>(
        &self,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::Alone, work)
    }

    /// The same for what others must not go on behind as if it hadn't happened.
    pub(in crate::ledger) fn undisturbed<T>(
        &self,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::Undisturbed, work)
    }

    /// The same as [`Self::transaction`], which survives this process's end at once, and a power cut once something synced follows it.
    pub(in crate::ledger) fn relaxed<T>(
        &self,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::Plain, work)
    }

    /// The same for what isn't worth waiting for: where somebody else is writing, nothing is done.
    pub(in crate::ledger) fn in_passing<T>(
        &self,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::InPassing, work)
    }

    /// Reads that all see the same.
    pub(in crate::ledger) fn snapshot<T>(
        &self,
        read: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::Snapshot, read)
    }

    fn within<T>(
        &self,
        begin: TransactionKind,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        match self {
            Self::Sqlite(file) => file.within(begin, work),
            Self::Postgres(session) => session.within(begin, || work(Db::Postgres(session))),
        }
    }

    /// Now, and not after a redirect: the next commit pays whatever a log costs that is begun anew.
    pub(in crate::ledger) fn checkpoint(&self) {
        if let Self::Sqlite(file) = self {
            file.checkpoint();
        }
    }
}

impl Db<'_> {
    /// Runs statements that are written for this engine, and have no values.
    pub(in crate::ledger) fn run_script(self, script: &str) -> Result<(), DbError> {
        match self {
            Self::Sqlite(db) => Ok(db.execute_batch(script)?),
            Self::Postgres(session) => session.simple(script).map(drop),
        }
    }

    /// Notes which schema the ledger has, in the transaction that made it.
    pub(in crate::ledger) fn set_schema(self, number: i64) -> Result<(), DbError> {
        match self {
            Self::Sqlite(db) => Ok(db.pragma_update(None, "user_version", number)?),
            Self::Postgres(_) => meta::put(self, "schema", &number.to_string()),
        }
    }

    /// How many rows a statement changed.
    pub(in crate::ledger) fn execute(self, statement: &str, values: &[Value<'_>]) -> Result<usize, DbError> {
        match self {
            Self::Sqlite(db) => {
                Ok(db.prepare_cached(statement)?.execute(rusqlite::params_from_iter(values))?)
            }
            Self::Postgres(session) => session.execute(statement, values),
        }
    }

    /// Shows each row of an answer, as long as `see` wants to go on.
    pub(in crate::ledger) fn each(
        self,
        statement: &str,
        values: &[Value<'_>],
        mut see: impl FnMut(&Row<'_>) -> Result<bool, DbError>,
    ) -> Result<(), DbError> {
        match self {
            Self::Sqlite(db) => {
                let mut statement = db.prepare_cached(statement)?;
                let mut rows = statement.query(rusqlite::params_from_iter(values))?;
                while let Some(row) = rows.next()? {
                    if !see(&Row::Sqlite(row))? {
                        break;
                    }
                }
                Ok(())
            }
            Self::Postgres(session) => {
                for row in session.query(statement, values)? {
                    if !see(&Row::Postgres(&row))? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Every row of an answer, read.
    pub(in crate::ledger) fn rows<T>(
        self,
        statement: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let mut all = Vec::new();
        self.each(statement, values, |row| {
            all.push(read(row)?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// The first row of an answer, read, where there is one.
    pub(in crate::ledger) fn row<T>(
        self,
        statement: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        let mut first = None;
        self.each(statement, values, |row| {
            first = Some(read(row)?);
            Ok(false)
        })?;
        Ok(first)
    }

    /// A row's number that comes once. SQLite gives one again once its row is gone: a process that clears away late what
    /// another has cleared already would drop a living grant's tokens. Out of 2^62 none comes twice.
    pub(in crate::ledger) fn once(self) -> &'static str {
        match self {
            Self::Sqlite(_) => "random() & 0x3fffffffffffffff",
            Self::Postgres(_) => "DEFAULT",
        }
    }

    /// A join whose order is given: else SQLite reads all records and looks whether each is among those wanted.
    pub(in crate::ledger) fn join_in_this_order(self) -> &'static str {
        match self {
            Self::Sqlite(_) => "CROSS JOIN",
            Self::Postgres(_) => "JOIN",
        }
    }

    /// The index that a statement goes by. SQLite, which doesn't know how few it holds, would rather read all.
    pub(in crate::ledger) fn by(self, index: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("INDEXED BY {index}"),
            Self::Postgres(_) => String::new(),
        }
    }

    /// Numbers that come next in a table go on behind those that were put into it.
    pub(in crate::ledger) fn bump_sequence(self, table: &str, column: &str) -> Result<(), DbError> {
        match self {
            // It gives the next by itself.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => {
                let next = format!(
                    "SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'), \
                     (SELECT coalesce(max(\"{column}\"), 0) + 1 FROM \"{table}\"), false)"
                );
                self.number(&next, &[]).map(drop)
            }
        }
    }

    /// Whether a process of another host still counts as being at work.
    pub(in crate::ledger) fn has_a_lease(self, mark: &str) -> Result<bool, DbError> {
        match self {
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(_) => {
                let living = "SELECT count(*) FROM owner WHERE mark = ?1 AND until > unixepoch()";
                Ok(self.number(living, values![mark])? > 0)
            }
        }
    }

    /// The number that a statement asks for, which has always one row.
    pub(in crate::ledger) fn number(self, statement: &str, values: &[Value<'_>]) -> Result<i64, DbError> {
        Ok(self.row(statement, values, |row| row.get(0))?.unwrap_or_default())
    }
}

impl Row<'_> {
    /// What stands in a column.
    pub(in crate::ledger) fn cell(&self, column: usize) -> Result<Cell<'_>, DbError> {
        match self {
            Self::Sqlite(row) => match row.get_ref(column)? {
                ValueRef::Null => Ok(Cell::Null),
                ValueRef::Integer(number) => Ok(Cell::Number(number)),
                ValueRef::Text(text) => {
                    std::str::from_utf8(text).map(Cell::Text).map_err(|e| unexpected_value(column, e))
                }
                ValueRef::Blob(bytes) => Ok(Cell::Bytes(bytes)),
                ValueRef::Real(_) => Err(unexpected_value(column, "a fraction")),
            },
            Self::Postgres(row) => postgres::cell(row, column),
        }
    }

    /// The same as what it has to be.
    pub(in crate::ledger) fn get<'r, T: FromCell<'r>>(&'r self, column: usize) -> Result<T, DbError> {
        let cell = self.cell(column)?;
        T::from_cell(cell).ok_or_else(|| unexpected_value(column, "of another type"))
    }
}

/// What a cell can be read as.
pub(in crate::ledger) trait FromCell<'r>: Sized {
    fn from_cell(cell: Cell<'r>) -> Option<Self>;
}

impl FromCell<'_> for i64 {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl FromCell<'_> for u32 {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        i64::from_cell(cell)?.try_into().ok()
    }
}

impl FromCell<'_> for bool {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        i64::from_cell(cell).map(|number| number != 0)
    }
}

impl<'r> FromCell<'r> for &'r str {
    fn from_cell(cell: Cell<'r>) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromCell<'_> for String {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        <&str>::from_cell(cell).map(str::to_owned)
    }
}

impl FromCell<'_> for Vec<u8> {
    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl<'r, T: FromCell<'r>> FromCell<'r> for Option<T> {
    fn from_cell(cell: Cell<'r>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a Fingerprint> for Value<'a> {
    fn from(fingerprint: &'a Fingerprint) -> Self {
        Self::Bytes(fingerprint)
    }
}

impl<'a> From<Cell<'a>> for Value<'a> {
    fn from(cell: Cell<'a>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Number(number) => Self::Number(number),
            Cell::Text(text) => Self::Text(text),
            Cell::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(number),
            Self::Flag(flag) => ValueRef::Integer(flag.into()),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A column holds what this program never writes.
pub(in crate::ledger) fn unexpected_value(column: usize, why: impl std::fmt::Display) -> DbError {
    DbError::Unexpected { column, why: why.to_string() }
}

impl DbError {
    /// What it means to an operator of the ledger at `place`, who wanted it to do `what`.
    pub(in crate::ledger) fn named(self, place: &str, what: &'static str) -> Error {
        match self {
            Self::Sqlite(e) => sqlite::fault(place, what, &e),
            Self::Postgres(e) => postgres::fault(place, what, &e),
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
