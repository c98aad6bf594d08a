//! Ledgers that 0.1.0 and 0.2.0 wrote, with a license in every condition: each opens, is migrated, and loses nothing.
//! `tests/fixtures/ledgers/README.md` says how they were made.

#[path = "../fixtures/ledgers/home.rs"]
pub mod home;

use biotrack_auth::ledger::SCHEMA;
use home::{OldHome, rows};
use sha2::{Digest, Sha256};

const VERSIONS: [&str; 2] = ["0.1.0", "0.2.0"];

#[test]
fn an_old_ledger_is_migrated_by_a_look_and_loses_nothing() {
    for version in VERSIONS {
        let home = OldHome::of(version, "file");
        let before = rows(&home.file("ledger.db"), None);
        for (table, (_, found)) in &before {
            // Items that a move out of a keyring left: no keyring was there.
            assert!(!found.is_empty() || table == "left_item", "{version}: nothing is tried of {table}");
        }
        assert_eq!(home.states(), home.expected["states"], "{version}");
        let (after, copied) =
            (rows(&home.file("ledger.db"), Some(&before)), rows(&home.file("ledger.db.schema-7"), None));
        for (table, found) in &before {
            assert_eq!(found, &after[table], "{version}: {table}");
            assert_eq!(found, &copied[table], "{version}: {table} in the copy");
        }
        assert!(home.run(&["history", "verify"]).exits(0).out.contains("intact"), "{version}");
    }
}

#[test]
fn doctor_leaves_an_old_ledger_alone_until_it_is_told_to_fix_it() {
    let home = OldHome::of("0.2.0", "file");
    let found = home.run(&["doctor"]).exits(0).out;
    assert!(found.contains("schema 7; the next command migrates it"), "{found}");
    assert!(!home.file("ledger.db.schema-7").exists());
    let fixed = home.run(&["doctor", "--fix"]).exits(0).out;
    assert!(fixed.contains(&format!("migrated from schema 7 to schema {SCHEMA}")), "{fixed}");
    assert!(fixed.contains("ledger.db.schema-7"), "{fixed}");
    let again = home.run(&["doctor", "--fix"]).exits(0).out;
    assert!(
        !again.contains("migrated from schema") && again.contains(&format!("schema {SCHEMA}: OK")),
        "{again}"
    );
    assert_eq!(home.states(), home.expected["states"]);
}

#[test]
fn tokens_of_an_old_ledger_are_read() {
    for version in VERSIONS {
        let home = OldHome::of(version, "file");
        for (license, hash) in home.expected["tokens"].as_object().unwrap() {
            let token = home.run(&["token", license]).exits(0).out;
            let hashed: String =
                Sha256::digest(token.trim()).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hash, &hashed, "{version}: {license}");
        }
    }
}

#[test]
fn a_link_that_an_old_version_handed_out_is_completed() {
    for version in VERSIONS {
        for license in ["L-OUT", "L-ANSWERED"] {
            let home = OldHome::of(version, "file");
            let back = home.answers(license);
            home.run(&["complete", &back]).exits(0);
            assert_eq!(home.states()[license], "active", "{version}: {license}");
            let again = home.run(&["complete", &back]);
            assert!(again.code == 6 && again.err.contains("is no longer valid"), "{version}: {again:?}");
            home.run(&["history", "verify"]).exits(0);
        }
    }
}

#[test]
fn every_old_seal_is_made_anew_by_the_first_command_that_can_read_it() {
    for version in VERSIONS {
        let home = OldHome::of(version, "file");
        home.states();
        let marks = |home: &OldHome| -> i64 {
            let db = rusqlite::Connection::open(home.file("ledger.db")).unwrap();
            // This host doesn't know the profile ny: what it was sealed for is for a host to say that does.
            let asked = "SELECT (SELECT count(*) FROM secret WHERE old_seal IS NOT NULL)
                              + (SELECT count(*) FROM profile_secret WHERE old_seal IS NOT NULL AND profile <> 'ny')
                              + (SELECT count(*) FROM flow WHERE stage = 'asked' AND old_memo IS NOT NULL)";
            db.query_row(asked, [], |row| row.get(0)).unwrap()
        };
        let before = marks(&home);
        let doctor = home.run(&["doctor"]).out;
        assert!(before > 3 && doctor.contains("sealed by an older version"), "{version}: {before}\n{doctor}");
        let tokens = home.expected["tokens"].as_object().unwrap();
        let license = tokens.keys().next().unwrap();
        home.run(&["token", license]).exits(0);
        assert_eq!(marks(&home), 0, "{version}");
        for (license, hash) in tokens {
            let token = home.run(&["token", license]).exits(0).out;
            let hashed: String =
                Sha256::digest(token.trim()).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hash, &hashed, "{version}: {license}");
        }
        // What waits for an answer is finished with what was sealed anew.
        let back = home.answers("L-OUT");
        home.run(&["complete", &back]).exits(0);
        assert_eq!(home.states()["L-OUT"], "active", "{version}");
    }
}
