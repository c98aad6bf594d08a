//! What a look at the ledger would pass over in silence, so that it must be told: absence isn't health.

use super::instant::for_machines;
use crate::error::{clean, licenses};
use jiff::{SignedDuration, Timestamp};

/// A clock may be off by so much before anybody is told: hosts of a team differ by minutes, and nothing here counts less
/// than days.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_hours(24);

/// What is passed over unless somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlindSpot {
    /// Records of a profile that the configuration doesn't name: nobody checks them, and nobody is reminded of them.
    UnnamedProfile {
        profile: String,
        /// How many licenses it has, but for deactivated ones.
        licenses: usize,
    },
    /// The clock is behind the ledger's newest event: all days that are left are counted by it.
    ClockBehind {
        now: Timestamp,
        /// When that event happened, by the clock of whoever wrote it.
        newest: Timestamp,
    },
}

impl BlindSpot {
    /// The clock, where it's behind the ledger's newest event by more than the tolerance.
    pub fn of_clock(now: Timestamp, newest: Option<Timestamp>) -> Option<Self> {
        let newest = newest.filter(|newest| newest.duration_since(now) > CLOCK_TOLERANCE)?;
        Some(Self::ClockBehind { now, newest })
    }

    /// What it is: a sentence without its full stop.
    pub fn in_words(&self) -> String {
        match self {
            Self::UnnamedProfile { profile, licenses: count } => format!(
                "the ledger has {} in profile {}, which is not in the configuration: no reminder is sent when they expire",
                licenses(*count),
                clean(profile)
            ),
            Self::ClockBehind { now, newest } => format!(
                "the clock ({}) is {} days behind the newest event in the ledger ({}): days left may be wrong",
                for_machines(*now),
                newest.duration_since(*now).as_hours() / 24,
                for_machines(*newest)
            ),
        }
    }

    /// The same, for a list of what monitoring sees at a glance.
    pub fn in_brief(&self) -> String {
        match self {
            Self::UnnamedProfile { profile, .. } => format!("profile {} not configured", clean(profile)),
            Self::ClockBehind { now, newest } => {
                format!("clock {} days behind", newest.duration_since(*now).as_hours() / 24)
            }
        }
    }

    pub fn hint(&self) -> String {
        match self {
            Self::UnnamedProfile { profile, .. } => format!(
                "Put [profiles.{0}] back into the configuration, or create it again: biotrack-auth config init --profile {0}. Then deactivate the licenses that are no longer needed.",
                clean(profile)
            ),
            Self::ClockBehind { .. } => "Set the clock (timedatectl shows whether it is synchronized). If the event's time was wrong, the next event corrects it.".into(),
        }
    }

    /// Its exit code as a monitoring plugin.
    pub fn level(&self) -> u8 {
        match self {
            Self::UnnamedProfile { .. } => 3,
            Self::ClockBehind { .. } => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clock_is_behind_by_more_than_a_day_or_not_at_all() {
        let now = at("2026-03-02T15:00:00Z");
        let behind = |newest: &str| BlindSpot::of_clock(now, Some(at(newest)));
        assert_eq!(BlindSpot::of_clock(now, None), None);
        assert_eq!(behind("2020-01-01T00:00:00Z"), None);
        assert_eq!(behind("2026-03-03T15:00:00Z"), None);
        let spot = behind("2027-04-06T15:00:01Z").unwrap();
        assert_eq!(
            spot.in_words(),
            "the clock (2026-03-02T15:00:00Z) is 400 days behind the newest event in the ledger (2027-04-06T15:00:01Z): days left may be wrong"
        );
    }
}
