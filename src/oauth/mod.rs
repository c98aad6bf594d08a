//! The protocol: asking, catching the redirect, exchanging, revoking, looking up. RFC 6749, 7636, 8252, 8414, 9207.

mod again;
mod answer;
mod ask;
mod callback;
mod echo;
mod endpoints;
mod exchange;
mod introspect;
#[doc(hidden)]
pub mod outside;
mod refresh;
mod returned;
mod revoke;
mod whole;

pub use again::{Patience, again};
pub use ask::{Ask, HANDOFF_PORT, Memo, ask, callback_path, handoff_uri, redirect_uri};
pub use callback::{Answered, Callback, judge, read as read_callback};
pub use endpoints::{Endpoints, SKEW, prepare};
pub use exchange::{Code, exchange};
pub use introspect::{Liveness, introspect, introspect_refresh};
pub use refresh::{Spent, refresh};
pub use returned::{LONGEST as LONGEST_PASTE, Returned};
pub use revoke::revoke;
