//! What the ledger's statements run on. Each statement is written once, in the words that its engines share.

mod db;
pub(super) mod postgres;
mod safety_copy;
pub(super) mod sqlite;

use db::TransactionKind;
pub(super) use db::{Cell, Db, DbError, Engine, Row, Value, unexpected_value, values};
