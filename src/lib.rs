//! biotrack-auth: register, renew, watch and deactivate integrator authorizations in BioTrack.
//!
//! Each module here is a room. `docs/architecture.md` says what each is for and what it may import, and a test holds both together.

pub mod cli;
pub mod command;
pub mod config;
pub mod consent;
pub mod custody;
pub mod error;
pub mod ledger;
pub mod model;
pub mod oauth;
pub mod report;
pub mod sandbox;
pub mod system;
pub mod vault;
pub mod web;
