//! biotrack-auth: register, renew, watch and deactivate integrator authorizations in BioTrack.

pub mod cli;
pub mod command;
pub mod config;
pub mod custody;
pub mod edge;
pub mod error;
pub mod grant;
pub mod ledger;
pub mod model;
pub mod report;
pub mod sandbox;
pub mod session;
pub mod vault;
