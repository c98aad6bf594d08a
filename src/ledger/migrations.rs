//! The ledger's schema by number: the one list of steps, and how both engines take them.
//!
//! A ledger says which number it has. A newer one than this program knows is refused before anything is written; an older one is
//! brought up to date by every step that it lacks, in one transaction. When that happens is its engine's: a file is migrated by
//! whoever uses it, after a copy was put beside it; a server by the role that owns the ledger, when it's told to.

use super::engine::{Db, DbError, values};
use crate::error::LedgerError;
use std::cmp::Ordering;

/// What makes one schema out of the one before it.
struct Step {
    sqlite: &'static str,
    /// `None`: no server ever had the schema before it.
    postgres: Option<&'static str>,
}

/// The scripts of a step: for both engines, or for a file alone.
macro_rules! step {
    ($number:literal, sqlite) => {
        Step { sqlite: include_str!(concat!("schema/", $number, ".sqlite.sql")), postgres: None }
    };
    ($number:literal, sqlite, postgres) => {
        Step {
            sqlite: include_str!(concat!("schema/", $number, ".sqlite.sql")),
            postgres: Some(include_str!(concat!("schema/", $number, ".postgres.sql"))),
        }
    };
}

/// The steps in their order: the first makes schema 1. On a server the ledger began with schema 7, whose script makes it whole.
const STEPS: [Step; 9] = [
    step!("001", sqlite),
    step!("002", sqlite),
    step!("003", sqlite),
    step!("004", sqlite),
    step!("005", sqlite),
    step!("006", sqlite),
    step!("007", sqlite, postgres),
    step!("008", sqlite, postgres),
    step!("009", sqlite, postgres),
];

/// The newest schema that this program knows, and the only one that it works with.
pub const KNOWN: i64 = STEPS.len() as i64;

/// The number of a ledger in which nothing was made yet.
pub(super) const NOTHING: i64 = 0;

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The schema that the ledger had.
    pub from: i64,
    /// The schema that it has.
    pub to: i64,
    /// Where the ledger is kept as it was; a server's administrator sees to that.
    pub copy: Option<String>,
}

/// Whether this program works with a ledger that has the schema `found`.
///
/// # Errors
/// [`LedgerError::Newer`] or [`LedgerError::Older`], which names both numbers.
pub(super) fn fits(path: &str, found: i64) -> Result<(), LedgerError> {
    let path = path.to_owned();
    match found.cmp(&KNOWN) {
        Ordering::Equal => Ok(()),
        // defense: S39 newer-schema-is-refused
        Ordering::Greater => Err(LedgerError::Newer { path, found, known: KNOWN }),
        Ordering::Less => Err(LedgerError::Older { path, found, known: KNOWN }),
    }
}

/// Makes a ledger in a transaction where nothing is yet.
pub(super) fn make(tx: Db<'_>, id: &str) -> Result<(), DbError> {
    migrate(tx, NOTHING)?;
    tx.execute("INSERT INTO meta (name, value) VALUES ('id', ?1)", values![id])?;
    Ok(())
}

/// Takes every step that a ledger lacks which has the schema `found`, in a transaction that nobody else writes beside.
pub(super) fn migrate(tx: Db<'_>, found: i64) -> Result<(), DbError> {
    for script in missing(tx, found) {
        tx.run_script(script)?;
    }
    tx.set_schema(KNOWN)
}

fn missing(tx: Db<'_>, found: i64) -> impl Iterator<Item = &'static str> {
    // defense: S39 older-schema-is-migrated
    let steps = STEPS.iter().skip(usize::try_from(found).unwrap_or_default());
    steps.filter_map(move |step| match tx {
        Db::Sqlite(_) => Some(step.sqlite),
        Db::Postgres(_) => step.postgres,
    })
}

/// The scripts that make a server's ledger, in their order: for those who compare it with a file's.
#[cfg(test)]
pub(super) fn scripts_for_a_server() -> impl Iterator<Item = &'static str> {
    STEPS.iter().filter_map(|step| step.postgres)
}

#[cfg(test)]
mod tests;
