//! Records, journal and history, in SQLite or PostgreSQL: the one commit point. No secret is in it in the clear.
//!
//! `store` holds the ledger open and has its one transaction boundary. What is below it works inside a transaction and
//! knows no ledger: the rows (`records`, `journal`, `chain`, `hook_queue`, `doubts`, `export_notes`, `meta`), what they hold
//! alike (`cells`), the schema, and the files beside it (`spool`, `heads`, `process_locks`). What is above it is a duty
//! each: what callers ask of a ledger.

mod abandoned_flows;
mod catalog;
mod cells;
mod changes;
mod claims;
mod doubts;
mod edits;
mod engine;
mod export_notes;
mod exports;
mod file_system;
mod flow_stages;
mod health;
mod history;
mod history_chain;
mod hook_queue;
mod hosts;
mod intents;
mod journal;
mod meta;
mod migrations;
mod move_ledger;
mod move_state;
mod process_locks;
mod queries;
mod recipients;
mod records;
mod reminders;
mod rollback;
mod runs;
mod schema;
mod secret_locations;
mod seen_heads;
mod spool;
mod store;
mod table_copy;
mod trust;
mod turn_locks;
mod unreadable;
mod write_context;

pub use changes::CommitReceipt;
pub use claims::Claim;
pub use edits::RemovedRecord;
pub use engine::try_place;
pub use export_notes::ExportNote;
pub use health::Leftovers;
pub use history::PruneSummary;
pub use hosts::ListeningHost;
pub use intents::{CommittedIntent, Intent};
pub use journal::ClosedFlow;
pub use move_ledger::MoveSummary;
pub use process_locks::ProcessLock;
pub use queries::ExpiringRecords;
pub use recipients::ListedRecipient;
pub(crate) use records::changed;
pub use reminders::{EventGrant, QueuedHook};
pub use runs::UnfinishedRun;
pub use schema::{Migration, SCHEMA_VERSION as SCHEMA};
pub use secret_locations::{RetiredRole, SecretLocation, SecretOwner};
#[doc(hidden)]
pub use spool::notes;
pub use spool::{Spool, SpooledFlow};
pub use store::Ledger;
pub use turn_locks::TurnLock;
pub use unreadable::{DamagedCounter, UnreadableRow};
