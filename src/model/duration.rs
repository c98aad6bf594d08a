//! Durations as people type and read them: `14d`, `10m`, "9 min 58 s".

use crate::error::{Error, Result};
use jiff::SignedDuration;

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
}
