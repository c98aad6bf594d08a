//! What a person does on the worklist, and the browser that waits for what becomes of it.

use crate::error::clean;
use crate::web::listener::{Page, Request};
use crate::web::pages;

/// What was clicked; the number is the entry's place in the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorklistAction {
    /// To be led to the Grant Access page of an entry.
    Open(usize),
    /// To leave an entry out.
    Skip(usize),
    /// To take an entry that failed, or was left out, up again.
    Retry(usize),
    /// To have a link of an entry for an admin who sits elsewhere.
    HandOff(usize),
    /// To accept the grant of an entry that awaits approval, of the number that was shown.
    Accept(usize, i64),
    Discard(usize, i64),
    /// To wait no longer for what the notice names.
    GoOn,
}

/// The browser that waits after a click. Dropped unanswered, it's told that there is nobody to serve it.
#[derive(Debug)]
pub struct ActionResponder(Request);

impl ActionResponder {
    pub(super) fn new(request: Request) -> Self {
        Self(request)
    }

    /// Leads on to an address; one that no browser of ours would open is refused.
    pub fn go_to(self, address: &str) {
        let page = Page::see_other(address).unwrap_or_else(|why| pages::refused("Not opened", why));
        self.0.answer(page);
    }

    /// A small page that says why not.
    pub fn refuse(self, title: &str, reason: &str) {
        self.0.answer(pages::refused(&clean(title), &clean(reason)));
    }

    /// Tells the page's script what came of it.
    pub fn tell(self, said: &serde_json::Value) {
        self.0.answer(Page::json(said.to_string()));
    }

    /// It's done, and the page will hear of it.
    pub fn done(self) {
        self.0.answer(Page::done());
    }
}
