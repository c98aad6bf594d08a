//! What a person does: by a key at the terminal, or a click on the worklist.

use super::settle::held_by;
use super::{ConsentRun, OpenMethod, OpenTrigger};
use crate::consent::engine::ProcessStage;
use crate::consent::outcome::outcome_of_grant;
use crate::custody::{GrantRemarks, StoreOutcome};
use crate::error::{Error, LedgerError, Result, clean};
use crate::model::granted::AwaitingGrant;
use crate::model::ids::same_account;
use crate::model::outcome::OutcomeKind;
use crate::model::plan::Progress;
use crate::web::{ActionResponder, WorklistAction};
use std::time::Instant;

impl ConsentRun<'_, '_> {
    /// What the person answered about another admin's grants, those that came and those to come.
    pub(super) fn decide(&mut self, yes: bool) {
        let Some(admin) = self.to_ask.pop_front() else { return };
        self.decided.push((admin.clone(), yes));
        if !yes {
            return;
        }
        for at in 0..self.items.len() {
            let waits =
                self.outcomes[at].as_ref().filter(|outcome| outcome.ending == OutcomeKind::AwaitingApproval);
            if let Some(granted_by) = waits.and_then(held_by).filter(|by| same_account(by, &admin)) {
                self.settle(at, Ok(StoreOutcome::Held { granted_by }));
            }
        }
    }

    /// A person needn't be asked any more about an admin none of whose grants awaits approval: each was accepted or discarded, or
    /// gave way to another grant of its license.
    pub(super) fn forget_decided_admins(&mut self) {
        let outcomes = &self.outcomes;
        self.to_ask.retain(|admin| {
            let waiting =
                outcomes.iter().flatten().filter(|outcome| outcome.ending == OutcomeKind::AwaitingApproval);
            waiting.filter_map(held_by).any(|by| same_account(&by, admin))
        });
    }

    /// The grant that awaits approval, if it's still the one that was shown.
    fn shown(&self, at: usize, id: i64) -> Result<AwaitingGrant> {
        let key = &self.items[at].1.key;
        let gone = || LedgerError::Changed { license: key.license.to_string() };
        let found = self.flows.custody.awaiting(key)?.filter(|grant| grant.id == id);
        if self.pace.progress().get(at) == Some(&Progress::Storing) {
            return Err(gone().into());
        }
        Ok(found.ok_or_else(gone)?)
    }

    /// The worklist's button that accepts the grant of another admin: as `renew --awaiting` does, the one that was shown.
    fn accept(&mut self, at: usize, id: i64) -> Result<()> {
        let grant = self.shown(at, id)?;
        self.flows.custody.accept(&grant)?;
        self.flows.cancel(at);
        self.links.remove(&at);
        let outcome = outcome_of_grant(self.flows.custody, &grant.key, &GrantRemarks::default());
        self.end(at, outcome, None);
        Ok(())
    }

    /// The worklist's button that discards it: as `deactivate --awaiting` does, the one that was shown. It's revoked when the
    /// run is over, where it is, so that no answer waits for that.
    fn discard(&mut self, at: usize, id: i64) -> Result<()> {
        let grant = self.shown(at, id)?;
        if self.flows.custody.discard(&grant, true, "")? {
            self.flows.custody.revoke_afterwards(grant.key.clone());
        }
        if let Some(standing) = self.flows.custody.standing(&grant.key)? {
            self.rebased.insert(at, standing.record.generation);
        }
        if self.pace.progress().get(at) == Some(&Progress::Held) {
            self.skip(at, &format!("the grant from {} was discarded", grant.granted_by));
        }
        Ok(())
    }

    fn decided_on_the_worklist(&mut self, at: usize, done: Result<()>, reply: ActionResponder) {
        self.show_awaiting(at);
        self.forget_decided_admins();
        let said = done.err().map(|e| match &e {
            Error::Ledger(LedgerError::Changed { license }) => {
                format!("{license} has changed since this page was loaded. Check the row again.")
            }
            e => e.to_string(),
        });
        reply.tell(&serde_json::json!({ "said": said.map(|said| clean(&said)) }));
    }

    pub(super) fn key(&mut self, key: char) {
        let oldest = self.flows.first_asked();
        match key.to_ascii_lowercase() {
            answer @ ('y' | 'n') if !self.to_ask.is_empty() => self.decide(answer == 'y'),
            'n' | '\n' | '\r' => {
                self.go_on();
            }
            's' => {
                let waiting = self.pace.progress().iter().position(|it| *it == Progress::Waiting);
                if let Some(at) = oldest.or(waiting) {
                    self.flows.cancel(at);
                    self.skip(at, "skipped at the terminal");
                }
            }
            'r' if self.renew_opened_twice() => {}
            'r' => match oldest {
                Some(at) => self.open_again(at),
                None => self.try_failed_again(),
            },
            'q' => self.interrupt(),
            _ => {}
        }
    }

    /// Its tab may have been closed: the same page, once more.
    pub(super) fn open_again(&mut self, at: usize) {
        if let Some((id, flow)) = self.flows.flow_of(at) {
            let browser = self.flows.server.launch(self.env, id, &flow.address, &self.options.choice);
            let until = flow.until.unwrap_or_else(Instant::now);
            self.reporter.opened(&self.items[at].1, &flow.address, OpenMethod::of(browser), until);
        }
    }

    pub(super) fn go_on(&mut self) {
        if let Some(at) = self.pace.go_on() {
            self.ask(&[at], OpenTrigger::Key);
        }
    }

    pub(super) fn try_failed_again(&mut self) {
        for at in 0..self.items.len() {
            if self.pace.progress()[at] == Progress::Failed {
                self.try_again(at);
            }
        }
    }

    /// It waits for its turn once more.
    pub(super) fn try_again(&mut self, at: usize) {
        self.outcomes[at] = None;
        self.links.remove(&at);
        self.set(at, Progress::Waiting, "");
        // Else whoever goes on with the run would take it for done.
        self.note(at, Progress::Waiting);
    }

    pub(super) fn take_action(&mut self, action: WorklistAction, reply: ActionResponder) {
        let progress = |at: usize| self.pace.progress().get(at).copied();
        if self.pace.is_stopping() {
            return reply.refuse("The run has ended", "The terminal shows the result and the next step.");
        }
        match action {
            WorklistAction::GoOn => self.go_on(),
            WorklistAction::Open(at) => return self.follow(at, reply),
            WorklistAction::HandOff(at) => return self.hand_off(at, reply),
            WorklistAction::Accept(at, id) => {
                let done = self.accept(at, id);
                return self.decided_on_the_worklist(at, done, reply);
            }
            WorklistAction::Discard(at, id) => {
                let done = self.discard(at, id);
                return self.decided_on_the_worklist(at, done, reply);
            }
            WorklistAction::Skip(at) => {
                if matches!(progress(at), Some(Progress::Waiting | Progress::Opened)) {
                    self.flows.cancel(at);
                    self.skip(at, "skipped on the worklist");
                }
            }
            WorklistAction::Retry(at) => {
                if matches!(progress(at), Some(Progress::HandedOff | Progress::Failed | Progress::Skipped)) {
                    self.try_again(at);
                }
            }
        }
        reply.done();
    }

    /// The worklist's link to a license's page: the state is made when it's clicked.
    pub(super) fn follow(&mut self, at: usize, reply: ActionResponder) {
        match self.pace.progress().get(at) {
            Some(Progress::Waiting | Progress::HandedOff | Progress::Failed | Progress::Skipped) => {
                self.try_again(at);
                self.ask(&[at], OpenTrigger::Click);
            }
            Some(Progress::Opened) => {}
            Some(Progress::Storing | Progress::Granted | Progress::Held) => {
                return reply.refuse("Already granted", "There is nothing more to do for this location.");
            }
            None => return reply.refuse("Not found", "This worklist has no such location."),
        }
        self.flows.prolong(at, Instant::now() + self.options.timeout.unsigned_abs());
        match self.flows.about(at).filter(|flow| flow.stage == ProcessStage::Asked) {
            Some(flow) => reply.go_to(&flow.address),
            None => {
                let why = self.outcomes[at].as_ref().and_then(|outcome| outcome.error.as_ref());
                let why =
                    why.map_or_else(|| "The terminal shows the reason.".to_owned(), ToString::to_string);
                reply.refuse("This license can't be opened now", &why);
            }
        }
    }
}
