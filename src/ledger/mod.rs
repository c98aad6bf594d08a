//! Records, journal and history, in SQLite or PostgreSQL: the one commit point. No secret is in it in the clear.

mod catalog;
mod claims;
mod engine;
mod exports;
mod heads;
mod health;
mod history;
mod journal;
mod meta;
mod migrations;
mod move_ledger;
mod move_state;
mod process_locks;
mod queries;
mod records;
mod reminders;
mod runs;
mod schema;
mod secret_locations;
mod spool;
mod store;
mod turns;

pub use claims::Claim;
pub use exports::Export;
pub use health::Leftovers;
pub use history::Pruning;
pub use journal::ClosedFlow;
pub use move_ledger::MoveSummary;
pub use process_locks::ProcessLock;
pub use queries::Near;
pub use reminders::Waiting;
pub use runs::LeftRun;
pub use schema::{KNOWN as SCHEMA, Migration};
pub use secret_locations::{SecretLocation, SecretOwner};
#[doc(hidden)]
pub use spool::notes;
pub use spool::{Spool, Spooled};
use store::WriteContext;
pub(crate) use store::changed;
pub use store::{CommitReceipt, Intended, Intent, Ledger, RetiredRole};
