//! The records' rows, and their secrets' places: what each column means, and how they are written.

use super::connection::{columns, place};
use super::journal::{key, moment, strange, text};
use super::{Fault, Hand, history};
use crate::model::authorization::Authorization;
use crate::model::flow::{Change, Move, Place, Role};
use crate::model::ids::{Generation, Key, Tag, Username};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::str::FromStr;

pub(super) const COLUMNS: &str = "profile, ubi, license, ocm_license, name, username, granted_by, contact, tags, created_at, \
                       renewed_at, expires_at, expires_estimated, deactivated_at, invalid_at, uncertain_at, \
                       revocation_pending, held_by, held_elsewhere, generation";

/// What a text says, where there is one.
pub(super) fn parsed<T: FromStr<Err = crate::error::Error>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|e| strange(column, e))?;
    text.map(|text| text.parse().map_err(|e| strange(column, e))).transpose()
}

/// Tags, one a line.
pub(super) fn tags(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Tag>> {
    text(row, column)?.lines().map(|tag| tag.parse().map_err(|e| strange(column, e))).collect()
}

/// Tags as the column holds them.
pub(super) fn lines(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join("\n")
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Authorization> {
    fn when(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
        let seconds: Option<i64> = row.get(column)?;
        seconds.map(|seconds| moment(seconds, column)).transpose()
    }
    Ok(Authorization {
        profile: row.get(0)?,
        key: key(row, 1)?,
        ocm_license: parsed(row, 3)?,
        name: parsed(row, 4)?,
        username: Username::parse(text(row, 5)?).map_err(|e| strange(5, e))?,
        granted_by: row.get(6)?,
        contact: parsed(row, 7)?,
        tags: tags(row, 8)?,
        created_at: when(row, 9)?,
        renewed_at: when(row, 10)?,
        expires_at: when(row, 11)?,
        expires_estimated: row.get(12)?,
        deactivated_at: when(row, 13)?,
        invalid_at: when(row, 14)?,
        uncertain_at: when(row, 15)?,
        revocation_pending: row.get(16)?,
        held_by: row.get(17)?,
        held_elsewhere: row.get(18)?,
        generation: Generation(row.get(19)?),
    })
}

/// Applies a change inside a transaction: compares the generation, writes record, secrets and history.
/// `false` where someone else changed the record.
pub(super) fn apply(tx: &Transaction<'_>, change: &Change, hand: &Hand) -> Result<bool, Fault> {
    let record = &change.record;
    if generation(tx, &record.profile, &record.key)?.unwrap_or_default() != change.expect {
        return Ok(false);
    }
    put(tx, record)?;
    for step in &change.moves {
        turn(tx, record, step)?;
    }
    for event in &change.events {
        history::append(tx, event, hand)?;
    }
    Ok(true)
}

/// A record's generation as it is now.
pub(super) fn generation(
    tx: &Transaction<'_>,
    profile: &str,
    key: &Key,
) -> Result<Option<Generation>, Fault> {
    let found = tx
        .prepare_cached(
            "SELECT generation FROM authorization WHERE profile = ?1 AND ubi = ?2 AND license = ?3",
        )?
        .query_row(params![profile, key.ubi.as_str(), key.license.as_str()], |row| row.get(0))
        .optional()?;
    Ok(found.map(Generation))
}

fn put(tx: &Transaction<'_>, record: &Authorization) -> Result<(), Fault> {
    let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_second);
    tx.prepare_cached(&format!(
        "INSERT OR REPLACE INTO authorization ({COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
    ))?
    .execute(params![
        record.profile,
        record.key.ubi.as_str(),
        record.key.license.as_str(),
        record.ocm_license.as_ref().map(|it| it.as_str()),
        record.name.as_ref().map(|it| it.as_str()),
        record.username.as_str(),
        record.granted_by,
        record.contact.as_ref().map(|it| it.as_str()),
        lines(&record.tags),
        seconds(record.created_at),
        seconds(record.renewed_at),
        seconds(record.expires_at),
        record.expires_estimated,
        seconds(record.deactivated_at),
        seconds(record.invalid_at),
        seconds(record.uncertain_at),
        record.revocation_pending,
        record.held_by,
        record.held_elsewhere,
        record.generation.0,
    ])?;
    Ok(())
}

fn turn(tx: &Transaction<'_>, record: &Authorization, step: &Move) -> Result<(), Fault> {
    let (profile, ubi, license) = (&record.profile, record.key.ubi.as_str(), record.key.license.as_str());
    match step {
        Move::Put(role, place) => {
            turn(tx, record, &Move::Turn(*role, Role::Superseded))?;
            let (item, blob) = columns(place);
            // SQLite gives a row's number again once the row is gone: a process that clears away late what another has
            // cleared already would drop a living grant's tokens. A number out of 2^62 comes once.
            tx.prepare_cached(
                "INSERT INTO secret (id, profile, ubi, license, role, item, blob)
                 VALUES (random() & 0x3fffffffffffffff, ?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![profile, ubi, license, role.word(), item, blob])?;
        }
        Move::Turn(from, to) => {
            tx.prepare_cached(
                "UPDATE secret SET role = ?5 WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND role = ?4",
            )?
            .execute(params![profile, ubi, license, from.word(), to.word()])?;
        }
        Move::Drop(id) => {
            tx.prepare_cached(
                "DELETE FROM secret WHERE id = ?1 AND profile = ?2 AND ubi = ?3 AND license = ?4",
            )?
            .execute(params![id, profile, ubi, license])?;
        }
    }
    Ok(())
}

pub(super) fn secrets(
    db: &Connection,
    profile: &str,
    key: &Key,
    role: Role,
) -> rusqlite::Result<Vec<(i64, Place)>> {
    let mut found = db.prepare_cached(
        "SELECT id, item, blob FROM secret WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND role = ?4 ORDER BY id",
    )?;
    let rows = found
        .query_map(params![profile, key.ubi.as_str(), key.license.as_str(), role.word()], |row| {
            Ok((row.get(0)?, place(row, 1)?))
        })?;
    rows.filter_map(|row| row.map(|(id, place)| place.map(|place| (id, place))).transpose()).collect()
}
