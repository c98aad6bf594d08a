//! Running the hooks of what has happened: after a change, and again in `remind` what failed.

use super::Invocation;
use crate::error::{Error, ErrorCode, Report, Result, clean, counted, first_few};
use crate::ledger::{EventGrant, Ledger, QueuedHook};
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::history::HistoryEventKind;
use crate::model::provider::Provider;
use crate::model::reminder::{EventId, HookEventKind, Hooks};
use crate::report::{HookCause, HookEvent, ReportRow};
use crate::system::InterruptCounter;
use crate::system::hook::{Hook, HookFault};
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct HookSummary {
    pub succeeded: usize,
    /// How many failed, and will be tried again.
    pub failed: usize,
    /// How many weren't begun: whoever comes next runs them.
    pub left: usize,
}

/// Runs the hooks that wait, until a signal comes or so much time has gone by; one that fails waits on, and is told of.
pub(super) fn run_waiting(
    call: &Invocation<'_>,
    hooks: &Hooks,
    provider: &Provider,
    ledger: &mut Ledger,
    interrupts: &InterruptCounter,
    within: Option<Duration>,
) -> Result<HookSummary> {
    let (mut ran, began) = (HookSummary::default(), Instant::now());
    for waiting in ledger.waiting_hooks(&provider.profile)? {
        if within.is_some_and(|within| began.elapsed() >= within) {
            ran.left += 1;
            continue;
        }
        let Some(told) = event_of(call, &waiting, provider, ledger)? else { continue };
        match run(call, hooks, (waiting.occasion, &told.id), &told.about, &told.event, interrupts)? {
            true => {
                ledger.hook_done(waiting.seq)?;
                ran.succeeded += 1;
            }
            false => ran.failed += 1,
        }
    }
    Ok(ran)
}

pub(super) struct HookContext {
    pub id: EventId,
    pub about: String,
    pub event: HookEvent,
}

/// What a waiting hook is told; `None` where the license isn't in the ledger any more.
pub(super) fn event_of(
    call: &Invocation<'_>,
    waiting: &QueuedHook,
    provider: &Provider,
    ledger: &Ledger,
) -> Result<Option<HookContext>> {
    let QueuedHook { seq, at, key, occasion, .. } = waiting;
    let Some(standing) = ledger.standing(&provider.profile, key)? else { return Ok(None) };
    let row = ReportRow::at(call.env.clock.now(), &standing, provider);
    let id = EventId::of_event(ledger.id(), *seq);
    let cause = HookCause {
        occasion: *occasion,
        id: id.clone(),
        common: ledger.event_key(&provider.profile, key, EventGrant::Before(*seq))?,
        at: *at,
        error: (*occasion == HookEventKind::Failed).then(|| why_it_failed(waiting, &row)),
        threshold: None,
        detail: Some(waiting.detail.clone()),
    };
    let event = HookEvent::of(cause, &row);
    Ok(Some(HookContext { id, about: about(&[&standing]), event }))
}

/// Why it failed: what was told then, and the kind of failure that was noted with it. Where none was, the event says it.
fn why_it_failed(waiting: &QueuedHook, row: &ReportRow<'_>) -> Report {
    let by_its_event = || match &waiting.event {
        it if it == HistoryEventKind::Uncertain.word() => ErrorCode::Network,
        it if it == HistoryEventKind::Invalid.word() => ErrorCode::NeedsPerson,
        _ => ErrorCode::Failed,
    };
    let code = waiting.failure.unwrap_or_else(by_its_event);
    Report { code, exit: code.exit(), message: waiting.detail.clone(), hint: row.next_command() }
}

/// The stores that a hook is about, by license and name.
pub(super) fn about(standings: &[&AuthorizationWithFlows]) -> String {
    const NAMED: usize = 3;
    let named = standings.iter().map(|it| match &it.record.name {
        Some(name) => format!("{} ({name})", it.record.key.license),
        None => it.record.key.license.to_string(),
    });
    first_few(&named.collect::<Vec<_>>(), NAMED)
}

/// An occasion's hook, to be run on an event or on a digest of several; `None` where there is none. It runs in the
/// configuration's folder, whoever calls.
pub(super) fn hook_for(
    call: &Invocation<'_>,
    hooks: &Hooks,
    (occasion, id): (HookEventKind, &EventId),
    event: &impl serde::Serialize,
) -> Result<Option<Hook>> {
    let Some(words) = hooks.commands.get(&occasion) else { return Ok(None) };
    let paths = &call.env.paths;
    let folder = paths.config.parent().unwrap_or(Path::new("."));
    Ok(Some(Hook {
        words: call.env.startable(words, folder),
        folder: Some(folder.to_owned()),
        event: paths.hooks().join(id.as_str()),
        input: call.json_line(event)?,
        timeout: hooks.timeout,
    }))
}

/// Runs an occasion's hook on an event, or on a digest of several; whether it succeeded. No hook is a success.
///
/// # Errors
/// A signal came: the hook was stopped with all that it started, and waits on.
pub(super) fn run(
    call: &Invocation<'_>,
    hooks: &Hooks,
    (occasion, id): (HookEventKind, &EventId),
    about: &str,
    event: &impl serde::Serialize,
    interrupts: &InterruptCounter,
) -> Result<bool> {
    let stopped = || Error::Interrupted { next: Some("biotrack-auth remind".into()) };
    if interrupts.any() {
        return Err(stopped());
    }
    let Some(hook) = hook_for(call, hooks, (occasion, id), event)? else { return Ok(true) };
    match hook.run(&|| interrupts.any()) {
        Ok(()) => Ok(true),
        Err(HookFault::Failed(why)) => {
            tell_of_failure(call, occasion, about, &why);
            Ok(false)
        }
        Err(HookFault::Stopped) => Err(stopped()),
    }
}

/// A hook failed that was about a store, or several.
pub(super) fn tell_of_failure(call: &Invocation<'_>, occasion: HookEventKind, about: &str, why: &str) {
    let told = format!("The hook for \"{}\" failed for {about}: {}.", occasion.word(), clean(why));
    call.env.terminal.print_always(&told);
}

/// What is told of a hook that failed beside something else.
pub(super) const RUN_AGAIN: &str = "To run it again: biotrack-auth remind";

/// After a change: the hooks that its events queued. A failure is told of; the change stands, and `remind` tries again. Who
/// interrupts the command waits for none.
pub(super) fn after_change(call: &Invocation<'_>, hooks: &Hooks, provider: &Provider, ledger: &mut Ledger) {
    let ran = run_queued(call, hooks, provider, ledger);
    tell_of_queue_fault(call, ran);
}

/// Where the ledger failed behind a change, the change stands: its hooks wait, or run once more.
pub(super) fn tell_of_queue_fault(call: &Invocation<'_>, ran: Result<()>) {
    if let Err(e) = ran {
        call.env
            .terminal
            .print_always(&format!("Hooks may be left to run: {e}. To run them: biotrack-auth remind"));
    }
}

fn run_queued(call: &Invocation<'_>, hooks: &Hooks, provider: &Provider, ledger: &mut Ledger) -> Result<()> {
    if hooks.commands.is_empty() || ledger.waiting_hooks(&provider.profile)?.is_empty() {
        return Ok(());
    }
    // Where another process is at it, the queue is in good hands.
    let Some(_turn) = ledger.hooks_turn()? else { return Ok(()) };
    let ran = match call.env.was_interrupted() {
        true => Err(Error::Interrupted { next: None }),
        // Hooks that hang hold up no command for longer than one of them may.
        false => run_waiting(call, hooks, provider, ledger, &call.env.interrupts()?, Some(hooks.timeout)),
    };
    match ran {
        Ok(HookSummary { failed: 0, left: 0, .. }) => {}
        Ok(HookSummary { failed: 0, left, .. }) => {
            let left = counted(left, "hook is", "hooks are");
            call.env
                .terminal
                .print_always(&format!("{left} left to run. To run the rest: biotrack-auth remind"));
        }
        Ok(_) => call.env.terminal.print_always(RUN_AGAIN),
        Err(Error::Interrupted { .. }) => {
            let left = ledger.waiting_hooks(&provider.profile)?.len();
            let left = counted(left, "hook is", "hooks are");
            call.env.terminal.info(&format!("{left} left to run. To run the rest: biotrack-auth remind"));
        }
        Err(e) => return Err(e),
    }
    Ok(())
}
