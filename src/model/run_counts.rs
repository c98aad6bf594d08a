//! How many licenses of a run ended how: counted once, and told by everyone in the same words.

use super::outcome::{Outcome, OutcomeKind};
use super::plan::Progress;
use crate::error::licenses;
use serde::Serialize;
use std::fmt;

// Its JSON is for machines, its `Display` for people.
/// The number of licenses with each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RunCounts {
    /// All of the run.
    pub planned: usize,
    /// Stored.
    pub granted: usize,
    /// Granted by another admin; awaits approval.
    pub awaiting_approval: usize,
    /// Handed out as a link.
    pub handed_off: usize,
    /// Invited.
    pub invited: usize,
    /// Refreshed.
    pub refreshed: usize,
    /// Deactivated.
    pub deactivated: usize,
    /// Changed.
    pub edited: usize,
    /// Removed.
    pub removed: usize,
    /// Canceled.
    pub canceled: usize,
    /// Failed.
    pub failed: usize,
    /// Skipped.
    pub skipped: usize,
    /// Nothing to do.
    pub unchanged: usize,
    /// Not yet tried: continue with `renew --resume`, or run the same deactivation again.
    pub left: usize,
    /// Those among the deactivated and unchanged whose revocation waits for the provider. Each result says so itself.
    #[serde(skip)]
    pub not_revoked: usize,
}

impl RunCounts {
    /// Of licenses that have ended, and `left` that weren't tried.
    pub fn of(outcomes: &[Outcome], left: usize) -> Self {
        let mut counts = Self { planned: outcomes.len() + left, left, ..Self::default() };
        for outcome in outcomes {
            let done = matches!(outcome.ending, OutcomeKind::Deactivated | OutcomeKind::Unchanged);
            counts.not_revoked += usize::from(done && outcome.error.is_some());
            *match outcome.ending {
                OutcomeKind::Granted => &mut counts.granted,
                OutcomeKind::AwaitingApproval => &mut counts.awaiting_approval,
                OutcomeKind::HandedOff => &mut counts.handed_off,
                OutcomeKind::Invited => &mut counts.invited,
                OutcomeKind::Refreshed => &mut counts.refreshed,
                OutcomeKind::Deactivated => &mut counts.deactivated,
                OutcomeKind::Edited => &mut counts.edited,
                OutcomeKind::Removed => &mut counts.removed,
                OutcomeKind::Canceled => &mut counts.canceled,
                OutcomeKind::Skipped => &mut counts.skipped,
                OutcomeKind::Failed => &mut counts.failed,
                OutcomeKind::Unchanged => &mut counts.unchanged,
            } += 1;
        }
        counts
    }

    /// Of a run under way: what isn't done is left.
    pub fn under_way(progress: impl IntoIterator<Item = Progress>) -> Self {
        let mut counts = Self::default();
        for one in progress {
            counts.planned += 1;
            *match one {
                Progress::Waiting | Progress::Opened | Progress::Storing => &mut counts.left,
                Progress::Granted => &mut counts.granted,
                Progress::Held => &mut counts.awaiting_approval,
                Progress::HandedOff => &mut counts.handed_off,
                Progress::Failed => &mut counts.failed,
                Progress::Skipped => &mut counts.skipped,
            } += 1;
        }
        counts
    }

    /// Whether the same command would have something to do again.
    pub fn wants_more(&self) -> bool {
        self.failed + self.left + self.not_revoked > 0
    }

    /// Each count by its word.
    pub fn by_word(&self) -> [(&'static str, usize); 14] {
        [
            ("granted", self.granted),
            ("refreshed", self.refreshed),
            ("deactivated", self.deactivated),
            ("edited", self.edited),
            ("removed", self.removed),
            ("canceled", self.canceled),
            ("handed_off", self.handed_off),
            ("invited", self.invited),
            ("awaiting_approval", self.awaiting_approval),
            ("failed", self.failed),
            ("skipped", self.skipped),
            ("unchanged", self.unchanged),
            ("not_revoked", self.not_revoked),
            ("left", self.left),
        ]
    }
}

impl fmt::Display for RunCounts {
    /// "3 licenses: 2 granted, 1 left".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&licenses(self.planned))?;
        let some = self.by_word().into_iter().filter(|(_, count)| *count > 0);
        for (place, (word, count)) in some.enumerate() {
            let word = match word {
                "not_revoked" => "not yet revoked at BioTrack".to_owned(),
                word => word.replace('_', " "),
            };
            write!(f, "{} {count} {word}", if place == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::model::ids::{License, LicenseId, Ubi};

    fn ended(ending: OutcomeKind, error: bool) -> Outcome {
        let key = LicenseId {
            ubi: Ubi::parse("604001234").unwrap(),
            license: License::parse("101-X0007-D1").unwrap(),
        };
        let error = error.then_some(Error::Interrupted { next: None });
        Outcome { error, ..Outcome::of(key, ending, None) }
    }

    #[test]
    fn the_total_comes_first_and_what_is_none_is_not_told() {
        let outcomes = [
            ended(OutcomeKind::Granted, false),
            ended(OutcomeKind::HandedOff, false),
            ended(OutcomeKind::Failed, true),
        ];
        assert_eq!(
            RunCounts::of(&outcomes, 2).to_string(),
            "5 licenses: 1 granted, 1 handed off, 1 failed, 2 left"
        );
        assert_eq!(RunCounts::of(&outcomes[..1], 0).to_string(), "1 license: 1 granted");
        assert_eq!(RunCounts::default().to_string(), "0 licenses");
    }

    #[test]
    fn a_revocation_that_waits_is_told_beside_what_was_done() {
        let counts = RunCounts::of(
            &[ended(OutcomeKind::Deactivated, true), ended(OutcomeKind::Deactivated, false)],
            0,
        );
        assert_eq!(counts.to_string(), "2 licenses: 2 deactivated, 1 not yet revoked at BioTrack");
        assert!(counts.wants_more() && !RunCounts::of(&[ended(OutcomeKind::Granted, false)], 0).wants_more());
        assert!(!serde_json::to_string(&counts).unwrap().contains("revoked"), "its schema hasn't it");
    }

    #[test]
    fn what_is_under_way_is_left() {
        let progress = [Progress::Opened, Progress::Storing, Progress::Waiting, Progress::Granted];
        assert_eq!(RunCounts::under_way(progress).to_string(), "4 licenses: 1 granted, 3 left");
    }
}
