//! What the ledger's statements run on. Each statement is written once, in the words that its engines share.

mod db;
mod db_error;
mod open_mode;
mod postgres;
mod safety_copy;
mod sqlite;
mod transaction_kind;
mod transactions;
mod trial;
mod value;

pub(super) use db::{Db, SqlRow};
pub(super) use db_error::{DbError, unexpected_value};
pub(super) use open_mode::OpenMode;
pub(super) use postgres::{ServerLock, ServerSession};
pub(super) use sqlite::{LedgerFile, checkpoint_truncate};
pub(super) use transactions::LedgerEngine;
pub use trial::try_place;
pub(super) use value::{Cell, SqlValue, values};
