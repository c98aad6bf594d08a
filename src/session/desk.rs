//! A listener behind a TLS proxy: it takes the answers of many admins, whoever asked them. It never writes.

use super::{Exchange, Reply, Turn, Turns, on_interrupt, private_folder, unbound};
use crate::error::Result;
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::oauth::{Code, Returned};
use crate::system::Env;
use crate::web::listener::{Listener, Method, Page, Request, Serving};
use crate::web::pages;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;
use url::Url;

/// Where a monitor asks whether all is well.
const HEALTH: &str = "/healthz";

/// What comes to the desk.
#[derive(Debug)]
pub enum Visit {
    /// An admin's browser brings an answer, and waits for its page.
    Answer {
        /// What it brings.
        returned: Returned,
        /// Where the page goes.
        reply: Reply,
    },
    /// A monitor asks.
    Health(Asked),
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
pub struct Asked(Request);

impl Asked {
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

/// The desk, open.
pub struct Desk {
    visits: Receiver<Visit>,
    sender: Sender<Visit>,
    turns: Turns,
    serving: Serving,
}

impl Desk {
    /// Binds the address and takes what comes for the public one.
    pub fn open(env: &Env, exchange: Exchange, public: &Url, bind: SocketAddr) -> Result<Self> {
        let unbound = unbound(Some(bind.port()).filter(|port| *port != 0));
        let runtime = env.net()?;
        let listener = Listener::behind_proxy(bind, public).map_err(&unbound)?;
        let (sender, visits) = channel();
        let to_loop = sender.clone();
        let base = public.as_str().trim_end_matches('/').to_owned();
        let root = public.path().trim_end_matches('/').to_owned();
        let serving = listener
            .serve(&runtime, &private_folder(env), move |request| {
                if let Some(visit) = received(request, &base, &root) {
                    let _ = to_loop.send(visit);
                }
            })
            .map_err(unbound)?;
        on_interrupt(env, &runtime, &sender, Visit::Interrupted)?;
        Ok(Self { visits, sender, turns: Turns::new(runtime, exchange), serving })
    }

    /// The port taken.
    pub fn port(&self) -> u16 {
        self.serving.port()
    }

    /// The next visit, or `None` once the time is over.
    pub fn next(&self, until: Instant) -> Option<Visit> {
        self.visits.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }

    /// A place among the few exchanges at once, where one is free: there is one again when an answer comes.
    pub fn turn(&self) -> Option<Turn> {
        self.turns.turn()
    }

    /// Exchanges a code whose sending the ledger knows of; the answer comes as a visit.
    pub fn exchange(&self, turn: Turn, go: Logged<(FlowId, Code)>) {
        self.turns.exchange(turn, go, &self.sender, |flow, result| Visit::Exchanged { flow, result });
    }
}

/// An answer for the loop, or a page at once.
fn received(request: Request, base: &str, root: &str) -> Option<Visit> {
    if request.method != Method::Get {
        request.answer(pages::not_allowed());
        return None;
    }
    if request.path == HEALTH {
        return Some(Visit::Health(Asked(request)));
    }
    let below = request.path.strip_prefix(root);
    let ours = below.is_some_and(|below| below.is_empty() || below.starts_with('/'));
    let returned = match ours {
        true => Returned::caught(base, &request.path, request.query.as_deref()).ok(),
        false => None,
    };
    match returned {
        Some(returned) => Some(Visit::Answer { returned, reply: Reply::of_admin(request) }),
        None => {
            request.answer(pages::not_found());
            None
        }
    }
}
