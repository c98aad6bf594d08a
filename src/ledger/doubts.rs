//! Records that a ledger which went back in time holds as they were: noted for all hosts. Their refresh tokens may be spent, and
//! aren't sent.

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

/// What is noted where there are no tokens: those that were granted are lost.
const NO_TOKENS: &str = "none";

/// Notes that a record was changed by what is lost: its living tokens may be spent, or its grant isn't here at all.
pub(super) fn note(tx: Db<'_>, lost: &ChangedRecord) -> Result<(), DbError> {
    let Some(key) = lost.key() else { return Ok(()) };
    let live = records::secrets(tx, &lost.profile, &key, SecretRole::Live)?.pop();
    let noted = live.map_or_else(|| NO_TOKENS.to_owned(), |live| live.id.to_string());
    meta::put(tx, &name_of(&lost.profile, &lost.ubi, &lost.license), &noted)
}

/// Nothing is noted of a license's tokens any more.
pub(super) fn remove(tx: Db<'_>, profile: &str, key: &LicenseId) -> Result<(), DbError> {
    meta::remove(tx, &name_of_key(profile, key))
}

/// A record that is noted, and that nothing has changed since.
pub(super) struct OutdatedRecord {
    pub(super) profile: String,
    pub(super) key: LicenseId,
    /// There are living tokens, which may be spent; else those that were granted aren't here.
    pub(super) has_tokens: bool,
}

pub(super) fn all(db: Db<'_>) -> Result<Vec<OutdatedRecord>, DbError> {
    let mut found = Vec::new();
    for (name, row) in meta::of_kind(db, DOUBT)? {
        let named =
            name.strip_prefix(DOUBT).and_then(|it| serde_json::from_str::<[String; 3]>(it.trim_start()).ok());
        let Some([profile, ubi, license]) = named else { continue };
        let Some(key) = key_of(&ubi, &license) else { continue };
        let has_tokens = row != NO_TOKENS;
        let is_as_noted = match has_tokens {
            true => is_live(db, &profile, &key, &row)?,
            false => records::secrets(db, &profile, &key, SecretRole::Live)?.is_empty(),
        };
        if is_as_noted {
            found.push(OutdatedRecord { profile, key, has_tokens });
        }
    }
    Ok(found)
}

/// The licenses of a profile that are noted.
pub(super) fn of_profile(db: Db<'_>, profile: &str) -> Result<BTreeSet<LicenseId>, DbError> {
    Ok(all(db)?.into_iter().filter(|it| it.profile == profile).map(|it| it.key).collect())
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
fn is_doubted(db: Db<'_>, profile: &str, key: &LicenseId) -> Result<bool, DbError> {
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
