//! Refresh tokens that may be spent, because the ledger went back in time: noted for all hosts, and not sent.

use super::engine::{Db, DbError};
use super::write_context::ChangedRecord;
use super::{meta, records};
use crate::error::LedgerError;
use crate::model::flow::SecretRole;
use crate::model::ids::{License, LicenseId, Ubi};
use std::collections::BTreeSet;

/// What stands before a license's name where the ledger says that its refresh token may be spent.
const DOUBT: &str = "may be spent";

/// Under which name the ledger says that a license's refresh token may be spent.
fn name_of(profile: &str, ubi: &str, license: &str) -> String {
    format!("{DOUBT} {}", serde_json::json!([profile, ubi, license]))
}

fn name_of_key(profile: &str, key: &LicenseId) -> String {
    name_of(profile, key.ubi.as_str(), key.license.as_str())
}

/// Notes that the living tokens of a record, which was changed by what is lost, may be spent.
pub(super) fn note(tx: Db<'_>, lost: &ChangedRecord) -> Result<(), DbError> {
    let Some(key) = lost.key() else { return Ok(()) };
    match records::secrets(tx, &lost.profile, &key, SecretRole::Live)?.pop() {
        Some(live) => meta::put(tx, &name_of(&lost.profile, &lost.ubi, &lost.license), &live.id.to_string()),
        None => Ok(()),
    }
}

/// Nothing is noted of a license's tokens any more.
pub(super) fn remove(tx: Db<'_>, profile: &str, key: &LicenseId) -> Result<(), DbError> {
    meta::remove(tx, &name_of_key(profile, key))
}

/// The licenses of a profile whose living tokens are noted.
pub(super) fn of_profile(db: Db<'_>, profile: &str) -> Result<BTreeSet<LicenseId>, DbError> {
    let mut found = BTreeSet::new();
    for (name, row) in meta::of_kind(db, DOUBT)? {
        let named =
            name.strip_prefix(DOUBT).and_then(|it| serde_json::from_str::<[String; 3]>(it.trim_start()).ok());
        let Some([of, ubi, license]) = named else { continue };
        let Some(key) = key_of(&ubi, &license).filter(|_| of == profile) else { continue };
        if is_live(db, profile, &key, &row)? {
            found.insert(key);
        }
    }
    Ok(found)
}

fn key_of(ubi: &str, license: &str) -> Option<LicenseId> {
    Some(LicenseId { ubi: Ubi::parse(ubi).ok()?, license: License::parse(license).ok()? })
}

/// Whether the row that was noted still names the living tokens: it keeps its number where they are sealed anew or moved.
fn is_live(db: Db<'_>, profile: &str, key: &LicenseId, row: &str) -> Result<bool, DbError> {
    let live = records::secrets(db, profile, key, SecretRole::Live)?;
    Ok(live.iter().any(|it| it.id.to_string() == row))
}

/// Whether a license's refresh token is noted as one that may be spent, and no other tokens have taken its place since.
pub(super) fn is_doubted(db: Db<'_>, profile: &str, key: &LicenseId) -> Result<bool, DbError> {
    match meta::get(db, &name_of_key(profile, key))? {
        Some(noted) => is_live(db, profile, key, &noted),
        None => Ok(false),
    }
}

/// Refuses to send a refresh token that may be spent.
pub(super) fn refuse_doubted(tx: Db<'_>, profile: &str, key: &LicenseId) -> Result<(), DbError> {
    match is_doubted(tx, profile, key)? {
        true => Err(LedgerError::MayBeSpent { license: key.license.to_string() }.into()),
        false => Ok(()),
    }
}
