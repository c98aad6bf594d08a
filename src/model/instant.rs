//! Instants as others write them (RFC 3339).

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Reads one. A year with a sign is before our era or after the year 9999, which nothing here is; at the first second of
/// all, jiff 0.2 panics in a build with debug assertions.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.starts_with(['-', '+']) {
        return None;
    }
    text.parse().ok()
}

/// The same out of a document, where it may be missing.
pub fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let wrong = || D::Error::custom("it isn't an instant such as 2026-01-31T12:00:00Z");
    Option::<String>::deserialize(from)?.map(|text| parse(&text).ok_or_else(wrong)).transpose()
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
}
