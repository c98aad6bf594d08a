//! The access token that is handed out, and the refresh that it may need first.

pub(super) mod access_token;
pub(super) mod introspection;
pub(super) mod refresh_failure;
pub(super) mod refresh_request;
pub(super) mod store_refresh;
