//! What the keyring does when it works, is locked, is missing, or never answers.

mod absent;
mod costs;
mod locked;
mod midway;
mod old_home;
mod others;
mod parts;
mod program;
pub mod session;
mod unlocked;

use biotrack_auth::error::{Error, Result, VaultError};
use biotrack_auth::model::flow::SecretRole;
use biotrack_auth::model::ids::{Generation, License, LicenseId, Ubi};
use biotrack_auth::model::seal::{ExpectedSeal, SealKind, SealLabel};
use biotrack_auth::model::secret::Sealable;

/// An item's name, with a license of every odd sign that a license may hold.
fn item(generation: u32) -> String {
    format!("bM3x-ledger/ny-sandbox/6010 11#/0;=\"'é漢-\\{{}}%/{generation}")
}

/// A row, and what is sealed for it.
fn place() -> SealLabel {
    let key = LicenseId { ubi: Ubi::parse("6011").unwrap(), license: License::parse("OCM-1").unwrap() };
    SealLabel::place("bM3x-ledger", "ny-sandbox", None, Some(&key))
}

fn label() -> SealLabel {
    place().of(SealKind::Tokens, Generation(1), None)
}

fn row() -> ExpectedSeal {
    ExpectedSeal::of_tokens(place(), SecretRole::Live, Generation(1))
}

fn secret(text: &str) -> Sealable {
    Sealable::from_bytes(text.as_bytes().to_vec())
}

/// The vault's error; it must name an exit code of 7 and a next step, and show nothing of the bus's own talk.
fn fault<T>(result: Result<T>) -> VaultError {
    let Err(error) = result else { panic!("it should have failed") };
    assert_eq!(error.exit(), 7, "{error}");
    assert!(error.hint().is_some());
    let said = error.to_string();
    assert!(said.len() < 200 && !said.contains("org.freedesktop") && !said.contains("Zbus"), "{said}");
    match error {
        Error::Vault(fault) => fault,
        other => panic!("{other}"),
    }
}
