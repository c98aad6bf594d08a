//! Telling what becomes of each license, in the form that was asked for, as it happens.

use super::super::Invocation;
use super::super::form::OutputFormat;
use super::messages;
use super::targets::DeactivationTarget;
use crate::error::{Error, Result, licenses};
use crate::ledger::Ledger;
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::ids::{LicenseId, Ubi};
use crate::model::outcome::{Outcome, OutcomeKind, exit_of, partial_of};
use crate::model::provider::Provider;
use crate::model::reminder::GrantEventKey;
use crate::model::run_counts::RunCounts;
use crate::report::{EventLicense, RunEvent, RunEventKind, results};
use std::collections::{BTreeSet, HashMap};

pub(super) struct DeactivateReporter<'c, 'a> {
    form: OutputFormat,
    call: &'c Invocation<'a>,
    provider: &'c Provider,
    planned: usize,
    common: HashMap<LicenseId, GrantEventKey>,
    /// Only what awaits approval is meant.
    awaiting: bool,
    /// Nothing is done: it's told what would be.
    dry: bool,
    outcomes: Vec<Outcome>,
    /// Those whose turn didn't come before Ctrl-C.
    untouched: Vec<Outcome>,
    /// Complaints, so that 200 licenses don't make the same one 200 times.
    complained: BTreeSet<String>,
}

impl<'c, 'a> DeactivateReporter<'c, 'a> {
    /// Of these licenses.
    pub(super) fn new(
        form: OutputFormat,
        call: &'c Invocation<'a>,
        provider: &'c Provider,
        chosen: &[DeactivationTarget<'_>],
        ledger: &Ledger,
        awaiting: bool,
    ) -> Result<Self> {
        let planned = chosen.len();
        let keys = chosen.iter().map(|it| &it.standing.record.key);
        let common = form.common(ledger, provider, keys)?;
        let (outcomes, untouched) = (Vec::with_capacity(planned), Vec::new());
        Ok(Self {
            form,
            call,
            provider,
            planned,
            common,
            awaiting,
            dry: false,
            outcomes,
            untouched,
            complained: BTreeSet::new(),
        })
    }

    /// What is going to be done.
    pub(super) fn planned(&self, chosen: &[DeactivationTarget<'_>]) -> Result<()> {
        if self.form != OutputFormat::Jsonl {
            return Ok(());
        }
        for it in chosen {
            let record = &it.standing.record;
            let why = match &it.extent {
                Some(extent) => messages::intent(record, extent),
                None => messages::nothing(self.awaiting).into(),
            };
            let Some(common) = self.common.get(&record.key) else { continue };
            let (provider, standing) = (self.provider, Some(it.standing));
            let subject = EventLicense { key: &record.key, common, standing, provider };
            let at = self.call.env.clock.now();
            self.event(&RunEvent::about(RunEventKind::Planned, at, subject, Some(why), None))?;
        }
        Ok(())
    }

    /// What would be done, by company.
    pub(super) fn would(&mut self, chosen: &[DeactivationTarget<'_>]) -> Result<()> {
        self.planned(chosen)?;
        self.dry = true;
        let mut company: Option<&Ubi> = None;
        for it in chosen {
            let key = &it.standing.record.key;
            let (ending, said) = match &it.extent {
                Some(extent) => (
                    OutcomeKind::Skipped,
                    format!("Would {}.\n", messages::intent(&it.standing.record, extent)),
                ),
                None => (OutcomeKind::Unchanged, messages::nothing_left(key, self.awaiting)),
            };
            let said = match company.replace(&key.ubi) {
                _ if self.planned == 1 => said,
                Some(before) if *before == key.ubi => format!("  {said}"),
                _ => format!("UBI {}\n  {said}", key.ubi),
            };
            self.ended(Outcome::of(key.clone(), ending, Some(it.standing.clone())), &said)?;
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, outcome: Outcome, said: &str) -> Result<()> {
        match self.form {
            OutputFormat::Text => self.call.env.terminal.answer(said)?,
            OutputFormat::Json => {}
            OutputFormat::Jsonl => {
                if let Some(common) = self.common.get(&outcome.key) {
                    let at = self.call.env.clock.now();
                    self.event(&RunEvent::ended(&outcome, at, common, self.provider))?;
                }
            }
        }
        // Of several, what the whole was cut short by is told at its end.
        let at_the_end = self.planned > 1 && matches!(outcome.error, Some(Error::Interrupted { .. }));
        if let Some(error) = outcome.error.as_ref().filter(|_| !at_the_end)
            && self.complained.insert(error.to_string())
        {
            self.call.env.terminal.error(error);
        }
        self.outcomes.push(outcome);
        Ok(())
    }

    /// One whose turn didn't come before Ctrl-C.
    pub(super) fn untouched(&mut self, standing: &AuthorizationWithFlows) {
        let outcome = Outcome::of(standing.record.key.clone(), OutcomeKind::Skipped, Some(standing.clone()));
        self.untouched.push(Outcome { error: Some(interrupted()), ..outcome });
    }

    /// The end; the exit code.
    pub(super) fn close(mut self) -> Result<u8> {
        let (now, terminal, left) =
            (self.call.env.clock.now(), &self.call.env.terminal, self.untouched.len());
        let cut_short = |it: &Outcome| matches!(it.error, Some(Error::Interrupted { .. }));
        let stopped = left > 0 || self.planned > 1 && self.outcomes.iter().any(cut_short);
        let exit = if stopped { interrupted().exit() } else { exit_of(&self.outcomes) };
        let counts = RunCounts::of(&self.outcomes, left);
        match self.form {
            OutputFormat::Text if self.planned == 0 => terminal.answer(match self.awaiting {
                true => "Nothing to do: no grant of the selected licenses awaits approval.\n",
                false => "Nothing to do: the selected licenses are already deactivated.\n",
            })?,
            OutputFormat::Text if self.planned > 1 && self.dry => {
                let would = self.outcomes.iter().filter(|it| it.ending == OutcomeKind::Skipped).count();
                terminal.answer(&format!("{would} of {} would be deactivated.\n", licenses(self.planned)))?;
            }
            OutputFormat::Text if self.planned > 1 => terminal.answer(&messages::sum(counts))?,
            OutputFormat::Text => {}
            OutputFormat::Json => {
                self.outcomes.append(&mut self.untouched);
                let document = results(&self.outcomes, self.provider, now);
                terminal.answer(&self.call.json_text(&document)?)?;
            }
            OutputFormat::Jsonl => {
                self.event(&RunEvent::summary(now, counts, exit, self.error(stopped).as_ref()))?;
            }
        }
        if stopped {
            terminal.error(&interrupted());
        }
        Ok(exit)
    }

    /// What the whole ended with, where several were meant.
    fn error(&self, stopped: bool) -> Option<Error> {
        match stopped {
            true => Some(interrupted()),
            false if self.planned > 1 => partial_of(&self.outcomes, self.call.line()),
            false => None,
        }
    }

    fn event(&self, event: &RunEvent) -> Result<()> {
        self.call.env.terminal.answer(&self.call.json_line(event)?)
    }
}

fn interrupted() -> Error {
    Error::Interrupted { next: Some("run the same command again".into()) }
}
