//! S43 S51: a license that is odd, and might be one all the same, stays one value in every format.

use crate::odd::ODD;
use crate::rig::seed::{asked, store};
use crate::rig::{Person, Rig};
use biotrack_auth::error::is_unprintable;
use serde_json::Value;

fn rig() -> Rig {
    let rig = Rig::new();
    rig.seed(ODD.map(|license| store(license, "2026-06-10T12:00:00Z")));
    rig
}

#[test]
fn each_is_found_by_its_name_and_named_in_the_command_to_paste() {
    let rig = rig();
    for license in ODD {
        let selector = format!("604001/{license}");
        let card = rig.run_words(&["status", &selector]).exits(0);
        assert!(!card.out.chars().any(|c| is_unprintable(c) && c != '\n'), "{:?}", card.out);
        let lapsed = ["status", &selector, "--json", "--at", "2099-01-01T00:00:00Z"];
        let row = rig.run_words(&lapsed).exits(0).json()["authorizations"][0].clone();
        assert_eq!(row["license"], license);
        let words = shlex::split(row["next_command"].as_str().unwrap()).unwrap();
        assert!(words.contains(&selector), "{words:?}");
    }
}

#[test]
fn each_is_one_cell_one_line_and_one_series() {
    let rig = rig();
    let csv = rig.run("export").exits(0).out;
    for row in csv::Reader::from_reader(csv.as_bytes()).records() {
        let row = row.unwrap();
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{row:?}");
    }
    let unasked = Rig::new();
    unasked.seed(ODD.map(asked));
    let csv = unasked.run("export").exits(0).out;
    let again = unasked.with(Person::piping(csv)).run("import - --dry-run --json").exits(0).json();
    assert_eq!(
        (&again["unchanged"], &again["added"], &again["changed"]),
        (&ODD.len().into(), &0.into(), &0.into())
    );
    let lines = rig.run("status --format jsonl").exits(0).out;
    let licenses: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["license"].clone()).collect();
    assert!(licenses.len() == ODD.len() && ODD.iter().all(|license| licenses.contains(&(*license).into())));
    let metrics = rig.run("status --format prometheus").exits(0).out;
    let series = |line: &&str| line.starts_with("biotrack_auth_expires_timestamp_seconds{");
    assert_eq!(metrics.lines().filter(series).count(), ODD.len());
    // After the bar a monitor reads figures.
    let check = rig.run("status --check -w 200d").exits(1).out;
    let first = check.lines().next().unwrap();
    assert_eq!(first.matches('|').count(), 1, "{first}");
}
