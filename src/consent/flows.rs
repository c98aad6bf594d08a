//! The way from a browser that opens to a grant that is stored, on one page.
//!
//! Before the browser, all synced to disk: a probe in the vault; the flows in one commit; verifier and envelope, so that sealing
//! later needs nothing that could block; room on the disk for an answer that the ledger can't take.
//!
//! After the redirect: (1) the code is sealed and noted; (2) it's noted that it's being sent, then there is one POST; (3) a
//! keyring gets a new item; (4) one commit has grant, record, history and the flow's end; (5) the browser is answered;
//! (6) what was superseded goes. Where (3) or (4) fails the answer is kept sealed: nothing is thrown away.
//!
//! What an event leads to, [`FlowEngine`] decides. Here it's done, step by step, by custody and the server of the browsers.

use super::engine::{FlowEffect, FlowEngine, FlowEvent, ProcessFlow, Stage, Starter};
use crate::custody::{Custody, FoundFlow, NewFlow, RecordedFlow, RecoveryOutcome, StoreOutcome};
use crate::error::{CodeStillUsable, Error, HandoffError, LedgerError, ProviderError, Result};
use crate::model::duration::in_words;
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::FlowId;
use crate::model::provider::host_of;
use crate::model::secret::Secret;
use crate::oauth::{CodeExchange, ProviderClient, ReturnedAddress};
use crate::web::{BrowserReply, CallbackServer, ExchangeSlot, ListeningSession};
use jiff::SignedDuration;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Where codes are exchanged, a few at once; what comes of one is brought back as an event.
pub trait CodeExchanger {
    /// Room for one exchange.
    type Slot;
    /// Room for one exchange, where there is any.
    fn slot(&self) -> Option<Self::Slot>;
    /// Exchanges a code whose sending the ledger knows of.
    fn exchange(&self, slot: Self::Slot, go: Logged<(FlowId, CodeExchange)>);
    /// An answer that still comes to a flow has no effect.
    fn unroute(&self, flow: &FlowId);
    /// Another answer to a flow counts like the first.
    fn route(&self, flow: &FlowId);
    /// The answer that came couldn't be taken: it counts when it comes again.
    fn untake(&self, flow: &FlowId);
}

impl CodeExchanger for &mut ListeningSession {
    type Slot = ExchangeSlot;

    fn slot(&self) -> Option<ExchangeSlot> {
        ListeningSession::slot(self)
    }

    fn exchange(&self, slot: ExchangeSlot, go: Logged<(FlowId, CodeExchange)>) {
        ListeningSession::exchange(self, slot, go);
    }

    fn unroute(&self, flow: &FlowId) {
        self.forget(flow);
    }

    fn route(&self, flow: &FlowId) {
        self.expect_again(flow);
    }

    fn untake(&self, flow: &FlowId) {
        self.expect_the_same(flow);
    }
}

impl CodeExchanger for CallbackServer {
    type Slot = ExchangeSlot;

    fn slot(&self) -> Option<ExchangeSlot> {
        Self::slot(self)
    }

    fn exchange(&self, slot: ExchangeSlot, go: Logged<(FlowId, CodeExchange)>) {
        Self::exchange(self, slot, go);
    }

    /// Whose flow an answer belongs to is looked up in the ledger each time.
    fn unroute(&self, _: &FlowId) {}

    fn route(&self, _: &FlowId) {}

    fn untake(&self, _: &FlowId) {}
}

pub struct EndedFlow {
    /// The license's place among those that the command is about.
    pub item: usize,
    /// How it ended, or what its answer came to; `None`: it's left to do.
    pub kept: Option<Result<StoreOutcome>>,
    /// It's waited for again: its code was refused, and the same address works once more; or a server tries its code once more.
    pub waits_again: bool,
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

    /// Commits that admins are about to be asked: before any browser opens, and all in one commit.
    pub fn intend(&mut self, questions: Vec<NewFlow<'_>>) -> Result<Vec<Result<RecordedFlow>>> {
        self.custody.ask(questions)
    }

    /// An admin is being asked, and has until then to answer.
    pub fn asked(&mut self, flow: FlowId, item: usize, address: String, until: Instant) {
        self.engine.asked(flow, item, address, Some(until));
    }

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

    /// Whether an address is the answer to an open flow of the ledger.
    pub fn fits(&mut self, returned: &ReturnedAddress) -> Result<bool> {
        self.custody.fits(returned, Some(&self.client.endpoints))
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

    /// What came of exchanges is stored, all in one commit, and then each is told.
    pub fn exchanged(&mut self, answers: Vec<(FlowId, Result<Granted>)>) {
        let answers: Vec<_> = answers.into_iter().filter(|(id, _)| self.engine.get(id).is_some()).collect();
        let told: Vec<_> = answers
            .iter()
            .map(|(id, answer)| (id.clone(), answer.as_ref().err().and_then(Error::unused_code)))
            .collect();
        let kept = self.custody.all_exchanged(answers);
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

    /// Ends what nobody answered in time, with the error that says so; what was sent, and brought nothing in time, is lost. What
    /// waited to be sent again, waits for its turn. How many admins didn't answer.
    pub fn end_lapsed(&mut self, mut unanswered: impl FnMut(usize) -> Error) -> usize {
        let mut silent = 0;
        for id in self.engine.due(Instant::now()) {
            let Some((item, stage)) = self.engine.get(&id).map(|flow| (flow.item, flow.stage)) else {
                continue;
            };
            let error = match stage {
                Stage::Deferred => {
                    self.on(&id, FlowEvent::Retry, None);
                    continue;
                }
                Stage::Left => {
                    self.on(&id, FlowEvent::TimeOver, None);
                    continue;
                }
                Stage::Asked => {
                    silent += 1;
                    let distrusted = self.engine.get_mut(&id).and_then(|flow| flow.distrusted.take());
                    distrusted.unwrap_or_else(|| unanswered(item))
                }
                // The code left: whether it brought a grant isn't known.
                _ => ProviderError::Lost {
                    host: host_of(&self.client.endpoints.token),
                    what: "the code",
                    reason: "no answer arrived in time".into(),
                }
                .into(),
            };
            self.on(&id, FlowEvent::TimeOver, Some(Err(error)));
        }
        self.send_queued();
        silent
    }

    /// What couldn't leave is sent now; what the provider wants later waits until then.
    pub fn retry_deferred(&mut self, now: Instant) {
        self.engine.deferred(now).iter().for_each(|id| self.on(id, FlowEvent::Retry, None));
        self.send_queued();
    }

    /// Whether codes wait until the client is right.
    pub fn wait_for_client(&self) -> bool {
        !self.engine.waiting_for_client().is_empty()
    }

    /// The client is another one: what waited for that is sent now.
    pub fn retry_with_client(&mut self) {
        self.engine.waiting_for_client().iter().for_each(|id| self.on(id, FlowEvent::Retry, None));
        self.send_queued();
    }

    /// The command ends: what was answered is stored first.
    pub fn stop(&mut self, mut error: impl FnMut(usize) -> Error) {
        self.engine.stop();
        let mut left = self.engine.at(Stage::Asked);
        left.extend(self.engine.at(Stage::Left));
        left.extend(self.engine.at(Stage::Deferred));
        for id in left {
            let Some(item) = self.engine.get(&id).map(|flow| flow.item) else { continue };
            self.on(&id, FlowEvent::Stopped, Some(Err(error(item))));
        }
    }

    /// Nobody wants an answer about a license any more.
    pub fn cancel(&mut self, item: usize) {
        if let Some(id) = self.engine.of_item(item).map(|(id, _)| id.clone()) {
            self.on(&id, FlowEvent::Canceled, None);
        }
    }

    /// Somebody else may have been led to the page about a license: its flow is waited for no more, and no answer to it is taken
    /// here.
    pub fn disown(&mut self, item: usize) {
        if let Some(id) = self.engine.of_item(item).map(|(id, _)| id.clone()) {
            self.on(&id, FlowEvent::Disowned, None);
        }
    }

    /// Does what the engine decides. `end`: how the flow ends by this event, where that is known.
    fn on(&mut self, id: &FlowId, event: FlowEvent, end: Option<Result<StoreOutcome>>) {
        let mut end = end;
        let effects = self.engine.on(id, event, Instant::now());
        for effect in effects {
            match effect {
                FlowEffect::Queue => self.engine.queue(id),
                // Only where there is room: see above.
                FlowEffect::Send => {}
                FlowEffect::Unroute => self.server.unroute(id),
                FlowEffect::Route => self.server.route(id),
                FlowEffect::Close => end = end.map(|end| end.map_err(|e| self.custody.record_end(id, e))),
                FlowEffect::LeaveOpen => {
                    let why = end.as_ref().and_then(|end| end.as_ref().err());
                    match self.custody.left_open(id, why.filter(|_| effects.contains(&FlowEffect::Report))) {
                        Ok(None) => {}
                        Ok(granted) => end = granted.map(Ok),
                        // It's open for as long as it was to be waited for.
                        Err(e) => {
                            tracing::warn!("could not note the end of flow {} in the ledger: {e}", id.0)
                        }
                    }
                }
                FlowEffect::Reply => {
                    let reply = self.engine.get_mut(id).and_then(|flow| flow.reply.take());
                    if let (Some(reply), Some(end)) = (reply, &end) {
                        match end {
                            Ok(StoreOutcome::Live { .. }) => reply.granted(),
                            Ok(StoreOutcome::Held { granted_by }) => reply.awaiting_approval(granted_by),
                            // Below it's given back.
                            Err(e) if e.unused_code().is_some() && self.engine.goes_on_serving() => {
                                reply.works_again();
                            }
                            Err(e) => reply.failed(e),
                        }
                    }
                }
                FlowEffect::Assure => {
                    if let Some(reply) = self.engine.get_mut(id).and_then(|flow| flow.reply.take()) {
                        reply.being_finished();
                    }
                }
                FlowEffect::Keep => {
                    if let Some(reply) = self.engine.get_mut(id).and_then(|flow| flow.reply.take()) {
                        reply.saved();
                    }
                }
                FlowEffect::Report => {
                    if matches!(end, Some(Ok(StoreOutcome::Live { .. }))) {
                        let beside = self.engine.other_flows_of(id);
                        beside.iter().for_each(|other| self.on(other, FlowEvent::Overtaken, None));
                    }
                    // Another flow of the license is waited for: that one's end is the license's.
                    let goes_on = matches!(end, Some(Err(_))) && self.engine.has_another(id);
                    self.tell(id, end.take(), goes_on);
                }
                FlowEffect::WaitAgain => self.tell(id, end.take(), true),
                FlowEffect::Leave => self.tell(id, None, false),
            }
        }
        if self.engine.get(id).is_some_and(|flow| flow.stage == Stage::Ended)
            && let Some(ProcessFlow { item, .. }) = self.engine.remove(id)
        {
            // A code that came to nothing here is nobody else's while this process lives: its link works again.
            if self.engine.goes_on_serving()
                && let Err(e) = self.custody.reopen(id)
            {
                tracing::warn!("could not release flow {} in the ledger yet: {e}", id.0);
            }
            if self.custody.is_left_over(id) {
                self.left_over.push(UnrecordedEnd { flow: id.clone(), item });
            }
        }
    }

    /// Finishes what is over here about a license, and isn't as it should be in the ledger: how it ended, where that wasn't known.
    pub fn finish_left_over(&mut self, item: usize) -> Option<Result<StoreOutcome>> {
        for left in self.left_over.extract_if(.., |left| left.item == item).collect::<Vec<_>>() {
            match self.custody.finish_own(&left.flow) {
                Ok(Some(RecoveryOutcome::Finished { kept, .. })) => return Some(Ok(kept)),
                Ok(_) => {}
                Err(e) => {
                    self.left_over.push(left);
                    return Some(Err(e));
                }
            }
        }
        None
    }

    /// What is over here, and isn't as it should be in the ledger, since this was asked last.
    pub fn take_left_over(&mut self) -> Vec<UnrecordedEnd> {
        std::mem::take(&mut self.left_over)
    }

    fn tell(&mut self, id: &FlowId, kept: Option<Result<StoreOutcome>>, waits_again: bool) {
        if let Some(flow) = self.engine.get(id) {
            self.over.push_back(EndedFlow { item: flow.item, kept, waits_again });
        }
    }

    pub fn next_over(&mut self) -> Option<EndedFlow> {
        self.over.pop_front()
    }

    /// The flow about a license, while it's under way.
    pub fn about(&self, item: usize) -> Option<&ProcessFlow> {
        self.engine.of_item(item).map(|(_, flow)| flow)
    }

    pub fn flow_of(&self, item: usize) -> Option<(&FlowId, &ProcessFlow)> {
        self.engine.of_item(item)
    }

    pub fn item(&self, flow: &FlowId) -> Option<usize> {
        self.engine.get(flow).map(|flow| flow.item)
    }

    /// How long a flow's code waits to be sent again, where it does.
    pub fn waits(&self, flow: &FlowId) -> Option<Duration> {
        let until = self.engine.get(flow).filter(|it| it.stage == Stage::Deferred)?.until?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    pub fn first_asked(&self) -> Option<usize> {
        self.engine.at(Stage::Asked).first().and_then(|id| self.item(id))
    }

    /// An admin has longer to answer about a license.
    pub fn prolong(&mut self, item: usize, until: Instant) {
        if let Some(id) = self.engine.of_item(item).map(|(id, _)| id.clone()) {
            self.engine.prolong(&id, until);
        }
    }

    /// When something is to be done though nothing comes.
    pub fn soonest(&self) -> Option<Instant> {
        self.engine.soonest()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.engine.is_empty()
    }
}

/// What is told of a code that waits, because the provider wants it later.
pub fn wanted_later_in_words(wait: Duration) -> String {
    // Rounded up: it's sent by then.
    let seconds = i64::try_from(wait.as_secs()).unwrap_or_default().saturating_add(1);
    format!("BioTrack is busy. Sending the code again in {}.", in_words(SignedDuration::from_secs(seconds)))
}

/// How long a code waits that the provider wants later: as it asks, and never so short that it's asked in a storm.
fn pause(asked: Option<Duration>) -> Duration {
    const UNSAID: Duration = Duration::from_secs(5);
    const SHORTEST: Duration = Duration::from_secs(1);
    asked.unwrap_or(UNSAID).clamp(SHORTEST, Duration::from_secs(60 * 60))
}
