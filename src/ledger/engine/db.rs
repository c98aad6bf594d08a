//! What a statement runs on, and the rows that come back.

use super::db_error::{DbError, unexpected_value};
use super::postgres::{ServerSession, cell};
use super::value::{Cell, FromCell, SqlValue, values};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

/// An engine as statements see it: inside a transaction, or outside of any.
#[derive(Clone, Copy)]
pub(in crate::ledger) enum Db<'a> {
    Sqlite(&'a Connection),
    Postgres(&'a ServerSession),
}

pub(in crate::ledger) enum SqlRow<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    /// Of a server.
    Postgres(&'a tokio_postgres::Row),
}

impl Db<'_> {
    /// Runs statements that are written for this engine, and have no values.
    pub(in crate::ledger) fn run_script(self, script: &str) -> Result<(), DbError> {
        match self {
            Self::Sqlite(db) => Ok(db.execute_batch(script)?),
            Self::Postgres(session) => session.simple(script).map(drop),
        }
    }

    /// How many rows a statement changed.
    pub(in crate::ledger) fn execute(
        self,
        statement: &str,
        values: &[SqlValue<'_>],
    ) -> Result<usize, DbError> {
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
        values: &[SqlValue<'_>],
        mut see: impl FnMut(&SqlRow<'_>) -> Result<bool, DbError>,
    ) -> Result<(), DbError> {
        match self {
            Self::Sqlite(db) => {
                let mut statement = db.prepare_cached(statement)?;
                let mut rows = statement.query(rusqlite::params_from_iter(values))?;
                while let Some(row) = rows.next()? {
                    if !see(&SqlRow::Sqlite(row))? {
                        break;
                    }
                }
                Ok(())
            }
            Self::Postgres(session) => {
                for row in session.query(statement, values)? {
                    if !see(&SqlRow::Postgres(&row))? {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    pub(in crate::ledger) fn rows<T>(
        self,
        statement: &str,
        values: &[SqlValue<'_>],
        mut read: impl FnMut(&SqlRow<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let mut all = Vec::new();
        self.each(statement, values, |row| {
            all.push(read(row)?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// The rows that can be read. One that can't be, because somebody put it there by hand, is left out and stops nobody;
    /// `doctor` names it.
    pub(in crate::ledger) fn readable_rows<T>(
        self,
        statement: &str,
        values: &[SqlValue<'_>],
        mut read: impl FnMut(&SqlRow<'_>) -> Result<T, DbError>,
    ) -> Result<Vec<T>, DbError> {
        let all = self.rows(statement, values, |row| match read(row) {
            Err(DbError::Unexpected { .. }) => Ok(None),
            read => read.map(Some),
        })?;
        Ok(all.into_iter().flatten().collect())
    }

    pub(in crate::ledger) fn row<T>(
        self,
        statement: &str,
        values: &[SqlValue<'_>],
        mut read: impl FnMut(&SqlRow<'_>) -> Result<T, DbError>,
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
    pub(in crate::ledger) fn number(self, statement: &str, values: &[SqlValue<'_>]) -> Result<i64, DbError> {
        Ok(self.row(statement, values, |row| row.get(0))?.unwrap_or_default())
    }
}

impl SqlRow<'_> {
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
            Self::Postgres(row) => cell(row, column),
        }
    }

    pub(in crate::ledger) fn get<'r, T: FromCell<'r>>(&'r self, column: usize) -> Result<T, DbError> {
        let cell = self.cell(column)?;
        T::from_cell(cell).ok_or_else(|| unexpected_value(column, "of another type"))
    }
}
