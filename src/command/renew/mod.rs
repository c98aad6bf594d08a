//! `renew`: a person consents again; the old grant stays until the new one is stored.

mod args;
mod break_first;
mod resume;
mod select;

pub use args::Args;

use super::bulk::{self, Run};
use super::consent::{consent, hand_off};
use super::form::{self, Form};
use super::{Bench, Call};
use crate::consent::fits;
use crate::error::{Error, Result};
use crate::model::authorization::Standing;
use crate::model::outcome::{Ending, Outcome};
use crate::model::plan::{LeftOut, Plan, Planned};
use crate::model::provider::Provider;
use crate::model::selection;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};

pub(super) fn run<'a>(args: Args, call: &Call<'a>) -> Result<u8> {
    let form = Form::of(args.bulk.format, call.json)?;
    call.bench()?.work(call, |bench| match &args.selectors[..] {
        [one] if args.tag.is_none() && args.user.is_none() && !args.dry_run && args.bulk.format.is_none() => {
            renew_one(one, &args, call, bench)
        }
        _ => renew_several(&args, form, call, bench).or_else(|e| form::refused(form, call, e)),
    })
}

fn renew_one<'a>(selector: &str, args: &Args, call: &Call<'a>, bench: &mut Bench<'a>) -> Result<u8> {
    let provider = bench.provider.clone();
    let standings = bench.custody.ledger().standings_called(&provider.profile, &args.selectors)?;
    let record = &selection::one(selector, &provider.profile, &standings, |it| &it.record)?.record;
    let key = record.key.clone();
    if args.any_user && record.held_by.is_some() {
        bench.custody.take_held(&key)?;
        let outcome = Outcome::of(key.clone(), Ending::Granted, bench.custody.standing(&key)?);
        return bench.finish(call, outcome);
    }
    fits(record.asked_for(), Some(record), &provider, call.env.clock.now())?;
    let mut item = Planned::of(record, record.asked_for(), String::new());
    ask_another(args, std::slice::from_mut(&mut item), call)?;
    if args.break_first {
        let all = bench.custody.ledger().standings(&provider.profile)?;
        return break_first::renew(item, record, &all, args, call, bench);
    }
    if args.waiting.handing_off.no_wait {
        return hand_off(call, bench, item, args.any_user, &args.waiting);
    }
    let outcome = consent(call, bench, item, args.any_user, &args.waiting)?;
    bench.finish(call, outcome)
}

fn renew_several<'a>(args: &Args, form: Form, call: &Call<'a>, bench: &mut Bench<'a>) -> Result<u8> {
    if args.break_first {
        return Err(Error::Usage {
            what: "--break-first is for one license at a time".into(),
            hint: "Name one license, without --dry-run and --format.".into(),
        });
    }
    let provider = bench.provider.clone();
    let now = call.env.clock.now();
    let standings = bench.custody.ledger().standings(&provider.profile)?;
    if args.dry_run && !args.resume {
        let (plan, proposal) = select::plan(args, call, &standings, &provider, now)?;
        return bulk::dry_run(call, &provider, &plan, proposal.as_ref(), form);
    }
    let (mut plan, resumed) = match args.resume {
        true => resume::plan(call, bench, &standings, now)?,
        false => {
            let (plan, _) = select::plan(args, call, &standings, &provider, now)?;
            // Who named each license hears of each; who named none needn't hear what isn't due.
            let left_out = if args.from.is_some() { plan.left_out } else { Vec::new() };
            (Plan { left_out, ..plan }, None)
        }
    };
    if args.dry_run {
        return bulk::dry_run(call, &provider, &plan, None, form);
    }
    let done = match args.any_user {
        true => take_held(&mut plan, &standings, call, bench)?,
        false => Vec::new(),
    };
    let handing = &args.waiting.handing_off;
    if handing.no_wait && !handing.resend && args.selectors.is_empty() && args.from.is_none() && !args.resume
    {
        leave_links_that_are_out(&mut plan, &standings, &provider, now);
    }
    ask_another(args, &mut plan.items, call)?;
    let known = standings.into_iter().map(|it| (it.record.key.clone(), it)).collect();
    let run = Run { plan, known, done, resumed, any_user: args.any_user, verb: "renew", form };
    bulk::run(call, bench, run, &args.bulk, &args.waiting)
}

/// A link that an admin may be about to answer isn't replaced by a run over all that is due.
fn leave_links_that_are_out(plan: &mut Plan, standings: &[Standing], provider: &Provider, now: Timestamp) {
    let out: HashMap<_, _> = standings
        .iter()
        .filter_map(|it| Some((&it.record.key, it.handed_out()?.deadline)))
        .filter(|(_, until)| *until > now)
        .collect();
    for item in std::mem::take(&mut plan.items) {
        match out.get(&item.key) {
            Some(until) => {
                let why = format!("a link is out until {}; --resend replaces it", provider.zone.time(*until));
                plan.left_out.push(LeftOut { key: item.key, why });
            }
            None => plan.items.push(item),
        }
    }
}

/// Held grants are taken as they are, without a new consent.
fn take_held<'a>(
    plan: &mut Plan,
    standings: &[Standing],
    call: &Call<'a>,
    bench: &mut Bench<'a>,
) -> Result<Vec<Outcome>> {
    let held: HashSet<_> =
        standings.iter().filter(|it| it.record.held_by.is_some()).map(|it| &it.record.key).collect();
    let (taken, rest) =
        std::mem::take(&mut plan.items).into_iter().partition(|item| held.contains(&item.key));
    plan.items = rest;
    let mut done = Vec::with_capacity(taken.len());
    for item in taken {
        bench.custody.take_held(&item.key)?;
        call.env.terminal.say(&format!("✓ {}: the held grant is taken", item.key));
        done.push(Outcome::of(item.key.clone(), Ending::Granted, bench.custody.standing(&item.key)?));
    }
    Ok(done)
}

/// Another admin than before is confirmed at a terminal, and recorded with the new grant.
fn ask_another(args: &Args, items: &mut [Planned], call: &Call<'_>) -> Result<()> {
    let Some(new) = &args.username else { return Ok(()) };
    let mut others: Vec<_> = items.iter_mut().filter(|item| !new.same_as(item.username.as_str())).collect();
    let question = match &others[..] {
        [] => return Ok(()),
        [one] => {
            format!("{} was granted by {} so far. Ask {new} from now on?", one.key.license, one.username)
        }
        several => {
            format!("{} licenses were granted by other admins so far. Ask {new} from now on?", several.len())
        }
    };
    if call.env.terminal.attended() && !call.env.terminal.confirm(&question)? {
        return Err(Error::NotConfirmed { what: question });
    }
    others.iter_mut().for_each(|item| item.username = new.clone());
    Ok(())
}
