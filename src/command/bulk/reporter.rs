//! A run over several licenses as people and scripts see it: the state of the whole in a terminal, a line for each
//! license elsewhere, events for scripts.

use crate::command::Invocation;
use crate::command::consent::messages;
use crate::command::hook_runner::HookRunner;
use crate::consent::{IssuedLink, OpenMethod, ProgressReporter};
use crate::custody::Custody;
use crate::error::{clean, licenses};
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::duration::in_words;
use crate::model::ids::LicenseId;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::pace::{Pace, PauseReason, time_left};
use crate::model::plan::PlannedLicense;
use crate::model::provider::Provider;
use crate::model::reminder::GrantEventKey;
use crate::model::run_counts::RunCounts;
use crate::report::{EventLicense, RunEvent, RunEventKind};
use crate::system::{LaunchOutcome, MovingLines};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// How many open pages are named in the terminal.
const NAMED: usize = 5;

pub(super) struct BulkReporter<'w> {
    call: &'w Invocation<'w>,
    provider: &'w Provider,
    /// Runs the hooks of what happens meanwhile.
    pub hooks: Option<HookRunner<'w>>,
    common: HashMap<LicenseId, GrantEventKey>,
    verb: &'static str,
    /// A person's keys are read: they can be offered.
    pub reads_keys: bool,
    began: Instant,
    open: BTreeMap<LicenseId, (String, Instant)>,
    waiting_of: BTreeMap<String, usize>,
    /// The state of the whole, where it's shown.
    lines: MovingLines,
    remarked: BTreeSet<String>,
}

impl<'w> BulkReporter<'w> {
    pub fn new(
        call: &'w Invocation<'w>,
        provider: &'w Provider,
        common: HashMap<LicenseId, GrantEventKey>,
        verb: &'static str,
        total: usize,
    ) -> Self {
        let lines = if total > 0 { call.env.terminal.progress_lines() } else { MovingLines::hidden() };
        let (open, waiting_of) = (BTreeMap::new(), BTreeMap::new());
        Self {
            call,
            provider,
            hooks: None,
            common,
            verb,
            reads_keys: false,
            began: Instant::now(),
            open,
            waiting_of,
            lines,
            remarked: BTreeSet::new(),
        }
    }

    /// One of the plan, before the run begins.
    pub fn planned(&mut self, item: &PlannedLicense, standing: Option<&AuthorizationWithFlows>) {
        *self.waiting_of.entry(item.username.as_str().to_lowercase()).or_default() += 1;
        self.event(RunEventKind::Planned, &item.key, standing, Some(item.why.clone()), None);
    }

    /// One that isn't taken.
    pub fn left_out(&mut self, key: &LicenseId, standing: Option<&AuthorizationWithFlows>, why: &str) {
        self.event(RunEventKind::Ended(OutcomeKind::Skipped), key, standing, Some(why.to_owned()), None);
        self.info(&format!("– {key}: skipped, {why}"));
    }

    /// One has ended without having been waited for.
    pub fn ended_here(&mut self, item: &PlannedLicense, outcome: &Outcome) {
        self.ended(item, outcome, None);
    }

    /// The run has ended.
    pub fn over(&mut self) {
        self.lines = MovingLines::hidden();
    }

    fn event(
        &self,
        happening: RunEventKind,
        key: &LicenseId,
        standing: Option<&AuthorizationWithFlows>,
        why: Option<String>,
        address: Option<String>,
    ) {
        if let Some(common) = self.common.get(key) {
            let subject = EventLicense { key, common, standing, provider: self.provider };
            self.write(&RunEvent::about(happening, self.call.env.clock.now(), subject, why, address));
        }
    }

    fn write(&self, event: &RunEvent) {
        if let Ok(line) = self.call.json_line(event) {
            // A reader that has gone, or stalls, doesn't stop the grants.
            self.call.env.terminal.emit(&line);
        }
    }

    fn info(&self, text: &str) {
        self.call.env.terminal.info(text);
    }

    fn always(&self, text: &str) {
        self.call.env.terminal.print_always(text);
    }

    /// The state of the whole, and what a person can do.
    fn state(&self, pace: &Pace, to_decide: Option<&str>) -> String {
        let now = Instant::now();
        let counts = RunCounts::under_way(pace.progress().iter().copied());
        let mut whole = counts.to_string();
        // What was skipped took no time.
        let asked = counts.planned - counts.left - counts.skipped;
        if let Some(time) = time_left(self.began.elapsed(), asked, counts.left) {
            let minutes = SignedDuration::try_from(time).unwrap_or_default();
            whole += &format!(" (about {})", in_words(rounded(minutes)));
        }
        let mut lines = vec![whole];
        for (named, until) in self.open.values().take(NAMED) {
            let left = SignedDuration::try_from(until.saturating_duration_since(now)).unwrap_or_default();
            lines.push(format!("  ▸ {named} ({} left)", in_words(left)));
        }
        if self.open.len() > NAMED {
            lines.push(format!("  and {} more", self.open.len() - NAMED));
        }
        let (what, keys) = match (to_decide, pace.pause()) {
            (Some(admin), _) => {
                let admin = clean(admin);
                (format!("Accept grants from {admin}, who was not asked?  "), "y yes  n no")
            }
            (None, Some(PauseReason::Admin(next))) => {
                let licenses = licenses(self.waiting_of.get(next).copied().unwrap_or(1));
                let next = clean(next);
                let what = format!("Next: {next} ({licenses}). Sign out of BioTrack in the browser first.  ");
                (what, "n continue  q quit")
            }
            (None, Some(PauseReason::Silence)) => {
                ("No admin answered in time.  ".to_owned(), "n continue  r retry the failed ones  q quit")
            }
            (None, Some(PauseReason::Outage { until })) => {
                let wait = until.saturating_duration_since(now).as_secs();
                let what = format!("BioTrack is not responding; retrying in {wait} s. Nothing is lost.  ");
                (what, "n retry now  q quit")
            }
            (None, None) => (
                String::new(),
                "n next  s skip  r open again  q quit; or paste the address the admin sent back",
            ),
        };
        let keys = if self.reads_keys { keys } else { "Use the worklist page, or press Ctrl-C to stop." };
        lines.push(format!("  {what}{keys}"));
        lines.join("\n")
    }
}

impl ProgressReporter for BulkReporter<'_> {
    fn opened(&mut self, item: &PlannedLicense, address: &str, how: OpenMethod, until: Instant) {
        let named = called(item);
        self.event(RunEventKind::Opened, &item.key, None, None, Some(address.to_owned()));
        match how {
            OpenMethod::Browser(LaunchOutcome::Failed(why)) => self.always(&format!(
                "No browser could be opened for {named} ({}). Open this address by hand:\n\n  {address}\n",
                clean(&why)
            )),
            OpenMethod::Address => self.always(&format!(
                "{named}: open this address in a browser on this machine:\n\n  {address}\n"
            )),
            OpenMethod::Browser(LaunchOutcome::Started) | OpenMethod::Worklist => {}
        }
        self.open.insert(item.key.clone(), (named, until));
    }

    fn storing(&mut self, _: &PlannedLicense) {}

    fn remarks(&mut self, _: &PlannedLicense, remarks: &[String]) {
        // Mostly the same of each: said once.
        for remark in remarks {
            if self.remarked.insert(remark.clone()) {
                self.always(remark);
            }
        }
    }

    fn ended(&mut self, item: &PlannedLicense, outcome: &Outcome, why: Option<&str>) {
        self.open.remove(&item.key);
        if let Some(waiting) = self.waiting_of.get_mut(&item.username.as_str().to_lowercase()) {
            *waiting = waiting.saturating_sub(1);
        }
        if let Some(common) = self.common.get(&item.key) {
            let now = self.call.env.clock.now();
            let event = match why {
                Some(why) => {
                    let (standing, provider) = (outcome.standing.as_ref(), self.provider);
                    let subject = EventLicense { key: &item.key, common, standing, provider };
                    let skipped = RunEventKind::Ended(OutcomeKind::Skipped);
                    RunEvent::about(skipped, now, subject, Some(why.to_owned()), None)
                }
                None => RunEvent::ended(outcome, now, common, self.provider),
            };
            self.write(&event);
        }
        let named = called(item);
        self.info(&match (outcome.ending, &outcome.error) {
            (OutcomeKind::Granted, _) => {
                match outcome.standing.as_ref().and_then(|it| it.record.expires_at) {
                    Some(at) => {
                        format!("✓ {named}: granted until {}", self.provider.zone.day(at))
                    }
                    None => format!("✓ {named}: granted"),
                }
            }
            (OutcomeKind::HandedOff, _) => format!("→ {named}: a link was made"),
            (OutcomeKind::Skipped, _) => format!("– {named}: {}", why.unwrap_or("skipped")),
            (_, Some(error)) => format!("✗ {named}: {}", error.without_license(item.key.license.as_str())),
            (_, None) => format!("✗ {named}: {} failed", self.verb),
        });
    }

    fn asks(&mut self, admin: &str) {
        // Else it's in the moving lines.
        if !self.lines.are_shown() {
            let admin = clean(admin);
            self.always(&format!("Accept grants from {admin}, who was not asked?  y yes  n no"));
        }
    }

    fn message(&self, link: &IssuedLink) -> String {
        messages(std::slice::from_ref(link), self.provider, self.call.env.clock.now())
    }

    fn notice(&mut self, text: &str) {
        self.info(text);
    }

    fn between(&mut self, custody: &mut Custody<'_>) {
        if let Some(hooks) = &mut self.hooks {
            hooks.news(custody.ledger_mut());
        }
    }

    fn woken(&mut self, custody: &mut Custody<'_>) {
        if let Some(hooks) = &mut self.hooks {
            hooks.go_on(custody.ledger_mut());
        }
    }

    fn turn(&mut self, pace: &Pace, asked: Option<&str>) {
        if self.lines.are_shown() {
            self.lines.show(self.state(pace, asked));
        }
    }

    fn every(&self) -> Option<Duration> {
        self.lines.are_shown().then_some(Duration::from_secs(1))
    }
}

/// Whole minutes once it's minutes: a guess shouldn't look like a measurement.
fn rounded(time: SignedDuration) -> SignedDuration {
    match time.as_secs() {
        seconds @ 0..60 => SignedDuration::from_secs(seconds),
        seconds => SignedDuration::from_mins((seconds + 30) / 60),
    }
}

/// A license with its store and admin.
fn called(item: &PlannedLicense) -> String {
    match &item.name {
        Some(name) => format!("{} ({name}), {}", item.key, item.username),
        None => format!("{}, {}", item.key, item.username),
    }
}
