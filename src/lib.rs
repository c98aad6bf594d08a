//! biotrack-auth: register, renew, watch and deactivate integrator authorizations in BioTrack.

pub mod grant;
