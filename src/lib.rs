//! biotrack-auth: register, renew, watch and deactivate integrator authorizations in BioTrack.

pub mod command;
pub mod config;
pub mod edge;
pub mod error;
pub mod model;
