//! What is known of a run's licenses, and finished, before anybody is asked.

use super::reporter::BulkReporter;
use super::run::RecordsByLicense;
use crate::command::{Invocation, Workspace};
use crate::consent::finish_left_over;
use crate::custody::StoreOutcome;
use crate::error::Result;
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::plan::{LeftOut, PlannedLicense};

/// What earlier runs left of these licenses is finished before anyone is asked: a code lives minutes.
pub(super) fn finish_earlier(
    call: &Invocation<'_>,
    workspace: &mut Workspace<'_>,
    known: &RecordsByLicense,
    items: &[(usize, PlannedLicense)],
) -> Vec<(usize, Result<StoreOutcome>)> {
    let mut found = Vec::new();
    for (at, (_, item)) in items.iter().enumerate() {
        let left = |it: &AuthorizationWithFlows| !it.flows.is_empty() || it.record.revocation_pending;
        if known.get(&item.key).is_some_and(left) {
            match finish_left_over(call.env, &mut workspace.custody, item) {
                Ok(Some(kept)) => found.push((at, Ok(kept))),
                Ok(None) => {}
                Err(e) => found.push((at, Err(e))),
            }
        }
    }
    found
}

/// What is known before anybody is asked.
pub(super) fn before(watch: &mut BulkReporter<'_>, known: &RecordsByLicense, left_out: &[LeftOut]) {
    left_out.iter().for_each(|left| watch.left_out(&left.key, known.get(&left.key), &left.why));
}

/// What wasn't taken, as it stands.
pub(super) fn skipped(known: &RecordsByLicense, left_out: &[LeftOut]) -> impl Iterator<Item = Outcome> {
    left_out
        .iter()
        .map(|left| Outcome::of(left.key.clone(), OutcomeKind::Skipped, known.get(&left.key).cloned()))
}
