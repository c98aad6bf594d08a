//! How a run over several licenses ended, for people.

use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::run_counts::RunCounts;
use std::fmt::Write;

/// The sum, and each license that needs another look with what is the matter.
pub fn run_summary(outcomes: &[Outcome], counts: RunCounts) -> String {
    let mut text = format!("{counts}.\n");
    for outcome in outcomes {
        let Some(error) = &outcome.error else { continue };
        let _ =
            writeln!(text, "  ✗ {}: {}", outcome.key, error.without_license(outcome.key.license.as_str()));
        if outcome.ending == OutcomeKind::AwaitingApproval
            && let Some(hint) = error.hint()
        {
            let _ = writeln!(text, "    {hint}");
        }
    }
    text
}
