//! What a browser asks, as the front server lets it through, and the one answer that it gets.

use super::in_flight_requests::{Ends, InFlightRequests};
use super::page::Page;
use crate::system::{PeerOwner, owner_of};
use std::sync::Arc;

/// The most bytes that the kernel surely takes at once.
const NEVER_WAITS: usize = 100_000;

/// How something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// To see it.
    Get,
    /// To have something done. Only a page of ours can: the browser vouches for where it came from.
    Post,
}

/// A clean request without a body. Dropped unanswered, it is answered with a plain 503.
pub struct Request {
    /// How it's asked.
    pub method: Method,
    /// The path as sent, undecoded.
    pub path: String,
    /// What followed the `?`, undecoded.
    pub query: Option<String>,
    pub(super) id: u64,
    ends: Ends,
    in_flight: Arc<InFlightRequests>,
    pub(super) inner: Option<tiny_http::Request>,
}

impl Request {
    pub(super) fn new(
        method: Method,
        path: String,
        query: Option<String>,
        id: u64,
        ends: Ends,
        in_flight: Arc<InFlightRequests>,
        request: tiny_http::Request,
    ) -> Self {
        Self { method, path, query, id, ends, in_flight, inner: Some(request) }
    }

    /// Whose browser asks, where the system tells.
    pub(in crate::web) fn owner(&self) -> PeerOwner {
        owner_of(self.ends.peer, self.ends.local)
    }

    /// Answers, from any thread and at any time. Returns once the kernel has the page, which then reaches the
    /// browser even if [`Serving`](super::Serving) is dropped next. A page up to 100 KB never waits for a slow browser.
    pub fn answer(mut self, page: Page) {
        self.write(page);
    }

    /// The same for a page of any size: one that could wait for a slow browser is written on a thread of its own.
    /// Few can be at it, for few requests are behind the front server.
    pub fn answer_apart(self, page: Page) {
        if page.body.len() <= NEVER_WAITS {
            return self.answer(page);
        }
        self.in_flight.answering(self.id);
        // Where there is no thread to be had, the request is dropped, and that is an answer too.
        let _ = std::thread::Builder::new().name("page".into()).spawn(move || self.answer(page));
    }

    /// Writes the page and returns when the kernel has it.
    fn write(&mut self, page: Page) {
        let Some(request) = self.inner.take() else { return };
        self.in_flight.answering(self.id);
        let mut writer = request.into_writer();
        // Whoever asked may be gone; then there is nobody to tell.
        let _ = writer.write_all(&page.print(false)).and_then(|()| writer.flush());
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.write(Page::plain(503));
    }
}
