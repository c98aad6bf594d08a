//! `register --from`: every row of a file is checked before anybody is asked, and each license ends for itself.

use crate::rig::{Done, Person, Reply, Rig, Visit};
use crate::snapshot;
use serde_json::json;

const STORES: &str = "\
ubi,license,username,name,tags
604001,101-X0001-D1,ann@example.com,\"Broadway, 2nd\",downstate
604001,101-X0002-D1,ann@example.com,,
604002,101-X0003-D1,cat@example.com,Mill Rd,upstate;sold
";

/// Registers what a file holds.
fn register(rig: &Rig, rows: &str, more: &str) -> Done {
    let path = rig.write("stores.csv", rows);
    let browser = rig.browser_program();
    rig.run(&format!("register --from '{path}' --browser '{browser}' {more}"))
}

#[test]
fn each_row_is_registered() {
    let rig = Rig::new();
    snapshot!(register(&rig, STORES, ""));
    let living = ["101-X0001-D1", "101-X0002-D1", "101-X0003-D1"];
    assert_eq!(rig.provider.living().into_iter().map(|(license, _)| license).collect::<Vec<_>>(), living);
    // Once more does the rest: nothing.
    snapshot!(register(&rig, STORES, ""));
    assert_eq!(rig.provider.living().len(), 3);
}

#[test]
fn each_row_is_registered_as_json() {
    let rig = Rig::new();
    snapshot!(register(&rig, STORES, "--json").fits("results"));
}

#[test]
fn each_row_is_registered_as_lines_of_json() {
    let rig = Rig::new();
    snapshot!(register(&rig, STORES, "--format jsonl").fits("event"));
}

#[test]
fn what_has_a_grant_already_is_left_out_and_said() {
    let rig = Rig::new();
    rig.grant("101-X0002-D1");
    snapshot!(register(&rig, STORES, ""));
}

#[test]
fn what_was_deactivated_or_never_granted_is_asked_again() {
    let rig = Rig::new();
    rig.grant("101-X0001-D1");
    rig.run("deactivate 101-X0001-D1 --yes").exits(0);
    rig.visits([Visit::Denies]);
    rig.run(&crate::rig::register("101-X0002-D1")).exits(6);
    snapshot!(register(&rig, STORES, "--dry-run"));
}

#[test]
fn a_dry_run_says_who_would_be_asked_and_asks_nobody() {
    let rig = Rig::new();
    rig.grant("101-X0002-D1");
    snapshot!(register(&rig, STORES, "--dry-run"));
    snapshot!(register(&rig, STORES, "--dry-run --json").fits("plan"));
    snapshot!(register(&rig, STORES, "--dry-run --format jsonl").fits("event"));
    assert_eq!(rig.opened().len(), 1);
}

#[test]
fn a_spreadsheets_file_is_read_with_its_semicolons_and_unknown_columns() {
    let rig = Rig::new();
    let rows = "\u{feff}License;UBI;Username;Name;Tags;Notes\r\n\
                101-X0001-D1;604001;ann@example.com;\"Broadway; 2nd\";downstate;call first\r\n";
    snapshot!(register(&rig, rows, "--dry-run"));
}

#[test]
fn every_bad_row_is_named_with_line_and_column_and_nobody_is_asked() {
    let rig = Rig::new();
    let rows = "ubi,license,username\n604001,L-1,ann@example.com\n604001,,ann@example.com\n604001,L-1,ann@example.com\n604001,L-2,\u{7}\n";
    snapshot!(register(&rig, rows, ""));
    snapshot!(register(&rig, rows, "--json").fits("error"));
    snapshot!(register(&rig, rows, "--format jsonl").fits("event"));
    assert!(rig.opened().is_empty());
    assert!(rig.ledger().standings(crate::rig::PROFILE).unwrap().is_empty());
}

#[test]
fn a_header_is_needed() {
    let rig = Rig::new();
    snapshot!(register(&rig, "", ""));
    snapshot!(register(&rig, "604001,L-1,ann@example.com\n", ""));
    snapshot!(register(&rig, "ubi,license\n604001,L-1\n", ""));
    assert!(rig.opened().is_empty());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let rig = Rig::new();
    let path = rig.file("nowhere.csv");
    let refused = rig.run(&format!("register --from '{}'", path.display())).exits(2);
    // The reason is the system's own word.
    assert!(refused.err.starts_with("error: [HOME]/nowhere.csv can't be read: "), "{}", refused.err);
    assert!(
        refused.err.ends_with("\n  Name a CSV file with a header row, or `-` for standard input.\n"),
        "{}",
        refused.err
    );
}

#[test]
fn rows_come_from_standard_input_too() {
    let rig = Rig::new();
    snapshot!(rig.with(Person::piping(STORES)).run("register --from - --dry-run"));
}

#[test]
fn likely_slips_are_noted_and_not_refused() {
    let rig = Rig::new();
    rig.grant("101-X0009");
    let rows = "ubi,license,username\n604001,X-1,a@example.com\n604001,x-1,a@example.com\n604001,101-X0009-D1,a@example.com\n";
    snapshot!(register(&rig, rows, "--dry-run"));
}

#[test]
fn every_odd_cell_is_named_before_anybody_is_asked() {
    let rig = Rig::new();
    rig.grant("101-X0009-D1");
    let noted = "UBI,License #,Username,Contact\n604 001 234,101–X0001–D1,ann@example.com,555-0100\n\
                 604001,00123-D1,ann@example.com\n604001,123-D1,ann@intranet,,,\n604001,101X0009D1,ann@example.com,\n\
                 0604001,L-5,ann@example.com,\n";
    snapshot!("odd_cells_that_may_be", register(&rig, noted, "--dry-run"));
    let path = rig.write("import.csv", noted);
    snapshot!("odd_cells_of_an_import", rig.run(&format!("import '{path}' --dry-run")));
    let refused = "sep=;\nUBI;License;Username;Contact\n6.04E+08;#REF!;liu@queens,example;\n604001;L-2;Ray <ray@example.com>;a@x.example, b@x.example\n";
    snapshot!("odd_cells_that_cannot_be", register(&rig, refused, ""));
    let path = rig.write("import.csv", refused);
    let import = rig.run(&format!("import '{path}' --yes")).exits(2);
    assert_eq!(import.err.matches("\n  line ").count(), 5, "{}", import.err);
    assert_eq!(rig.opened().len(), 1);
}

#[test]
fn unattended_without_a_browser_all_that_need_a_person_are_named() {
    let rig = Rig::new();
    let path = rig.write("stores.csv", STORES);
    snapshot!(rig.run(&format!("register --from '{path}'")));
    snapshot!(rig.run(&format!("register --from '{path}' --json")).fits("results"));
    assert_eq!(rig.provider.asked("/oauth/token"), 0);
}

#[test]
fn a_browser_that_is_not_there_is_said_before_anybody_is_asked() {
    let rig = Rig::new();
    let path = rig.write("stores.csv", STORES);
    snapshot!(rig.run(&format!("register --from '{path}' --browser 'no-such-browser --new-window'")));
    assert!(rig.opened().is_empty());
}

#[test]
fn one_that_fails_stops_no_other() {
    let rig = Rig::new();
    rig.visits([Visit::Grants, Visit::Denies]);
    snapshot!(register(&rig, STORES, ""));
    assert_eq!(rig.provider.living().len(), 2);
}

#[test]
fn when_all_fail_alike_the_exit_code_is_theirs() {
    let rig = Rig::new();
    rig.visits([Visit::Denies, Visit::Denies, Visit::Denies]);
    snapshot!(register(&rig, STORES, "--json").fits("results"));
}

#[test]
fn held_ones_and_failed_ones_have_a_command_each() {
    let rig = Rig::new();
    rig.visits([Visit::GrantsAs("boss@example.com".into()), Visit::Denies]);
    snapshot!(register(&rig, STORES, "--format jsonl").fits("event"));
}

#[test]
fn a_wrong_grant_among_several_is_refused_alone() {
    let rig = Rig::new();
    rig.provider.replies("/oauth/token", [Reply::Changed(json!({"location": "101-X0009-D1"}))]);
    snapshot!(register(&rig, STORES, ""));
    assert_eq!(rig.provider.living().len(), 2);
}

#[test]
fn ctrl_c_leaves_the_rest_for_resume() {
    let rig = Rig::new();
    rig.visits([Visit::Grants, Visit::Interrupts]);
    snapshot!(register(&rig, STORES, ""));
    let browser = rig.browser_program();
    snapshot!(rig.run("renew --resume --dry-run"));
    snapshot!(rig.run(&format!("renew --resume --browser '{browser}'")));
    assert_eq!(rig.provider.living().len(), 3);
}

#[test]
fn a_locked_keyring_is_told_before_anybody_is_asked() {
    let rig = Rig::with_keyring();
    rig.keyring.locks(true);
    snapshot!(register(&rig, STORES, ""));
    snapshot!(register(&rig, STORES, "--json").fits("error"));
    assert!(rig.opened().is_empty());
}
