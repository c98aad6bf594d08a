//! `remind`: runs the hooks of what has become due, once each; what was missed is caught up, what failed is tried again.

use super::Call;
use super::hooks::{Digest, run, run_waiting};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::model::authorization::Standing;
use crate::model::ids::Key;
use crate::model::provider::Provider;
use crate::model::reminder::{Occasion, Reminder, reminder};
use crate::report::{HookEvent, Row};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Run the hooks of what has become due, once each
///
/// A reminder is given once for each licence, end and threshold (30, 14, 7, 3 and 1 days by default, and when a grant has
/// lapsed). After a pause each licence is told of once, by its nearest threshold. A weekend's end counts as the Friday
/// before. A hook that fails is reported, and run again next time. Hooks of grants, failures and deactivations that are
/// still waiting are run too.
///
/// Hooks are set in the configuration: [hooks] due = "notify-send", expired = "…", granted, failed, deactivated; timeout =
/// "30s", days = [30, 14, 7, 3, 1], digest = true for one run an occasion. Each gets the event as JSON on its standard
/// input, without secrets.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth remind
  biotrack-auth remind --dry-run --at 2027-02-01T08:00:00-05:00")]
pub struct Args {
    /// Say what would be reminded of, and run nothing
    #[arg(long)]
    dry_run: bool,

    /// With --dry-run: as it will be at this instant (RFC 3339)
    #[arg(long, value_name = "TIME", requires = "dry_run")]
    at: Option<Timestamp>,

    /// Remind of every profile's
    #[arg(long)]
    all_profiles: bool,
}

/// A reminder to be given.
struct Found {
    standing: Standing,
    expires: Timestamp,
    reminder: Reminder,
}

pub(super) fn run_command(args: &Args, call: &Call<'_>) -> Result<u8> {
    let config = Config::load(&call.env.paths)?;
    let names = match args.all_profiles {
        true => config.names(),
        false => vec![config.profile_name(call.profile.as_deref(), &call.env.variables)?.0],
    };
    let providers: Vec<Provider> = names.iter().map(|name| config.provider(name)).collect::<Result<_>>()?;
    let now = args.at.unwrap_or_else(|| call.env.clock.now());
    if args.dry_run {
        let Some(ledger) = Ledger::read(call.env)? else { return tell(call, &[]) };
        let mut all = Vec::new();
        for provider in &providers {
            let found = find(&config, provider, &ledger, now)?;
            all.extend(found.iter().map(|it| in_words(it, provider, now)));
        }
        return tell(call, &all);
    }
    let mut ledger = Ledger::open(call.env)?;
    let Some(_turn) = ledger.hooks_turn()? else {
        return Err(Error::Failed("another process is running the hooks: it reminds of what is due".into()));
    };
    let (mut failed, mut total) = (0, 0);
    for provider in &providers {
        let waited = run_waiting(call, &config.hooks, provider, &mut ledger)?;
        let (given, refused) = give(call, &config, provider, &mut ledger, now)?;
        failed += waited.failed + refused;
        total += waited.failed + waited.succeeded + given + refused;
    }
    match failed {
        0 => {
            call.env.terminal.say(&format!("{total} hook(s) run."));
            Ok(0)
        }
        failed => Err(Error::HooksFailed { failed, total }),
    }
}

/// What has become due and wasn't reminded of yet.
fn find(config: &Config, provider: &Provider, ledger: &Ledger, now: Timestamp) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for standing in ledger.standings(&provider.profile)? {
        let record = &standing.record;
        let due = reminder(record, provider, &config.hooks.days, now).zip(record.expires_at);
        if let Some((reminder, expires)) = due
            && ledger
                .reminded(&provider.profile, &record.key, expires)?
                .iter()
                .all(|days| *days > reminder.days)
        {
            found.push(Found { standing, expires, reminder });
        }
    }
    Ok(found)
}

/// Runs the hooks of one profile's reminders: how many were given, and how many failed.
fn give(
    call: &Call<'_>,
    config: &Config,
    provider: &Provider,
    ledger: &mut Ledger,
    now: Timestamp,
) -> Result<(usize, usize)> {
    let hooks = &config.hooks;
    let (mut given, mut failed) = (0, 0);
    let mut by_occasion: BTreeMap<Occasion, Vec<Found>> = BTreeMap::new();
    for found in find(config, provider, ledger, now)? {
        // Without a hook nobody would be told; it stays to be reminded of once there is one.
        if hooks.commands.contains_key(&found.reminder.occasion) {
            by_occasion.entry(found.reminder.occasion).or_default().push(found);
        }
    }
    for (occasion, all) in by_occasion {
        let events = all.iter().map(|it| {
            let row = Row::at(now, &it.standing, provider);
            HookEvent::of(occasion, now, &row, Some(it.reminder.days), None)
        });
        let noted: Vec<(Key, Timestamp, Reminder)> =
            all.iter().map(|it| (it.standing.record.key.clone(), it.expires, it.reminder)).collect();
        if hooks.digest {
            let digest = Digest { schema: 1, event: occasion, at: now, events: events.collect() };
            match run(call, hooks, occasion, &digest)? {
                true => {
                    ledger.note_reminded(&provider.profile, &noted, now)?;
                    given += 1;
                }
                false => failed += 1,
            }
            continue;
        }
        for (event, one) in events.zip(noted) {
            match run(call, hooks, occasion, &event)? {
                true => {
                    // Noted one by one: a crash repeats one reminder at most, and loses none.
                    ledger.note_reminded(&provider.profile, &[one], now)?;
                    given += 1;
                }
                false => failed += 1,
            }
        }
    }
    Ok((given, failed))
}

fn in_words(found: &Found, provider: &Provider, now: Timestamp) -> String {
    let record = &found.standing.record;
    let called = record.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    let days = record.days_left(now).unwrap_or_default();
    format!(
        "{}: {}{called} in profile {}, {days} days left, threshold {} days\n",
        found.reminder.occasion.word(),
        record.key,
        provider.profile,
        found.reminder.days
    )
}

fn tell(call: &Call<'_>, all: &[String]) -> Result<u8> {
    match all {
        [] => call.env.terminal.answer("Nothing would be reminded of.\n")?,
        all => call.env.terminal.answer(&all.concat())?,
    }
    Ok(0)
}
