//! `renew`: a person consents again; the old grant stays until the new one is stored.

mod args;
mod awaiting;
mod break_first;
mod resume;
mod select;

pub use args::Args;

use super::bulk::{self, Run};
use super::consent::{consent, hand_off};
use super::context::reading;
use super::form::{self, OutputFormat};
use super::{Invocation, Workspace};
use crate::consent::fits;
use crate::error::{Error, Result};
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::plan::{Plan, PlannedLicense};
use crate::model::selection;
use std::collections::HashMap;

pub(super) fn run<'a>(args: Args, call: &Invocation<'a>) -> Result<u8> {
    let form = OutputFormat::of(args.bulk.format, call.json)?;
    if args.dry_run {
        return dry_run(&args, form, call).or_else(|e| form::refused(form, call, e));
    }
    call.workspace()?.work(call, |workspace| match &args.selectors[..] {
        _ if args.awaiting => {
            awaiting::accept(&args, form, call, workspace).or_else(|e| form::refused(form, call, e))
        }
        [one] if args.tag.is_none() && args.user.is_none() && args.bulk.format.is_none() => {
            renew_one(one, &args, call, workspace)
        }
        _ => renew_several(&args, form, call, workspace).or_else(|e| form::refused(form, call, e)),
    })
}

fn renew_one<'a>(
    selector: &str,
    args: &Args,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    let provider = workspace.provider.clone();
    let standings = workspace.custody.ledger().find_by_selectors(&provider.profile, &args.selectors)?;
    let record =
        &selection::resolve_one(selector, Some(&provider.profile), &standings, |it| &it.record)?.record;
    renew_record(record, &standings, args, call, workspace)
        .or_else(|e| workspace.refused(call, &record.key, e))
}

fn renew_record<'a>(
    record: &Authorization,
    standings: &[AuthorizationWithFlows],
    args: &Args,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    let provider = workspace.provider.clone();
    fits(record.next_purpose(), Some(record), &provider, call.env.clock.now())?;
    let mut item = PlannedLicense::of(record, record.next_purpose(), String::new());
    ask_another(args, std::slice::from_mut(&mut item), standings, call)?;
    if args.break_first {
        let all = workspace.custody.ledger().standings(&provider.profile)?;
        return break_first::renew(item, record, &all, args, call, workspace);
    }
    if args.waiting.handing_off.no_wait {
        return hand_off(call, workspace, item, args.any_user, &args.waiting);
    }
    let outcome = consent(call, workspace, item, args.any_user, &args.waiting)?;
    workspace.finish(call, outcome)
}

fn renew_several<'a>(
    args: &Args,
    form: OutputFormat,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    one_at_a_time(args)?;
    let provider = workspace.provider.clone();
    let now = call.env.clock.now();
    let standings = workspace.custody.ledger().standings(&provider.profile)?;
    let (mut plan, resumed) = match args.resume {
        true => resume::plan(call, workspace, &standings, now)?,
        false => {
            let (plan, _) = select::plan(args, call, &standings, &provider, now)?;
            // Who named each license hears of each; who named none needn't hear what isn't due.
            let left_out = if args.from.is_some() { plan.left_out } else { Vec::new() };
            let mut plan = Plan { left_out, ..plan };
            select::leave_links_that_are_out(&mut plan, args, &standings, &provider, now);
            (plan, None)
        }
    };
    if !args.resume {
        ask_another(args, &mut plan.items, &standings, call)?;
    }
    let known = standings.into_iter().map(|it| (it.record.key.clone(), it)).collect();
    let run = Run { plan, known, resumed, any_user: args.any_user, verb: "renew", form };
    bulk::run(call, workspace, run, &args.bulk, &args.waiting)
}

/// What would be done: nobody is asked, and nothing is written.
fn dry_run(args: &Args, form: OutputFormat, call: &Invocation<'_>) -> Result<u8> {
    one_at_a_time(args)?;
    let (provider, ledger) = reading(call)?;
    let (standings, now) = (ledger.standings(&provider.profile)?, call.env.clock.now());
    if args.awaiting {
        return awaiting::dry_run(args, form, call, &provider, &ledger, &standings);
    }
    let (mut plan, proposal) = match args.resume {
        true => (resume::left(call, &ledger, &provider, &standings, now)?, None),
        false => select::plan(args, call, &standings, &provider, now)?,
    };
    if !args.resume {
        select::leave_links_that_are_out(&mut plan, args, &standings, &provider, now);
    }
    bulk::dry_run(call, &provider, &plan, proposal.as_ref(), form, Some(&ledger))
}

fn one_at_a_time(args: &Args) -> Result<()> {
    match args.break_first {
        true => Err(Error::Usage {
            what: "--break-first works with one license only".into(),
            hint: "Name one license, without --dry-run and --format.".into(),
        }),
        false => Ok(()),
    }
}

/// Another admin than before is agreed to, and recorded with the new grant.
fn ask_another(
    args: &Args,
    items: &mut [PlannedLicense],
    standings: &[AuthorizationWithFlows],
    call: &Invocation<'_>,
) -> Result<()> {
    if let Some(new) = &args.username {
        items.iter_mut().for_each(|item| item.username = new.clone());
    }
    let before: HashMap<_, _> = standings.iter().map(|it| (&it.record.key, &it.record.username)).collect();
    let others: Vec<_> = items
        .iter()
        .filter_map(|item| Some((item, *before.get(&item.key)?)))
        .filter(|(item, before)| !item.username.same_as(before.as_str()))
        .collect();
    let Some((first, before)) = others.first() else { return Ok(()) };
    let (new, count) = (&first.username, others.len());
    let one_admin = others.iter().all(|(item, _)| item.username.same_as(new.as_str()));
    let question = match (count, one_admin) {
        (1, _) => format!("{} was granted by {before}. Ask {new} from now on?", first.key.license),
        (_, true) => format!("{count} licenses were granted by other admins. Ask {new} from now on?"),
        (_, false) => {
            format!(
                "{count} licenses were granted by other admins. Ask those that the file names from now on?"
            )
        }
    };
    call.env.terminal.require_yes(args.yes, &question, || match count {
        1 => format!("to ask {new} about {} from now on", first.key.license),
        _ => format!("to ask other admins about {count} licenses"),
    })
}
