//! The worklist: a page on the listener's port that shows how far every license of a run has come, and leads to
//! BioTrack's Grant Access pages one by one. What people do there comes as an event; the page decides nothing.

mod action;
mod page;
mod paste;
mod state;
#[cfg(test)]
mod tests;
mod view;

pub use action::{ActionResponder, WorklistAction};
pub use view::{HandedOffLink, WorklistEntry, WorklistView};

use super::event::SessionEvent;
use crate::error::{Result, clean};
use crate::model::granted::AwaitingGrant;
use crate::model::plan::Progress;
use crate::model::secret::{Fingerprint, fingerprint};
use crate::system::Random;
use crate::web::listener::{Method, Page, Request};
use crate::web::pages;
use paste::{PasteProgress, PastedPiece};
use state::WorklistState;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What the paths begin with.
const PREFIX: &str = "/worklist/";

/// A run's page. Clones are the same page: one is with the session, which serves it, one with whoever tells it what
/// has come of a license.
#[derive(Clone)]
pub struct Worklist(Arc<Inner>);

struct Inner {
    secret: String,
    fingerprint: Fingerprint,
    view: WorklistView,
    state: Mutex<WorklistState>,
    /// Told when a page has heard of the end.
    heard: Condvar,
}

/// Which grant that awaits approval was shown beside the button.
fn shown(request: &Request) -> Option<i64> {
    request.query.as_deref()?.strip_prefix("shown=")?.parse().ok()
}

impl Worklist {
    /// A page under a path that nobody can guess: 256 random bits.
    pub fn new(random: &dyn Random, mut view: WorklistView) -> Result<Self> {
        for entry in &mut view.entries {
            entry.why = clean(&entry.why);
        }
        let secret = random.token()?;
        let state = Mutex::new(WorklistState::new(&view.entries));
        Ok(Self(Arc::new(Inner {
            fingerprint: fingerprint(&secret),
            secret,
            view,
            state,
            heard: Condvar::new(),
        })))
    }

    /// Where it's served.
    pub fn path(&self) -> String {
        format!("{PREFIX}{}", self.0.secret)
    }

    /// Shows how far a license has come, and what is to be said of it: why it failed, who holds it.
    /// Open pages show it within a second.
    pub fn show(&self, entry: usize, progress: Progress, detail: &str) {
        self.change(entry, |row| {
            row.progress = progress;
            row.detail = clean(detail);
            if progress != Progress::HandedOff {
                row.link = None;
            }
        });
    }

    /// Shows a new grant: when it ends, where that is known. Why it was asked for is over.
    pub fn granted(&self, entry: usize, expires: Option<String>, detail: &str) {
        self.change(entry, |row| {
            row.progress = Progress::Granted;
            row.detail = clean(detail);
            row.expires = expires;
            row.why = String::new();
            row.link = None;
        });
    }

    /// Shows a link that is out, until its answer comes: after a reload, too.
    pub fn handed_off(&self, entry: usize, link: HandedOffLink) {
        self.change(entry, |row| row.link = Some(link));
    }

    /// Shows the grant of a license that awaits approval, to be accepted or discarded there.
    pub fn awaits(&self, entry: usize, grant: Option<AwaitingGrant>) {
        self.change(entry, |row| row.awaiting = grant);
    }

    fn change(&self, entry: usize, change: impl FnOnce(&mut state::WorklistRow)) {
        self.state().change(entry, change);
    }

    /// Shows a notice above the list, with a button to go on; `None` takes it away.
    pub fn notice(&self, text: Option<String>) {
        self.state().notice(text.map(|text| clean(&text)));
    }

    /// The run is over: pages say so, and no action is taken any more.
    pub fn ended(&self, text: String) {
        self.state().end(clean(&text));
    }

    fn state(&self) -> MutexGuard<'_, WorklistState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a path is this page's or leads on from it. Compared by fingerprints, as states are: the time it takes
    /// tells nothing about the secret.
    pub(super) fn owns(&self, path: &str) -> bool {
        let secret = path.strip_prefix(PREFIX).map(|rest| rest.split('/').next().unwrap_or_default());
        secret.is_some_and(|secret| fingerprint(secret) == self.0.fingerprint)
    }

    /// Answers a request for a path that it owns, or makes a step of it for the loop to answer.
    pub(super) fn connect(&self, request: Request) -> Option<SessionEvent> {
        let path = request.path.clone();
        let below = path[PREFIX.len()..].split_once('/').map_or("", |(_, below)| below);
        let entry = |number: &str| number.parse().ok().filter(|number| *number < self.0.view.entries.len());
        let action = match (request.method, below.split_once('/')) {
            (Method::Get, None) if below.is_empty() => {
                let mut state = self.state();
                let page = page::render(&self.path(), &self.0.view, &state);
                state.goes();
                drop(state);
                request.answer(page);
                return None;
            }
            (Method::Get, None) if below == "news" => {
                self.news(request);
                return None;
            }
            (Method::Get, Some(("go", number))) => entry(number).map(WorklistAction::Open),
            (Method::Post, Some(("skip", number))) => entry(number).map(WorklistAction::Skip),
            (Method::Post, Some(("retry", number))) => entry(number).map(WorklistAction::Retry),
            (Method::Post, Some(("handoff", number))) => entry(number).map(WorklistAction::HandOff),
            (Method::Post, Some(("accept", number))) => {
                entry(number).zip(shown(&request)).map(|(at, id)| WorklistAction::Accept(at, id))
            }
            (Method::Post, Some(("discard", number))) => {
                entry(number).zip(shown(&request)).map(|(at, id)| WorklistAction::Discard(at, id))
            }
            (Method::Post, None) if below == "answer" && self.state().ended_as().is_none() => {
                let piece = PastedPiece::of(request.query.as_deref().unwrap_or_default());
                return match self.state().paste(piece) {
                    PasteProgress::Whole(text) => {
                        Some(SessionEvent::Pasted { text, from: Some(ActionResponder::new(request)) })
                    }
                    PasteProgress::More => {
                        request.answer(Page::done());
                        None
                    }
                    PasteProgress::Broken => {
                        request.answer(pages::not_allowed());
                        None
                    }
                };
            }
            (Method::Post, None) if below == "on" => Some(WorklistAction::GoOn),
            _ => None,
        };
        let over = self.state().ended_as().map(str::to_owned);
        match (action, over) {
            (Some(_), Some(over)) => request.answer(pages::refused("This run has ended", &over)),
            (Some(action), None) => {
                return Some(SessionEvent::Clicked { action, reply: ActionResponder::new(request) });
            }
            (None, _) if request.method == Method::Post => request.answer(pages::not_allowed()),
            (None, _) => request.answer(pages::not_found()),
        }
        None
    }

    /// Answers with what has changed since the page last heard.
    fn news(&self, request: Request) {
        let after = request.query.as_deref().and_then(|query| query.strip_prefix("after=")?.parse().ok());
        let mut state = self.state();
        let over = state.ended_as().is_some();
        if !over {
            state.comes();
            state.goes();
        }
        let json = state.since(after.filter(|after| *after <= state.seq()).unwrap_or(0));
        drop(state);
        request.answer(Page::json(json.to_string()));
        if over {
            // Only now that its answer is on its way: whoever waits for this closes the port next.
            self.state().comes();
            self.0.heard.notify_all();
        }
    }

    /// Waits a moment, where the run is over, for the pages that are between two polls: they would find the port
    /// closed, and take it for a crash.
    pub(super) fn part(&self) {
        let state = self.state();
        let limit = state.away_at_most;
        drop(self.0.heard.wait_timeout_while(state, limit, |state| state.owes_the_end()));
    }
}
