//! The client that the provider knows: its secret, and whether it's accepted.

pub(super) mod client_secret;
pub(super) mod rehearsal;
