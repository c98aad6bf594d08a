//! When a grant ends: the provider's word, else the careful estimate; and which day an operator must act on.

use crate::error::counted;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// The end of a grant that nobody told: the earlier of as many calendar days in the profile's zone, and as many times
/// 24 hours (DOMAIN.md, Times). Across a change of the clocks the two differ by an hour; early is safe, late isn't.
pub fn estimate(granted: Timestamp, lifetime: SignedDuration, zone: &TimeZone) -> Timestamp {
    let by_hours = granted.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
    let days = lifetime.as_hours() / 24;
    let rest = lifetime - SignedDuration::from_hours(days * 24);
    let by_calendar = granted
        .to_zoned(zone.clone())
        .checked_add(days.days())
        .and_then(|day| day.timestamp().checked_add(rest))
        .unwrap_or(Timestamp::MAX);
    // defense: S40 the-earlier-estimate
    by_hours.min(by_calendar)
}

/// The instant that windows and reminders count to: an expiry on a Saturday or Sunday of the zone
/// counts as the same hour of the Friday before, when someone is at work.
pub fn previous_workday(expires: Timestamp, zone: &TimeZone) -> Timestamp {
    let local = expires.to_zoned(zone.clone());
    let back = match local.weekday() {
        Weekday::Saturday => 1,
        Weekday::Sunday => 2,
        _ => 0,
    };
    local.checked_sub(back.days()).map_or(expires, |friday| friday.timestamp())
}

/// Whatever counts as ending within `window`, ends by then: a weekend's end counts up to two days early
/// ([`working_day`]), and the clocks may change between.
pub fn latest_end_within(now: Timestamp, window: SignedDuration) -> Timestamp {
    const EARLY: SignedDuration = SignedDuration::from_hours(3 * 24);
    now.saturating_add(window.saturating_add(EARLY)).unwrap_or(Timestamp::MAX)
}

/// Calendar days in the zone, from today's date to that of the end: 0 on the last day, before and after the instant itself;
/// negative from the day after.
pub fn days_left(expires: Timestamp, now: Timestamp, zone: &TimeZone) -> i64 {
    let day = |at: Timestamp| zone.to_datetime(at).date();
    day(now).until(day(expires)).map_or(0, |span| span.get_days().into())
}

/// The same in words, with which side of the end it is: "99 days left", "ends today", "lapsed 2 days ago".
pub fn days_in_words(expires: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let days = days_left(expires, now, zone);
    let counted = |days: i64| counted(days.unsigned_abs(), "day", "days");
    match (now < expires, days) {
        (true, 0) => "ends today".into(),
        (true, _) => format!("{} left", counted(days)),
        (false, 0) => "lapsed today".into(),
        (false, _) => format!("lapsed {} ago", counted(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn new_york() -> TimeZone {
        TimeZone::get("America/New_York").unwrap()
    }

    #[test]
    fn across_the_autumn_change_the_earlier_estimate_wins() {
        // 1 September + 100 days of the calendar is noon EST; + 2,400 hours is 11:00 EST.
        let granted: Timestamp = "2026-09-01T12:00:00-04:00".parse().unwrap();
        let expected: Timestamp = "2026-12-10T11:00:00-05:00".parse().unwrap();
        assert_eq!(estimate(granted, SignedDuration::from_hours(2400), &new_york()), expected);
    }

    #[test]
    fn across_the_spring_change_the_earlier_estimate_wins() {
        let granted: Timestamp = "2026-01-05T12:00:00-05:00".parse().unwrap();
        let expected: Timestamp = "2026-04-15T12:00:00-04:00".parse().unwrap();
        assert_eq!(estimate(granted, SignedDuration::from_hours(2400), &new_york()), expected);
    }

    #[test]
    fn a_weekend_expiry_is_fridays_work() {
        // A Thursday's grant expires on a Saturday.
        let saturday: Timestamp = "2026-11-28T10:00:00-05:00".parse().unwrap();
        let sunday: Timestamp = "2026-11-29T23:59:00-05:00".parse().unwrap();
        assert_eq!(previous_workday(saturday, &new_york()), "2026-11-27T10:00:00-05:00".parse().unwrap());
        assert_eq!(previous_workday(sunday, &new_york()), "2026-11-27T23:59:00-05:00".parse().unwrap());
        // Sunday in London, still Saturday in New York: the profile's zone decides.
        let late: Timestamp = "2026-11-29T02:00:00Z".parse().unwrap();
        assert_eq!(previous_workday(late, &new_york()), "2026-11-28T02:00:00Z".parse().unwrap());
    }

    #[test]
    fn days_are_those_of_the_zones_calendar() {
        // A grant of 100 days, on the evening of 1 December in New York.
        let granted: Timestamp = "2026-12-01T21:30:00-05:00".parse().unwrap();
        let expires = estimate(granted, SignedDuration::from_hours(2400), &new_york());
        let said = |text: &str| {
            let now = text.parse().unwrap();
            (days_left(expires, now, &new_york()), days_in_words(expires, now, &new_york()))
        };
        let is = |days: i64, words: &str| (days, words.to_owned());
        assert_eq!(expires, "2027-03-11T21:30:00-05:00".parse().unwrap());
        assert_eq!(said("2026-12-01T21:30:01-05:00"), is(100, "100 days left"));
        assert_eq!(said("2026-12-02T00:00:00-05:00"), is(99, "99 days left"));
        assert_eq!(said("2027-03-10T23:59:59-05:00"), is(1, "1 day left"));
        assert_eq!(said("2027-03-11T00:00:00-05:00"), is(0, "ends today"));
        assert_eq!(said("2027-03-11T21:29:59.9-05:00"), is(0, "ends today"));
        assert_eq!(said("2027-03-11T21:30:00-05:00"), is(0, "lapsed today"));
        assert_eq!(said("2027-03-12T00:00:00-05:00"), is(-1, "lapsed 1 day ago"));
        assert_eq!(said("2027-03-14T12:00:00-04:00"), is(-3, "lapsed 3 days ago"));
        // The same instants elsewhere are other days.
        assert_eq!(days_left(expires, "2027-03-11T00:30:00Z".parse().unwrap(), &TimeZone::UTC), 1);
    }

    proptest! {
        #[test]
        fn what_lives_has_no_day_too_few_and_what_has_lapsed_none_too_many(
            expires in 0i64..16_725_225_600,
            ahead in -400i64 * 86_400..400 * 86_400,
            zone in prop::sample::select(vec!["America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu"]),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let at = |seconds| Timestamp::from_second(seconds).unwrap();
            let days = days_left(at(expires), at(expires - ahead), &zone);
            let on_its_side = if ahead > 0 { days >= 0 } else { days <= 0 };
            prop_assert!(on_its_side);
            // Never farther from the true distance than a day and what the clocks change.
            prop_assert!((days * 86_400 - ahead).abs() <= 86_400 + 2 * 3600);
        }

        #[test]
        fn an_estimate_is_never_late(
            granted in 0i64..16_725_225_600, // up to the year 2500
            days in 1i64..400,
            zone in prop::sample::select(vec!["America/New_York", "America/Los_Angeles", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu"]),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let granted = Timestamp::from_second(granted).unwrap();
            let expires = estimate(granted, SignedDuration::from_hours(days * 24), &zone);
            let by_hours = granted.checked_add(SignedDuration::from_hours(days * 24)).unwrap();
            prop_assert!(expires <= by_hours);
            // Never more than the clocks' change, and a zone's oddity, too early.
            prop_assert!(by_hours.duration_since(expires) <= SignedDuration::from_hours(2));
            let calendar = granted.to_zoned(zone.clone()).checked_add(days.days()).unwrap().timestamp();
            prop_assert!(expires <= calendar);
            prop_assert!(expires == by_hours || expires == calendar);
        }

        #[test]
        fn a_working_day_is_never_a_weekend_and_never_later(at in 0i64..16_725_225_600) {
            let zone = new_york();
            let expires = Timestamp::from_second(at).unwrap();
            let day = previous_workday(expires, &zone);
            prop_assert!(day <= expires);
            prop_assert!(expires.duration_since(day) <= SignedDuration::from_hours(49));
            prop_assert!(!matches!(day.to_zoned(zone).weekday(), Weekday::Saturday | Weekday::Sunday));
        }
    }
}
