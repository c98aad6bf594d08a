//! How many grants end in each of the coming weeks.

use crate::report::row::ReportRow;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;

/// As many weeks as a grant of 100 days lives, this one included.
const WEEKS: usize = 15;

/// The grants that expire in a week, Monday to Sunday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Week {
    /// The Monday of the week.
    #[schemars(with = "String", extend("format" = "date"))]
    pub from: Date,
    /// How many grants expire in the week, by the calendar of their profile's zone.
    pub due: usize,
    /// The number of admin users of those grants.
    pub admins: usize,
}

/// The coming weeks, this one first. It begins on the Monday of the first record's zone.
pub fn weeks(rows: &[ReportRow<'_>], now: Timestamp) -> Vec<Week> {
    let zone = rows.first().map_or(TimeZone::UTC, |row| (*row.provider.zone).clone());
    let today = now.to_zoned(zone).date();
    let first = today.saturating_sub(i64::from(today.weekday().to_monday_zero_offset()).days());
    let mut found = vec![(0, BTreeSet::new()); WEEKS];
    for row in rows {
        let record = &row.standing.record;
        let Some(expires) = record.expires_at.filter(|_| record.is_granted()) else { continue };
        let ends = row.provider.zone.local(expires).date();
        let days = ends.since(first).map_or(-1, |span| i64::from(span.get_days()));
        if let Some((due, admins)) = usize::try_from(days.div_euclid(7)).ok().and_then(|at| found.get_mut(at))
        {
            *due += 1;
            admins.insert(record.username.as_str().to_lowercase());
        }
    }
    let week = |(at, (due, admins)): (usize, (usize, BTreeSet<String>))| Week {
        from: first.saturating_add((7 * at as i64).days()),
        due,
        admins: admins.len(),
    };
    found.into_iter().enumerate().map(week).collect()
}
