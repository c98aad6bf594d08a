//! Durations as people type and read them: `14d`, `10m`, "9 min 58 s".

use crate::error::{Error, Result};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const DAY: i64 = 24 * 60 * 60;

/// Reads `90s`, `10m`, `12h`, `14d`, `2w`; a day is 24 hours.
pub fn parse(name: &'static str, text: &str) -> Result<SignedDuration> {
    let wrong = || Error::BadValue {
        name,
        problem: format!("\"{}\" isn't a time such as 90s, 10m, 12h or 14d", crate::error::clean(text)),
    };
    let text = text.trim();
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return Err(wrong()),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    // A hundred years is enough for anything here, and keeps every sum in range.
    match number.checked_mul(seconds) {
        Some(total) if (0..=36_525 * DAY).contains(&total) => Ok(SignedDuration::from_secs(total)),
        _ => Err(wrong()),
    }
}

/// Reads an instant of the past: so long ago (`30d`), an RFC 3339 instant, or a day, which begins at midnight UTC.
pub fn ago(name: &'static str, text: &str, now: Timestamp) -> Result<Timestamp> {
    let text = text.trim();
    let at = parse(name, text)
        .ok()
        .and_then(|back| now.checked_sub(back).ok())
        .or_else(|| super::instant::parse(text))
        .or_else(|| Some(text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()));
    at.ok_or_else(|| Error::BadValue {
        name,
        problem: format!(
            "\"{}\" isn't a time such as 30d, a day such as 2026-01-31, or an instant such as 2026-01-31T12:00:00Z",
            crate::error::clean(text)
        ),
    })
}

/// Says it in words, the two largest units: "10 min", "2 h 5 min", "14 days".
pub fn in_words(duration: SignedDuration) -> String {
    let total = duration.as_secs().max(0);
    let (days, hours, minutes, seconds) = (total / DAY, total / 3600 % 24, total / 60 % 60, total % 60);
    let parts =
        [(days, if days == 1 { "day" } else { "days" }), (hours, "h"), (minutes, "min"), (seconds, "s")];
    let shown: Vec<_> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if shown.is_empty() { "0 s".into() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        assert_eq!(parse("time", "14d").unwrap(), SignedDuration::from_hours(14 * 24));
        assert_eq!(parse("time", "0d").unwrap(), SignedDuration::ZERO);
        for bad in ["", "14", "d", "-1d", "1.5d", "14 d", "99999999999999999d", "1y", "５d", "１４日"] {
            assert!(parse("time", bad).is_err(), "{bad}");
        }
        assert_eq!(in_words(SignedDuration::from_secs(598)), "9 min 58 s");
        assert_eq!(in_words(SignedDuration::from_mins(10)), "10 min");
        assert_eq!(in_words(SignedDuration::from_hours(49)), "2 days 1 h");
        assert_eq!(in_words(SignedDuration::ZERO), "0 s");
    }

    #[test]
    fn an_instant_of_the_past_is_read_in_three_forms() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        for (text, at) in [
            ("30d", "2026-10-24T12:00:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T12:00:00-05:00", "2026-01-31T17:00:00Z"),
        ] {
            assert_eq!(ago("time", text, now).unwrap(), at.parse().unwrap(), "{text}");
        }
        for bad in ["", "yesterday", "30", "2026-02-30", "\u{1b}[2J"] {
            assert!(ago("time", bad, now).is_err(), "{bad}");
        }
    }
}
