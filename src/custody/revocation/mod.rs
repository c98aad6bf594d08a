//! What is given up: grants at the provider, what a newer one replaced, whole records.

pub(super) mod clean_up;
pub(super) mod deactivate;
pub(super) mod remove;
pub(super) mod revoke;
