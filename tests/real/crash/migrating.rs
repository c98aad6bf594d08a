//! A ledger's file is migrated and killed at each call: it is there as it was, or migrated, and the next command goes on.

use super::points::at_each_point;
use super::truth::Found;
use crate::support::Rig;
use crate::support::old_home::rows;
use biotrack_auth::ledger::SCHEMA;
use biotrack_auth::system::files::write_new;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Lays the home of 0.2.0 in the rig's.
fn lays_old_home(rig: &Rig) {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers/0.2.0/file");
    for entry in fs::read_dir(rig.home()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    for name in ["config.toml", "identity.txt", "ledger.db", "ledger.db-wal", "ledger.lock"] {
        write_new(&rig.file(name), &fs::read(made.join(name)).unwrap()).unwrap();
    }
}

fn beside(rig: &Rig) -> BTreeSet<String> {
    let names = fs::read_dir(rig.home()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("ledger.db.")).collect()
}

#[test]
fn a_migration_is_killed_everywhere() {
    let rig = Rig::with_file(&[]);
    lays_old_home(&rig);
    let whole = rows(&rig.file("ledger.db"), None);
    lays_old_home(&rig);
    let calls = rig.calls(&["status"]);
    at_each_point("a migration", 2, &calls, |call, nth| {
        lays_old_home(&rig);
        rig.killed(call, nth, &["status"]).then(|| {
            let db = Connection::open(rig.file("ledger.db")).unwrap();
            let schema: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            drop(db);
            assert!(schema == 7 || schema == SCHEMA, "{call} {nth}: {schema}");
            rig.run(&["status"]).exits(0);
            assert_eq!(rows(&rig.file("ledger.db"), Some(&whole)), whole, "{call} {nth}");
            assert_eq!(beside(&rig), BTreeSet::from(["ledger.db.schema-7".to_owned()]), "{call} {nth}");
            assert_eq!(rows(&rig.file("ledger.db.schema-7"), None), whole, "{call} {nth}: the copy");
            rig.run(&["history", "verify"]).exits(0);
            if schema == 7 { Found::Before } else { Found::Done }
        })
    });
}
