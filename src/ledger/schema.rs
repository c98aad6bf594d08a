//! The ledger's schema by number: the one list of steps.

use crate::error::LedgerError;
use std::cmp::Ordering;

/// What makes one schema out of the one before it.
pub(super) struct SchemaStep {
    pub(super) sqlite: &'static str,
    /// `None`: no server ever had the schema before it.
    pub(super) postgres: Option<&'static str>,
}

/// The scripts of a step: for both engines, or for a file alone.
macro_rules! step {
    ($number:literal, sqlite) => {
        SchemaStep { sqlite: include_str!(concat!("schema/", $number, ".sqlite.sql")), postgres: None }
    };
    ($number:literal, sqlite, postgres) => {
        SchemaStep {
            sqlite: include_str!(concat!("schema/", $number, ".sqlite.sql")),
            postgres: Some(include_str!(concat!("schema/", $number, ".postgres.sql"))),
        }
    };
}

/// The steps in their order: the first makes schema 1. On a server the ledger began with schema 7, whose script makes it whole.
pub(super) const STEPS: [SchemaStep; 16] = [
    step!("001", sqlite),
    step!("002", sqlite),
    step!("003", sqlite),
    step!("004", sqlite),
    step!("005", sqlite),
    step!("006", sqlite),
    step!("007", sqlite, postgres),
    step!("008", sqlite, postgres),
    step!("009", sqlite, postgres),
    step!("010", sqlite, postgres),
    step!("011", sqlite, postgres),
    step!("012", sqlite, postgres),
    step!("013", sqlite, postgres),
    step!("014", sqlite, postgres),
    step!("015", sqlite, postgres),
    step!("016", sqlite, postgres),
];

/// The newest schema that this program knows, and the only one that it works with.
pub const SCHEMA_VERSION: i64 = STEPS.len() as i64;

/// The number of a ledger in which nothing was made yet.
pub(super) const NOTHING: i64 = 0;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    pub from: i64,
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
    match found.cmp(&SCHEMA_VERSION) {
        Ordering::Equal => Ok(()),
        // defense: S39 newer-schema-is-refused
        Ordering::Greater => Err(LedgerError::Newer { path, found, known: SCHEMA_VERSION }),
        Ordering::Less => Err(LedgerError::Older { path, found, known: SCHEMA_VERSION }),
    }
}
