//! `renew`: a person consents again; the old grant stays until the new one is stored.

use super::bulk::{self, Resumed, Run};
use super::consent::{Waiting, consent, fits};
use super::{Bench, Call};
use crate::error::{Error, Result};
use crate::model::authorization::{Authorization, Standing, State};
use crate::model::duration::parse;
use crate::model::flow::Purpose;
use crate::model::ids::Username;
use crate::model::outcome::{Ending, Outcome};
use crate::model::plan::{LeftOut, Plan, Planned, Progress};
use crate::model::provider::Provider;
use crate::model::selection::{self, Narrowing};
use crate::report::days_in_words;
use jiff::Timestamp;
use std::collections::HashSet;

/// Renew grants: their admin users consent again
///
/// The old grant stays in use until the new one is proven and stored, whatever its days left.
///
/// With several licences a run is planned, kept in the ledger and paced: one Grant Access page after the other, one admin
/// user after the other. Whatever ends it, `renew --resume` goes on; and once nothing is left, it tries again what failed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth renew 101-X0007-D1
  biotrack-auth renew 101-X0007-D1 --username bob@store.example
  biotrack-auth renew --due --dry-run                    # what would be asked, and why
  biotrack-auth renew --due                              # a run, with a worklist page beside the phone
  biotrack-auth renew --resume                           # what the last run left
  biotrack-auth renew --all --tag downstate --tabs 3")]
#[group(id = "which", required = true, multiple = true)]
pub struct Args {
    /// Which: a licence, UBI/LICENSE, an OCM licence or a store's name
    #[arg(value_name = "SELECTOR", group = "which")]
    selectors: Vec<String>,

    /// All that must be renewed: expired, invalid, or due within TIME [default: the profile's window]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, group = "which", conflicts_with = "selectors")]
    due: Option<Option<String>>,

    /// All that have expired
    #[arg(long, group = "which", conflicts_with_all = ["selectors", "due"])]
    expired: bool,

    /// All of those, and the active ones too
    #[arg(long, group = "which", conflicts_with_all = ["selectors", "due", "expired"])]
    all: bool,

    /// Go on with what the last run left; once nothing is left, try again what failed
    #[arg(long, group = "which", conflicts_with_all = ["selectors", "due", "expired", "all", "tag", "user", "username", "any_user"])]
    resume: bool,

    /// Only those with this tag
    #[arg(long, value_name = "TAG", group = "which")]
    tag: Option<String>,

    /// Only those that hang on this admin user
    #[arg(long, value_name = "EMAIL", group = "which")]
    user: Option<String>,

    /// Another admin user than before; their password belongs on BioTrack's page only
    #[arg(long, value_name = "EMAIL")]
    username: Option<Username>,

    /// Whichever admin user grants will do; a grant that is held already is taken without a new consent
    #[arg(long, conflicts_with = "username")]
    any_user: bool,

    /// Show what would be asked and why, and ask nobody
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    bulk: bulk::Args,

    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run<'a>(args: Args, call: &Call<'a>) -> Result<u8> {
    call.bench()?.work(call, |bench| match &args.selectors[..] {
        [one] if args.tag.is_none() && args.user.is_none() && !args.dry_run && args.bulk.format.is_none() => {
            renew_one(one, &args, call, bench)
        }
        _ => renew_several(&args, call, bench),
    })
}

fn renew_one<'a>(selector: &str, args: &Args, call: &Call<'a>, bench: &mut Bench<'a>) -> Result<u8> {
    let provider = bench.provider.clone();
    let standings = bench.custody.ledger().standings(&provider.profile)?;
    let record = &selection::one(selector, &provider.profile, &standings, |it| &it.record)?.record;
    let key = record.key.clone();
    if args.any_user && record.held_by.is_some() {
        bench.custody.take_held(&key)?;
        let outcome = Outcome::of(key.clone(), Ending::Granted, bench.custody.standing(&key)?);
        return bench.finish(call, outcome);
    }
    fits(Purpose::Renew, Some(record), &provider, call.env.clock.now())?;
    let mut item = Planned::of(record, Purpose::Renew, String::new());
    ask_another(args, std::slice::from_mut(&mut item), call)?;
    let outcome = consent(call, bench, item, args.any_user, &args.waiting)?;
    bench.finish(call, outcome)
}

fn renew_several<'a>(args: &Args, call: &Call<'a>, bench: &mut Bench<'a>) -> Result<u8> {
    let provider = bench.provider.clone();
    let now = call.env.clock.now();
    let standings = bench.custody.ledger().standings(&provider.profile)?;
    let (mut plan, resumed) = match args.resume {
        true => resume(bench, &standings, now)?,
        false => (plan(args, &standings, &provider, now)?.ordered(), None),
    };
    if args.any_user {
        take_held(&mut plan, &standings, call, bench)?;
    }
    ask_another(args, &mut plan.items, call)?;
    bulk::run(
        call,
        bench,
        Run { plan, resumed, any_user: args.any_user, verb: "renew" },
        &args.bulk,
        &args.waiting,
    )
}

/// What is to be asked of the records as they are.
fn plan(args: &Args, standings: &[Standing], provider: &Provider, now: Timestamp) -> Result<Plan> {
    let narrowing = Narrowing {
        due: match &args.due {
            None => None,
            Some(None) => Some(provider.due_window),
            Some(Some(window)) => Some(parse("window", window)?),
        },
        states: match args.expired {
            true => vec![State::Expired],
            false => Vec::new(),
        },
        tag: args.tag.clone(),
        user: args.user.clone(),
    };
    let mut plan = Plan::default();
    let mut seen = HashSet::new();
    for selector in &args.selectors {
        let record = &selection::one(selector, &provider.profile, standings, |it| &it.record)?.record;
        fits(Purpose::Renew, Some(record), provider, now)?;
        if seen.insert(&record.key) && narrowing.admits(record, provider, now) {
            plan.items.push(Planned::of(record, Purpose::Renew, why(record, provider, now)));
        }
    }
    if !args.selectors.is_empty() {
        return Ok(plan);
    }
    let narrowed = Narrowing { due: None, states: Vec::new(), ..narrowing.clone() };
    for record in standings.iter().map(|it| &it.record).filter(|it| narrowed.admits(it, provider, now)) {
        let out = |why: &str| LeftOut { key: record.key.clone(), why: why.into() };
        match record.state(now, provider.due_window, &provider.zone) {
            State::Pending => plan.left_out.push(out("pending: never granted, so it has register")),
            State::Deactivated => plan.left_out.push(out("deactivated")),
            _ if narrowing.admits(record, provider, now) => {
                plan.items.push(Planned::of(record, Purpose::Renew, why(record, provider, now)));
            }
            state => plan.left_out.push(out(match state {
                State::Active => "not due yet",
                State::Due => "due, not expired",
                _ => "not selected",
            })),
        }
    }
    Ok(plan)
}

/// Why a licence is asked about, in words.
fn why(record: &Authorization, provider: &Provider, now: Timestamp) -> String {
    match (record.state(now, provider.due_window, &provider.zone), record.days_left(now)) {
        (State::Invalid, _) => "BioTrack says that its grant is dead".into(),
        (_, Some(days)) => days_in_words(days),
        (state, None) => state.word().into(),
    }
}

/// What the last run left: what wasn't done; once all was, what failed.
fn resume(bench: &mut Bench<'_>, standings: &[Standing], now: Timestamp) -> Result<(Plan, Option<Resumed>)> {
    let provider = bench.provider.clone();
    let Some(left) = bench.custody.ledger_mut().take_run(&provider.profile)? else {
        return Ok((Plan::default(), None));
    };
    let undone = left.items.iter().any(|(_, _, progress)| !progress.is_done());
    let wanted = |progress: Progress| if undone { !progress.is_done() } else { progress == Progress::Failed };
    let (mut plan, mut places) = (Plan::default(), Vec::new());
    for (place, mut item, _) in left.items.into_iter().filter(|(_, _, progress)| wanted(*progress)) {
        let record = standings.iter().map(|it| &it.record).find(|record| record.key == item.key);
        let generation = record.map(|record| record.generation).unwrap_or_default();
        if undone && generation != item.base {
            // Its grant was stored just before the run was cut short, or by somebody else since.
            bench.custody.ledger_mut().note_run(left.id, place, Progress::Granted)?;
            let why = match record.and_then(|record| record.held_by.as_ref()) {
                Some(by) => format!("granted by {by}, and held"),
                None => "granted already".into(),
            };
            plan.left_out.push(LeftOut { key: item.key, why });
            continue;
        }
        if let Some(record) = record {
            item.expires_at = record.expires_at;
            item.base = record.generation;
            // A registration that failed at its end may have been granted by another way since.
            if fits(item.purpose, Some(record), &provider, now).is_err() {
                plan.left_out.push(LeftOut { key: item.key, why: "not to be asked any more".into() });
                continue;
            }
        }
        plan.items.push(item);
        places.push(place);
    }
    Ok((plan, Some(Resumed { run: left.id, places })))
}

/// Held grants are taken as they are, without a new consent.
fn take_held<'a>(
    plan: &mut Plan,
    standings: &[Standing],
    call: &Call<'a>,
    bench: &mut Bench<'a>,
) -> Result<()> {
    let held: HashSet<_> =
        standings.iter().filter(|it| it.record.held_by.is_some()).map(|it| &it.record.key).collect();
    let (taken, rest) =
        std::mem::take(&mut plan.items).into_iter().partition(|item| held.contains(&item.key));
    plan.items = rest;
    for item in taken {
        bench.custody.take_held(&item.key)?;
        call.env.terminal.say(&format!("✓ {}: the held grant is taken", item.key));
        plan.left_out.push(LeftOut { key: item.key, why: "its held grant was taken".into() });
    }
    Ok(())
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
            format!("{} licences were granted by other admins so far. Ask {new} from now on?", several.len())
        }
    };
    if call.env.terminal.attended() && !call.env.terminal.confirm(&question)? {
        return Err(Error::NotConfirmed { what: question });
    }
    others.iter_mut().for_each(|item| item.username = new.clone());
    Ok(())
}
