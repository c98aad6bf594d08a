//! Running the hooks of what has happened: after a change, and again in `remind` what failed.

use super::Call;
use crate::error::{Kind, Report, Result};
use crate::ledger::{GrantOf, Ledger, Waiting};
use crate::model::history::Happened;
use crate::model::provider::Provider;
use crate::model::reminder::{EventId, Hooks, Occasion};
use crate::report::{HookCause, HookEvent, Row};
use crate::system::hook;

/// What a run of hooks came to.
#[derive(Debug, Default)]
pub(super) struct Ran {
    /// How many succeeded.
    pub succeeded: usize,
    /// How many failed, and will be tried again.
    pub failed: usize,
    /// The last event that was taken up.
    pub last: i64,
}

/// Runs the hooks that wait, of events after this one; one that fails waits on, and is told of.
pub(super) fn run_waiting(
    call: &Call<'_>,
    hooks: &Hooks,
    provider: &Provider,
    ledger: &mut Ledger,
    after: i64,
) -> Result<Ran> {
    let mut ran = Ran { last: after, ..Ran::default() };
    let waiting = ledger.waiting_hooks(&provider.profile)?;
    for Waiting { seq, at, key, occasion, detail, event } in waiting.into_iter().filter(|it| it.seq > after) {
        ran.last = seq;
        let Some(standing) = ledger.standing(&provider.profile, &key)? else { continue };
        let row = Row::at(call.env.clock.now(), &standing, provider);
        let id = EventId::of_event(ledger.id(), seq);
        let common = ledger.event_key(&provider.profile, &key, GrantOf::Before(seq))?;
        let error = (occasion == Occasion::Failed).then(|| why_it_failed(&event, &detail, &row));
        let cause =
            HookCause { occasion, id: id.clone(), common, at, error, threshold: None, detail: Some(detail) };
        let event = HookEvent::of(cause, &row);
        match run(call, hooks, (occasion, &id), &event)? {
            true => {
                ledger.hook_done(seq)?;
                ran.succeeded += 1;
            }
            false => ran.failed += 1,
        }
    }
    Ok(ran)
}

/// Why it failed, as far as the history keeps it: what was told, and whether an answer was lost, or the grant is dead.
fn why_it_failed(event: &str, detail: &str, row: &Row<'_>) -> Report {
    let code = match event {
        it if it == Happened::Uncertain.word() => Kind::Network,
        it if it == Happened::Invalid.word() => Kind::NeedsPerson,
        _ => Kind::Failed,
    };
    Report { code, exit: code.exit(), message: detail.to_owned(), hint: row.next_command() }
}

/// Runs an occasion's hook on an event, or on a digest of several; whether it succeeded. No hook is a success.
pub(super) fn run(
    call: &Call<'_>,
    hooks: &Hooks,
    (occasion, id): (Occasion, &EventId),
    event: &impl serde::Serialize,
) -> Result<bool> {
    let Some(words) = hooks.commands.get(&occasion) else { return Ok(true) };
    let input = call.json_line(event)?;
    let file = call.env.paths.hooks().join(id.as_str());
    match hook::run(words, &file, input.as_bytes(), hooks.timeout) {
        Ok(()) => Ok(true),
        Err(why) => {
            call.env.terminal.insist(&format!(
                "The hook for \"{}\" failed: {}.",
                occasion.word(),
                crate::error::clean(&why)
            ));
            Ok(false)
        }
    }
}

/// After a change: the hooks that its events queued. A failure is told of; the change stands, and `remind` tries again.
pub(super) fn after_change(
    call: &Call<'_>,
    hooks: &Hooks,
    provider: &Provider,
    ledger: &mut Ledger,
) -> Result<()> {
    if hooks.commands.is_empty() {
        return Ok(());
    }
    // Where another process is at it, the queue is in good hands.
    let Some(_turn) = ledger.hooks_turn()? else { return Ok(()) };
    let ran = run_waiting(call, hooks, provider, ledger, 0)?;
    if ran.failed > 0 {
        call.env.terminal.insist("It will be run again: biotrack-auth remind.");
    }
    Ok(())
}

/// In the middle of a run: the hooks of what has happened since, each once; how far that went. What fails is tried again
/// when the run has ended.
pub(super) fn meanwhile(
    call: &Call<'_>,
    hooks: &Hooks,
    provider: &Provider,
    ledger: &mut Ledger,
    after: i64,
) -> Result<i64> {
    if hooks.commands.is_empty() {
        return Ok(after);
    }
    let Some(_turn) = ledger.hooks_turn()? else { return Ok(after) };
    run_waiting(call, hooks, provider, ledger, after).map(|ran| ran.last)
}
