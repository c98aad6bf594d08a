//! How a run over several licences ended, for people.

use super::Counts;
use crate::model::outcome::{Ending, Outcome};
use std::fmt::Write;

/// The sum, and each licence that needs another look with what is the matter.
pub fn run_summary(outcomes: &[Outcome], counts: Counts) -> String {
    let parts = [
        (counts.granted, "granted"),
        (counts.deactivated, "deactivated"),
        (counts.handed_off, "handed off"),
        (counts.held, "held"),
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.unchanged, "unchanged"),
        (counts.left, "left to do"),
    ];
    let told: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let mut text = format!("{} of {}.\n", told.join(", "), counts.planned);
    for outcome in outcomes {
        let Some(error) = &outcome.error else { continue };
        let _ = writeln!(text, "  ✗ {}: {error}", outcome.key);
        if outcome.ending == Ending::Held
            && let Some(hint) = error.hint()
        {
            let _ = writeln!(text, "    {hint}");
        }
    }
    text
}
