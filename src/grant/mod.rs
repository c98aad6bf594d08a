//! The protocol: asking, catching the redirect, exchanging, revoking, looking up. RFC 6749, 7636, 8252, 8414, 9207.

mod again;
mod answer;
mod ask;
mod callback;
mod echo;
mod endpoints;
mod exchange;
mod introspect;
pub mod listener;
pub mod pages;
mod refresh;
mod revoke;

pub use again::{Patience, again};
pub use ask::{Ask, Memo, ask, callback_path, redirect_uri};
pub use callback::{Answered, Callback, read as read_callback};
pub use endpoints::{Endpoints, prepare};
pub use exchange::{Code, exchange};
pub use introspect::{Liveness, introspect, introspect_refresh};
pub use refresh::{Spent, refresh};
pub use revoke::revoke;
