//! Which answer belongs to which question: the state decides, before anything has an effect.

use super::{Exchange, Step, Worklist};
use crate::error::{Error, HandoffError, ProviderError, clean};
use crate::model::ids::FlowId;
use crate::model::provider::StateIn;
use crate::model::secret::{Fingerprint, fingerprint};
use crate::oauth::{Ask, Callback, Endpoints, Returned, callback_path, judge, read_callback};
use crate::web::listener::{Method, Page, Request};
use crate::web::pages::{self, Reader};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The questions that may be answered, by their states' fingerprints: looking one up tells no time about the state.
pub(super) struct Switchboard {
    path: String,
    state_in: StateIn,
    endpoints: Arc<Endpoints>,
    open: HashMap<Fingerprint, Waiting>,
    pub(super) strays: usize,
    pub(super) worklist: Option<Worklist>,
}

struct Waiting {
    flow: FlowId,
    redirect_uri: String,
    license: String,
    answered: bool,
    over: bool,
}

impl Waiting {
    /// Its one answer.
    fn answer(&mut self, callback: Callback, reply: Reply, endpoints: &Endpoints) -> Step {
        // defense: S19 an-answer-counts-once
        self.answered = true;
        let flow = self.flow.clone();
        match judge(callback, self.license.clone(), endpoints) {
            Ok(code) => Step::Arrived { flow, code, reply },
            Err(error) => Step::Refused { flow, error: error.into(), reply },
        }
    }
}

/// The browser that waits for a page.
#[derive(Debug)]
pub struct Reply {
    license: String,
    reader: Reader,
    request: Option<Request>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its query holds the code.
        f.write_str("Request(…)")
    }
}

impl Reply {
    /// Nobody waits: the answer came another way.
    pub fn nobody(license: String) -> Self {
        Self { license, reader: Reader::Operator, request: None }
    }

    /// An admin waits, who sits elsewhere and knows of no terminal; about which license, isn't known yet.
    pub(super) fn of_admin(request: Request) -> Self {
        Self { license: String::new(), reader: Reader::Admin, request: Some(request) }
    }

    /// The same, once it's known which license it's about.
    pub fn about(self, license: &str) -> Self {
        Self { license: license.to_owned(), ..self }
    }

    /// It's no answer to a question that waits for one.
    pub fn no_question(self, why: &str) {
        let page = pages::unasked(&clean(why));
        self.answer(page);
    }

    /// The grant is stored.
    pub fn granted(self) {
        // defense: S27 page-names-the-license
        let page = pages::granted(self.reader, &self.license);
        self.answer(page);
    }

    /// It came before.
    pub fn already(self) {
        let page = pages::already(&self.license);
        self.answer(page);
    }

    /// Another admin's grant is held.
    pub fn held(self, granted_by: &str) {
        let page = pages::held(self.reader, &self.license, granted_by);
        self.answer(page);
    }

    /// Nothing is stored.
    pub fn failed(self, error: &Error) {
        let reason = clean(&error.to_string());
        let page = match error.answer_lost() {
            true => pages::uncertain(self.reader, &self.license, &reason),
            false => pages::failed(self.reader, &self.license, &reason),
        };
        self.answer(page);
    }

    fn answer(self, page: Page) {
        if let Some(request) = self.request {
            request.answer(page);
        }
    }
}

pub(super) fn lock(board: &Mutex<Switchboard>) -> MutexGuard<'_, Switchboard> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Switchboard {
    pub(super) fn new(exchange: &Exchange) -> Self {
        Self {
            path: callback_path(&exchange.provider).to_owned(),
            state_in: exchange.provider.state_in,
            endpoints: exchange.endpoints.clone(),
            open: HashMap::new(),
            strays: 0,
            worklist: None,
        }
    }

    /// Waits for the answer to a question.
    pub(super) fn expect(&mut self, flow: FlowId, ask: &Ask) {
        let (license, redirect_uri) = (ask.key.license.to_string(), ask.redirect_uri.clone());
        let waiting = Waiting { flow, redirect_uri, license, answered: false, over: false };
        self.open.insert(fingerprint(ask.memo.state.expose()), waiting);
    }

    /// No longer waits for it. Its state is kept, so that a late answer is told apart from a stranger's.
    pub(super) fn forget(&mut self, flow: &FlowId) {
        for waiting in self.open.values_mut().filter(|waiting| waiting.flow == *flow) {
            waiting.over = true;
        }
    }

    /// Decides about one request: a step for the loop, or a page at once.
    pub(super) fn connect(&mut self, request: Request) -> Option<Step> {
        if let Some(worklist) = self.worklist.as_ref().filter(|it| it.owns(&request.path)) {
            return worklist.connect(request);
        }
        if request.method != Method::Get {
            request.answer(pages::not_allowed());
            return None;
        }
        let (state_in_path, ours) = self.is_ours(&request.path);
        if !ours {
            request.answer(pages::not_found());
            return None;
        }
        let callback = read_callback(request.query.as_deref().unwrap_or_default());
        let state = match self.state_in {
            StateIn::Query => callback.state.as_ref().map(|state| state.expose().to_owned()),
            StateIn::Path => state_in_path,
        };
        // defense: S2 S5 S49 state-names-the-question
        let Some(waiting) = state.and_then(|state| self.open.get_mut(&fingerprint(&state))) else {
            self.strays += 1;
            request.answer(pages::stray());
            return None;
        };
        if waiting.over && !waiting.answered {
            request.answer(pages::too_late(&waiting.license));
            return None;
        }
        if waiting.answered {
            request.answer(pages::already(&waiting.license));
            return None;
        }
        let reply =
            Reply { license: waiting.license.clone(), reader: Reader::Operator, request: Some(request) };
        Some(waiting.answer(callback, reply, &self.endpoints))
    }

    /// The same for an answer that was pasted. `None` where it belongs to no question of ours.
    pub(super) fn pasted(&mut self, returned: &Returned) -> Option<Result<Step, Error>> {
        let state = returned.states().iter().map(|state| fingerprint(state.expose()));
        let state = state.into_iter().find(|state| self.open.contains_key(state))?;
        let waiting = self.open.get_mut(&state)?;
        let license = waiting.license.clone();
        if !returned.is_at(&waiting.redirect_uri) {
            let problem = "it isn't at the redirect address of this question";
            return Some(Err(ProviderError::Redirect { license, problem }.into()));
        }
        if waiting.over || waiting.answered {
            return Some(Err(HandoffError::Used { license }.into()));
        }
        let reply = Reply::nobody(license);
        Some(Ok(waiting.answer(returned.callback.clone(), reply, &self.endpoints)))
    }

    /// Whether a path is the redirect's; with the state, where it travels in the path.
    fn is_ours(&self, path: &str) -> (Option<String>, bool) {
        match self.state_in {
            // defense: S17 only-the-redirects-path
            StateIn::Query => (None, path.trim_end_matches('/') == self.path),
            StateIn::Path => {
                let state = path.strip_prefix(&self.path).and_then(|rest| rest.strip_prefix('/'));
                (
                    state.map(str::to_owned),
                    state.is_some_and(|state| !state.is_empty() && !state.contains('/')),
                )
            }
        }
    }
}
