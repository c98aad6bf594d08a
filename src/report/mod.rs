//! What people and scripts see of records: records in, text out; no I/O.

mod card;
mod json;
mod table;

pub use card::{card, consent_card};
pub use json::{AuthorizationJson, Document, ErrorDocument, ResultJson, Results, document, results, schema};
pub use table::table;

use crate::model::authorization::State;
use crate::model::provider::Provider;
use jiff::{SignedDuration, Timestamp};

/// What a report needs besides the records.
pub struct View<'a> {
    /// The profile's provider: its zone and its window.
    pub provider: &'a Provider,
    /// The instant that is reported on.
    pub now: Timestamp,
    /// Colours may be used.
    pub colour: bool,
    /// The terminal's width, where there is one.
    pub width: Option<u16>,
}

impl View<'_> {
    fn window(&self) -> SignedDuration {
        self.provider.due_window
    }

    /// An instant in the profile's zone, with the zone named.
    pub fn when(&self, at: Timestamp) -> String {
        at.to_zoned(self.provider.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }
}

/// A sign for each state, so that colour is never the only one.
fn sign(state: State) -> &'static str {
    match state {
        State::Active => "✓",
        State::Due => "!",
        State::Expired => "✗",
        State::Invalid => "⊘",
        State::Pending => "…",
        State::Deactivated => "–",
    }
}

/// How many days, in words.
fn days_in_words(days: i64) -> String {
    match days {
        1 => "1 day left".into(),
        0.. => format!("{days} days left"),
        -1 => "lapsed less than a day ago".into(),
        _ => format!("lapsed {} days ago", -days - 1),
    }
}
