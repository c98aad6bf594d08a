//! The list of defences that `tests/mutations/run` takes out: each stands where the list says, and was missed.

use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// All that is listed.
fn listed() -> Vec<Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mutations");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|it| it == "toml"))
        .flat_map(|file| {
            let list: Table = fs::read_to_string(file).unwrap().parse().unwrap();
            list["mutation"].as_array().unwrap().clone()
        })
        .map(|one| one.as_table().unwrap().clone())
        .collect()
}

#[test]
fn each_stands_in_the_source_once() {
    for one in listed() {
        let also = one.get("also").and_then(Value::as_array).into_iter().flatten();
        for change in also.map(|it| it.as_table().unwrap()).chain([&one]) {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(change["file"].as_str().unwrap());
            let text = fs::read_to_string(&file).unwrap();
            let found = text.matches(change["before"].as_str().unwrap()).count();
            assert_eq!(found, 1, "{} of {}: {}", one["defence"], one["line"], file.display());
        }
    }
}

#[test]
fn each_was_missed_and_is_in_the_table() {
    let table = include_str!("../../docs/defences.md");
    let all = listed();
    for one in &all {
        let text = |name: &str| one[name].as_str().unwrap();
        let row = format!("| {} | {} | `{}` | missed |", text("line"), text("defence"), text("test"));
        assert!(table.contains(&row), "docs/defences.md hasn't: {row}");
    }
    assert_eq!(table.lines().filter(|line| line.starts_with("| S")).count(), all.len());
}
