//! `remind`: runs the hooks of what has become due, once each; what was missed is caught up, what failed is tried again.

use super::hooks::{HookSummary, about, run, run_waiting};
use super::{Invocation, blind_spots, open_ledger, read_ledger};
use crate::config::Config;
use crate::error::{Error, Result, counted, licenses};
use crate::ledger::{EventGrant, Ledger};
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::expiry::latest_end_within;
use crate::model::ids::LicenseId;
use crate::model::instant::of_argument;
use crate::model::provider::Provider;
use crate::model::reminder::{EventId, HookEventKind, Reminder, reminder};
use crate::report::{HookCause, HookDigest, HookEvent, Reminders, ReportRow};
use crate::system::InterruptCounter;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Run the reminder hooks of licenses that have become due, once each
///
/// A hook runs once for each license, expiry and threshold: each of hooks.days, and the expiry itself. After a pause, each
/// license gets one reminder, for its nearest threshold. An expiry on a weekend counts as the Friday before. A hook that fails
/// is reported and runs again next time. Hooks of grants, failures and deactivations that are still waiting run, too.
///
/// The configuration names the hooks' commands: hooks.due, hooks.expired, hooks.granted, hooks.failed and
/// hooks.deactivated. Each gets the event as JSON on its standard input, without secrets. It runs in the configuration's
/// folder, without a shell: for a pipe or a redirection, use sh -c '…'.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth remind
  biotrack-auth remind --dry-run --at 2027-02-01T08:00:00-05:00")]
pub struct Args {
    /// Show the reminders, and run nothing
    #[arg(long)]
    dry_run: bool,

    /// With --dry-run: show the reminders as of this instant (RFC 3339)
    #[arg(long, value_name = "TIME", requires = "dry_run", value_parser = of_argument)]
    at: Option<Timestamp>,

    /// Run the reminders of every profile
    #[arg(long)]
    all_profiles: bool,
}

struct DueReminder {
    standing: AuthorizationWithFlows,
    expires: Timestamp,
    reminder: Reminder,
}

pub(super) fn run_command(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    let config = Config::load(&call.env.paths)?;
    let names = match args.all_profiles {
        true => config.names(),
        false => vec![config.profile_name(call.profile.as_deref(), &call.env.variables)?.0],
    };
    let providers: Vec<Provider> = names.iter().map(|name| config.provider(name)).collect::<Result<_>>()?;
    let now = args.at.unwrap_or_else(|| call.env.clock.now());
    if args.dry_run {
        return dry_run(args, call, &config, &providers, now);
    }
    let mut ledger = open_ledger(call.env, &config)?;
    let Some(_turn) = ledger.hooks_turn()? else {
        return Err(Error::HooksRunning);
    };
    let interrupts = call.env.interrupts()?;
    tell_blind_spots(args, call, &config, &ledger)?;
    if blind_spots::of_the_clock(&ledger, call)?.is_none() {
        let too_early = ledger.forget_reminders_to_come(now)?;
        if too_early > 0 {
            let reminders = counted(too_early, "reminder was", "reminders were");
            call.env.terminal.print_always(&format!(
                "Note: {reminders} recorded with a time in the future, because a clock was ahead. They are ignored, and run again when they are due."
            ));
        }
    }
    let (mut events, mut succeeded, mut failed) = (Vec::new(), 0, 0);
    for provider in &providers {
        let waited = run_waiting(call, &config.hooks, provider, &mut ledger, &interrupts, None)?;
        let given = give(call, &config, provider, (&mut ledger, &interrupts), now)?;
        succeeded += waited.succeeded + given.ran.succeeded;
        failed += waited.failed + given.ran.failed;
        events.extend(given.events);
    }
    if call.json {
        let document = Reminders::of(false, events, succeeded, failed);
        call.env.terminal.answer(&call.json_text(&document)?)?;
    }
    if failed > 0 {
        let error = Error::HooksFailed { failed, total: succeeded + failed };
        if call.json {
            call.env.terminal.error(&error);
            return Ok(error.exit());
        }
        return Err(error);
    }
    match succeeded {
        // Cron mails what a command prints, and nobody reads a mail a day that says nothing.
        0 if !call.env.terminal.interactive() => {}
        0 => call.env.terminal.info("No hook was due."),
        some => call.env.terminal.info(&format!("{} run.", counted(some, "hook was", "hooks were"))),
    }
    Ok(0)
}

/// What nobody would be reminded of, told.
fn tell_blind_spots(args: &Args, call: &Invocation<'_>, config: &Config, ledger: &Ledger) -> Result<()> {
    let mut unseen = match args.all_profiles {
        true => blind_spots::of_all_profiles(ledger, config)?,
        false => Vec::new(),
    };
    if args.at.is_none() {
        unseen.extend(blind_spots::of_the_clock(ledger, call)?);
    }
    blind_spots::tell(&unseen, call);
    Ok(())
}

fn dry_run(
    args: &Args,
    call: &Invocation<'_>,
    config: &Config,
    providers: &[Provider],
    now: Timestamp,
) -> Result<u8> {
    let (mut events, mut said) = (Vec::new(), Vec::new());
    let mut untold: BTreeMap<HookEventKind, usize> = BTreeMap::new();
    let ledger = read_ledger(call.env, config)?;
    tell_blind_spots(args, call, config, &ledger)?;
    for provider in providers {
        for found in find(config, provider, &ledger, (now, call.env.clock.now()))? {
            let occasion = found.reminder.occasion;
            if !config.hooks.commands.contains_key(&occasion) {
                *untold.entry(occasion).or_default() += 1;
                continue;
            }
            said.push(in_words(&found, provider, now));
            events.push(found.event(provider, &ledger, now)?);
        }
    }
    let text = match (call.json, &said[..]) {
        (true, _) => call.json_text(&Reminders::of(true, events, 0, 0))?,
        (false, []) => "No reminders would run.\n".to_owned(),
        (false, said) => said.concat(),
    };
    call.env.terminal.answer(&text)?;
    for (occasion, count) in untold {
        let (word, licenses) = (occasion.word(), licenses(count));
        call.env.terminal.info(&format!(
            "Note: no hook would run for {licenses} ({word}), because hooks.{word} isn't set."
        ));
    }
    Ok(0)
}

/// What has become due at an instant and wasn't reminded of yet, as far as this clock knows.
fn find(
    config: &Config,
    provider: &Provider,
    ledger: &Ledger,
    (now, clock): (Timestamp, Timestamp),
) -> Result<Vec<DueReminder>> {
    let mut found = Vec::new();
    let days = config.hooks.days.iter().max().copied().unwrap_or_default();
    let until =
        latest_end_within(now, SignedDuration::from_hours(i64::from(days) * 24).max(provider.due_window));
    for standing in ledger.standings_near(&provider.profile, until)? {
        let record = &standing.record;
        let due = reminder(record, provider, &config.hooks.days, now).zip(record.expires_at);
        if let Some((reminder, expires)) = due
            && ledger
                .reminded(&provider.profile, &record.key, expires, clock)?
                .iter()
                .all(|days| *days > reminder.days)
        {
            found.push(DueReminder { standing, expires, reminder });
        }
    }
    Ok(found)
}

#[derive(Default)]
struct GivenReminders {
    events: Vec<HookEvent>,
    ran: HookSummary,
}

impl GivenReminders {
    fn note(&mut self, succeeded: bool) {
        *(if succeeded { &mut self.ran.succeeded } else { &mut self.ran.failed }) += 1;
    }
}

/// Runs the hooks of one profile's reminders.
fn give(
    call: &Invocation<'_>,
    config: &Config,
    provider: &Provider,
    (ledger, interrupts): (&mut Ledger, &InterruptCounter),
    now: Timestamp,
) -> Result<GivenReminders> {
    let hooks = &config.hooks;
    let mut given = GivenReminders::default();
    let mut by_occasion: BTreeMap<HookEventKind, Vec<DueReminder>> = BTreeMap::new();
    for found in find(config, provider, ledger, (now, now))? {
        // Without a hook nobody would be told; it stays to be reminded of once there is one.
        if hooks.commands.contains_key(&found.reminder.occasion) {
            by_occasion.entry(found.reminder.occasion).or_default().push(found);
        }
    }
    for (occasion, all) in by_occasion {
        if hooks.digest {
            let events = all.iter().map(|found| found.event(provider, ledger, now)).collect::<Result<_>>()?;
            let digest = HookDigest::of(occasion, now, events);
            let stores = about(&all.iter().map(|found| &found.standing).collect::<Vec<_>>());
            let succeeded = run(call, hooks, (occasion, digest.id()), &stores, &digest, interrupts)?;
            given.note(succeeded);
            if succeeded {
                let noted: Vec<_> = all.iter().map(DueReminder::note).collect();
                ledger.note_reminded(&provider.profile, &noted, now)?;
                given.events.extend(digest.into_events());
            }
            continue;
        }
        for found in all {
            let event = found.event(provider, ledger, now)?;
            let stores = about(&[&found.standing]);
            let succeeded = run(call, hooks, (occasion, event.id()), &stores, &event, interrupts)?;
            given.note(succeeded);
            if succeeded {
                // Noted one by one: a crash repeats one reminder at most, and loses none.
                ledger.note_reminded(&provider.profile, &[found.note()], now)?;
                given.events.push(event);
            }
        }
    }
    Ok(given)
}

impl DueReminder {
    fn event(&self, provider: &Provider, ledger: &Ledger, now: Timestamp) -> Result<HookEvent> {
        let Reminder { occasion, days } = self.reminder;
        let record = &self.standing.record;
        let cause = HookCause {
            occasion,
            id: EventId::of_reminder(ledger.id(), record, self.expires, days),
            common: ledger.event_key(&provider.profile, &record.key, EventGrant::Now)?,
            at: now,
            error: None,
            threshold: Some(days),
            detail: None,
        };
        Ok(HookEvent::of(cause, &ReportRow::at(now, &self.standing, provider)))
    }

    fn note(&self) -> (LicenseId, Timestamp, Reminder) {
        (self.standing.record.key.clone(), self.expires, self.reminder)
    }
}

fn in_words(found: &DueReminder, provider: &Provider, now: Timestamp) -> String {
    let record = &found.standing.record;
    let called = record.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    let days = |count: i64| if count == 1 { "1 day".to_owned() } else { format!("{count} days") };
    let left = record.days_in_words(now, &provider.zone).unwrap_or_default();
    let threshold = days(i64::from(found.reminder.days));
    let occasion = found.reminder.occasion.word();
    format!(
        "{occasion}: {}{called} in profile {}, {left}, threshold {threshold}\n",
        record.key, provider.profile
    )
}
