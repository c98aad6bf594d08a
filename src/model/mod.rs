//! The field, pure: what an authorization is, and what follows from a record and an instant. No I/O, no clock.

pub mod authorization;
pub mod column;
pub mod consent;
pub mod duration;
pub mod expiry;
pub mod fact;
pub mod flow;
pub mod grant_before;
pub mod granted;
pub mod history;
pub mod ids;
pub mod instant;
pub mod outcome;
pub mod pace;
pub mod plan;
pub mod provider;
pub mod reminder;
pub mod rows;
pub mod run_counts;
pub mod seal;
pub mod secret;
pub mod selection;
pub mod server;
pub mod spread;
pub mod transfer;
pub mod vault_kind;
