//! Days of 23 and 25 hours, leap days, and the ends of epochs.

use super::{configured, instant, serves_to_the_end};
use crate::support::clock::at;
use crate::support::seed::store;
use crate::support::{Rig, Run, register};
use biotrack_auth::sandbox::Mishap;
use jiff::SignedDuration;
use jiff::civil::Weekday;

/// Zone, a consent, and the end of its 100 days where the provider doesn't tell it: the earlier of 100 days of the
/// zone's calendar and 2,400 hours (DOMAIN.md).
const CONSENTS: [(&str, &str, &str); 9] = [
    // The clocks go back in between: by hours it's an hour earlier.
    ("America/New_York", "2026-09-01T12:00:00-04:00", "2026-12-10T11:00:00-05:00"),
    ("America/Los_Angeles", "2026-09-01T12:00:00-07:00", "2026-12-10T11:00:00-08:00"),
    // They go forward: by the calendar it is.
    ("America/Los_Angeles", "2026-01-05T12:00:00-08:00", "2026-04-15T12:00:00-07:00"),
    // To an hour that isn't, and one that is twice.
    ("America/New_York", "2025-11-28T02:30:00-05:00", "2026-03-08T03:30:00-04:00"),
    ("America/New_York", "2026-07-24T01:30:00-04:00", "2026-11-01T01:30:00-04:00"),
    // Over a leap day, and from one.
    ("America/New_York", "2027-12-01T12:00:00-05:00", "2028-03-10T12:00:00-05:00"),
    ("America/New_York", "2028-02-29T07:00:00-05:00", "2028-06-08T07:00:00-04:00"),
    // Over 2^31 seconds, and over a February of 28 days in a year that four divides.
    ("America/New_York", "2037-12-01T00:00:00-05:00", "2038-03-11T00:00:00-05:00"),
    ("America/New_York", "2100-01-15T07:00:00-05:00", "2100-04-25T07:00:00-04:00"),
];

fn check(rig: &Rig, code: i32) -> Run {
    rig.run(&["status", "--check"]).exits(code)
}

#[test]
fn a_hundred_days_end_when_they_should_over_every_change_of_the_clocks() {
    for (zone, granted, ends) in CONSENTS {
        let mut rig = Rig::with(&[Mishap::NoExpiry]);
        configured(&rig, &format!("time_zone = \"{zone}\""));
        rig.set_time(at(granted));
        // The process's own zone is nobody's business.
        let mut command = rig.command(&register("L-1", &[]));
        Run::of(command.env("TZ", "Pacific/Kiritimati").output().unwrap()).exits(0);
        let it = rig.only();
        let (created, expires) = (instant(&it, "created_at"), instant(&it, "expires_at"));
        assert!(created.duration_since(at(granted)) < SignedDuration::from_mins(10), "{it}");
        let lifetime = at(ends).duration_since(at(granted));
        assert_eq!(expires.duration_since(created), lifetime, "{zone} {granted}: {it}");
        assert_eq!((&it["state"], &it["days_left"]), (&"active".into(), &100.into()), "{granted}");

        // To its last minute it's good, and not a minute longer.
        rig.set_time(expires - SignedDuration::from_mins(2));
        // At midnight a grant ends on the day before's last minute: that day is the last but one.
        let of_its_day = (expires - SignedDuration::from_mins(2)).in_tz(zone).unwrap().date();
        let left = i64::from(of_its_day != expires.in_tz(zone).unwrap().date());
        let it = rig.only();
        assert_eq!((&it["state"], &it["days_left"]), (&"due".into(), &left.into()), "{granted}");
        // What ends on a weekend is critical since the Friday before.
        let day = expires.in_tz(zone).unwrap().weekday();
        let weekend = matches!(day, Weekday::Saturday | Weekday::Sunday);
        check(&rig, if weekend { 2 } else { 1 });
        rig.run(&["token", "L-1"]).exits(0);
        let due = rig.run(&["renew", "--due", "--dry-run", "--json"]).exits(0);
        assert!(due.out.contains("L-1"), "{due:?}");
        rig.set_clock(expires + SignedDuration::from_secs(1));
        // Where it ends as a day does, the second behind it is the next day's.
        let (it, left) = (rig.only(), [0, -1]);
        assert_eq!(it["state"], "expired", "{granted}");
        assert!(left.contains(&it["days_left"].as_i64().unwrap()), "{granted}: {it}");
        check(&rig, 2);
        rig.run(&["token", "L-1"]).exits(4).answers_nothing();
        rig.run(&["history", "verify"]).exits(0);
    }
}

/// States only go forward while an hour is left out or comes twice, and no day is counted twice.
#[test]
fn through_an_hour_that_is_not_and_one_that_is_twice_time_goes_forward() {
    for (zone, change) in [
        ("America/New_York", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-11-01T06:00:00Z"),
        ("America/Los_Angeles", "2026-03-08T10:00:00Z"),
        ("America/Los_Angeles", "2026-11-01T09:00:00Z"),
    ] {
        let mut rig = Rig::new();
        configured(&rig, &format!("time_zone = \"{zone}\""));
        let change = at(change);
        // One ends at the change; one becomes due there; one a working day later.
        let ends = |days: i64| (change + SignedDuration::from_hours(24 * days)).to_string();
        rig.seed(&[store("L-1", &ends(0)), store("L-2", &ends(14)), store("L-3", &ends(15))]);
        rig.set_clock(change - SignedDuration::from_hours(3));
        let (mut last, mut left) = (String::new(), i64::MAX);
        let mut seen = Vec::new();
        for half_hours in -5..=5 {
            rig.step_clock(change + SignedDuration::from_mins(30 * half_hours));
            let status = rig.status();
            let of = |at: usize, name: &str| status["authorizations"][at][name].clone();
            let states = (0..3).map(|at| of(at, "state").as_str().unwrap().to_owned()).collect::<Vec<_>>();
            // By the alphabet backwards: expired comes after due after active.
            let rank =
                |state: &String| ["active", "due", "expired"].iter().position(|it| it == state).unwrap();
            let now = states.iter().map(|state| rank(state).to_string()).collect::<String>();
            assert!(
                now.chars().zip(last.chars()).all(|(now, last)| now >= last),
                "{zone} {change}: {last} {now}"
            );
            let days = of(0, "days_left").as_i64().unwrap();
            assert!(days <= left, "{days} {left}");
            assert_eq!(states[0] == "expired", half_hours >= 0, "{status}");
            // The clocks change on Sundays: what ends then is critical since the Friday before.
            check(&rig, 2);
            (last, left) = (now.clone(), days);
            seen.push(now);
        }
        assert!(seen.first() != seen.last(), "{seen:?}");
        let plan = rig.run(&["renew", "--due", "--spread", "--dry-run"]).exits(0);
        assert!(format!("{}{}", plan.out, plan.err).contains("L-1"), "{plan:?}");
    }
}

#[test]
fn a_grant_lives_through_the_last_second_of_32_bits_and_long_after() {
    for now in ["2038-01-19T03:13:30Z", "2100-02-28T23:59:30Z"] {
        let mut rig = Rig::new();
        rig.set_time(at(now));
        rig.register("L-1").exits(0);
        let created = instant(&rig.only(), "created_at");
        let lives = instant(&rig.only(), "expires_at").duration_since(created);
        // The provider's clock was set a moment earlier, and its grant is taken to end by that much earlier at most.
        let hundred_days = SignedDuration::from_hours(2400);
        assert!(lives <= hundred_days && lives > hundred_days - SignedDuration::from_mins(1), "{lives}");
        super::lives(&rig);
        // Access tokens of an hour, from before and after.
        rig.set_time(at(now) + SignedDuration::from_mins(2));
        super::lives(&rig);
        assert_eq!(rig.counted("token_rotated"), 0);
        rig.set_time(at(now) + SignedDuration::from_hours(2));
        super::lives(&rig);
        assert_eq!(rig.counted("token_rotated"), 1);
        let seconds = instant(&rig.only(), "expires_at").as_second();
        rig.run(&["status", "--format", "prometheus"]).exits(0).answers(&seconds.to_string());
        rig.run(&["status", "--format", "ics"]).exits(0).answers(&now[..4]);
        rig.run(&["history", "--json"]).exits(0).answers(&now[..10]);
        serves_to_the_end(&rig);
        rig.run(&["doctor"]).exits(0);
    }
}
