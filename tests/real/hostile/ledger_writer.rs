//! S60: somebody who can write the ledger's file, and has no identity, moves sealed blobs about with another program, puts old
//! ones back and seals some of their own. The program uses none of them, and the provider hears nothing.

use crate::support::Rig;
use crate::support::stored::{PROFILE, key};
use biotrack_auth::model::flow::SecretRole;
use biotrack_auth::model::secret::Sealable;
use biotrack_auth::vault::{recipient_of, seal_to};
use rusqlite::{Connection, params};

fn ledger(rig: &Rig) -> Connection {
    Connection::open(rig.file("ledger.db")).unwrap()
}

fn blob(rig: &Rig, license: &str) -> Vec<u8> {
    let asked = "SELECT blob FROM secret WHERE license = ?1 AND role = 'live'";
    ledger(rig).query_row(asked, [license], |row| row.get(0)).unwrap()
}

fn lay(rig: &Rig, license: &str, bytes: &[u8]) {
    let laid = "UPDATE secret SET blob = ?2 WHERE license = ?1 AND role = 'live'";
    assert_eq!(ledger(rig).execute(laid, params![license, bytes]).unwrap(), 1);
}

/// A home with a grant of each of these licenses.
fn granted(licenses: &[&str]) -> Rig {
    let rig = Rig::new();
    licenses.iter().for_each(|license| drop(rig.register(license).exits(0)));
    rig
}

/// Neither `token` nor `exec` uses what is there, and nothing is sent.
#[track_caller]
fn is_refused(rig: &Rig, license: &str, says: &str) {
    let sent = rig.counted("token_rotated");
    rig.ends(&["token", license, "--min-valid", "2h"]).exits(7).answers_nothing().says(says);
    rig.ends(&["exec", license, "--", "env"]).exits(125).answers_nothing().says(says);
    assert_eq!(rig.counted("token_rotated"), sent, "something was sent");
}

#[test]
fn no_blob_is_used_in_another_row() {
    let rig = granted(&["L-1", "L-2"]);
    let own = blob(&rig, "L-2");
    lay(&rig, "L-2", &blob(&rig, "L-1"));
    is_refused(&rig, "L-2", "L-2: the secret in the ledger was sealed for license L-1, not for license L-2");
    lay(&rig, "L-2", &own);
    rig.ends(&["token", "L-2"]).exits(0);
}

#[test]
fn no_blob_is_used_in_another_profile() {
    let rig = granted(&["L-1"]);
    let changes = "UPDATE authorization SET profile = 'test'; UPDATE secret SET profile = 'test'";
    ledger(&rig).execute_batch(changes).unwrap();
    let config = std::fs::read_to_string(rig.file("config.toml")).unwrap();
    let at = config.find("[profiles.").unwrap();
    let other = config[at..].replacen(PROFILE, "test", 1);
    std::fs::write(rig.file("config.toml"), format!("{config}\n{other}")).unwrap();
    let run =
        rig.ends(&["token", "L-1", "--profile", "test", "--min-valid", "2h"]).exits(7).answers_nothing();
    run.says(&format!("was sealed for profile {PROFILE}, not for profile test"));
    assert_eq!(rig.counted("token_rotated"), 0);
}

#[test]
fn no_older_blob_is_used_that_is_put_back_with_its_number() {
    let rig = granted(&["L-1"]);
    let old = blob(&rig, "L-1");
    rig.age("L-1");
    rig.ends(&["token", "L-1"]).exits(0);
    assert_eq!(rig.counted("token_rotated"), 1);
    let new = blob(&rig, "L-1");
    lay(&rig, "L-1", &old);
    is_refused(&rig, "L-1", "the ledger holds an older secret (1) than this host stored last (2)");
    ledger(&rig).execute("UPDATE secret SET generation = 1", []).unwrap();
    is_refused(&rig, "L-1", "the ledger holds an older secret (1) than this host stored last (2)");
    ledger(&rig).execute("UPDATE secret SET generation = 2", []).unwrap();
    lay(&rig, "L-1", &new);
    rig.ends(&["token", "L-1"]).exits(0);
}

#[test]
fn no_blob_is_used_that_anybody_made_who_knows_the_recipient() {
    let rig = granted(&["L-1"]);
    let recipient = recipient_of(&rig.file("identity.txt")).unwrap();
    let tokens = rig.grants("L-1", SecretRole::Live).pop().unwrap().to_sealable(&key("L-1"));
    let seals = rig.seals();
    let generation =
        rig.ledger().secrets(PROFILE, &key("L-1"), SecretRole::Live).unwrap().pop().unwrap().generation;
    let kind = biotrack_auth::model::seal::SealKind::Tokens;
    let label = serde_json::to_string(&seals.tokens(PROFILE, &key("L-1"), kind, generation, None)).unwrap();
    let forged = [format!("biotrack-auth seal 1 {label}\n-\n").as_bytes(), tokens.bytes()].concat();
    lay(
        &rig,
        "L-1",
        &seal_to(std::slice::from_ref(&recipient), &Sealable::from_bytes(forged), false).unwrap(),
    );
    is_refused(&rig, "L-1", "L-1: this host did not seal the secret in the ledger");
    lay(&rig, "L-1", &seal_to(&[recipient], &tokens, false).unwrap());
    is_refused(&rig, "L-1", "L-1: the secret does not say what it was sealed for");
}
