//! What an earlier run left.

use crate::command::bulk::ResumedRun;
use crate::command::{Invocation, Workspace};
use crate::consent::{still_fits, why_not};
use crate::error::{Result, licenses};
use crate::ledger::{Ledger, UnfinishedRun};
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::plan::{LeftOut, Plan, Progress};
use crate::model::provider::Provider;
use jiff::Timestamp;

/// What is still to be done of a run, by the records as they are: they tell what was granted, whatever the run had noted.
#[derive(Default)]
struct RemainingRun {
    plan: Plan,
    /// Each license's place in the run.
    places: Vec<usize>,
    /// What is done of it, though the run hadn't noted it.
    done: Vec<(usize, Progress)>,
}

impl RemainingRun {
    fn of(
        run: UnfinishedRun,
        standings: &[AuthorizationWithFlows],
        provider: &Provider,
        now: Timestamp,
    ) -> Self {
        let mut found = Self::default();
        for (place, mut item) in run.items {
            let record = standings.iter().map(|it| &it.record).find(|record| record.key == item.key);
            let generation = record.map(|record| record.generation).unwrap_or_default();
            let changed = generation != item.base;
            // Stored just before the run was cut short, or by somebody else since.
            let granted =
                record.and_then(|it| it.renewed_at.max(it.created_at)).is_some_and(|at| at >= run.began);
            let awaiting = record.and_then(|record| record.held_by.as_ref());
            let (progress, why) = if changed && granted {
                (Progress::Granted, "already granted".into())
            } else if let (true, Some(by)) = (changed, awaiting) {
                (Progress::Held, format!("the grant from {by} awaits approval"))
            } else if let Err(e) = still_fits(&item, record, provider, now) {
                (Progress::Skipped, why_not(&e))
            } else {
                // A token that was refreshed meanwhile changes nothing of what is left to do.
                item.base = generation;
                item.expires_at = record.and_then(|record| record.expires_at);
                found.plan.items.push(item);
                found.places.push(place);
                continue;
            };
            found.done.push((place, progress));
            found.plan.left_out.push(LeftOut { key: item.key, why });
        }
        found
    }

    fn tell(&self, call: &Invocation<'_>, began: &str, owner: &str) {
        call.env.terminal.info(&format!(
            "Resuming the run started {began} by {owner}: {} left.",
            licenses(self.plan.items.len())
        ));
    }
}

/// What wasn't done, taken over from whoever was at it.
pub(super) fn plan(
    call: &Invocation<'_>,
    workspace: &mut Workspace<'_>,
    standings: &[AuthorizationWithFlows],
    now: Timestamp,
) -> Result<(Plan, Option<ResumedRun>)> {
    let provider = workspace.provider.clone();
    let ledger = workspace.custody.ledger_mut();
    let Some(run) = ledger.take_run(&provider.profile)? else { return Ok((Plan::default(), None)) };
    let (id, began, owner) = (run.id, provider.zone.time(run.began), run.owner.clone());
    let left = RemainingRun::of(run, standings, &provider, now);
    for (place, progress) in &left.done {
        ledger.note_run(id, *place, *progress)?;
    }
    left.tell(call, &began, &owner);
    Ok((left.plan, Some(ResumedRun { run: id, places: left.places })))
}

/// The same, only looked at.
pub(super) fn left(
    call: &Invocation<'_>,
    ledger: &Ledger,
    provider: &Provider,
    standings: &[AuthorizationWithFlows],
    now: Timestamp,
) -> Result<Plan> {
    let Some(run) = ledger.left_run(&provider.profile)? else { return Ok(Plan::default()) };
    let (began, owner) = (provider.zone.time(run.began), run.owner.clone());
    let left = RemainingRun::of(run, standings, provider, now);
    left.tell(call, &began, &owner);
    Ok(left.plan)
}
