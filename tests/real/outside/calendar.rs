//! The calendar, read by Python's icalendar.

use super::python;
use crate::support::Rig;
use crate::support::seed::{named, store};
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::ids::Generation;
use serde_json::Value;

const READ: &str = r#"
import sys, json, icalendar
calendar = icalendar.Calendar.from_ical(sys.stdin.buffer.read())
assert not calendar.errors, calendar.errors
print(json.dumps([{
    "uid": str(event["UID"]), "start": event["DTSTART"].dt.isoformat(),
    "sequence": int(event["SEQUENCE"]), "summary": str(event["SUMMARY"]), "description": str(event["DESCRIPTION"]),
    "errors": [str(e) for e in event.errors],
    "alarms": sorted(int(alarm["TRIGGER"].dt.total_seconds()) for alarm in event.walk("VALARM")),
    "actions": sorted({str(alarm["ACTION"]) for alarm in event.walk("VALARM")}),
} for event in calendar.walk("VEVENT")]))
"#;

fn events(rig: &Rig) -> Value {
    let text = rig.run(&["status", "--format", "ics"]).exits(0).says_nothing().out;
    // RFC 5545 3.1: lines end in CRLF and are folded at 75 octets.
    assert!(text.split_terminator("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
    python(READ, &text)
}

#[test]
fn an_event_an_expiry_with_alarms_and_weekends_on_friday() {
    let rig = Rig::new();
    let name =
        "Ann's; Buds, \\ \"Best\" 店 🌿 with a name that is long enough to be folded twice over, surely";
    let gone = Authorization {
        deactivated_at: Some("2020-01-01T00:00:00Z".parse().unwrap()),
        ..store("L-3", "2036-03-12T12:00:00Z")
    };
    rig.seed(&[named("L-1", name, "2036-03-12T12:00:00Z"), store("L-2", "2036-03-16T16:00:00Z"), gone]);
    let events = events(&rig);
    assert_eq!(events.as_array().unwrap().len(), 2, "{events}");
    let (first, sunday) = (&events[0], &events[1]);
    assert_eq!(first["errors"], serde_json::json!([]));
    assert_eq!(first["start"], "2036-03-12T12:00:00+00:00");
    assert_eq!(first["summary"], format!("BioTrack grant of {name} expires"));
    let days = [30, 14, 7, 3, 1].map(|day: i64| -day * 86_400);
    assert_eq!(first["alarms"], serde_json::json!(days));
    assert_eq!(first["actions"], serde_json::json!(["DISPLAY"]));
    assert!(first["description"].as_str().unwrap().ends_with("\nbiotrack-auth renew 604001/L-1"), "{first}");
    // A Sunday; the Friday before, the same hour in New York.
    assert_eq!(sunday["start"], "2036-03-14T16:00:00+00:00");
    assert!(sunday["description"].as_str().unwrap().contains("renew by Friday"), "{sunday}");
    assert!(sunday["description"].as_str().unwrap().contains("2036-03-16 12:00 EDT"), "{sunday}");
}

#[test]
fn a_renewal_moves_the_event() {
    let rig = Rig::new();
    let it = store("L-1", "2036-03-12T12:00:00Z");
    rig.seed(std::slice::from_ref(&it));
    let before = events(&rig);
    rig.run(&["renew", "L-1", "--browser", &crate::support::admin()]).exits(0);
    let after = events(&rig);
    assert_eq!(after.as_array().unwrap().len(), 1);
    assert_eq!(before[0]["uid"], after[0]["uid"]);
    assert_ne!(before[0]["start"], after[0]["start"]);
    assert!(after[0]["sequence"].as_u64() > before[0]["sequence"].as_u64(), "{before} {after}");
    let other = Authorization { generation: Generation(0), ..store("L-2", "2036-03-12T12:00:00Z") };
    rig.seed(&[other]);
    let uids = events(&rig);
    assert_ne!(uids[0]["uid"], uids[1]["uid"]);
}
