//! Ten thousand licenses in every format, each read by a tool that isn't ours.

use super::{fed, python};
use crate::support::{Rig, outside};

#[test]
fn ten_thousand_licenses_are_valid_in_every_format() {
    let rig = Rig::new();
    rig.run(&["sandbox", "seed", "10000"]).exits(0);
    let told = |format: &str| rig.run(&["status", "--format", format]).exits(0).says_nothing().out;

    let run = fed(outside("promtool").args(["check", "metrics"]), &told("prometheus"));
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, "", ""));

    let rows = "import sys, csv, json; print(json.dumps(len(list(csv.DictReader(sys.stdin, strict=True)))))";
    assert_eq!(python(rows, &told("csv")), 10_000);

    let lines = "import sys, json; print(json.dumps(len({(it['ubi'], it['license']) for it in map(json.loads, sys.stdin)})))";
    assert_eq!(python(lines, &told("jsonl")), 10_000);

    let events = "
import sys, json, icalendar
events = icalendar.Calendar.from_ical(sys.stdin.buffer.read()).walk('VEVENT')
print(json.dumps([len(events), len({str(event['UID']) for event in events})]))";
    let living = rig.status()["authorizations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["expires_at"].is_string() && it["state"] != "deactivated")
        .count();
    assert_eq!(python(events, &told("ics")), serde_json::json!([living, living]));

    let schema = serde_json::from_str(include_str!("../../../schemas/status.json")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    assert!(validator.is_valid(&rig.status()));

    assert_eq!(told("table").lines().count(), 10_003);
}
