//! The protocol: asking, catching the redirect, exchanging, revoking, looking up. RFC 6749, 7636, 8252, 8414, 9207.

mod answer;
mod ask;
mod callback;
mod client;
mod endpoints;
mod exchange;
#[doc(hidden)]
pub mod fuzz_entry;
mod introspect;
mod introspect_all;
mod members;
mod pasted;
mod redact;
mod refresh;
mod rehearsal;
mod retry;
mod returned;
mod revoke;
mod server_text;
mod strict_http;
mod token_client;

pub use ask::{
    AuthorizationRequest, FlowSecrets, HANDOFF_PORT, ask, callback_path, handoff_uri, redirect_uri,
};
pub use callback::{AuthorizationResponse, Callback, code_of, is_from_issuer, read as read_callback};
pub use client::ProviderClient;
pub use endpoints::{CLOCK_SKEW_TOLERATED, Endpoints, prepare};
pub use exchange::CodeExchange;
pub use introspect::GrantValidity;
pub use introspect_all::{IntrospectionResult, MAX_PARALLEL, introspect_all};
pub use pasted::{MAX_PASTE_BYTES as LONGEST_PASTE, PastedCandidates};
pub use refresh::RefreshRequest;
pub use rehearsal::{TEST_CODE, silent_endpoints};
pub use retry::{RetryPolicy, retry};
pub use returned::ReturnedAddress;
pub use revoke::revoke;
