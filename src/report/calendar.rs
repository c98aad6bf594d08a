//! Expiries in a calendar (RFC 5545): an event each, with alarms on the reminder days; weekends pulled to Friday.

use super::row::ReportRow;
use crate::error::counted;
use crate::model::expiry::previous_workday;
use crate::model::instant::for_calendars;
use icalendar::{Alarm, Calendar, Component, Event, EventLike, Property, Trigger};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// One event a living grant. Its UID stays over renewals, so that a calendar moves the event instead of adding one.
pub fn calendar(rows: &[ReportRow<'_>], reminder_days: &[u32], now: Timestamp) -> String {
    let mut calendar = Calendar::empty();
    for (name, value) in
        [("VERSION", "2.0"), ("PRODID", "-//biotrack-auth//status//EN"), ("CALSCALE", "GREGORIAN")]
    {
        calendar.append_property(Property::new(name, value));
    }
    calendar.name("BioTrack authorizations");
    for row in rows {
        let record = &row.standing.record;
        let Some(expires) = record.expires_at.filter(|_| record.deactivated_at.is_none()) else { continue };
        let at = previous_workday(expires, &row.provider.zone);
        let mut description = format!(
            "UBI {}, location {}, admin user {}. Expiration Date: {}.",
            record.key.ubi,
            record.key.license,
            record.username,
            row.when(expires)
        );
        if at != expires {
            description.push_str(" This is a weekend: renew by Friday.");
        }
        description.push_str(&format!(
            "\n{}",
            crate::model::authorization::command_for("renew", record, row.provider.other_profile)
        ));
        let mut event = Event::new();
        event
            .uid(&uid(row))
            .summary(&format!("BioTrack grant of {} expires", row.called()))
            .description(&description)
            .add_property("DTSTAMP", for_calendars(now))
            .add_property("DTSTART", for_calendars(at))
            .add_property("SEQUENCE", record.generation.0.to_string())
            .add_property("TRANSP", "TRANSPARENT");
        for days in reminder_days {
            let said = format!("BioTrack grant of {}: {} left", row.called(), counted(*days, "day", "days"));
            let before = Trigger::before_start(chrono::Duration::days(i64::from(*days)));
            let mut alarm = Alarm::display(&said, before);
            // Else the crate writes the machine's own time, and no two calendars would be the same.
            alarm.uid(&format!("{days}-{}", uid(row))).add_property("DTSTAMP", for_calendars(now));
            event.alarm(alarm.done());
        }
        calendar.push(event.done());
    }
    calendar.done().to_string()
}

/// Stable, and safe whatever the license holds.
fn uid(row: &ReportRow<'_>) -> String {
    let record = &row.standing.record;
    let name = format!("{}\n{}\n{}", record.profile, record.key.ubi, record.key.license);
    format!("{}@biotrack-auth", hex::encode(&Sha256::digest(name)[..16]))
}
