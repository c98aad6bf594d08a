//! `register --from` and `renew --from`: every row is checked before anyone is asked.

use super::fleet;
use crate::support::Rig;
use crate::support::crowd::{Crowd, Will};
use std::path::PathBuf;

fn file(rig: &Rig, text: &str) -> PathBuf {
    let path = rig.elsewhere("stores.csv");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn each_row_is_registered_and_what_has_a_grant_is_left_out() {
    let rig = fleet();
    let crowd = Crowd::of(1, |_| Will::Grant);
    let path = file(
        &rig,
        "License;UBI;Username;Name;Tags;Notes\r\n\
         N-1;604009;cat@example.com;\"Broadway, 2nd\";downstate;call first\r\n\
         L-4;604001;bob@example.com;;;\r\n",
    );
    let path = path.to_str().unwrap();
    let run = rig.run(&["register", "--from", path, "--browser", &crowd.browser()]).exits(0);
    let run = run.answers("2 licenses: 1 granted, 1 skipped.").says("Columns not used: Notes.");
    run.says("604001/L-4: left out, registered already (active), so it has renew");
    let card = rig.run(&["status", "Broadway, 2nd", "--json"]).exits(0).json();
    let record = &card["authorizations"][0];
    assert_eq!((&record["state"], &record["tags"][0]), (&"active".into(), &"downstate".into()));
    // Once more does the rest: nothing.
    rig.run(&["register", "--from", path, "--browser", &crowd.browser()])
        .exits(0)
        .says("Nothing to register.");
    assert_eq!(rig.counted("token_issued"), 1);
}

#[test]
fn every_bad_row_is_named_with_line_and_column_and_nobody_is_asked() {
    let rig = Rig::new();
    let path = file(
        &rig,
        "ubi,license,username\n604001,L-1,ann@example.com\n604001,,ann@example.com\n604001,L-1,ann@example.com\n604001,L-2,\u{7}\n",
    );
    let run = rig.run(&["register", "--from", path.to_str().unwrap(), "--json"]).exits(2);
    assert_eq!(run.json()["error"]["code"], "usage");
    let run = run.says("3 rows can't be used").says("line 3, column license: is empty").says("line 4");
    run.says("line 5, column username").says("Nothing was changed and nobody was asked.");
    assert_eq!(rig.status()["summary"]["total"], 0);
}

#[test]
fn a_header_is_needed() {
    let rig = Rig::new();
    for text in ["", "604001,L-1,ann@example.com\n", "ubi,license\n604001,L-1\n"] {
        let path = file(&rig, text);
        rig.run(&["register", "--from", path.to_str().unwrap()]).exits(2);
    }
    rig.run(&["register", "--from", "/nowhere/stores.csv"]).exits(2).says("/nowhere/stores.csv");
}

#[test]
fn a_file_of_renewals_must_name_known_licences() {
    let rig = fleet();
    let crowd = Crowd::of(1, |_| Will::Grant);
    let path = file(&rig, "license,username\nL-1,\nL-7,\n");
    let run = rig.run(&["renew", "--from", path.to_str().unwrap(), "--browser", &crowd.browser()]).exits(2);
    run.says("line 3, column license: no authorization matches \"L-7\"");
    let path = file(&rig, "license,username\nL-1,\nL-4,cat@example.com\n");
    let run = rig.run(&["renew", "--from", path.to_str().unwrap(), "--browser", &crowd.browser()]).exits(0);
    run.answers("2 licenses: 2 granted.");
    let card = rig.run(&["status", "L-4", "--json"]).exits(0).json();
    assert_eq!(card["authorizations"][0]["username"], "cat@example.com");
}

#[test]
fn what_was_exported_is_read_back_as_it_was() {
    let rig = fleet();
    let sheet = rig.run(&["status", "--due", "--format", "csv"]).exits(0);
    let path = file(&rig, &sheet.out);
    let run = rig.run(&["renew", "--from", path.to_str().unwrap(), "--dry-run"]).exits(0);
    run.answers("3 licenses would be asked").says_nothing();
}

#[test]
fn a_likely_slip_is_noted_and_not_refused() {
    let rig = Rig::new();
    let path = file(&rig, "ubi,license,username\n604001,X-1,a@example.com\n604001,x-1,a@example.com\n");
    let run = rig.run(&["register", "--from", path.to_str().unwrap(), "--dry-run"]).exits(0);
    run.answers("2 licenses would be asked").says("604001/x-1 is very like X-1.");
}
