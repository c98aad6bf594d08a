//! The defenses that `tests/mutations/run` takes out: the list, the markers in the source and the table of what was
//! caught name the same ones, and each can be taken out of what its marker marks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All that are listed, by name.
fn listed() -> Table {
    fs::read_to_string(root().join("tests/mutations/defenses.toml")).unwrap().parse().unwrap()
}

fn files(place: &Path, found: &mut Vec<PathBuf>) {
    if place.is_dir() {
        fs::read_dir(place).unwrap().for_each(|entry| files(&entry.unwrap().path(), found));
    } else {
        found.push(place.to_owned());
    }
}

/// What the markers say: a name, and the lines of the threats' list before it.
fn marked() -> BTreeMap<String, String> {
    let mut places = Vec::new();
    for place in ["src", "contrib", "release", "Cargo.toml", "deny.toml"] {
        files(&root().join(place), &mut places);
    }
    let mut found = BTreeMap::new();
    for file in places {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for line in text.lines().map(str::trim_start) {
            let comment = ["//", "--", "#"].iter().find_map(|it| line.strip_prefix(it));
            let Some(marker) = comment.and_then(|it| it.trim_start().strip_prefix("defense:")) else {
                continue;
            };
            let (lines, name) = marker.trim_start().rsplit_once(' ').unwrap_or_default();
            let is_line = |it: &str| it.strip_prefix('S').is_some_and(|it| it.parse::<u8>().is_ok());
            assert!(lines.split(' ').all(is_line), "{}: {line}", file.display());
            let twice = found.insert(name.to_owned(), lines.to_owned());
            assert_eq!(twice, None, "{name} is marked twice, once in {}", file.display());
        }
    }
    found
}

#[test]
fn each_is_marked_and_each_marker_is_listed() {
    let listed: BTreeSet<String> = listed().keys().cloned().collect();
    assert_eq!(marked().into_keys().collect::<BTreeSet<_>>(), listed);
}

#[test]
fn each_was_caught_and_is_in_the_table() {
    let table = include_str!("../../docs/internals/defenses.md");
    let (listed, marked) = (listed(), marked());
    for (name, one) in &listed {
        let tests = |of: &Value| of.get("tests").and_then(Value::as_array).cloned();
        // One that only stands behind another is caught with that one.
        let tests = tests(one).or_else(|| tests(&listed[one["behind"].as_str().unwrap()])).unwrap();
        let tests = tests.iter().map(|it| format!("`{}`", it.as_str().unwrap().split_once(' ').unwrap().1));
        let tests = tests.collect::<Vec<_>>().join(", ");
        let (lines, says) = (&marked[name], one["says"].as_str().unwrap());
        let row = format!("| {lines} | `{name}` | {says} | {tests} | caught |");
        assert!(table.contains(&row), "docs/internals/defenses.md hasn't: {row}");
    }
    assert_eq!(table.lines().filter(|line| line.starts_with("| S")).count(), listed.len());
}

/// Its last word stands in a file of the suite: a test that was renamed or moved is noticed here.
#[test]
fn each_test_is_in_its_suite() {
    for (name, one) in listed() {
        for test in one.get("tests").and_then(Value::as_array).into_iter().flatten() {
            let (suite, test) = test.as_str().unwrap().split_once(' ').unwrap();
            let folder = match suite {
                "lib" => "src",
                "commands" => "tests/commands",
                _ => "tests/real",
            };
            let mut sources = Vec::new();
            files(&root().join(folder), &mut sources);
            let word = test.trim_end_matches(':').rsplit(':').next().unwrap();
            let there = |file: &PathBuf| {
                file.file_stem().is_some_and(|it| it == word)
                    || fs::read_to_string(file).is_ok_and(|it| it.contains(word))
            };
            assert!(sources.iter().any(there), "{name}: {folder} has no {test}");
        }
    }
}

/// Each line of the threats' list is told, and the tests that it names are there.
#[test]
fn each_threat_names_its_tests() {
    let table = include_str!("../../docs/threats.md");
    let mut sources = Vec::new();
    ["src", "tests"].iter().for_each(|place| files(&root().join(place), &mut sources));
    let texts: Vec<_> = sources.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let mut told = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| S")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        let [number, _, _, tests] = cells[..] else { panic!("{row}") };
        told.insert(number.trim().trim_start_matches('S').parse::<u8>().unwrap());
        for test in tests.split('`').skip(1).step_by(2) {
            let (rest, word) = test.trim_end_matches(':').rsplit_once("::").unwrap_or(("", test));
            let module = rest.rsplit("::").next().unwrap_or_default();
            let is_place = |file: &PathBuf| {
                file.file_stem().is_some_and(|it| it == word)
                    || file.components().any(|it| it.as_os_str() == word)
            };
            let is_there = texts.iter().any(|text| text.contains(word)) || sources.iter().any(is_place);
            assert!(is_there, "{test}: there is no {word} in {module}");
        }
    }
    // S14 isn't used, and no mails are sent.
    assert_eq!(told, (1..=66).filter(|number| ![14, 64].contains(number)).collect());
}

/// Where there is a Python that can run `tests/mutations`.
#[test]
fn each_can_be_taken_out_of_what_is_marked() {
    let python = |arguments: &[&str]| {
        Command::new("python3").current_dir(root().join("tests/mutations")).args(arguments).output()
    };
    let recent = ["-c", "import sys; sys.exit(sys.version_info < (3, 11))"];
    if python(&recent).is_ok_and(|it| it.status.success()) {
        for arguments in [&["-B", "-m", "doctest", "defenses.py"][..], &["run", "--check"]] {
            let run = python(arguments).unwrap();
            let said =
                String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
            assert!(run.status.success(), "{said}");
        }
    }
}
