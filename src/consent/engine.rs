//! The one engine of consents: what becomes of a flow at each event. Pure: it's told what happened, and when, and says what is
//! to be done. Its whole table stands in docs/architecture.md, where a test writes it.

use crate::error::Error;
use crate::model::flow::CODE_LIVES;
use crate::model::ids::FlowId;
use crate::model::secret::Secret;
use crate::web::BrowserReply;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How far a flow has come in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcessStage {
    /// An admin was asked, and hasn't answered.
    Asked,
    /// A code came, and is kept; it's in the queue until its turn to be sent comes.
    Arrived,
    /// The code is being exchanged.
    Sent,
    /// The code is unused, and it's sent later.
    Deferred,
    /// Nobody waits for its answer any more, which still counts.
    Left,
    /// It's over.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowEvent {
    /// An answer with a code came, which is sealed and noted: a process that is killed loses no consent.
    CodeCame,
    /// The provider said no: an error answer of its authorization endpoint.
    Refused,
    /// There is room for one exchange more, and it's the flow's turn.
    SlotFree,
    /// The ledger can't note for the moment that the code is being sent, so it isn't sent.
    Unnoted,
    /// The provider couldn't be reached: not a byte of the code has left.
    NeverLeft,
    /// The provider has too much to do and wants the code later (429), while the code still lives.
    WantedLater,
    /// The provider doesn't accept the client (`invalid_client`), and hasn't looked at the code.
    WrongClient,
    /// How it ended is known, and stored.
    Settled,
    /// The code brought nothing that was asked for: it's spent, and the flow is open again.
    Spent,
    /// The same where a person is there, who goes on waiting: the same address works again.
    SpentInSight,
    /// Another answer brought the license its grant.
    Overtaken,
    /// Nobody answered in time.
    TimeOver,
    /// It's worth trying again to send the code.
    Retry,
    /// The command ends before its time.
    Stopped,
    /// A person doesn't wait for an answer any more.
    Canceled,
    /// A person wants another flow in its place, because somebody else may have been led to this one's page.
    Disowned,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowEffect {
    /// Note in the ledger that the code is being sent; then one POST.
    Send,
    /// An answer that still comes has no effect.
    Unroute,
    /// Another answer to it counts like the first.
    Route,
    /// End its answer in the ledger, with the reason in the history: a refusal closes the flow, after anything else it's open again.
    EndInLedger,
    /// Leave it open in the ledger for a while, to whoever brings its answer.
    LeaveOpen,
    /// The same, with the reason in the history.
    LeaveOpenWithReason,
    /// Answer the browser that waits.
    Reply,
    /// Tell the browser that waits that its answer is kept, and is being finished.
    Assure,
    /// Tell the browser that waits that its answer is kept for the next command.
    Keep,
    /// Tell whoever started it how it ended.
    Report,
    /// Tell whoever started it that it's waited for again.
    WaitAgain,
    /// Tell whoever started it that it's left to do, or to the next run.
    Leave,
    /// Open it again in the ledger, where an unused code of it is: its link works again. A process that goes on says so itself,
    /// for nobody takes over what is its own.
    Reopen,
}

/// Who started a flow in this process, and so what happens where it can't go on. A link that is handed out has none: it waits
/// in the ledger alone, and enters the engine of whoever claims it with its answer (`complete`, `listen`, or a run in which that is
/// pasted).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// One license's command: a person waits for it.
    One,
    /// A run over many licenses: it waits while the provider is away, and can be gone on with.
    Run,
    /// A server of many admins' browsers: none of them waits for longer than an exchange takes.
    Server,
}

/// What an event means for a flow; `None`: nothing.
fn decide(
    starter: Starter,
    stage: ProcessStage,
    event: FlowEvent,
) -> Option<(ProcessStage, &'static [FlowEffect])> {
    use FlowEffect::{
        Assure, EndInLedger, Keep, Leave, LeaveOpen, LeaveOpenWithReason, Reopen, Reply, Report, Route, Send,
        Unroute, WaitAgain,
    };
    use ProcessStage::{Arrived, Asked, Deferred, Ended, Left, Sent};
    Some(match (stage, event, starter) {
        (Asked | Left, FlowEvent::CodeCame, _) => (Arrived, &[]),
        (Asked, FlowEvent::Refused, _) => (Ended, &[EndInLedger, Reply, Report]),
        (Left, FlowEvent::Refused, _) => (Ended, &[EndInLedger, Reply]),
        (Asked, FlowEvent::TimeOver, _) => (Left, &[LeaveOpenWithReason, Report]),
        (Sent, FlowEvent::TimeOver, Starter::Server) => {
            (Ended, &[Unroute, EndInLedger, Reply, Report, Reopen])
        }
        (Sent, FlowEvent::TimeOver, _) => (Ended, &[Unroute, EndInLedger, Reply, Report]),
        (Left, FlowEvent::TimeOver | FlowEvent::Stopped, _) => (Ended, &[Unroute]),
        (Asked, FlowEvent::Stopped, Starter::Run) => (Ended, &[Unroute, LeaveOpen, Leave]),
        (Asked, FlowEvent::Stopped, _) => (Ended, &[Unroute, LeaveOpenWithReason, Report]),
        (Asked, FlowEvent::Canceled, _) => (Left, &[LeaveOpen]),
        (Asked, FlowEvent::Disowned, _) => (Ended, &[Unroute, LeaveOpen]),
        (Asked | Left, FlowEvent::Overtaken, _) => (Ended, &[Unroute]),
        (Arrived, FlowEvent::SlotFree, _) => (Sent, &[Send]),
        (Sent, FlowEvent::NeverLeft, Starter::Run) => (Deferred, &[]),
        (Sent, FlowEvent::Unnoted, _)
        | (Sent, FlowEvent::NeverLeft | FlowEvent::WantedLater, Starter::Server) => (Deferred, &[Assure]),
        (Sent, FlowEvent::WantedLater, _) => (Deferred, &[]),
        // A run can be gone on with, once the client is right; a server goes on itself.
        (Sent, FlowEvent::WrongClient, Starter::Run) => (Ended, &[Reply, Leave]),
        (Sent, FlowEvent::WrongClient, Starter::Server) => (Deferred, &[Assure, WaitAgain]),
        // Whose flow an answer belongs to, a server looks up in the ledger each time.
        (Arrived | Sent, FlowEvent::Settled, Starter::Server)
        | (Sent, FlowEvent::Spent | FlowEvent::SpentInSight, Starter::Server) => {
            (Ended, &[Reply, Report, Reopen])
        }
        (Arrived | Sent, FlowEvent::Settled, _)
        | (Sent, FlowEvent::NeverLeft | FlowEvent::WrongClient, _) => (Ended, &[Reply, Report]),
        (Deferred, FlowEvent::Stopped, Starter::One) => (Ended, &[Keep, Report]),
        (Sent, FlowEvent::Spent, _) => (Left, &[Route, Reply, Report]),
        (Sent, FlowEvent::SpentInSight, _) => (Asked, &[Route, Reply, WaitAgain]),
        (Deferred, FlowEvent::Retry, _) => (Arrived, &[]),
        (Deferred, FlowEvent::Stopped, _) => (Ended, &[Keep, Leave]),
        _ => return None,
    })
}

/// How soon it's tried again to send a code.
const RETRY: Duration = Duration::from_secs(5);
/// The same where only this host's ledger is asked.
const NOTE_AGAIN: Duration = Duration::from_secs(1);

/// How long the answer to a flow counts that nobody waits for: as long as it's open in the ledger.
const LEFT: Duration = CODE_LIVES;

#[derive(Debug)]
pub struct ProcessFlow {
    /// The license's place among those that the command is about.
    pub item: usize,
    pub stage: ProcessStage,
    /// The address that the admin opens; empty where the answer came from elsewhere.
    pub address: String,
    /// Until when the answer, or that of the exchange, is waited for, or when the code is sent again; `None`: something else
    /// goes first.
    pub until: Option<Instant>,
    pub code: Option<Secret>,
    pub reply: Option<BrowserReply>,
    /// An answer that wasn't to be trusted: what is said where no other came in time.
    pub distrusted: Option<Error>,
    /// Its code waits until the client is right.
    waits_for_client: bool,
    asked_until: Option<Instant>,
    /// When the code came.
    came: Option<Instant>,
}

/// The flows of a process: the one map of them. Everything else names a flow by its [`FlowId`].
#[derive(Debug)]
pub struct FlowEngine {
    starter: Starter,
    flows: BTreeMap<FlowId, ProcessFlow>,
    /// Whose codes wait for their turns to be sent, in their order.
    queue: VecDeque<FlowId>,
    stopping: bool,
}

impl FlowEngine {
    /// Without a flow.
    pub fn new(starter: Starter) -> Self {
        Self { starter, flows: BTreeMap::new(), queue: VecDeque::new(), stopping: false }
    }

    /// An admin is asked, and has until then.
    pub fn asked(&mut self, flow: FlowId, item: usize, address: String, until: Option<Instant>) {
        let asked = ProcessFlow {
            item,
            stage: ProcessStage::Asked,
            address,
            until,
            code: None,
            reply: None,
            distrusted: None,
            waits_for_client: false,
            asked_until: until,
            came: None,
        };
        self.flows.insert(flow, asked);
    }

    /// A code that came, and the browser that waits: what [`FlowEvent::CodeCame`] is about.
    pub fn code_arrived(&mut self, flow: &FlowId, code: Secret, reply: BrowserReply, now: Instant) {
        if let Some(flow) = self.flows.get_mut(flow) {
            (flow.code, flow.reply, flow.came) = (Some(code), Some(reply), Some(now));
        }
    }

    /// Something happened to a flow: what is to be done. One that has ended stays for its reply to be taken, until it's
    /// [removed](Self::remove).
    pub fn on(&mut self, id: &FlowId, event: FlowEvent, now: Instant) -> Vec<FlowEffect> {
        let Some(flow) = self.flows.get_mut(id) else { return Vec::new() };
        let Some((stage, effects)) = decide(self.starter, flow.stage, event) else { return Vec::new() };
        tracing::trace!("flow {}: {event:?} in {:?} leads to {stage:?}", id.0, flow.stage);
        flow.stage = stage;
        if stage == ProcessStage::Arrived {
            self.queue.push_back(id.clone());
        }
        flow.waits_for_client = event == FlowEvent::WrongClient;
        flow.until = match (stage, event, self.starter) {
            (ProcessStage::Deferred, FlowEvent::Unnoted, _) => Some(now + NOTE_AGAIN),
            // Once the client is right; and once more before the code has lapsed.
            (ProcessStage::Deferred, FlowEvent::WrongClient, _) => {
                flow.came.map(|came| came + CODE_LIVES - RETRY)
            }
            (ProcessStage::Deferred, _, Starter::Server) => Some(now + RETRY),
            (ProcessStage::Asked, ..) => flow.asked_until,
            (ProcessStage::Left, ..) => flow.asked_until.max(Some(now + LEFT)),
            _ => None,
        };
        // What a process that ends leaves as its own, the next one takes over.
        let goes_on = self.goes_on_serving();
        effects.iter().copied().filter(|it| *it != FlowEffect::Reopen || goes_on).collect()
    }

    /// Whose code's turn it is to be sent, if any waits.
    pub fn next_to_send(&mut self) -> Option<FlowId> {
        self.queue.pop_front()
    }

    /// Whether any code waits for its turn.
    pub fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether the command is about more than one answer.
    pub fn has_others_to_ask(&self) -> bool {
        self.starter != Starter::One
    }

    /// Whether what couldn't leave now may be sent later.
    pub fn may_defer(&self, flow: &FlowId, now: Instant) -> bool {
        !self.stopping && (self.starter == Starter::Run || self.lives_until(flow, now))
    }

    /// Whether a code that the provider wants later still lives then.
    pub fn lives_until(&self, flow: &FlowId, later: Instant) -> bool {
        let came = self.flows.get(flow).and_then(|flow| flow.came);
        !self.stopping && came.is_some_and(|came| later.saturating_duration_since(came) < CODE_LIVES)
    }

    /// Whether a code that a wrong client sent is kept: by a server for as long as it lives, else for the next command.
    pub fn may_wait_for_the_client(&self, flow: &FlowId, now: Instant) -> bool {
        self.starter != Starter::Server || self.lives_until(flow, now + 2 * RETRY)
    }

    /// A code that was deferred isn't sent before then.
    pub fn wait_until(&mut self, flow: &FlowId, later: Instant) {
        if let Some(flow) = self.flows.get_mut(flow).filter(|it| it.stage == ProcessStage::Deferred) {
            flow.until = Some(later);
        }
    }

    /// Those whose codes were deferred and may be sent now, in their licenses' order.
    pub fn deferred(&self, now: Instant) -> Vec<FlowId> {
        self.in_order(|flow| {
            flow.stage == ProcessStage::Deferred && flow.until.is_none_or(|until| until <= now)
        })
    }

    /// Those whose codes wait until the client is right.
    pub fn waiting_for_client(&self) -> Vec<FlowId> {
        self.in_order(|flow| flow.stage == ProcessStage::Deferred && flow.waits_for_client)
    }

    /// Nothing more is deferred: the command ends.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// A flow, while it's under way.
    pub fn get(&self, flow: &FlowId) -> Option<&ProcessFlow> {
        self.flows.get(flow)
    }

    pub fn get_mut(&mut self, flow: &FlowId) -> Option<&mut ProcessFlow> {
        self.flows.get_mut(flow)
    }

    /// Its end is told: it's under way no longer.
    pub fn remove(&mut self, flow: &FlowId) -> Option<ProcessFlow> {
        self.flows.remove(flow)
    }

    /// The flow about a license that somebody waits for, where there is one.
    pub fn of_item(&self, item: usize) -> Option<(&FlowId, &ProcessFlow)> {
        let waited_for =
            || self.flows.iter().filter(|(_, flow)| flow.item == item && flow.stage != ProcessStage::Left);
        waited_for().find(|(_, flow)| flow.stage == ProcessStage::Asked).or_else(|| waited_for().next())
    }

    /// Whether an admin was asked here, whose next answer comes here as well.
    pub fn was_asked_here(&self, flow: &FlowId) -> bool {
        self.flows.get(flow).is_some_and(|flow| flow.asked_until.is_some())
    }

    /// Whether it's a server that goes on: nobody takes over what is its own in the ledger.
    pub fn goes_on_serving(&self) -> bool {
        self.starter == Starter::Server && !self.stopping
    }

    /// Whether another flow about the same license is waited for.
    pub fn has_another(&self, flow: &FlowId) -> bool {
        let is_waited_for = |id: &FlowId| {
            self.flows.get(id).is_some_and(|it| !matches!(it.stage, ProcessStage::Left | ProcessStage::Ended))
        };
        self.other_flows_of(flow).iter().any(is_waited_for)
    }

    /// Those about the license of a flow, but for itself.
    pub fn other_flows_of(&self, flow: &FlowId) -> Vec<FlowId> {
        let Some(item) = self.flows.get(flow).map(|flow| flow.item) else { return Vec::new() };
        self.in_order(|it| it.item == item).into_iter().filter(|it| it != flow).collect()
    }

    /// The admin has longer to answer.
    pub fn prolong(&mut self, flow: &FlowId, until: Instant) {
        if let Some(flow) = self.flows.get_mut(flow).filter(|it| it.stage == ProcessStage::Asked) {
            (flow.until, flow.asked_until) = (Some(until), Some(until));
        }
    }

    /// All that are at a stage, in their licenses' order.
    pub fn at(&self, stage: ProcessStage) -> Vec<FlowId> {
        self.in_order(|flow| flow.stage == stage)
    }

    /// Those whose time has come, in their licenses' order.
    pub fn due(&self, now: Instant) -> Vec<FlowId> {
        self.in_order(|flow| flow.until.is_some_and(|until| until <= now))
    }

    fn in_order(&self, which: impl Fn(&ProcessFlow) -> bool) -> Vec<FlowId> {
        let mut found: Vec<_> = self.flows.iter().filter(|(_, flow)| which(flow)).collect();
        found.sort_by_key(|(_, flow)| flow.item);
        found.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// When the next one's time comes.
    pub fn soonest(&self) -> Option<Instant> {
        self.flows.values().filter_map(|flow| flow.until).min()
    }

    /// Whether none is waited for.
    pub fn is_empty(&self) -> bool {
        self.flows.values().all(|flow| flow.stage == ProcessStage::Left)
    }
}

#[cfg(test)]
mod tests;
