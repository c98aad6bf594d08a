//! Promise 1 under kill -9: whatever the provider issued is stored, or shown as uncertain with the next command.

mod between;
pub mod points;
mod spool;
pub mod truth;
mod waiting;
