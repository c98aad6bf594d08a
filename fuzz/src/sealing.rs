//! What lies on the disk: sealed bytes, and the spool of a process that died.

use biotrack_auth::ledger::notes;
use biotrack_auth::model::flow::{SealedBytes, SecretPlace, SecretRole};
use biotrack_auth::model::ids::{Generation, License, LicenseId, Ubi};
use biotrack_auth::model::seal::{ExpectedSeal, SealKind, SealLabel};
use biotrack_auth::model::secret::Sealable;
use biotrack_auth::vault::{Vault, is_sealed, unarmored};
use std::io::Write;
use std::sync::LazyLock;

/// Opens what the seeds are sealed to. It guards nothing: it was made for the seeds, and is printed here.
const IDENTITY: &str = "AGE-SECRET-KEY-1VF5K7ARJV93KKTTPW46XSW3QVA6KZUNYWVSXUMEQWDJKXUN9WSHQP0UHF5";

static VAULT: LazyLock<Vault> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("identity.txt");
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.write(true).create_new(true).open(&file).expect("a file");
    written.write_all(IDENTITY.as_bytes()).expect("an identity");
    let vault = Vault::sealed(&file, Vec::new());
    // The identity is read once: the file needn't stay.
    let place = vault.put_for_this_host(
        "x",
        &place().of(SealKind::Tokens, Generation(1), None),
        &Sealable::from_bytes(Vec::new()),
    );
    place.expect("a vault that seals");
    vault
});

/// Where the seeds stand: they were sealed before seals said what they are for.
fn place() -> SealLabel {
    let key = LicenseId {
        ubi: Ubi::parse("604001").expect("a UBI"),
        license: License::parse("L-1").expect("a license"),
    };
    SealLabel::place("a-ledger", "ny", None, Some(&key))
}

/// Sealed bytes, armored or not: they open to what was sealed, or to an error that names whose they are.
pub fn sealed(bytes: &[u8]) {
    let plain = match unarmored(bytes, "L-1") {
        Ok(plain) => plain,
        Err(e) => return super::printable(&e),
    };
    let row = ExpectedSeal::of_tokens(place(), SecretRole::Live, Generation(1)).that_may_be_old(true);
    match VAULT.get(&SecretPlace::Blob(SealedBytes(plain)), &row) {
        Ok(secret) => {
            assert!(is_sealed(bytes));
            // Every seed has this in it, and nobody who changes a byte of one makes another.
            assert!(secret.bytes().starts_with(b"canary"), "opened what nobody sealed");
        }
        Err(e) => {
            super::printable(&e);
            assert!(e.to_string().contains("L-1"));
        }
    }
}

/// A dead process's spool: torn lines lose nothing of those before and after them.
pub fn spool(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    let found = notes(bytes).len();
    assert!(found <= lines);
    let whole = br#"{"flow":"f-1","stage":"answered","sealed":"Y2FuYXJ5"}"#;
    let around = [whole.as_slice(), b"\n", bytes, b"\n", whole].concat();
    let notes = notes(&around);
    assert_eq!(notes.len(), found + 2);
    for note in [&notes[0], &notes[found + 1]] {
        assert!(note.flow.0 == "f-1" && note.stage.order() == 3);
    }
}
