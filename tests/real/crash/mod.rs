//! Promise 1 under kill -9: whatever the provider issued is stored, or shown as uncertain with the next command.

mod between;
mod book;
mod damaged;
mod faults;
mod locked;
mod making;
mod migrating;
mod order;
pub mod points;
mod power;
mod random;
mod runs;
mod spool;
pub mod truth;
mod waiting;
