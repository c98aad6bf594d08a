//! Time zones by their names.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::path::Path;

/// Where a machine's own zones are, which its updates keep current.
const ZONES: &str = "/usr/share/zoneinfo";

/// A zone by its name in the IANA database: as this machine has it, else as it came with the program. One file is read;
/// jiff's own way would list every zone that there is, at each start.
pub fn zone(name: &str) -> Option<TimeZone> {
    let Ok(bundled) = TimeZoneDatabase::bundled().get(name) else {
        // A machine may know one that was made since.
        return TimeZone::get(name).ok();
    };
    let newest = bundled.iana_name().and_then(|name| {
        let rules = std::fs::read(Path::new(ZONES).join(name)).ok()?;
        TimeZone::tzif(name, &rules).ok()
    });
    Some(newest.unwrap_or(bundled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_zone_is_itself_whatever_its_case_and_nothing_else_is_one() {
        let noon: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
        for name in ["America/New_York", "america/new_york"] {
            let zone = zone(name).unwrap();
            assert_eq!(zone.iana_name(), Some("America/New_York"));
            assert_eq!(zone.to_offset(noon), jiff::tz::offset(-4));
        }
        assert_eq!(zone("UTC").unwrap().to_offset(noon), jiff::tz::Offset::UTC);
        for none in ["", "America", "America/Gotham", "../../../etc/localtime", "/etc/localtime"] {
            assert!(zone(none).is_none(), "{none}");
        }
    }
}
