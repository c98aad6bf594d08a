//! A run of consents: flows are started, answers come in any order, and each grant is stored before its browser hears
//! of it. One license is a run of one; one failure never stops the others.

mod actions;
mod launched;
mod outage;
mod pasted;
mod strays;

use super::engine::Starter;
use super::fit::still_fits;
use super::flows::{Flows, wanted_later_in_words};
use super::link::IssuedLink;
use super::outcome::{asking_again, outcome_of};
use crate::custody::{Custody, NewFlow, RecordUpdate, StoreOutcome};
use crate::error::{CodeStillUsable, Error, LedgerError, Result};
use crate::model::authorization::{Authorization, command_with, complete_command};
use crate::model::duration::in_words;
use crate::model::flow::Purpose;
use crate::model::granted::Granted;
use crate::model::ids::{FlowId, Generation, RunId, same_account};
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::pace::{Pace, PaceDecision, PauseReason};
use crate::model::plan::{PlannedLicense, Progress};
use crate::model::secret::Secret;
use crate::oauth::{self, ProviderClient};
use crate::system::{BrowserChoice, Env, LaunchOutcome};
use crate::web::{BrowserReply, ListeningSession, SessionEvent, Worklist};
use jiff::{SignedDuration, Timestamp};
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
        self.exchanged(answers);
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
                self.exchanged(vec![(flow, *result)]);
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

    /// Starts the flows: in the ledger first, then with the admins.
    fn ask(&mut self, which: &[usize], by: OpenTrigger) {
        let now = self.env.clock.now();
        let deadline = now.saturating_add(self.options.timeout).unwrap_or(now);
        let (mut questions, mut places) = (Vec::new(), Vec::new());
        for at in which {
            // Of one that is tried again its earlier grant may wait sealed: nobody is asked twice.
            if let Some(kept) = self.flows.finish_left_over(*at) {
                self.settle(*at, kept);
                continue;
            }
            match self.question(*at, now, deadline) {
                Ok(question) => {
                    questions.push(question);
                    places.push(*at);
                }
                Err(e) => self.settle(*at, Err(e)),
            }
        }
        let asked = match self.flows.intend(questions) {
            Ok(asked) => asked,
            Err(e) if self.several() => return self.stop(Some(e)),
            Err(e) => {
                if let Some(at) = places.first() {
                    self.settle(*at, Err(e));
                }
                return;
            }
        };
        for (at, asked) in places.into_iter().zip(asked) {
            let logged = match asked {
                Ok(logged) => logged,
                Err(e) => {
                    self.leave_or_settle(at, e);
                    continue;
                }
            };
            let choice = if by == OpenTrigger::Click { &BrowserChoice::None } else { &self.options.choice };
            let browser = self.flows.server.open(self.env, &logged, choice);
            let until = Instant::now() + self.options.timeout.unsigned_abs();
            let (flow, ask) = logged.get();
            let (flow, address) = (flow.clone(), ask.address.clone());
            if by != OpenTrigger::Turn {
                self.pace.opened_by_hand(at);
            }
            self.set(at, Progress::Opened, "");
            let how = if by == OpenTrigger::Click { OpenMethod::Worklist } else { OpenMethod::of(browser) };
            self.reporter.opened(&self.items[at].1, &address, how, until);
            self.flows.asked(flow, at, address, until);
        }
    }

    /// Where somebody else is at a license of this run too, on a ledger that several people share, or has changed it since the
    /// run was planned: in which words it's left to them.
    fn others_have(&self, refused: &Error) -> Option<String> {
        match refused {
            _ if !self.several() => None,
            Error::Ledger(LedgerError::Changed { .. }) => Some(MEANWHILE.into()),
            Error::Busy { why, .. } if self.flows.custody.ledger().is_shared() => Some(why.clone()),
            _ => None,
        }
    }

    /// A license that can't be asked about is left to whoever else is at it, or has ended.
    fn leave_or_settle(&mut self, at: usize, refused: Error) {
        match self.others_have(&refused) {
            Some(why) => self.skip(at, &why),
            None => self.settle(at, Err(refused)),
        }
    }

    /// How far a license has come, for the pace and the worklist.
    fn set(&mut self, at: usize, progress: Progress, detail: &str) {
        self.pace.set(at, progress);
        if let Some(worklist) = &self.options.worklist {
            worklist.show(at, progress, detail);
        }
    }

    /// Which grants await approval before anybody is asked, on the worklist.
    fn show_all_awaiting(&self) {
        let Some(worklist) = &self.options.worklist else { return };
        let custody = &self.flows.custody;
        match custody.ledger().awaiting(&custody.provider().profile, None) {
            Ok(grants) => {
                for grant in grants {
                    if let Some(at) = self.items.iter().position(|(_, item)| item.key == grant.key) {
                        worklist.awaits(at, Some(grant));
                    }
                }
            }
            Err(e) => tracing::warn!("could not show which grants await approval: {e}"),
        }
    }

    fn show_awaiting(&self, at: usize) {
        let Some(worklist) = &self.options.worklist else { return };
        match self.flows.custody.awaiting(&self.items[at].1.key) {
            Ok(grant) => worklist.awaits(at, grant),
            Err(e) => tracing::warn!("could not show which grants await approval: {e}"),
        }
    }

    /// Why nothing is opened for now, on the worklist.
    fn post_notice(&self) {
        let Some(worklist) = &self.options.worklist else { return };
        worklist.notice(self.pace.pause().map(|pause| match pause {
            PauseReason::Admin(next) => {
                format!(
                    "The next licenses belong to {next}. Sign out of BioTrack in the browser before you continue."
                )
            }
            PauseReason::Silence => "No admin answered in time. Continue when the admin is available.".into(),
            PauseReason::Outage { .. } => {
                "BioTrack is not responding. Retrying soon; nothing is lost.".into()
            }
        }));
    }

    /// The flow about a license. What is decided on its record is decided when that is read: right before it's written.
    fn question(&self, at: usize, now: Timestamp, deadline: Timestamp) -> Result<NewFlow<'r>> {
        let item = &self.items[at].1;
        let (provider, several) = (self.flows.custody.provider().clone(), self.several());
        let base = self.flows.server.redirect_uri();
        let random = self.env.random.as_ref();
        let ask =
            oauth::ask(&provider, &self.flows.client.endpoints, &item.key, &item.username, &base, random)?;
        let base = self.rebased.get(&at).copied().unwrap_or(item.base);
        let record: RecordUpdate<'r> = Box::new(move |known| {
            if several && known.as_ref().is_some_and(|known| was_granted_since(known, item, base)) {
                let license = item.key.license.to_string();
                return Err(LedgerError::Changed { license }.into());
            }
            still_fits(item, known.as_ref(), &provider, now)?;
            Ok(item.record_while_asked(known, &provider.profile))
        });
        Ok(NewFlow { ask, record, purpose: item.purpose, deadline, handed_off: false })
    }

    /// A code came. What kept it from being taken is told: its flow waits on, and the same answer may come again.
    pub(super) fn arrived(&mut self, flow: &FlowId, code: Secret, reply: BrowserReply) -> Result<()> {
        let Some(at) = self.flows.item(flow) else {
            tracing::info!("an answer arrived for flow {}, which has ended", flow.0);
            reply.too_late();
            return Ok(());
        };
        self.reporter.storing(&self.items[at].1);
        if let Err(e) = self.flows.code_came(flow, code, reply) {
            self.reporter.waits_on(&self.items[at].1);
            return Err(e);
        }
        self.send_queued(at);
        Ok(())
    }

    /// The code of a license waits for its turn, unless that was in vain.
    fn send_queued(&mut self, at: usize) {
        if self.flows.about(at).is_some() {
            self.set(at, Progress::Storing, "");
        }
        self.flows.send_queued();
        self.settle_what_is_over();
    }

    /// What came of exchanges is stored, all in one commit, and then told to each.
    fn exchanged(&mut self, answers: Vec<(FlowId, Result<Granted>)>) {
        let several = self.several();
        let (mut wrong_client, mut wanted_later) = (None, Vec::new());
        for (flow, result) in &answers {
            if !several && matches!(unused(result), Some(CodeStillUsable::WantedLater(_))) {
                wanted_later.push(flow.clone());
            }
            match result {
                _ if !several || self.flows.item(flow).is_none() => {}
                // The others would fare no better: nobody else is asked to consent in vain.
                Err(Error::Provider(e)) if unused(result) == Some(CodeStillUsable::WrongClient) => {
                    wrong_client = Some(e.clone());
                }
                Err(e) if e.is_outage() => self.trouble(e),
                _ => self.pace.on_success(Instant::now()),
            }
        }
        if let Some(error) = wrong_client {
            // What is left is gone on with, the code that is kept first.
            let next = command_with("renew", &["--resume"], self.flows.custody.provider().other(), &[]);
            self.stop(Some(Error::NoGrant { license: None, error: Box::new(error), next }));
        }
        self.flows.exchanged(answers);
        for wait in wanted_later.iter().filter_map(|flow| self.flows.waits(flow)) {
            self.reporter.notice(&wanted_later_in_words(wait));
        }
        self.settle_what_is_over();
        // The provider is back, by another's answer: nobody will look for it.
        if !matches!(self.pace.pause(), Some(PauseReason::Outage { .. })) {
            self.flows.retry_deferred(Instant::now());
        }
    }

    /// Ends what nobody answered in time.
    fn lapse(&mut self) {
        let now = Instant::now();
        // A link outlives the run: only the waiting for its answer ends.
        self.links.retain(|_, until| *until > now);
        let (items, minutes, strays) =
            (self.items, in_words(self.options.timeout), self.flows.server.strays());
        let provider = self.flows.custody.provider().clone();
        let silent = self.flows.end_lapsed(|at| {
            let license = items[at].1.key.license.to_string();
            let (complete, next) =
                (complete_command(provider.other()), asking_again(&items[at].1, &provider));
            Error::Timeout { license, minutes: minutes.clone(), strays, complete, next }
        });
        self.settle_what_is_over();
        for _ in 0..silent {
            self.pace.on_silence();
        }
    }

    /// What has ended is told; what is left to do waits for its turn, or for the next run.
    fn settle_what_is_over(&mut self) {
        while let Some(over) = self.flows.next_over() {
            match over.kept {
                Some(kept) if over.waits_again => self.waits_again(over.item, &kept),
                Some(kept) => self.settle(over.item, kept),
                None => self.set(over.item, Progress::Waiting, ""),
            }
        }
    }

    /// The code was refused, and the person at the terminal hears of it: the same address works again, and is waited for.
    fn waits_again(&mut self, at: usize, kept: &Result<StoreOutcome>) {
        if let Err(e) = kept {
            let said = format!(
                "{e}. The same address works again: ask the admin to click Grant Access there once more."
            );
            self.reporter.notice(&said);
        }
        self.set(at, Progress::Opened, "");
    }

    /// A license has ended, well or not.
    fn settle(&mut self, at: usize, kept: Result<StoreOutcome>) {
        // defense: S48 one-failure-ends-no-other
        let item = &self.items[at].1;
        let (any_user, decided) = (self.options.any_user, &self.decided);
        let take = |granted_by: &str| any_user || said_of(decided, granted_by) == Some(true);
        let outcome = outcome_of(&mut *self.flows.custody, item, kept, take);
        self.reporter.remarks(item, &outcome.remarks);
        if let (OutcomeKind::AwaitingApproval, Some(other)) = (outcome.ending, held_by(&outcome))
            && self.options.keys
            && !self.to_ask.iter().any(|admin| same_account(admin, &other))
            && said_of(&self.decided, &other).is_none()
        {
            self.reporter.asks(&other);
            self.to_ask.push_back(other);
        }
        self.end(at, outcome, None);
    }

    fn skip(&mut self, at: usize, why: &str) {
        let key = &self.items[at].1.key;
        let standing = self.flows.custody.standing(key).ok().flatten();
        self.end(at, Outcome::of(key.clone(), OutcomeKind::Skipped, standing), Some(why));
    }

    fn end(&mut self, at: usize, outcome: Outcome, why: Option<&str>) {
        let progress = match outcome.ending {
            OutcomeKind::Granted => Progress::Granted,
            OutcomeKind::AwaitingApproval => Progress::Held,
            OutcomeKind::HandedOff => Progress::HandedOff,
            OutcomeKind::Skipped => Progress::Skipped,
            _ => Progress::Failed,
        };
        self.news = true;
        self.pace.set(at, progress);
        if let Some(worklist) = &self.options.worklist {
            let said = detail(&outcome, why);
            match (outcome.ending, &outcome.standing) {
                (OutcomeKind::Granted, Some(standing)) => {
                    let zone = &self.flows.custody.provider().zone;
                    worklist.granted(at, standing.record.expires_at.map(|ends| zone.day(ends)), &said);
                }
                _ => worklist.show(at, progress, &said),
            }
        }
        if matches!(outcome.ending, OutcomeKind::Granted | OutcomeKind::AwaitingApproval) {
            self.show_awaiting(at);
        }
        self.note(at, progress);
        self.reporter.ended(&self.items[at].1, &outcome, why);
        self.outcomes[at] = Some(outcome);
        self.drop_answered_questions();
    }

    /// Notes how far a license has come in the ledger's run, for whoever goes on with it.
    fn note(&mut self, at: usize, progress: Progress) {
        let (place, item) = &self.items[at];
        if let Some(run) = self.options.run
            && let Err(e) = self.flows.custody.ledger_mut().note_run(run, *place, progress)
        {
            // The record itself says what was granted.
            tracing::warn!("could not note the progress of {} in the run: {e}", item.key);
        }
    }

    fn interrupt(&mut self) {
        self.interrupted = true;
        // defense: S50 interrupt-ends-the-run
        self.stop(None);
        if self.pace.in_flight() > 0 {
            self.reporter.notice("One moment: storing a grant that has just arrived.");
        }
    }

    /// Opens nothing more. What wasn't answered is left to do; what was is stored first.
    fn stop(&mut self, why: Option<Error>) {
        self.stopped = self.stopped.take().or(why);
        self.pace.stop();
        self.to_ask.clear();
        self.links.clear();
        let (items, provider) = (self.items, self.flows.custody.provider().clone());
        self.flows.stop(|at| {
            let (complete, again) =
                (complete_command(provider.other()), asking_again(&items[at].1, &provider));
            let next = format!("{again}\nIf Grant Access was clicked, run within 10 minutes: {complete}");
            Error::Interrupted { next: Some(next) }
        });
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

/// Why the code of an exchange is as good as before, where it is.
fn unused(result: &Result<Granted>) -> Option<CodeStillUsable> {
    result.as_ref().err().and_then(Error::unused_code)
}

/// Why a license is left out that has another grant since the run was planned.
const MEANWHILE: &str = "changed by another process meanwhile";

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

/// Whether a license was granted since it was planned, or given up: a token that was refreshed meanwhile changes nothing.
fn was_granted_since(known: &Authorization, item: &PlannedLicense, base: Generation) -> bool {
    let renewed_the_same = item.purpose == Purpose::Renew
        && known.expires_at == item.expires_at
        && known.deactivated_at.is_none();
    known.generation != base && !renewed_the_same
}

/// What a person said about the grants of an admin.
fn said_of(decided: &[(String, bool)], admin: &str) -> Option<bool> {
    decided.iter().find(|(who, _)| same_account(who, admin)).map(|(_, yes)| *yes)
}

/// How a license ended, in the words of the worklist.
fn detail(outcome: &Outcome, why: Option<&str>) -> String {
    let granted_by = outcome.standing.as_ref().and_then(|it| it.record.granted_by.clone());
    match (outcome.ending, &outcome.error) {
        (OutcomeKind::Granted, _) => granted_by.map(|who| format!("by {who}")).unwrap_or_default(),
        (_, Some(error)) => error.without_license(outcome.key.license.as_str()),
        (OutcomeKind::HandedOff, _) => "a link is open; paste its answer above".into(),
        _ => why.unwrap_or_default().to_owned(),
    }
}

fn held_by(outcome: &Outcome) -> Option<String> {
    match &outcome.error {
        Some(Error::OtherAdmin { granted_by, .. }) => Some(granted_by.clone()),
        _ => None,
    }
}
