//! A record at an instant, and how reports say what holds of it.

use crate::model::authorization::{AuthorizationWithFlows, Condition, State};
use crate::model::provider::Provider;
use jiff::Timestamp;

/// A record at an instant: what every form of report shows, worked out once.
#[derive(Debug)]
pub struct ReportRow<'a> {
    pub standing: &'a AuthorizationWithFlows,
    pub now: Timestamp,
    /// Its profile: zone and window.
    pub provider: &'a Provider,
    pub state: State,
    pub conditions: Vec<Condition>,
    pub days_left: Option<i64>,
}

impl<'a> ReportRow<'a> {
    pub fn at(now: Timestamp, standing: &'a AuthorizationWithFlows, provider: &'a Provider) -> Self {
        Self {
            state: standing.record.state(now, provider.due_window, &provider.zone),
            conditions: standing.conditions(now),
            days_left: standing.record.days_left(now, &provider.zone),
            standing,
            now,
            provider,
        }
    }

    /// Whether a condition asks for a look: any but a hand-off that is out.
    pub(super) fn needs_attention(&self) -> bool {
        self.conditions.iter().any(|condition| *condition != Condition::RenewalPending)
    }

    pub(super) fn days_in_words(&self) -> Option<String> {
        self.standing.record.days_in_words(self.now, &self.provider.zone)
    }

    /// The command that a person should run next.
    pub fn next_command(&self) -> Option<String> {
        self.standing.next_command_in(self.now, self.state, &self.conditions, self.provider.other_profile)
    }

    /// An instant in the profile's zone, with the zone named.
    pub(super) fn when(&self, at: Timestamp) -> String {
        self.provider.zone.time(at)
    }

    /// The store's name, else its license.
    pub(super) fn called(&self) -> String {
        let record = &self.standing.record;
        record.name.as_ref().map_or_else(|| record.key.license.to_string(), ToString::to_string)
    }
}

/// How a report is shown.
pub struct View {
    pub now: Timestamp,
    /// The profile that is reported on; `None`: all of them.
    pub profile: Option<String>,
    pub color: bool,
    pub width: Option<u16>,
}

/// A sign for each state, so that color is never the only one.
pub(super) fn sign(state: State) -> &'static str {
    match state {
        State::Active => "✓",
        State::Due => "!",
        State::Expired => "✗",
        State::Invalid => "⊘",
        State::Pending => "…",
        State::Deactivated => "–",
    }
}
