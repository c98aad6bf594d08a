//! The records' rows, and their secrets' places.

use super::connection::{columns, place};
use super::journal::{instant, key, strange};
use super::owners::Mark;
use super::{Fault, Hand, Ledger, Spool, history};
use crate::error::Result;
use crate::model::authorization::{Authorization, Standing};
use crate::model::flow::{Change, Move, OpenFlow, Place, Role, Stage};
use crate::model::ids::{Generation, Key, Tag, Username};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

const COLUMNS: &str = "profile, ubi, license, ocm_license, name, username, granted_by, contact, tags, created_at, \
                       renewed_at, expires_at, expires_estimated, deactivated_at, invalid_at, uncertain_at, \
                       revocation_pending, held_by, held_elsewhere, generation";

impl Ledger {
    /// Every record of a profile with its open questions, ordered by UBI and licence.
    pub fn standings(&self, profile: &str) -> Result<Vec<Standing>> {
        self.standings_of(profile, None)
    }

    /// The profiles that have records.
    pub fn profiles(&self) -> Result<Vec<String>> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut found =
                self.db.prepare_cached("SELECT DISTINCT profile FROM authorization ORDER BY profile")?;
            let rows = found.query_map([], |row| row.get(0))?;
            rows.collect()
        };
        read().map_err(|e| self.fault("read", e))
    }

    /// One record with its open questions.
    pub fn standing(&self, profile: &str, key: &Key) -> Result<Option<Standing>> {
        Ok(self.standings_of(profile, Some(key))?.pop())
    }

    fn standings_of(&self, profile: &str, wanted: Option<&Key>) -> Result<Vec<Standing>> {
        // An owner may answer its question after it was read here, and end before it's looked for: only who was dead
        // before a snapshot has left what is in it. Each round finds more owners dead, or is the last.
        const ROUNDS: usize = 10;
        let mut dead = BTreeSet::new();
        let mut read = || -> Result<Vec<Standing>, Fault> {
            for _ in 1..ROUNDS {
                let known = dead.len();
                let found = self.snapshot(profile, wanted, &mut dead)?;
                if dead.len() == known {
                    return Ok(found);
                }
            }
            self.snapshot(profile, wanted, &mut dead)
        };
        read().map_err(|fault| fault.named(&self.path, "read"))
    }

    /// The records at one moment. Owners of questions that don't live go to `dead`.
    fn snapshot(
        &self,
        profile: &str,
        wanted: Option<&Key>,
        dead: &mut BTreeSet<String>,
    ) -> Result<Vec<Standing>, Fault> {
        let (owners, spool) = (self.paths.owners(), self.paths.spool());
        // One snapshot, so that a record and its question belong together.
        let snapshot = self.db.unchecked_transaction()?;
        let mut open: BTreeMap<Key, Vec<OpenFlow>> = BTreeMap::new();
        for flow in super::journal::of_profile(&snapshot, profile, wanted)? {
            let abandoned = match &flow.owner {
                None => true,
                Some(owner) if dead.contains(&owner.mark) => true,
                Some(owner) if Mark::alive(&owners, owner) => false,
                Some(owner) => {
                    dead.insert(owner.mark.clone());
                    true
                }
            };
            let mut stage = flow.stage;
            if let (true, Some(owner)) = (abandoned, &flow.owner)
                && let Some(spooled) = Spool::last_stage(&spool, &owner.mark, &flow.id)?
                && stage.order() < spooled.order()
            {
                stage = spooled;
            }
            open.entry(flow.key).or_default().push(OpenFlow {
                purpose: flow.purpose,
                handed_off: flow.owner.is_none() && stage == Stage::Asked,
                stage,
                opened: flow.opened,
                deadline: flow.deadline,
                abandoned,
            });
        }
        let records = records(&snapshot, profile, wanted)?;
        snapshot.finish()?;
        Ok(records
            .into_iter()
            .map(|record| Standing { flows: open.remove(&record.key).unwrap_or_default(), record })
            .collect())
    }
}

fn records(db: &Connection, profile: &str, wanted: Option<&Key>) -> rusqlite::Result<Vec<Authorization>> {
    let mut found = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM authorization
         WHERE profile = ?1 AND (?2 IS NULL OR ubi = ?2 AND license = ?3) ORDER BY ubi, license"
    ))?;
    let rows = found.query_map(
        params![profile, wanted.map(|key| key.ubi.as_str()), wanted.map(|key| key.license.as_str())],
        read,
    )?;
    rows.collect()
}

/// What a text says, where there is one.
pub(super) fn parsed<T: FromStr<Err = crate::error::Error>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|e| strange(column, e))).transpose()
}

/// Tags, one a line.
pub(super) fn tags(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Tag>> {
    let text: String = row.get(column)?;
    text.lines().map(|tag| tag.parse().map_err(|e| strange(column, e))).collect()
}

/// Tags as the column holds them.
pub(super) fn lines(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join("\n")
}

fn read(row: &Row<'_>) -> rusqlite::Result<Authorization> {
    fn when(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
        let seconds: Option<i64> = row.get(column)?;
        seconds.map(|_| instant(row, column)).transpose()
    }
    Ok(Authorization {
        profile: row.get(0)?,
        key: key(row, 1)?,
        ocm_license: parsed(row, 3)?,
        name: parsed(row, 4)?,
        username: Username::parse(&row.get::<_, String>(5)?).map_err(|e| strange(5, e))?,
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
