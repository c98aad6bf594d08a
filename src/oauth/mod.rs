//! The protocol: asking, catching the redirect, exchanging, revoking, looking up. RFC 6749, 7636, 8252, 8414, 9207.

mod again;
mod answer;
mod ask;
mod callback;
mod client;
mod echo;
mod endpoints;
mod exchange;
mod introspect;
mod introspect_all;
mod members;
#[doc(hidden)]
pub mod outside;
mod pasted;
mod refresh;
mod rehearsal;
mod returned;
mod revoke;
mod server_text;
mod token_client;
mod whole;

pub use again::{Patience, again};
pub use ask::{Ask, HANDOFF_PORT, Memo, ask, callback_path, handoff_uri, redirect_uri};
pub use callback::{Answered, Callback, is_from_issuer, judge, read as read_callback};
pub use client::ProviderClient;
pub use endpoints::{Endpoints, SKEW, prepare};
pub use exchange::Code;
pub use introspect::{Liveness, introspect};
pub use introspect_all::{AT_ONCE, Both, LookedUp, look_up};
pub use pasted::{LONGEST as LONGEST_PASTE, Pasted};
pub use refresh::Spent;
pub use rehearsal::{TEST_CODE, silent_endpoints};
pub use returned::Returned;
pub use revoke::revoke;
