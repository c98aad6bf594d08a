//! A listener behind a TLS proxy: it takes the answers of many admins, whoever asked them. It never writes.

use super::exchange_pool::{ExchangePool, ExchangeSlot};
use super::reply::BrowserReply;
use super::socket;
use crate::error::Result;
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::oauth::{Code, ProviderClient, Returned};
use crate::system::Env;
use crate::web::listener::{Listener, Method, Page, Request, Serving};
use crate::web::pages;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;
use url::Url;

/// Where a monitor asks whether all is well.
const HEALTH: &str = "/healthz";

/// What comes to the server.
#[derive(Debug)]
pub enum ServerEvent {
    /// An admin's browser brings an answer, and waits for its page.
    Answer {
        /// What it brings.
        returned: Returned,
        /// Where the page goes.
        reply: BrowserReply,
    },
    /// A monitor asks.
    Health(HealthCheck),
    /// A code was exchanged, or wasn't.
    Exchanged {
        /// Which question's.
        flow: FlowId,
        /// What came of it.
        result: Box<Result<Granted>>,
    },
    /// Ctrl-C, or a polite signal.
    Interrupted,
}

/// A monitor that waits.
#[derive(Debug)]
pub struct HealthCheck(Request);

impl HealthCheck {
    /// All is well, or why not.
    pub fn answer(self, well: &Result<(), String>) {
        let (status, reason) = match well {
            Ok(()) => (200, None),
            Err(e) => (503, Some(crate::error::clean(e))),
        };
        let text = serde_json::json!({ "ok": well.is_ok(), "reason": reason }).to_string();
        self.0.answer(Page::json(text).with_status(status));
    }
}

/// The server, open.
pub struct CallbackServer {
    events: Receiver<ServerEvent>,
    sender: Sender<ServerEvent>,
    pool: ExchangePool,
    serving: Serving,
}

impl CallbackServer {
    /// Binds the address and takes what comes for the public one.
    pub fn open(env: &Env, client: ProviderClient, public: &Url, bind: SocketAddr) -> Result<Self> {
        let unbound = socket::unbound(Some(bind.port()).filter(|port| *port != 0));
        let runtime = env.net()?;
        let listener = Listener::behind_proxy(bind, public).map_err(&unbound)?;
        let (sender, events) = channel();
        let to_loop = sender.clone();
        let base = public.as_str().trim_end_matches('/').to_owned();
        let root = public.path().trim_end_matches('/').to_owned();
        let serving = listener
            .serve(&runtime, &socket::private_folders(env), move |request| {
                if let Some(event) = received(request, &base, &root) {
                    let _ = to_loop.send(event);
                }
            })
            .map_err(unbound)?;
        socket::on_interrupt(env, &runtime, &sender, ServerEvent::Interrupted)?;
        Ok(Self { events, sender, pool: ExchangePool::new(runtime, client), serving })
    }

    /// The port taken.
    pub fn port(&self) -> u16 {
        self.serving.port()
    }

    /// The next event, or `None` once the time is over.
    pub fn next(&self, until: Instant) -> Option<ServerEvent> {
        self.events.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// A place among the few exchanges at once, where one is free: there is one again when an answer comes.
    pub fn slot(&self) -> Option<ExchangeSlot> {
        self.pool.slot()
    }

    /// Exchanges a code whose sending the ledger knows of; the answer comes as a event.
    pub fn exchange(&self, slot: ExchangeSlot, go: Logged<(FlowId, Code)>) {
        self.pool.exchange(slot, go, &self.sender, |flow, result| ServerEvent::Exchanged { flow, result });
    }
}

/// An answer for the loop, or a page at once.
fn received(request: Request, base: &str, root: &str) -> Option<ServerEvent> {
    if request.method != Method::Get {
        request.answer(pages::not_allowed());
        return None;
    }
    if request.path == HEALTH {
        return Some(ServerEvent::Health(HealthCheck(request)));
    }
    let below = request.path.strip_prefix(root);
    let ours = below.is_some_and(|below| below.is_empty() || below.starts_with('/'));
    let returned = match ours {
        true => Returned::caught(base, &request.path, request.query.as_deref()).ok(),
        false => None,
    };
    match returned {
        Some(returned) => Some(ServerEvent::Answer { returned, reply: BrowserReply::of_admin(request) }),
        None => {
            request.answer(pages::not_found());
            None
        }
    }
}
