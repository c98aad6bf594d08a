//! Instants: as others write them, and as they are written here for machines and for people. Nothing else formats one.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::ops::Deref;

/// The zone that a profile's times are shown and its days counted in; UTC, unless it's said.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl From<TimeZone> for Zone {
    fn from(zone: TimeZone) -> Self {
        Self(zone)
    }
}

impl Deref for Zone {
    type Target = TimeZone;

    fn deref(&self) -> &TimeZone {
        &self.0
    }
}

impl Zone {
    /// An instant as people read it, with the zone named: "2026-12-04 10:05 EST".
    pub fn time(&self, at: Timestamp) -> String {
        self.local(at).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// Its day alone: "2026-12-04".
    pub fn day(&self, at: Timestamp) -> String {
        self.local(at).date().to_string()
    }

    /// The same in a letter: "Friday, December 4, 2026, 10:05 AM EST".
    pub fn time_in_letters(&self, at: Timestamp) -> String {
        self.local(at).strftime("%A, %B %-d, %Y, %-I:%M %p %Z").to_string()
    }

    /// Its day in a letter: "December 4, 2026".
    pub fn day_in_letters(&self, at: Timestamp) -> String {
        self.local(at).strftime("%B %-d, %Y").to_string()
    }

    /// What a clock on a wall there shows.
    pub fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.0.clone())
    }
}

/// Down to the whole second, as the ledger and every document have it: early, never late.
pub fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_nanosecond().div_euclid(1_000_000_000).try_into().unwrap_or(i64::MAX))
        .unwrap_or(at)
}

/// An instant as machines read it: RFC 3339 in UTC, to the second.
pub fn for_machines(at: Timestamp) -> String {
    whole_second(at).to_string()
}

/// The same as calendars read it (RFC 5545 3.3.5).
pub fn for_calendars(at: Timestamp) -> String {
    whole_second(at).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Reads one. A year with a sign is before our era or after the year 9999, which nothing here is; at the first second of
/// all, jiff 0.2 panics in a build with debug assertions.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.starts_with(['-', '+']) {
        return None;
    }
    text.parse().ok()
}

/// The same of an argument, with what a wrong one should look like.
pub fn of_argument(text: &str) -> Result<Timestamp, String> {
    parse(text).ok_or_else(|| "it isn't an instant such as 2027-02-01T08:00:00-05:00".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_second_of_all_is_no_instant() {
        for text in
            ["-009999-01-02T01:59:58.5Z", "+002026-01-31T12:00:00Z", "", "now", "2026-02-30T00:00:00Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(" 1970-01-01T01:00:00+01:00 "), Some(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn one_instant_is_written_for_each_who_reads_it() {
        let at: Timestamp = "2026-12-04T15:05:59.9Z".parse().unwrap();
        let zone = Zone::from(TimeZone::get("America/New_York").unwrap());
        assert_eq!(for_machines(at), "2026-12-04T15:05:59Z");
        assert_eq!(for_calendars(at), "20261204T150559Z");
        assert_eq!(zone.time(at), "2026-12-04 10:05 EST");
        assert_eq!(zone.day(at), "2026-12-04");
        assert_eq!(zone.time_in_letters(at), "Friday, December 4, 2026, 10:05 AM EST");
        assert_eq!(zone.day_in_letters(at), "December 4, 2026");
        assert_eq!(for_machines("1969-12-31T23:59:59.5Z".parse().unwrap()), "1969-12-31T23:59:59Z");
    }
}
