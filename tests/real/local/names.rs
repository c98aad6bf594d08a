//! S33 and S34 for what users and imported files say (what servers say is tried elsewhere): nothing in a name, a license or
//! an address of mail steers a terminal or runs in a spreadsheet, wherever it's shown.

use super::{all, granted};
use crate::support::Run;
use biotrack_auth::error::is_unprintable;
use std::fs;

/// Terminal escapes, the clipboard's (OSC 52), a title's, line ends, C1, directions, and what hides.
const HOSTILE: [&str; 14] = [
    "\u{1b}[31m",
    "\u{1b}]52;c;aGk=\u{7}",
    "\u{1b}]0;title\u{7}",
    "\u{1b}c",
    "a\rb",
    "a\nb",
    "a\u{8}\u{8}",
    "\u{9b}2J",
    "\u{9d}52;c;aGk=\u{9c}",
    "a\u{202e}b",
    "a\u{2066}b",
    "a\u{200b}b",
    "a\u{2028}b",
    "a\u{feff}b",
];

#[track_caller]
fn shows_nothing_of_it(run: &Run, what: &str) {
    for text in [&run.out, &run.err] {
        let steering: Vec<_> = text.chars().filter(|c| is_unprintable(*c) && *c != '\n').collect();
        assert!(steering.is_empty(), "{what}: {steering:?} in {text:?}");
    }
}

#[test]
fn what_steers_a_terminal_is_refused_and_shown_harmless() {
    let rig = granted(&["L-1"]);
    let file = rig.file("rows.csv");
    let columns = ["ubi", "license", "ocm_license", "name", "username", "contact", "tags"];
    let good = ["604001", "L-9", "OCM-9", "Nine", "nine@b.example", "nine@c.example", "nine"];
    let mut counted = 0;
    // CI takes some of them; BIOTRACK_TEST_ALL=1 takes all.
    let tried: Vec<_> = HOSTILE.into_iter().step_by(if all() { 1 } else { 3 }).collect();
    for &hostile in &tried {
        for at in 0..columns.len() {
            let cells: Vec<_> = (0..good.len())
                .map(|it| if it == at { format!("\"{}{hostile}\"", good[it]) } else { good[it].to_owned() })
                .collect();
            let text = format!("profile,{}\nlocal-sandbox,{}\n", columns.join(","), cells.join(","));
            fs::write(&file, text).unwrap();
            let run = rig.ends(&["import", file.to_str().unwrap(), "--yes"]);
            shows_nothing_of_it(&run, &format!("{} {hostile:?}", columns[at]));
            assert_eq!(run.code, 2, "{} {hostile:?}: {run:?}", columns[at]);
            counted += 1;
        }
        for arguments in [
            &["status", hostile][..],
            &["renew", hostile, "--no-wait"],
            &["token", hostile],
            &["history", hostile],
            &["status", "--profile", hostile],
            &["status", "--config", hostile],
            &["import", hostile],
            &["status", "--tag", hostile],
            &["status", "--at", hostile],
            &["register", "--ubi", "604001", "--license", hostile, "--username", "a@b.example", "--no-wait"],
            &[hostile],
            &["--color", hostile],
        ] {
            let run = rig.ends(arguments);
            shows_nothing_of_it(&run, &format!("{arguments:?}"));
            counted += 1;
        }
    }
    assert_eq!(counted, tried.len() * (7 + 12));
    assert_eq!(rig.only()["license"], "L-1");
}

#[test]
fn no_cell_of_any_sheet_is_a_formula() {
    let rig = granted(&["L-1"]);
    let file = rig.file("rows.csv");
    let formulas = ["=1+1", "+1", "-1", "@SUM(1)", "=HYPERLINK(\"http://a.example\")", "=cmd|'/c calc'!A1"];
    for (nth, formula) in formulas.iter().enumerate() {
        let quoted = formula.replace('"', "\"\"");
        let row = format!("local-sandbox,604001,{nth}-X,\"{quoted}\",a@b.example,\"{quoted}\"");
        fs::write(&file, format!("profile,ubi,license,name,username,tags\n{row}\n")).unwrap();
        rig.ends(&["import", file.to_str().unwrap(), "--yes"]);
    }
    assert!(rig.status()["authorizations"].as_array().unwrap().len() > 1);
    let mut cells = 0;
    for arguments in [
        &["status", "--format", "csv"][..],
        &["export"],
        &["history", "--format", "csv"],
        &["renew", "--due", "--dry-run", "--format", "csv"],
    ] {
        let run = rig.ends(arguments);
        for record in csv::Reader::from_reader(run.out.as_bytes()).records().map(Result::unwrap) {
            for cell in &record {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{arguments:?}: {cell}");
                cells += 1;
            }
        }
    }
    assert!(cells > 100, "{cells}");
}
