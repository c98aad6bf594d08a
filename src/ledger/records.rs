//! The records' rows, and their secrets' places: what each column means, and how they are written.

use super::engine::{Db, Fault, Row, strange, values};
use super::journal::{columns, key, moment, place, text};
use super::{Hand, history};
use crate::model::authorization::Authorization;
use crate::model::flow::{Change, Move, Place, Role};
use crate::model::ids::{Generation, Key, Tag, Username};
use jiff::Timestamp;
use std::str::FromStr;

pub(super) const COLUMNS: &str = "profile, ubi, license, ocm_license, name, username, granted_by, contact, tags, created_at, \
                       renewed_at, expires_at, expires_estimated, deactivated_at, invalid_at, uncertain_at, \
                       revocation_pending, held_by, held_elsewhere, generation";

/// Every column beside the key, as a newer row has it.
const REPLACED: &str = "ocm_license = excluded.ocm_license, name = excluded.name, username = excluded.username, \
     granted_by = excluded.granted_by, contact = excluded.contact, tags = excluded.tags, \
     created_at = excluded.created_at, renewed_at = excluded.renewed_at, expires_at = excluded.expires_at, \
     expires_estimated = excluded.expires_estimated, deactivated_at = excluded.deactivated_at, \
     invalid_at = excluded.invalid_at, uncertain_at = excluded.uncertain_at, \
     revocation_pending = excluded.revocation_pending, held_by = excluded.held_by, \
     held_elsewhere = excluded.held_elsewhere, generation = excluded.generation";

/// What a text says, where there is one.
pub(super) fn parsed<T: FromStr<Err = crate::error::Error>>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<T>, Fault> {
    row.get::<Option<&str>>(column)?.map(|text| text.parse().map_err(|e| strange(column, e))).transpose()
}

/// Tags, one a line.
pub(super) fn tags(row: &Row<'_>, column: usize) -> Result<Vec<Tag>, Fault> {
    text(row, column)?.lines().map(|tag| tag.parse().map_err(|e| strange(column, e))).collect()
}

/// Tags as the column holds them.
pub(super) fn lines(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join("\n")
}

pub(super) fn read(row: &Row<'_>) -> Result<Authorization, Fault> {
    fn when(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Fault> {
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
pub(super) fn apply(tx: Db<'_>, change: &Change, hand: &Hand) -> Result<bool, Fault> {
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
pub(super) fn generation(tx: Db<'_>, profile: &str, key: &Key) -> Result<Option<Generation>, Fault> {
    let found = tx.row(
        "SELECT generation FROM authorization WHERE profile = ?1 AND ubi = ?2 AND license = ?3",
        values![profile, key.ubi.as_str(), key.license.as_str()],
        |row| row.get(0),
    )?;
    Ok(found.map(Generation))
}

fn put(tx: Db<'_>, record: &Authorization) -> Result<(), Fault> {
    let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_second);
    tx.execute(
        &format!(
            "INSERT INTO authorization ({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
             ON CONFLICT (profile, ubi, license) DO UPDATE SET {REPLACED}"
        ),
        values![
            &record.profile,
            record.key.ubi.as_str(),
            record.key.license.as_str(),
            record.ocm_license.as_ref().map(|it| it.as_str()),
            record.name.as_ref().map(|it| it.as_str()),
            record.username.as_str(),
            record.granted_by.as_ref(),
            record.contact.as_ref().map(|it| it.as_str()),
            &lines(&record.tags),
            seconds(record.created_at),
            seconds(record.renewed_at),
            seconds(record.expires_at),
            record.expires_estimated,
            seconds(record.deactivated_at),
            seconds(record.invalid_at),
            seconds(record.uncertain_at),
            record.revocation_pending,
            record.held_by.as_ref(),
            record.held_elsewhere,
            record.generation.0,
        ],
    )?;
    Ok(())
}

fn turn(tx: Db<'_>, record: &Authorization, step: &Move) -> Result<(), Fault> {
    let (profile, ubi, license) = (&record.profile, record.key.ubi.as_str(), record.key.license.as_str());
    match step {
        Move::Put(role, place) => {
            turn(tx, record, &Move::Turn(*role, Role::Superseded))?;
            let (item, blob) = columns(place);
            tx.execute(
                &format!(
                    "INSERT INTO secret (id, profile, ubi, license, role, item, blob) VALUES ({}, ?1, ?2, ?3, ?4, ?5, ?6)",
                    tx.once()
                ),
                values![profile, ubi, license, role.word(), item, blob],
            )?;
        }
        Move::Turn(from, to) => {
            tx.execute(
                "UPDATE secret SET role = ?5 WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND role = ?4",
                values![profile, ubi, license, from.word(), to.word()],
            )?;
        }
        Move::Drop(id) => {
            tx.execute(
                "DELETE FROM secret WHERE id = ?1 AND profile = ?2 AND ubi = ?3 AND license = ?4",
                values![*id, profile, ubi, license],
            )?;
        }
    }
    Ok(())
}

pub(super) fn secrets(db: Db<'_>, profile: &str, key: &Key, role: Role) -> Result<Vec<(i64, Place)>, Fault> {
    let found = db.rows(
        "SELECT id, item, blob FROM secret WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND role = ?4 ORDER BY id",
        values![profile, key.ubi.as_str(), key.license.as_str(), role.word()],
        |row| Ok((row.get(0)?, place(row, 1)?)),
    )?;
    Ok(found.into_iter().filter_map(|(id, place)| Some((id, place?))).collect())
}
