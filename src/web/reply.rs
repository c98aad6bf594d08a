//! The browser that waits for its page, and which page that is.

use super::listener::{Page, Request};
use super::pages::{self, PageAudience};
use super::public_words::{self, PublicOutcome, is_kept};
use crate::error::{Error, clean};

/// The browser that waits for a page.
#[derive(Debug)]
pub struct BrowserReply {
    license: String,
    reader: PageAudience,
    request: Option<Request>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its query holds the code.
        f.write_str("Request(…)")
    }
}

impl BrowserReply {
    /// Nobody waits: the answer came another way.
    pub fn nobody(license: String) -> Self {
        Self { license, reader: PageAudience::Operator, request: None }
    }

    /// A person at this machine waits, about whose license it's known.
    pub(super) fn of_operator(license: String, request: Request) -> Self {
        Self { license, reader: PageAudience::Operator, request: Some(request) }
    }

    /// An admin waits, who sits elsewhere and knows of no terminal; about which license, isn't known yet.
    pub(super) fn of_admin(request: Request) -> Self {
        Self { license: String::new(), reader: PageAudience::Admin, request: Some(request) }
    }

    /// The same, once it's known which license it's about.
    pub fn about(self, license: &str) -> Self {
        Self { license: license.to_owned(), ..self }
    }

    pub fn no_flow(self, e: &Error) {
        let page = public_words::why_unasked(e).map_or_else(pages::not_now, pages::no_open_link);
        self.answer(page);
    }

    /// It's kept, and is being finished though the browser doesn't wait for it.
    pub fn being_finished(self) {
        let page = pages::being_finished(&self.license);
        self.answer(page);
    }

    /// It's kept, and the next command finishes it.
    pub fn saved(self) {
        let page = match self.reader {
            PageAudience::Operator => pages::saved(&self.license),
            PageAudience::Admin => pages::being_finished(&self.license),
        };
        self.answer(page);
    }

    /// It couldn't be taken for the moment; the same address, loaded again, may be.
    pub fn not_now(self) {
        self.answer(pages::not_now());
    }

    /// Its code is as good as before, and can't be sent any more while it lives: the link works again.
    pub fn works_again(self) {
        let reason = "BioTrack is busy right now. The same link will work again soon.";
        let page = pages::failed(self.reader, &self.license, reason);
        self.answer(page);
    }

    /// What it answers had ended before it came.
    pub fn too_late(self) {
        let page = pages::too_late(&self.license);
        self.answer(page);
    }

    pub fn granted(self) {
        // defense: S27 page-names-the-license
        let page = pages::granted(self.reader, &self.license);
        self.answer(page);
    }

    pub fn answered_before(self) {
        let page = pages::answered_before(&self.license);
        self.answer(page);
    }

    /// Another admin's grant is held.
    pub fn awaiting_approval(self, granted_by: &str) {
        let page = pages::awaiting_approval(self.reader, &self.license, granted_by);
        self.answer(page);
    }

    /// Nothing is stored. Whoever sits at this machine reads why in the error's own words; on a public page those could be
    /// anybody's to read.
    pub fn failed(self, error: &Error) {
        let page = match self.reader {
            PageAudience::Operator => self.told_an_operator(error),
            PageAudience::Admin => self.told_an_admin(error),
        };
        self.answer(page);
    }

    fn told_an_operator(&self, error: &Error) -> Page {
        let reason = clean(&error.to_string());
        match error {
            e if is_kept(e) => pages::saved(&self.license),
            e if e.answer_lost() => pages::uncertain(self.reader, &self.license, &reason),
            _ => pages::failed(self.reader, &self.license, &reason),
        }
    }

    fn told_an_admin(&self, error: &Error) -> Page {
        match public_words::end_of(error) {
            PublicOutcome::BeingFinished => pages::being_finished(&self.license),
            PublicOutcome::NotNow => pages::not_now(),
            PublicOutcome::Already => pages::answered_before(&self.license),
            PublicOutcome::Uncertain(reason) => pages::uncertain(self.reader, &self.license, reason),
            PublicOutcome::Failed(reason) => pages::failed(self.reader, &self.license, reason),
        }
    }

    fn answer(self, page: Page) {
        if let Some(request) = self.request {
            request.answer(page);
        }
    }
}
