//! What the floors share: as little HTTP as loopback needs, and the provider's addresses.

pub mod http;
pub mod oauth;
