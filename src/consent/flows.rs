//! The way from a browser that opens to a grant that is stored, on one page: read it from the top.
//!
//! Before the browser, all synced to disk:
//! - `consent/prepare.rs`, once for a command: a probe in the vault, the listener, the provider's endpoints and the client;
//! - [`record_flows`](Flows::record_flows), in custody: room on the disk for an answer that the ledger can't take; verifier and
//!   envelope, so that sealing later needs nothing that could block; then all flows in one commit;
//! - [`open`](Flows::open): the browser.
//!
//! After the redirect:
//! 1. [`code_came`](Flows::code_came), or [`claim`](Flows::claim) from elsewhere: the code is sealed and noted;
//! 2. `send`, once there is room: it's noted that the code is being sent, then there is one POST;
//! 3. [`store_grants`](Flows::store_grants), in custody: a keyring gets a new item;
//! 4. still there: one commit has grant, record, history and the flow's end;
//! 5. `reply`: the browser is answered;
//! 6. what was superseded goes, by custody's `clean_up`, when no browser waits.
//!
//! Where (3) or (4) fails the answer is kept sealed (custody's `quarantine`): nothing is thrown away.
//!
//! What an event leads to, [`FlowEngine`] decides. `on` does it, effect by effect, by custody and the server of the browsers.

mod deadlines;
mod exchangers;
mod left_over;
mod lookups;

pub use exchangers::CodeExchanger;
pub use lookups::wanted_later_in_words;

use super::engine::{FlowEffect, FlowEngine, FlowEvent, ProcessFlow, ProcessStage, Starter};
use crate::custody::{Custody, FoundFlow, NewFlow, RecordedFlow, StoreOutcome};
use crate::error::{CodeStillUsable, Error, HandoffError, LedgerError, ProviderError, Result};
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::model::secret::Secret;
use crate::oauth::{ProviderClient, ReturnedAddress};
use crate::system::{BrowserChoice, Env, LaunchOutcome};
use crate::web::{BrowserReply, ListeningSession};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub struct EndedFlow {
    /// The license's place among those that the command is about.
    pub item: usize,
    /// How it ended, or what its answer came to; `None`: it's left to do.
    pub kept: Option<Result<StoreOutcome>>,
    /// It's waited for again: its code was refused, and the same address works once more; or a server tries its code once more.
    pub waits_again: bool,
}

/// A flow's page, opened to its admin.
pub struct OpenedPage {
    pub address: String,
    /// What became of the browser; `None`: none was wanted.
    pub browser: Option<LaunchOutcome>,
    /// Until when its answer is waited for.
    pub until: Instant,
}

/// A flow that is over here, and that the ledger couldn't be told of, or not as it should be.
pub struct UnrecordedEnd {
    pub flow: FlowId,
    /// The license's place among those that the command is about.
    pub item: usize,
}

/// The flows of a command, with custody to store what comes of them.
pub struct Flows<'f, 'e, S> {
    pub custody: &'f mut Custody<'e>,
    pub client: &'f ProviderClient,
    pub server: S,
    engine: FlowEngine,
    over: VecDeque<EndedFlow>,
    left_over: Vec<UnrecordedEnd>,
    /// A person is there, who is told of a code that was refused and goes on waiting.
    attended: bool,
}

impl<'f, 'e, S: CodeExchanger> Flows<'f, 'e, S> {
    /// Without a flow.
    pub fn new(
        starter: Starter,
        custody: &'f mut Custody<'e>,
        client: &'f ProviderClient,
        server: S,
        attended: bool,
    ) -> Self {
        let (engine, over, left_over) = (FlowEngine::new(starter), VecDeque::new(), Vec::new());
        Self { custody, client, server, engine, over, left_over, attended }
    }

    /// Before any browser opens: room for the answers, verifiers and envelopes, and all flows in one commit.
    pub fn record_flows(&mut self, flows: Vec<NewFlow<'_>>) -> Result<Vec<Result<RecordedFlow>>> {
        self.custody.record_flows(flows)
    }
}

impl Flows<'_, '_, &mut ListeningSession> {
    /// A flow that is recorded is put to its admin: its answer is waited for from now on, and a browser opens where one is
    /// wanted.
    pub fn open(
        &mut self,
        env: &Env,
        item: usize,
        recorded: &RecordedFlow,
        browser: &BrowserChoice,
        timeout: Duration,
    ) -> OpenedPage {
        let browser = self.server.open(env, recorded, browser);
        let until = Instant::now() + timeout;
        let (flow, request) = recorded.get();
        let address = request.address.clone();
        self.engine.asked(flow.clone(), item, address.clone(), Some(until));
        OpenedPage { address, browser, until }
    }
}

impl<S: CodeExchanger> Flows<'_, '_, S> {
    /// An answer with a code came: it's sealed and noted first. Where that can't be done, the answer isn't taken: its flow is as
    /// before, and the same answer counts when it comes again. Why, in that case.
    pub fn code_came(&mut self, flow: &FlowId, code: Secret, reply: BrowserReply) -> Result<()> {
        if let Err(e) = self.custody.record_code(flow, &code) {
            return self.untaken(flow, code, e, reply);
        }
        self.engine.code_arrived(flow, code, reply, Instant::now());
        self.on(flow, FlowEvent::CodeCame, None);
        Ok(())
    }

    /// An answer that couldn't be noted. Where another one brought a grant meanwhile, or others have the flow, that is its end.
    fn untaken(&mut self, id: &FlowId, code: Secret, why: Error, reply: BrowserReply) -> Result<()> {
        let end = match self.custody.granted_meanwhile(id).ok().flatten() {
            Some(kept) => Some(Ok(kept)),
            None if matches!(why, Error::Ledger(LedgerError::TakenOver)) => Some(Err(why)),
            None => {
                match &why {
                    Error::Handoff(HandoffError::Used { .. }) => {
                        self.server.route(id);
                        reply.answered_before();
                    }
                    _ => {
                        self.server.untake(id);
                        reply.not_now();
                    }
                }
                return Err(why);
            }
        };
        self.engine.code_arrived(id, code, reply, Instant::now());
        self.on(id, FlowEvent::CodeCame, None);
        self.on(id, FlowEvent::Settled, end);
        Ok(())
    }

    /// Claims a flow that waits for an answer from elsewhere, with that answer. An error ends it before it began.
    pub fn claim(
        &mut self,
        found: FoundFlow,
        item: usize,
        returned: ReturnedAddress,
        reply: BrowserReply,
    ) -> Result<()> {
        let (FoundFlow::Waiting(flow) | FoundFlow::Left(flow)) = found;
        let id = flow.id.clone();
        let code = match self.custody.claim_flow(*flow, returned, &self.client.endpoints) {
            Ok(code) => code,
            Err(e) => {
                match &e {
                    Error::Handoff(HandoffError::Used { .. }) => reply.answered_before(),
                    e => reply.failed(e),
                }
                return Err(e);
            }
        };
        self.engine.asked(id.clone(), item, String::new(), None);
        self.engine.code_arrived(&id, code, reply, Instant::now());
        self.on(&id, FlowEvent::CodeCame, None);
        Ok(())
    }

    /// Another answer than a code came.
    pub fn refused(&mut self, flow: &FlowId, why: Error, reply: BrowserReply) {
        if let Some(flow) = self.engine.get_mut(flow) {
            flow.reply = Some(reply);
        }
        self.on(flow, FlowEvent::Refused, Some(Err(why)));
    }

    /// An answer came that isn't to be trusted, and changes nothing: it's what is said where no other comes in time.
    pub fn distrusted(&mut self, flow: &FlowId, why: Error) {
        if let Some(flow) = self.engine.get_mut(flow) {
            flow.distrusted = Some(why);
        }
    }

    /// Sends what waits for its turn, as far as there is room: what still waits isn't noted as sent.
    pub fn send_queued(&mut self) {
        while self.engine.has_queued()
            && let Some(slot) = self.server.slot()
            && let Some(flow) = self.engine.next_to_send()
        {
            let effects = self.engine.on(&flow, FlowEvent::SlotFree, Instant::now());
            if effects.contains(&FlowEffect::Send) {
                self.send(&flow, slot);
            }
        }
    }

    /// That it's being sent is noted before a byte of it leaves.
    fn send(&mut self, id: &FlowId, slot: S::Slot) {
        let now = Instant::now();
        let Some(flow) = self.engine.get_mut(id) else { return };
        let Some(code) = &flow.code else { return };
        match self.custody.sending(id, code) {
            Ok(go) => {
                // The exchange has a deadline of its own, and a few tries at most.
                flow.until = Some(now + self.client.provider.deadline * 4);
                self.server.exchange(slot, go);
            }
            // A ledger that can't be written for a moment costs no code: it's noted as what has arrived.
            Err(e) if self.is_for_a_moment(id, &e) && self.engine.may_defer(id, now) => {
                self.on(id, FlowEvent::Unnoted, Some(Err(e)));
            }
            Err(e) => self.on(id, FlowEvent::Settled, Some(Err(e))),
        }
    }

    /// Whether a code waits until the ledger can note it, a moment later. One answer that was sent back isn't waited for: it's
    /// kept, and the same command goes on with it.
    fn is_for_a_moment(&self, id: &FlowId, e: &Error) -> bool {
        match e {
            Error::Ledger(LedgerError::TakenOver | LedgerError::WentBack { .. }) => false,
            Error::Ledger(_) => self.engine.has_others_to_ask() || self.engine.was_asked_here(id),
            // Another code of the license is being exchanged.
            Error::Busy { .. } => true,
            _ => false,
        }
    }

    /// Exchanges are over: what they brought is stored, all in one commit, and then each is told.
    pub fn store_grants(&mut self, answers: Vec<(FlowId, Result<Granted>)>) {
        let answers: Vec<_> = answers.into_iter().filter(|(id, _)| self.engine.get(id).is_some()).collect();
        let told: Vec<_> = answers
            .iter()
            .map(|(id, answer)| (id.clone(), answer.as_ref().err().and_then(Error::unused_code)))
            .collect();
        let kept = self.custody.store_grants(answers);
        let now = Instant::now();
        for ((id, unused), kept) in told.into_iter().zip(kept) {
            let event = match (unused, &kept) {
                (Some(CodeStillUsable::NeverLeft), _) if self.engine.may_defer(&id, now) => {
                    FlowEvent::NeverLeft
                }
                (Some(CodeStillUsable::WantedLater(wait)), _)
                    if self.engine.lives_until(&id, now + pause(wait)) =>
                {
                    self.on(&id, FlowEvent::WantedLater, Some(kept));
                    self.engine.wait_until(&id, now + pause(wait));
                    continue;
                }
                (Some(CodeStillUsable::WrongClient), _) if self.engine.may_wait_for_the_client(&id, now) => {
                    FlowEvent::WrongClient
                }
                (None, Err(Error::Provider(ProviderError::CodeLapsed { .. })))
                    if self.attended && self.engine.was_asked_here(&id) && self.custody.is_reopened(&id) =>
                {
                    FlowEvent::SpentInSight
                }
                (None, Err(Error::Provider(_)) | Ok(StoreOutcome::Held { .. }))
                    if self.custody.is_reopened(&id) =>
                {
                    FlowEvent::Spent
                }
                _ => FlowEvent::Settled,
            };
            self.on(&id, event, Some(kept));
        }
    }

    /// Does what the engine decides. `end`: how the flow ends by this event, where that is known.
    fn on(&mut self, id: &FlowId, event: FlowEvent, end: Option<Result<StoreOutcome>>) {
        let mut end = end;
        let effects = self.engine.on(id, event, Instant::now());
        for effect in effects {
            match effect {
                // Only where there is room: `send_queued` does it.
                FlowEffect::Send => {}
                FlowEffect::Unroute => self.server.unroute(id),
                FlowEffect::Route => self.server.route(id),
                FlowEffect::EndInLedger => {
                    end = end.map(|end| end.map_err(|e| self.custody.record_end(id, e)))
                }
                FlowEffect::LeaveOpen => end = self.leave_open(id, None).map(Ok).or(end),
                FlowEffect::LeaveOpenWithReason => {
                    let why = end.as_ref().and_then(|end| end.as_ref().err());
                    end = self.leave_open(id, why).map(Ok).or(end);
                }
                FlowEffect::Reply => self.reply(id, end.as_ref()),
                FlowEffect::Assure => self.take_reply(id).into_iter().for_each(BrowserReply::being_finished),
                FlowEffect::Keep => self.take_reply(id).into_iter().for_each(BrowserReply::saved),
                FlowEffect::Report => self.report(id, end.take()),
                FlowEffect::WaitAgain => self.tell(id, end.take(), true),
                FlowEffect::Leave => self.tell(id, None, false),
                FlowEffect::Reopen => {
                    if let Err(e) = self.custody.reopen(id) {
                        tracing::warn!("could not release flow {} in the ledger yet: {e}", id.0);
                    }
                }
            }
        }
        self.remove_ended(id);
    }

    /// Nobody waits for its answer here any more. A grant that another answer brought meanwhile, where one did.
    fn leave_open(&mut self, id: &FlowId, why: Option<&Error>) -> Option<StoreOutcome> {
        self.custody.left_open(id, why).unwrap_or_else(|e| {
            // It's open for as long as it was to be waited for.
            tracing::warn!("could not note the end of flow {} in the ledger: {e}", id.0);
            None
        })
    }

    /// The browser that waits is answered, now that its flow's end is on disk.
    fn reply(&mut self, id: &FlowId, end: Option<&Result<StoreOutcome>>) {
        let (Some(reply), Some(end)) = (self.take_reply(id), end) else { return };
        match end {
            Ok(StoreOutcome::Live { .. }) => reply.granted(),
            Ok(StoreOutcome::Held { granted_by }) => reply.awaiting_approval(granted_by),
            // It's opened again after this.
            Err(e) if e.unused_code().is_some() && self.engine.goes_on_serving() => reply.works_again(),
            Err(e) => reply.failed(e),
        }
    }

    fn take_reply(&mut self, id: &FlowId) -> Option<BrowserReply> {
        self.engine.get_mut(id)?.reply.take()
    }

    /// Whoever started it is told how it ended.
    fn report(&mut self, id: &FlowId, end: Option<Result<StoreOutcome>>) {
        if matches!(end, Some(Ok(StoreOutcome::Live { .. }))) {
            let beside = self.engine.other_flows_of(id);
            beside.iter().for_each(|other| self.on(other, FlowEvent::Overtaken, None));
        }
        // Another flow of the license is waited for: that one's end is the license's.
        let goes_on = matches!(end, Some(Err(_))) && self.engine.has_another(id);
        self.tell(id, end, goes_on);
    }

    fn tell(&mut self, id: &FlowId, kept: Option<Result<StoreOutcome>>, waits_again: bool) {
        if let Some(flow) = self.engine.get(id) {
            self.over.push_back(EndedFlow { item: flow.item, kept, waits_again });
        }
    }

    pub fn next_over(&mut self) -> Option<EndedFlow> {
        self.over.pop_front()
    }

    /// One that has ended is under way no longer.
    fn remove_ended(&mut self, id: &FlowId) {
        if self.engine.get(id).is_some_and(|flow| flow.stage == ProcessStage::Ended)
            && let Some(ProcessFlow { item, .. }) = self.engine.remove(id)
            && self.custody.is_left_over(id)
        {
            self.left_over.push(UnrecordedEnd { flow: id.clone(), item });
        }
    }
}

/// How long a code waits that the provider wants later: as it asks, and never so short that it's asked in a storm.
fn pause(asked: Option<Duration>) -> Duration {
    const UNSAID: Duration = Duration::from_secs(5);
    const SHORTEST: Duration = Duration::from_secs(1);
    asked.unwrap_or(UNSAID).clamp(SHORTEST, Duration::from_secs(60 * 60))
}
