//! A run of consents: flows are started, answers come in any order, and each grant is stored before its browser hears
//! of it. One license is a run of one; one failure never stops the others.

mod actions;
mod answers;
mod awaiting;
mod launched;
mod outage;
mod pasted;
mod settle;
mod start;
mod strays;

use super::engine::Starter;
use super::flows::Flows;
use super::link::IssuedLink;
use crate::custody::{Custody, StoreOutcome};
use crate::error::{Error, Result};
use crate::model::ids::{Generation, RunId};
use crate::model::outcome::Outcome;
use crate::model::pace::{Pace, PaceDecision};
use crate::model::plan::{PlannedLicense, Progress};
use crate::oauth::ProviderClient;
use crate::system::{BrowserChoice, Env, LaunchOutcome};
use crate::web::{ListeningSession, SessionEvent, Worklist};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// What people and scripts see of a run.
pub trait ProgressReporter {
    /// A license's page was opened, or its address is to be opened by hand.
    fn opened(&mut self, item: &PlannedLicense, address: &str, how: OpenMethod, until: Instant);
    fn storing(&mut self, item: &PlannedLicense);
    /// Its answer couldn't be taken, and is waited for again.
    fn waits_on(&mut self, _item: &PlannedLicense) {}
    /// Facts that the provider didn't report.
    fn remarks(&mut self, item: &PlannedLicense, remarks: &[String]);
    /// It has ended; for one that was left out, why.
    fn ended(&mut self, item: &PlannedLicense, outcome: &Outcome, why: Option<&str>);
    /// A person has to say whether the grants of another admin than the one who was asked will do.
    fn asks(&mut self, _admin: &str) {}
    /// The message in which a link is sent to its admin.
    fn message(&self, _link: &IssuedLink) -> String {
        String::new()
    }
    /// Something that a person wants to know.
    fn notice(&mut self, text: &str);
    /// The state of the run, looked at in every turn; `asked`: the admin whose grants wait for a yes or a no.
    fn turn(&mut self, pace: &Pace, asked: Option<&str>);
    /// Grants were stored, and no browser waits at this moment: others want to hear of them now.
    fn between(&mut self, custody: &mut Custody<'_>);
    /// What runs beside the run has ended.
    fn woken(&mut self, _custody: &mut Custody<'_>) {}
    /// How often it wants to be shown the state.
    fn every(&self) -> Option<Duration>;
}

/// How a license's page was opened.
#[derive(Debug, PartialEq, Eq)]
pub enum OpenMethod {
    /// By a browser that was started, or wasn't.
    Browser(LaunchOutcome),
    /// By nobody yet: a person has the address.
    Address,
    /// By a click on the worklist.
    Worklist,
}

impl OpenMethod {
    fn of(opened: Option<LaunchOutcome>) -> Self {
        opened.map_or(Self::Address, Self::Browser)
    }
}

pub struct RunOptions {
    pub choice: BrowserChoice,
    /// How long a person may take, from the opening.
    pub timeout: SignedDuration,
    /// Whichever admin user grants will do.
    pub any_user: bool,
    /// The run in the ledger, where there is one: then what isn't done can be gone on with.
    pub run: Option<RunId>,
    /// A person's keys are heard: they can be asked.
    pub keys: bool,
    /// The key `r` is heard, which makes a new address.
    pub reopens: bool,
    /// The page that a person keeps open beside it, where one is served.
    pub worklist: Option<Worklist>,
}

pub struct RunEnd {
    /// Of each license; `None`: it's left to do.
    pub outcomes: Vec<Option<Outcome>>,
    /// A person, or a signal, ended it.
    pub interrupted: bool,
    pub stopped: Option<Error>,
}

pub struct ConsentRun<'r, 'e> {
    env: &'r Env,
    flows: Flows<'r, 'e, &'r mut ListeningSession>,
    options: RunOptions,
    /// The licenses with their places in the ledger's run.
    items: &'r [(usize, PlannedLicense)],
    pace: Pace,
    reporter: &'r mut dyn ProgressReporter,
    outcomes: Vec<Option<Outcome>>,
    /// Admins who granted what others were asked for, still to be asked about.
    to_ask: VecDeque<String>,
    /// What was said about admins.
    decided: Vec<(String, bool)>,
    /// The generations of records that were changed here, by what was done with a grant that awaited approval.
    rebased: HashMap<usize, Generation>,
    /// Links that were handed out on the worklist, and until when their answers are waited for here.
    links: BTreeMap<usize, Instant>,
    interrupted: bool,
    stopped: Option<Error>,
    /// Something may have happened since whose hook waits: the queue isn't read in every turn.
    news: bool,
    /// It has been said that an answer came which nobody asked for.
    told_of_strays: bool,
    /// Whose one-time address was opened twice: by whom, nobody knows.
    opened_twice: BTreeSet<usize>,
    /// It has been said that another user came by a one-time address.
    told_of_another_user: bool,
}

impl<'r, 'e> ConsentRun<'r, 'e> {
    /// Over these licenses, which nobody has been asked about yet.
    #[expect(clippy::too_many_arguments, reason = "each is one part of a run")]
    pub fn new(
        env: &'r Env,
        custody: &'r mut Custody<'e>,
        client: &'r ProviderClient,
        session: &'r mut ListeningSession,
        options: RunOptions,
        pace: Pace,
        items: &'r [(usize, PlannedLicense)],
        reporter: &'r mut dyn ProgressReporter,
    ) -> Self {
        let starter = if options.run.is_some() { Starter::Run } else { Starter::One };
        Self {
            env,
            flows: Flows::new(starter, custody, client, session, env.terminal.interactive()),
            options,
            items,
            pace,
            reporter,
            outcomes: items.iter().map(|_| None).collect(),
            to_ask: VecDeque::new(),
            decided: Vec::new(),
            rebased: HashMap::new(),
            links: BTreeMap::new(),
            interrupted: false,
            stopped: None,
            news: true,
            told_of_strays: false,
            opened_twice: BTreeSet::new(),
            told_of_another_user: false,
        }
    }

    /// What was found out of a license before the run began.
    pub fn stored(&mut self, at: usize, kept: Result<StoreOutcome>) {
        match kept {
            Err(e) => self.leave_or_settle(at, e),
            kept => self.settle(at, kept),
        }
    }

    /// Until every license has ended, or nothing more is wanted.
    pub fn run(mut self) -> RunEnd {
        self.show_all_awaiting();
        loop {
            if self.several() && self.env.terminal.nobody_reads() && !self.pace.is_stopping() {
                // Who wanted to hear of it has gone.
                self.interrupt();
            }
            // defense: S18 strangers-are-told-of
            self.tell_of_strays();
            self.post_notice();
            self.run_hooks();
            self.reporter.turn(&self.pace, self.to_ask.front().map(String::as_str));
            match self.pace.next(Instant::now()) {
                PaceDecision::Finish
                    if self.to_ask.is_empty() && self.links.is_empty() && self.flows.is_empty() =>
                {
                    break;
                }
                PaceDecision::Finish => self.wait(None),
                PaceDecision::Open(which) => self.ask(&which, OpenTrigger::Turn),
                PaceDecision::Look => self.flows.server.look(),
                PaceDecision::Wait(until) => self.wait(until),
            }
        }
        if let Some(worklist) = &self.options.worklist {
            worklist.ended("This run has ended. The terminal shows the result and the next step.".into());
        }
        RunEnd { outcomes: self.outcomes, interrupted: self.interrupted, stopped: self.stopped }
    }

    /// A run may last for hours, and others want to hear of each grant now: at a moment when no browser waits.
    fn run_hooks(&mut self) {
        if !self.several() || !self.news || self.pace.count(Progress::Storing) > 0 {
            return;
        }
        self.news = false;
        self.reporter.between(self.flows.custody);
    }

    fn several(&self) -> bool {
        self.options.run.is_some()
    }

    /// Waits for the next step, and takes it with all that have come by then: what they leave free is asked in one commit.
    fn wait(&mut self, until: Option<Instant>) {
        const LONG: Duration = Duration::from_secs(60 * 60);
        const LOOK_FOR_READER: Duration = Duration::from_secs(1);
        const AT_ONCE: usize = 256;
        let now = Instant::now();
        let times = self.flows.soonest().into_iter().chain(self.links.values().copied());
        let times = times.chain(until);
        // Its reader may turn out to be gone.
        let look = (self.several() && self.env.terminal.is_printing()).then_some(LOOK_FOR_READER);
        let times = times.chain(self.reporter.every().into_iter().chain(look).map(|every| now + every));
        let until = times.min().unwrap_or(now + LONG);
        let Some(first) = self.flows.server.next(until) else {
            // Only now: what came before its time was over, and wasn't looked at yet, counts.
            return self.lapse();
        };
        let mut answers = Vec::new();
        let mut next = Some(first);
        for _ in 0..AT_ONCE {
            match next.take() {
                // Codes go out while answers are stored.
                Some(SessionEvent::Exchanged { flow, result }) => {
                    answers.push((flow, *result));
                    self.flows.send_queued();
                }
                Some(step) => self.step(step),
                None => break,
            }
            next = self.flows.server.ready();
        }
        self.store_grants(answers);
        if let Some(step) = next {
            self.step(step);
        }
    }

    fn step(&mut self, step: SessionEvent) {
        match step {
            SessionEvent::Arrived { flow, code, reply } => {
                if let Err(e) = self.arrived(&flow, code, reply) {
                    self.reporter.notice(&untaken_in_words(&e));
                }
            }
            SessionEvent::Refused { flow, error, reply } => self.flows.refused(&flow, error, reply),
            SessionEvent::Distrusted { flow, error, reply } => {
                self.reporter
                    .notice(&format!("{error}. Nothing was sent, and the same address still works."));
                reply.failed(&error);
                self.flows.distrusted(&flow, error);
            }
            SessionEvent::Exchanged { flow, result } => {
                self.flows.send_queued();
                self.store_grants(vec![(flow, *result)]);
            }
            SessionEvent::Looked(found) => self.looked(found),
            SessionEvent::Launched { flow, problem } => self.launched(&flow, problem),
            SessionEvent::Woken => self.reporter.woken(self.flows.custody),
            SessionEvent::Key(key) if self.several() => self.key(key),
            SessionEvent::Key('r' | 'R') => {
                self.renew_opened_twice();
            }
            SessionEvent::Key(_) => {}
            SessionEvent::Pasted { text, from } => self.pasted(&text, from),
            SessionEvent::Clicked { action, reply } => self.take_action(action, reply),
            SessionEvent::Interrupted => self.interrupt(),
        }
        self.settle_what_is_over();
    }
}

/// What is told of an answer that a browser brought and that couldn't be taken.
fn untaken_in_words(e: &Error) -> String {
    match e {
        Error::Handoff(_) => format!("{e}."),
        e => format!(
            "An answer arrived, but could not be saved: {e}. Nothing was sent. In a minute, reload its page in the browser."
        ),
    }
}

/// Who has a page opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenTrigger {
    /// Nobody: it's its turn.
    Turn,
    /// A person at the terminal.
    Key,
    /// A person at the worklist, whose browser is sent there.
    Click,
}
