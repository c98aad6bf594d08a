//! The CSV, read by Python's csv.

use super::python;
use crate::support::Rig;
use crate::support::seed::{named, store};
use biotrack_auth::model::authorization::Authorization;

const READ: &str = r#"
import sys, csv, io, json
text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="").read()
print(json.dumps(list(csv.DictReader(io.StringIO(text, newline=""), strict=True))))
"#;

#[test]
fn every_cell_comes_back_and_none_is_a_formula() {
    let rig = Rig::new();
    let awkward = Authorization {
        tags: vec!["a,b".parse().unwrap(), "c\"d".parse().unwrap()],
        ..named("-L-1", "=HYPERLINK(\"http://x\"), 店", "2020-03-11T12:00:00Z")
    };
    rig.seed(&[awkward, store("L-2", "2036-03-12T12:00:00Z")]);
    let text = rig.run(&["status", "--format", "csv"]).exits(0).says_nothing().out;
    let rows = python(READ, &text);
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
    let (first, second) = (&rows[0], &rows[1]);
    assert_eq!(first["license"], "'-L-1");
    assert_eq!(first["name"], "'=HYPERLINK(\"http://x\"), 店");
    assert_eq!(first["tags"], "a,b;c\"d");
    assert_eq!(first["state"], "expired");
    assert!(first["days_left"].as_str().unwrap().starts_with("'-"), "{first}");
    assert_eq!(second["expires_at"], "2036-03-12T12:00:00Z");
    for row in rows.as_array().unwrap() {
        let cells = row.as_object().unwrap();
        assert_eq!(cells.len(), 20);
        let formula = |cell: &str| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        assert!(cells.values().all(|cell| !formula(cell.as_str().unwrap())), "{row}");
    }
}
