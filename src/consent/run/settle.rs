//! How the licenses of a run end, and the run itself.

use super::ConsentRun;
use crate::consent::outcome::{asking_again, outcome_of};
use crate::custody::StoreOutcome;
use crate::error::{Error, Result};
use crate::model::authorization::complete_command;
use crate::model::duration::in_words;
use crate::model::ids::same_account;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::plan::Progress;
use std::time::Instant;

impl ConsentRun<'_, '_> {
    /// Ends what nobody answered in time.
    pub(super) fn lapse(&mut self) {
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
    pub(super) fn settle_what_is_over(&mut self) {
        while let Some(over) = self.flows.next_over() {
            match over.kept {
                Some(kept) if over.waits_again => self.waits_again(over.item, &kept),
                Some(kept) => self.settle(over.item, kept),
                None => self.set(over.item, Progress::Waiting, ""),
            }
        }
    }

    /// The code was refused, and the person at the terminal hears of it: the same address works again, and is waited for.
    pub(super) fn waits_again(&mut self, at: usize, kept: &Result<StoreOutcome>) {
        if let Err(e) = kept {
            let said = format!(
                "{e}. The same address works again: ask the admin to click Grant Access there once more."
            );
            self.reporter.notice(&said);
        }
        self.set(at, Progress::Opened, "");
    }

    /// A license has ended, well or not.
    pub(super) fn settle(&mut self, at: usize, kept: Result<StoreOutcome>) {
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

    pub(super) fn skip(&mut self, at: usize, why: &str) {
        let key = &self.items[at].1.key;
        let standing = self.flows.custody.standing_to_tell(key);
        self.end(at, Outcome::of(key.clone(), OutcomeKind::Skipped, standing), Some(why));
    }

    pub(super) fn end(&mut self, at: usize, outcome: Outcome, why: Option<&str>) {
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
        self.forget_decided_admins();
    }

    /// Notes how far a license has come in the ledger's run, for whoever goes on with it.
    pub(super) fn note(&mut self, at: usize, progress: Progress) {
        let (place, item) = &self.items[at];
        if let Some(run) = self.options.run
            && let Err(e) = self.flows.custody.ledger_mut().note_run(run, *place, progress)
        {
            // The record itself says what was granted.
            tracing::warn!("could not note the progress of {} in the run: {e}", item.key);
        }
    }

    /// How far a license has come, for the pace and the worklist.
    pub(super) fn set(&mut self, at: usize, progress: Progress, detail: &str) {
        self.pace.set(at, progress);
        if let Some(worklist) = &self.options.worklist {
            worklist.show(at, progress, detail);
        }
    }

    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
        // defense: S50 interrupt-ends-the-run
        self.stop(None);
        if self.pace.in_flight() > 0 {
            self.reporter.notice("One moment: storing a grant that has just arrived.");
        }
    }

    /// Opens nothing more. What wasn't answered is left to do; what was is stored first.
    pub(super) fn stop(&mut self, why: Option<Error>) {
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

pub(super) fn held_by(outcome: &Outcome) -> Option<String> {
    match &outcome.error {
        Some(Error::OtherAdmin { granted_by, .. }) => Some(granted_by.clone()),
        _ => None,
    }
}
