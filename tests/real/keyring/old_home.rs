//! The home of 0.2.0 whose secrets are in a keyring, under the program as it is now.

use super::session::{Session, accounts, look_up, within};
use crate::support::old_home::OldHome;
use crate::support::stored::hashed;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Puts what 0.2.0 kept into this session's keyring, as that version named it.
fn put(items: &BTreeMap<String, String>) {
    for (account, secret) in items {
        let mut tool = Command::new("secret-tool");
        tool.args(["store", "--label", account, "service", "biotrack-auth", "username", account]);
        tool.args(["target", "default", "application", "rust-keyring"]);
        let mut tool = tool.stdin(Stdio::piped()).spawn().unwrap();
        tool.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
        assert!(tool.wait().unwrap().success());
    }
}

/// How many secrets are still as 0.2.0 left them.
fn left(home: &OldHome) -> i64 {
    let db = rusqlite::Connection::open(home.file("ledger.db")).unwrap();
    let asked = "SELECT (SELECT count(*) FROM secret WHERE old_seal IS NOT NULL)
                      + (SELECT count(*) FROM profile_secret WHERE old_seal IS NOT NULL AND profile <> 'ny')";
    db.query_row(asked, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_keyring_of_an_older_version_is_read_and_its_items_are_made_anew() {
    within(Session::Unlocked, || {
        let home = OldHome::of("0.2.0", "keyring");
        let made =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers/0.2.0/keyring/keyring.json");
        let items: BTreeMap<String, String> =
            serde_json::from_str(&std::fs::read_to_string(made).unwrap()).unwrap();
        put(&items);
        assert_eq!(home.states(), home.expected["states"]);
        let tokens = home.expected["tokens"].as_object().unwrap();
        let all_are_read = || {
            for (license, hash) in tokens {
                let token = home.run(&["token", license]).exits(0).out;
                assert_eq!(hash, &hashed(token.trim()), "{license}");
            }
        };
        all_are_read();
        let before = left(&home);
        let doctor = home.run(&["doctor"]).out;
        assert!(before > 3 && doctor.contains("sealed by an older version"), "{before}\n{doctor}");

        // A keyring may ask for each item: they are made anew where somebody says so, or as they change.
        let back = home.answers("L-OUT");
        home.run(&["complete", &back]).exits(0);
        assert_eq!(home.states()["L-OUT"], "active");
        home.run(&["config", "vault", "keyring", "--yes"]).exits(0);
        assert_eq!(left(&home), 0, "{}", home.run(&["doctor"]).out);
        all_are_read();
        let kept = accounts();
        // This host doesn't know the profile ny; and what a killed process left half done stays until that is finished.
        let renewed = |account: &&String| !account.contains("/ny/") && !account.contains("/flow-");
        for account in items.keys().filter(renewed).filter(|account| kept.contains(account)) {
            assert_ne!(look_up(account), items[account], "{account}");
        }
        let back = home.answers("L-ANSWERED");
        home.run(&["complete", &back]).exits(0);
        home.run(&["history", "verify"]).exits(0);
    });
}
