//! Which licenses a renewal is about, and why.

use super::args::Args;
use crate::command::{Invocation, file};
use crate::consent::{fits, why_not};
use crate::error::{Error, Result, RowProblem};
use crate::model::authorization::{Authorization, AuthorizationWithFlows, State};
use crate::model::duration::parse;
use crate::model::plan::{LeftOut, Plan, PlannedLicense};
use crate::model::provider::Provider;
use crate::model::rows::{RenewalRow, renewals};
use crate::model::selection::{self, Filter};
use crate::model::spread::{SpreadLicense, SpreadProposal, spread_renewals};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// What is to be asked, and, for all that is due, what would keep it from all ending on one day again.
pub(super) fn plan(
    args: &Args,
    call: &Invocation<'_>,
    standings: &[AuthorizationWithFlows],
    provider: &Provider,
    now: Timestamp,
) -> Result<(Plan, Option<SpreadProposal>)> {
    let narrowing = narrowing(args, provider)?;
    let field = Candidates { standings, provider, now };
    if !args.selectors.is_empty() {
        return Ok((field.named(&args.selectors, &narrowing)?.ordered(), None));
    }
    if let Some(path) = &args.from {
        return Ok((field.of_file(path, call, &narrowing)?.ordered(), None));
    }
    let plan = field.chosen(&narrowing);
    if args.due.is_none() {
        return Ok((plan.ordered(), None));
    }
    let fleet: Vec<_> = standings.iter().map(|it| SpreadLicense::at(now, &it.record, provider)).collect();
    let proposal = spread_renewals(now, &provider.zone, provider.lifetime, provider.due_window, &fleet);
    match args.spread {
        true => Ok((field.spread(plan, &proposal, &narrowing).ordered(), None)),
        // It's worked out with the profile's own window.
        false => Ok((plan.ordered(), Some(proposal).filter(|_| args.due == Some(None)))),
    }
}

/// A link that an admin may be about to answer isn't replaced by a run over all that is due, unless that is told to; and who
/// asks about its license otherwise hears of it.
pub(super) fn leave_links_that_are_out(
    plan: &mut Plan,
    args: &Args,
    standings: &[AuthorizationWithFlows],
    provider: &Provider,
    now: Timestamp,
) {
    let handing = &args.waiting.handing_off;
    let out: HashMap<_, _> = standings
        .iter()
        .filter_map(|it| Some((&it.record.key, it.handed_out()?.deadline)))
        .filter(|(_, until)| *until > now)
        .collect();
    if !handing.no_wait || handing.resend || !args.selectors.is_empty() || args.from.is_some() {
        for item in &mut plan.items {
            if let Some(until) = out.get(&item.key) {
                item.why.push_str(&format!("; a link is open until {}", provider.zone.time(*until)));
            }
        }
        return;
    }
    for item in std::mem::take(&mut plan.items) {
        match out.get(&item.key) {
            Some(until) => {
                let why = format!(
                    "a link is open until {}; add --resend to replace it",
                    provider.zone.time(*until)
                );
                plan.left_out.push(LeftOut { key: item.key, why });
            }
            None => plan.items.push(item),
        }
    }
}

fn narrowing(args: &Args, provider: &Provider) -> Result<Filter> {
    Ok(Filter {
        due: match &args.due {
            None => None,
            Some(None) => Some(provider.due_window),
            Some(Some(window)) => Some(parse("window", window)?),
        },
        states: if args.expired { vec![State::Expired] } else { Vec::new() },
        tag: args.tag.clone(),
        user: args.user.clone(),
    })
}

struct Candidates<'f> {
    standings: &'f [AuthorizationWithFlows],
    provider: &'f Provider,
    now: Timestamp,
}

impl Candidates<'_> {
    fn planned(&self, record: &Authorization) -> PlannedLicense {
        let state = record.state(self.now, self.provider.due_window, &self.provider.zone);
        let why = match (state, record.days_in_words(self.now, &self.provider.zone)) {
            (State::Invalid, _) => "BioTrack no longer accepts its grant".into(),
            (_, Some(days)) => days,
            (state, None) => state.word().into(),
        };
        let why = match &record.held_by {
            Some(by) => format!("{why}; a grant from {by} awaits approval (--awaiting)"),
            None => why,
        };
        PlannedLicense::of(record, record.next_purpose(), why)
    }

    /// Those that selectors name, each once; one that can't be renewed refuses them all.
    fn named(&self, selectors: &[String], narrowing: &Filter) -> Result<Plan> {
        let (mut plan, mut seen) = (Plan::default(), HashSet::new());
        for selector in selectors {
            let record =
                &selection::resolve_one(selector, Some(&self.provider.profile), self.standings, |it| {
                    &it.record
                })?
                .record;
            fits(record.next_purpose(), Some(record), self.provider, self.now)?;
            if seen.insert(&record.key) && narrowing.admits(record, self.provider, self.now) {
                plan.items.push(self.planned(record));
            }
        }
        Ok(plan)
    }

    /// All that have or had a grant and are meant; the others with the reason.
    fn chosen(&self, narrowing: &Filter) -> Plan {
        let mut plan = Plan::default();
        let narrowed = Filter { due: None, states: Vec::new(), ..narrowing.clone() };
        let records = self.standings.iter().map(|it| &it.record);
        for record in records.filter(|it| narrowed.admits(it, self.provider, self.now)) {
            let state = record.state(self.now, self.provider.due_window, &self.provider.zone);
            let why = match state {
                State::Pending => "pending (never granted): use register",
                State::Deactivated => "deactivated",
                _ if record.held_elsewhere => "exported: its tokens are in use elsewhere",
                _ if narrowing.admits(record, self.provider, self.now) => {
                    plan.items.push(self.planned(record));
                    continue;
                }
                State::Active => "not due yet",
                State::Due | State::Expired | State::Invalid => "not expired",
            };
            plan.left_out.push(LeftOut { key: record.key.clone(), why: why.into() });
        }
        plan
    }

    fn spread(&self, due: Plan, proposal: &SpreadProposal, narrowing: &Filter) -> Plan {
        let meant: HashSet<_> = due.items.iter().map(|item| &item.key).collect();
        let leave: HashMap<_, _> = proposal.leave.iter().map(|it| (&it.key, &it.why)).collect();
        let mut plan = Plan { left_out: due.left_out.clone(), ..Plan::default() };
        for item in &due.items {
            match leave.get(&item.key) {
                Some(why) => plan.left_out.push(LeftOut { key: item.key.clone(), why: (*why).clone() }),
                None => plan.items.push(item.clone()),
            }
        }
        let narrowed = Filter { due: None, states: Vec::new(), ..narrowing.clone() };
        let along: HashMap<_, _> = proposal.along.iter().map(|it| (&it.key, &it.why)).collect();
        for record in self.standings.iter().map(|it| &it.record) {
            if let Some(why) = along.get(&record.key)
                && !meant.contains(&record.key)
                && narrowed.admits(record, self.provider, self.now)
            {
                plan.left_out.retain(|left| left.key != record.key);
                plan.items.push(PlannedLicense::of(record, record.next_purpose(), (*why).clone()));
            }
        }
        plan
    }

    /// Those of a file: every row must name one record. What can't be renewed is left out, and said.
    fn of_file(&self, path: &Path, call: &Invocation<'_>, narrowing: &Filter) -> Result<Plan> {
        let (name, rows) = file::rows(path, call, renewals)?;
        let (mut plan, mut complaints, mut seen) = (Plan::default(), Vec::new(), HashMap::new());
        for row in rows {
            match self.of_row(&row) {
                Ok(record) => {
                    if let Some(line) = seen.insert(&record.key, row.line) {
                        let problem = format!("repeats {} of line {line}", record.key);
                        complaints.push(RowProblem { line: Some(row.line), column: None, problem });
                    } else if let Err(e) = fits(record.next_purpose(), Some(record), self.provider, self.now)
                    {
                        plan.left_out.push(LeftOut { key: record.key.clone(), why: why_not(&e) });
                    } else if narrowing.admits(record, self.provider, self.now) {
                        let mut item = self.planned(record);
                        item.username = row.username.unwrap_or(item.username);
                        plan.items.push(item);
                    }
                }
                Err(e) => complaints.push(RowProblem {
                    line: Some(row.line),
                    column: Some("license"),
                    problem: e.to_string(),
                }),
            }
        }
        match complaints.is_empty() {
            true => Ok(plan),
            false => Err(Error::Rows { path: name, complaints }),
        }
    }

    fn of_row(&self, row: &RenewalRow) -> Result<&Authorization> {
        let selector = match &row.ubi {
            Some(ubi) => format!("{ubi}/{}", row.license),
            None => row.license.to_string(),
        };
        selection::resolve_one(&selector, Some(&self.provider.profile), self.standings, |it| &it.record)
            .map(|it| &it.record)
    }
}
