//! biotrack-auth: register, renew, watch and deactivate integrator authorizations in BioTrack.

pub mod edge;
pub mod error;
pub mod model;
pub mod vault;
