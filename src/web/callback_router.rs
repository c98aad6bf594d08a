//! Which answer belongs to which flow: the state decides, before anything has an effect.

use super::event::SessionEvent;
use super::launch::LaunchAddresses;
use super::reply::BrowserReply;
use super::worklist::Worklist;
use crate::error::{Error, HandoffError, ProviderError, shell};
use crate::model::ids::FlowId;
use crate::model::provider::StateLocation;
use crate::model::secret::{Fingerprint, Secret, fingerprint};
use crate::oauth::{
    AuthorizationRequest, Endpoints, ProviderClient, ReturnedAddress, callback_path, code_of, is_from_issuer,
    read_callback,
};
use crate::web::listener::{Method, Request};
use crate::web::pages;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The flows that may be answered, by their states' fingerprints: looking one up tells no time about the state.
pub(super) struct CallbackRouter {
    path: String,
    state_in: StateLocation,
    endpoints: Arc<Endpoints>,
    open: HashMap<Fingerprint, PendingRequest>,
    pub(super) strays: usize,
    pub(super) worklist: Option<Worklist>,
    pub(super) launches: LaunchAddresses,
}

struct PendingRequest {
    flow: FlowId,
    redirect_uri: String,
    license: String,
    answered: bool,
    /// What answered it was a refusal, which closed it.
    refused: bool,
    over: bool,
    /// The codes that came: none is sent twice because a page is loaded again.
    codes: Vec<Fingerprint>,
}

impl PendingRequest {
    fn answer(&mut self, judged: Result<Secret, ProviderError>, reply: BrowserReply) -> SessionEvent {
        let flow = self.flow.clone();
        match judged {
            Ok(code) => {
                // defense: S19 an-answer-counts-once
                self.answered = true;
                self.codes.push(fingerprint(code.expose()));
                SessionEvent::Arrived { flow, code, reply }
            }
            Err(error) if error.is_refusal() => {
                (self.answered, self.refused) = (true, true);
                SessionEvent::Refused { flow, error: error.into(), reply }
            }
            // Nothing but a refusal that carries its state ends a flow.
            Err(error) => SessionEvent::Distrusted { flow, error: error.into(), reply },
        }
    }

    fn has_had(&self, judged: &Result<Secret, ProviderError>) -> bool {
        self.answered || judged.as_ref().is_ok_and(|code| self.codes.contains(&fingerprint(code.expose())))
    }
}

pub(super) fn lock(router: &Mutex<CallbackRouter>) -> MutexGuard<'_, CallbackRouter> {
    router.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CallbackRouter {
    pub(super) fn new(client: &ProviderClient) -> Self {
        Self {
            path: callback_path(&client.provider).to_owned(),
            state_in: client.provider.state_in,
            endpoints: client.endpoints.clone(),
            open: HashMap::new(),
            strays: 0,
            worklist: None,
            launches: LaunchAddresses::new(Instant::now()),
        }
    }

    pub(super) fn expect(&mut self, flow: FlowId, ask: &AuthorizationRequest) {
        let (license, redirect_uri) = (ask.key.license.to_string(), ask.redirect_uri.clone());
        let waiting = PendingRequest {
            flow,
            redirect_uri,
            license,
            answered: false,
            refused: false,
            over: false,
            codes: Vec::new(),
        };
        self.open.insert(fingerprint(ask.memo.state.expose()), waiting);
    }

    /// No longer waits for it. Its state is kept, so that a late answer is told apart from a stranger's.
    pub(super) fn forget(&mut self, flow: &FlowId) {
        for waiting in self.open.values_mut().filter(|waiting| waiting.flow == *flow) {
            waiting.over = true;
        }
    }

    /// Another answer to it counts like the first: that one brought nothing.
    pub(super) fn expect_again(&mut self, flow: &FlowId) {
        for waiting in self.open.values_mut().filter(|waiting| waiting.flow == *flow) {
            waiting.answered = false;
        }
    }

    /// The answer to it that came last couldn't be taken: the same one counts when it comes again.
    pub(super) fn expect_the_same(&mut self, flow: &FlowId) {
        for waiting in self.open.values_mut().filter(|waiting| waiting.flow == *flow) {
            waiting.codes.pop();
            waiting.answered = false;
        }
    }

    /// Decides about one request: a step for the loop, or a page at once.
    pub(super) fn connect(&mut self, request: Request) -> Option<SessionEvent> {
        if let Some(worklist) = self.worklist.as_ref().filter(|it| it.owns(&request.path)) {
            return worklist.connect(request);
        }
        if self.launches.owns(&request.path) {
            let open = &self.open;
            let is_open =
                |flow: &FlowId| open.values().any(|it| it.flow == *flow && !it.over && !it.answered);
            let heard = self.launches.connect(request, is_open);
            return heard.map(|(flow, problem)| SessionEvent::Launched { flow, problem });
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
            StateLocation::Query => callback.state.as_ref().map(|state| state.expose().to_owned()),
            StateLocation::Path => state_in_path,
        };
        // defense: S2 S5 S49 state-names-the-question
        let Some(waiting) = state.and_then(|state| self.open.get_mut(&fingerprint(&state))) else {
            self.strays += 1;
            request.answer(pages::belongs_to_no_flow());
            return None;
        };
        if waiting.over && !waiting.answered {
            request.answer(pages::too_late(&waiting.license));
            return None;
        }
        let judged = code_of(callback, waiting.license.clone(), &self.endpoints);
        if waiting.has_had(&judged) {
            request.answer(match judged {
                Ok(_) if waiting.refused => pages::too_late(&waiting.license),
                _ => pages::answered_before(&waiting.license),
            });
            return None;
        }
        let reply = BrowserReply::of_operator(waiting.license.clone(), request);
        Some(waiting.answer(judged, reply))
    }

    /// By which of its states a pasted address belongs to a flow of ours.
    fn state_of(&self, returned: &ReturnedAddress) -> Option<Fingerprint> {
        let states = returned.states().iter().map(|state| fingerprint(state.expose()));
        states.into_iter().find(|state| self.open.contains_key(state))
    }

    pub(super) fn fits(&self, returned: &ReturnedAddress) -> bool {
        let waiting = self.state_of(returned).and_then(|state| self.open.get(&state));
        waiting.is_some_and(|it| !it.over && !it.answered && returned.is_at(&it.redirect_uri))
            && is_from_issuer(&returned.callback, &self.endpoints)
    }

    /// What a pasted answer means for its flow. `None` where it belongs to no flow of ours.
    pub(super) fn pasted(&mut self, returned: &ReturnedAddress) -> Option<Result<SessionEvent, Error>> {
        let state = self.state_of(returned)?;
        let waiting = self.open.get_mut(&state)?;
        let license = waiting.license.clone();
        if !returned.is_at(&waiting.redirect_uri) {
            let problem = "it isn't at the redirect address of this request";
            return Some(Err(ProviderError::Redirect { license, problem }.into()));
        }
        let judged = code_of(returned.callback.clone(), license.clone(), &self.endpoints);
        if waiting.over || waiting.has_had(&judged) {
            let next = shell(["biotrack-auth", "status", &license]);
            return Some(Err(HandoffError::Used { license, next }.into()));
        }
        match judged {
            Err(wrong) if !wrong.is_refusal() => Some(Err(wrong.into())),
            judged => Some(Ok(waiting.answer(judged, BrowserReply::nobody(license)))),
        }
    }

    /// Whether a path is the redirect's; with the state, where it travels in the path.
    fn is_ours(&self, path: &str) -> (Option<String>, bool) {
        match self.state_in {
            // defense: S17 only-the-redirects-path
            StateLocation::Query => (None, path.trim_end_matches('/') == self.path),
            StateLocation::Path => {
                let state = path.strip_prefix(&self.path).and_then(|rest| rest.strip_prefix('/'));
                (
                    state.map(str::to_owned),
                    state.is_some_and(|state| !state.is_empty() && !state.contains('/')),
                )
            }
        }
    }
}
