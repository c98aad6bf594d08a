//! What a server does by its clock, though nobody comes: it finishes what couldn't be finished, tries what exchanges need before
//! they need it, and tells the ledger that it listens.

use super::Listening;
use crate::consent::recovery::finish_left_over;
use crate::custody::RecoveryOutcome;
use crate::error::{Error, HandoffError, Result, VaultError};
use crate::model::flow::Flow;
use crate::model::ids::LicenseId;
use crate::model::plan::PlannedLicense;
use crate::oauth::ProviderClient;
use std::time::{Duration, Instant};

/// How soon it's looked again whether the client's secret was set, while codes wait for that.
const LOOK_FOR_SECRET: Duration = Duration::from_secs(2);
/// How often the ledger is told that this host listens, and what exchanges need is tried.
const SELDOM: Duration = Duration::from_secs(6 * 60 * 60);

impl Listening<'_, '_> {
    pub(super) fn keep_up(&mut self) {
        if self.stopping {
            return;
        }
        if self.upkeep.listed.elapsed() >= SELDOM {
            self.upkeep.listed = Instant::now();
            // Hand-offs are sealed to hosts that were heard of as listeners not too long ago.
            if let Err(e) = self.flows.custody.list_this_host() {
                tracing::info!("could not list this host as listening in the ledger: {e}");
            }
            self.rehearse();
        }
        let now = Instant::now();
        if self.flows.wait_for_client() && self.upkeep.secret_again.is_none_or(|at| at <= now) {
            self.look_for_secret();
            self.upkeep.secret_again = self.flows.wait_for_client().then(|| now + LOOK_FOR_SECRET);
        }
        if let Some(waited) = self.upkeep.is_time() {
            self.finish_again();
            self.upkeep.wait_longer(waited);
        }
    }

    /// Tries what exchanges need, beside what comes: the endpoints, and once a day the client. Whatever is found, answers to links
    /// that are out are taken.
    pub(super) fn rehearse(&mut self) {
        let about = self.flows.custody.somebody_asked();
        let about =
            about.inspect_err(|e| tracing::info!("no license to test the client with: {e}")).ok().flatten();
        let about = about.as_ref().map(|(key, username)| (key, username));
        match self.flows.custody.rehearsal(about) {
            Ok(rehearsal) => self.flows.server.start_trial(rehearsal.problem()),
            Err(e) => tracing::info!("could not test the endpoints that exchanges need: {e}"),
        }
    }

    /// What was found is told once, until it's another thing.
    pub(super) fn rehearsed(&mut self, problem: Option<&Error>) {
        let said = problem.map(ToString::to_string);
        if let Some(e) = problem.filter(|_| self.upkeep.unready != said) {
            self.reporter.unready(e);
        }
        self.upkeep.unready = said;
    }

    /// The provider refused the client: where its secret was set meanwhile, the codes that wait are sent with that.
    fn look_for_secret(&mut self) {
        let found = match self.flows.custody.client_secret() {
            Ok(found) => found,
            Err(e) => return tracing::info!("the client's secret can't be read: {e}"),
        };
        let is_the_same = match (&found, &self.upkeep.secret) {
            (Some(found), Some(known)) => found.is(known.expose()),
            (found, known) => found.is_none() == known.is_none(),
        };
        if !is_the_same {
            self.upkeep.secret.clone_from(&found);
            let client = ProviderClient { secret: found, ..self.flows.client.clone() };
            self.flows.custody.connect(client.clone());
            self.flows.server.set_client(client);
            self.flows.retry_with_client();
        }
    }

    /// What is over, and isn't as it should be in the ledger, is finished by itself as soon as that can be done.
    pub(super) fn note_left_over(&mut self) {
        for left in self.flows.take_left_over() {
            if let Some(item) = self.items.get(&left.item) {
                self.upkeep.own.insert(left.flow, item.clone());
                self.upkeep.plan();
            }
        }
    }

    fn finish_again(&mut self) {
        for (flow, item) in std::mem::take(&mut self.upkeep.own) {
            match self.flows.custody.finish_own(&flow) {
                Ok(recovered) => {
                    self.upkeep.told.remove(&item.key);
                    self.untidy = true;
                    match recovered {
                        None | Some(RecoveryOutcome::Unanswered) => {}
                        Some(RecoveryOutcome::Finished { kept, .. }) => self.ended(&item, Ok(kept)),
                        Some(RecoveryOutcome::Failed(e)) => self.ended(&item, Err(e)),
                        Some(
                            RecoveryOutcome::Uncertain
                            | RecoveryOutcome::Lost(_)
                            | RecoveryOutcome::UncertainDeactivation,
                        ) => {
                            let lost = self.lost(&item.key);
                            self.ended(&item, Err(lost));
                        }
                    }
                }
                Err(e) => {
                    self.tell_unfinished(&item.key, &e);
                    self.upkeep.own.insert(flow, item);
                    self.upkeep.plan();
                }
            }
        }
        for item in std::mem::take(&mut self.upkeep.left) {
            self.finish_left(item);
        }
        if std::mem::take(&mut self.upkeep.is_unread) {
            self.finish_all_left();
        }
    }

    fn lost(&self, key: &LicenseId) -> Error {
        let license = key.license.to_string();
        match self.flows.custody.next_consent(key) {
            Ok(next) => HandoffError::LeftUncertain { license, next }.into(),
            Err(e) => e,
        }
    }

    pub(super) fn planned(&self, flow: &Flow) -> Result<PlannedLicense> {
        Ok(PlannedLicense::of_flow(&self.flows.custody.record_of(flow)?, flow))
    }

    /// What earlier processes left is finished, where it can be.
    pub(super) fn finish_all_left(&mut self) {
        let profile = self.flows.custody.provider().profile.clone();
        let left = self.flows.custody.ledger_mut().unfinished(&profile, None).and_then(|left| {
            left.iter()
                .filter(|flow| flow.owner.is_some())
                .map(|flow| self.planned(flow))
                .collect::<Result<Vec<_>>>()
        });
        match left {
            Ok(left) => left.into_iter().for_each(|item| self.finish_left(item)),
            Err(e) => {
                self.tell_untaken(&e);
                self.upkeep.is_unread = true;
                self.upkeep.plan();
            }
        }
    }

    fn finish_left(&mut self, item: PlannedLicense) {
        let finished = finish_left_over(self.env, self.flows.custody, &item);
        self.finished_left(item, finished.map(drop));
    }

    /// What couldn't be finished of a license is tried again, where that may help.
    pub(super) fn finished_left(&mut self, item: PlannedLicense, finished: Result<()>) {
        self.untidy = true;
        match finished {
            Ok(()) => drop(self.upkeep.told.remove(&item.key)),
            Err(e) => {
                self.tell_unfinished(&item.key, &e);
                if may_pass(&e) && !self.upkeep.left.iter().any(|left| left.key == item.key) {
                    self.upkeep.left.push(item);
                    self.upkeep.plan();
                }
            }
        }
    }

    /// Once for each reason.
    fn tell_unfinished(&mut self, key: &LicenseId, e: &Error) {
        let why = e.to_string();
        if self.upkeep.told.get(key) != Some(&why) {
            self.reporter.not_taken(e);
            self.upkeep.told.insert(key.clone(), why);
        }
    }
}

/// Whether what keeps something from being finished may pass by itself, or by somebody's doing elsewhere.
fn may_pass(e: &Error) -> bool {
    match e {
        Error::Ledger(_) | Error::Busy { .. } => true,
        Error::Vault(e) => !matches!(e, VaultError::Foreign { .. }),
        e => e.is_outage(),
    }
}
