//! Grants of other admins that await approval become the living ones: those that were shown, without a new consent.

use super::args::Args;
use crate::command::bulk;
use crate::command::form::OutputFormat;
use crate::command::{Invocation, Workspace};
use crate::consent::outcome_of_grant;
use crate::custody::GrantRemarks;
use crate::error::{Error, LedgerError, Result, licenses};
use crate::ledger::{EventGrant, Ledger};
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::flow::Purpose;
use crate::model::granted::AwaitingGrant;
use crate::model::history::HistoryEventKind;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::plan::{LeftOut, Plan, PlannedLicense};
use crate::model::provider::Provider;
use crate::model::selection;
use crate::report::RunEvent;

/// What is to be done about the licenses that are meant.
struct AwaitingPlan<'s> {
    grants: Vec<(AwaitingGrant, &'s AuthorizationWithFlows)>,
    /// Licenses that were named, of which nothing does.
    nothing: Vec<&'s AuthorizationWithFlows>,
}

impl<'s> AwaitingPlan<'s> {
    fn find(
        args: &Args,
        ledger: &Ledger,
        profile: &str,
        standings: &'s [AuthorizationWithFlows],
    ) -> Result<Self> {
        let awaiting = ledger.awaiting(profile, None)?;
        let named = match &args.selectors[..] {
            [] => standings.iter().collect(),
            selectors => selection::resolve_all(selectors, profile, standings, |it| &it.record)?,
        };
        let mut meant = Self { grants: Vec::new(), nothing: Vec::new() };
        for standing in named {
            match awaiting.iter().find(|grant| grant.key == standing.record.key) {
                Some(grant) => meant.grants.push((grant.clone(), standing)),
                None if !args.selectors.is_empty() => meant.nothing.push(standing),
                None => {}
            }
        }
        Ok(meant)
    }

    /// A line for each: who granted and when, who had been asked, and what is in use.
    fn lines(&self, ledger: &Ledger, provider: &Provider) -> Result<Vec<String>> {
        const LOOKED_THROUGH: u32 = 20;
        let mut lines = Vec::with_capacity(self.grants.len());
        for (grant, standing) in &self.grants {
            let record = &standing.record;
            let events = ledger.last_lines(&record.profile, &record.key, LOOKED_THROUGH)?;
            let when = events
                .iter()
                .rfind(|line| line.event == HistoryEventKind::Held.word())
                .map(|line| provider.zone.time(line.at));
            let name = record.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            let on = when.map(|when| format!(" on {when}")).unwrap_or_default();
            let own = match record.expires_at.filter(|_| record.deactivated_at.is_none()) {
                Some(at) => format!("; current grant valid until {}", provider.zone.day(at)),
                None => String::new(),
            };
            lines.push(format!(
                "{}{name}: granted by {}{on} instead of {}{own}",
                record.key, grant.granted_by, record.username
            ));
        }
        Ok(lines)
    }
}

/// Shows what awaits approval, asks, and accepts exactly that.
pub(super) fn accept<'a>(
    args: &Args,
    form: OutputFormat,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    let (terminal, provider) = (&call.env.terminal, workspace.provider.clone());
    if args.selectors.is_empty() && !terminal.interactive() {
        return Err(Error::Usage {
            what: "--awaiting needs license names in a session that is not interactive".into(),
            hint:
                "Name each license, and add --yes. To see which grants await approval: biotrack-auth status"
                    .into(),
        });
    }
    let standings = workspace.custody.ledger().standings(&provider.profile)?;
    let meant = AwaitingPlan::find(args, workspace.custody.ledger(), &provider.profile, &standings)?;
    let mut outcomes: Vec<_> = meant
        .nothing
        .iter()
        .map(|it| Outcome::of(it.record.key.clone(), OutcomeKind::Unchanged, Some((*it).clone())))
        .collect();
    if !meant.grants.is_empty() {
        let lines = meant.lines(workspace.custody.ledger(), &provider)?;
        terminal.info(if lines.len() == 1 {
            "1 grant awaits approval:"
        } else {
            "These grants await approval:"
        });
        lines.iter().for_each(|line| terminal.info(&format!("  {line}")));
        let question = match &meant.grants[..] {
            [(only, _)] => format!("Accept {}'s grant for {}?", only.granted_by, only.key.license),
            several => format!("Accept these {} grants?", several.len()),
        };
        terminal.require_yes(args.yes, &question, || match &meant.grants[..] {
            [(only, _)] => format!("to accept {}'s grant for {}", only.granted_by, only.key.license),
            several => format!("to accept the grants that await approval of {}", licenses(several.len())),
        })?;
    }
    let accepted: Vec<_> = meant.grants.iter().map(|(grant, _)| workspace.custody.accept(grant)).collect();
    workspace.reach_to_clear_away(call);
    for ((grant, _), accepted) in meant.grants.iter().zip(accepted) {
        let (ending, error) = match accepted {
            Ok(()) => {
                let remarks = GrantRemarks::default();
                outcomes.push(outcome_of_grant(&mut workspace.custody, &grant.key, &remarks));
                continue;
            }
            // Not the one that was shown any more.
            Err(e @ Error::Ledger(LedgerError::Changed { .. })) => (OutcomeKind::Skipped, Some(e)),
            Err(e) => (OutcomeKind::Failed, Some(e)),
        };
        let standing = workspace.custody.standing_to_tell(&grant.key);
        outcomes.push(Outcome { error, ..Outcome::of(grant.key.clone(), ending, standing) });
    }
    outcomes.sort_by(|a, b| a.key.cmp(&b.key));
    answer(args, form, call, workspace, outcomes, &meant)
}

fn answer<'a>(
    args: &Args,
    form: OutputFormat,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    mut outcomes: Vec<Outcome>,
    meant: &AwaitingPlan<'_>,
) -> Result<u8> {
    let (terminal, provider) = (&call.env.terminal, workspace.provider.clone());
    for it in &meant.nothing {
        terminal.info(&format!("No grant for {} awaits approval.", it.record.key.license));
    }
    if outcomes.is_empty() {
        terminal.info("No grant awaits approval.");
    }
    if let ([_], None, [_]) = (&args.selectors[..], args.bulk.format, &outcomes[..])
        && let Some(only) = outcomes.pop()
    {
        return workspace.finish(call, only);
    }
    for outcome in &outcomes {
        match (form, outcome.ending) {
            (OutputFormat::Jsonl, _) => {
                let about = match outcome.ending {
                    OutcomeKind::Granted => EventGrant::BeforeTheLast,
                    _ => EventGrant::Now,
                };
                let common = workspace.custody.ledger().event_key(&provider.profile, &outcome.key, about)?;
                let event = RunEvent::ended(outcome, call.env.clock.now(), &common, &provider);
                terminal.answer(&call.json_line(&event)?)?;
            }
            (_, OutcomeKind::Granted) => terminal.info(&format!("✓ {}: the grant is accepted", outcome.key)),
            _ => {}
        }
    }
    bulk::finish(call, workspace, form, &outcomes)
}

/// What would be accepted.
pub(super) fn dry_run(
    args: &Args,
    form: OutputFormat,
    call: &Invocation<'_>,
    provider: &Provider,
    ledger: &Ledger,
    standings: &[AuthorizationWithFlows],
) -> Result<u8> {
    let meant = AwaitingPlan::find(args, ledger, &provider.profile, standings)?;
    if form == OutputFormat::Text {
        let lines = meant.lines(ledger, provider)?;
        let text: String = lines.iter().map(|line| format!("Would accept: {line}\n")).collect();
        let nothing = if text.is_empty() { "No grant awaits approval.\n" } else { "" };
        call.env.terminal.answer(&(text + nothing))?;
        return Ok(0);
    }
    let item = |(grant, standing): &(AwaitingGrant, &AuthorizationWithFlows)| {
        let why = format!("the grant from {} awaits approval", grant.granted_by);
        PlannedLicense::of(&standing.record, Purpose::Renew, why)
    };
    let left_out = |it: &&AuthorizationWithFlows| LeftOut {
        key: it.record.key.clone(),
        why: "no grant awaits approval".into(),
    };
    let plan = Plan {
        items: meant.grants.iter().map(item).collect(),
        left_out: meant.nothing.iter().map(left_out).collect(),
    };
    bulk::dry_run(call, provider, &plan, None, form, Some(ledger))
}
