//! Consents, from the request to the stored grant: what register and renew share.

mod args;
mod link;
mod one;
mod outcome;
mod remote;
mod single_reporter;

pub(super) use args::ConsentArgs;
pub(super) use link::{hand_off, messages, say_what_comes};
pub(super) use one::consent;
pub(super) use outcome::{answered, settled};
pub(super) use remote::from_afar;
