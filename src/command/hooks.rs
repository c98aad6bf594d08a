//! Running the hooks of what has happened: after a change, and again in `remind` what failed.

use super::Call;
use crate::error::{Result, first_few};
use crate::ledger::{Ledger, Waiting};
use crate::model::authorization::Standing;
use crate::model::provider::Provider;
use crate::model::reminder::{EventId, Hooks, Occasion};
use crate::report::{HookEvent, Row};
use crate::system::hook;
use jiff::Timestamp;

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
    for Waiting { seq, at, key, occasion, detail } in waiting.into_iter().filter(|it| it.seq > after) {
        ran.last = seq;
        let Some(standing) = ledger.standing(&provider.profile, &key)? else { continue };
        let row = Row::at(call.env.clock.now(), &standing, provider);
        let id = EventId::of_event(ledger.id(), seq);
        let event = HookEvent::of((occasion, id.clone()), at, &row, None, Some(detail));
        match run(call, hooks, (occasion, &id), &about(&[&standing]), &event)? {
            true => {
                ledger.hook_done(seq)?;
                ran.succeeded += 1;
            }
            false => ran.failed += 1,
        }
    }
    Ok(ran)
}

/// The stores that a hook is about, by license and name.
pub(super) fn about(standings: &[&Standing]) -> String {
    const NAMED: usize = 3;
    let named = standings.iter().map(|it| match &it.record.name {
        Some(name) => format!("{} ({name})", it.record.key.license),
        None => it.record.key.license.to_string(),
    });
    first_few(&named.collect::<Vec<_>>(), NAMED)
}

/// Runs an occasion's hook on an event, or on a digest of several; whether it succeeded. No hook is a success. It runs in
/// the configuration's folder, whoever calls.
pub(super) fn run(
    call: &Call<'_>,
    hooks: &Hooks,
    (occasion, id): (Occasion, &EventId),
    about: &str,
    event: &impl serde::Serialize,
) -> Result<bool> {
    let Some(words) = hooks.commands.get(&occasion) else { return Ok(true) };
    let input = call.json_line(event)?;
    let file = call.env.paths.hooks().join(id.as_str());
    let folder = call.env.paths.config.parent();
    match hook::run(words, folder, &file, input.as_bytes(), hooks.timeout) {
        Ok(()) => Ok(true),
        Err(why) => {
            call.env.terminal.insist(&format!(
                "The hook for \"{}\" failed for {about}: {}.",
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

/// A digest: every event of one occasion that a run found.
#[derive(serde::Serialize)]
pub(super) struct Digest {
    pub schema: u8,
    pub event: Occasion,
    pub id: EventId,
    pub at: Timestamp,
    pub events: Vec<HookEvent>,
}
