//! What a browser asks, as the front server lets it through, and the one answer that it gets.

use super::in_flight_requests::{InFlightGuard, InFlightRequests};
use super::page::Page;
use crate::system::{PeerOwner, owner_of};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// To see it.
    Get,
    /// To have something done. Only a page of ours can: the browser vouches for where it came from.
    Post,
}

/// The two ends of the connection by which a request came: the browser's, and ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionEnds {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

/// A page on its way to the browser; stopping waits for it.
pub(super) type Answer = (Page, InFlightGuard);

/// A clean request without a body. Dropped unanswered, it is answered with a plain 503.
pub struct Request {
    pub method: Method,
    /// The path as sent, undecoded.
    pub path: String,
    /// What followed the `?`, undecoded.
    pub query: Option<String>,
    ends: ConnectionEnds,
    in_flight: Arc<InFlightRequests>,
    connection: oneshot::Sender<Answer>,
}

impl Request {
    /// A request for this target, and where its connection hears of the answer.
    pub(super) fn new(
        method: Method,
        target: &str,
        ends: ConnectionEnds,
        in_flight: Arc<InFlightRequests>,
    ) -> (Self, oneshot::Receiver<Answer>) {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (target.to_owned(), None),
        };
        let (connection, answer) = oneshot::channel();
        (Self { method, path, query, ends, in_flight, connection }, answer)
    }

    /// Whose browser asks, where the system tells; `None` where it would take long, and `may_take_long` says no.
    pub(in crate::web) fn owner(&self, may_take_long: impl FnOnce() -> bool) -> Option<PeerOwner> {
        owner_of(self.ends.peer, self.ends.local, may_take_long)
    }

    pub(in crate::web) fn is_waited_for(&self) -> bool {
        !self.connection.is_closed()
    }

    /// Answers, from any thread and at any time, and never waits for the browser. The page reaches it even if
    /// [`Serving`](super::Serving) is dropped next.
    pub fn answer(self, page: Page) {
        let moving = self.in_flight.set_out();
        // Whoever asked may be gone; then there is nobody to tell.
        let _ = self.connection.send((page, moving));
    }
}
