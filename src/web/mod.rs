//! What a browser meets: the listener, the router of its callbacks, the worklist, and the pages that it's shown. It never writes.

mod callback_router;
mod callback_server;
mod event;
mod exchange_pool;
mod launch;
pub mod listener;
pub mod pages;
mod public_words;
mod reception;
mod reply;
mod session;
mod socket;
mod worklist;

pub use callback_server::{CallbackServer, HealthCheck, ServerEvent};
pub use event::SessionEvent;
pub use exchange_pool::ExchangeSlot;
pub use launch::LaunchProblem;
pub use listener::TrustedProxies;
pub use reply::BrowserReply;
pub use session::ListeningSession;
pub use worklist::{ActionResponder, HandedOffLink, Worklist, WorklistAction, WorklistEntry, WorklistView};
