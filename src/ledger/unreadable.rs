//! Rows that somebody put into the ledger by hand and that this program can't use: of queues and lists, what can't be read; of
//! records, counters that no host has counted to. Whoever meets them leaves them out or refuses; `doctor` names and mends them.

use super::cells::key;
use super::engine::{Db, DbError, SqlRow, SqlValue, values};
use super::store::Ledger;
use super::{hosts, journal, reminders, runs};
use crate::error::{Result, clean};
use crate::model::ids::{Generation, LicenseId};

/// A row of a queue or list that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Which one, in words.
    pub what: String,
    /// What is wrong with it.
    pub why: String,
    remove: &'static str,
    name: RowName,
}

/// What tells a row from the others of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RowName {
    Number(i64),
    Place(i64, i64),
    Text(String),
}

/// A license whose counter no host has counted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedCounter {
    pub profile: String,
    pub key: LicenseId,
    /// It has a record: else it was removed, and what is left is its count.
    has_record: bool,
    generation: Generation,
}

/// Where counting goes on whose count is lost: no host has come so far, and none comes to the end from here.
const ANEW: i64 = 1 << 40;

/// How far beyond what is known: whatever other hosts have counted meanwhile.
const APART: i64 = 1 << 20;

impl Ledger {
    /// The rows of queues and lists that can't be read.
    pub fn unreadable_rows(&self) -> Result<Vec<UnreadableRow>> {
        self.engine.snapshot(unreadable_rows).map_err(|e| self.fault("be read", e))
    }

    /// Removes them; how many there were.
    pub fn remove_unreadable_rows(&mut self) -> Result<usize> {
        self.transaction("remove what can't be read", |tx| {
            let rows = unreadable_rows(tx)?;
            for row in &rows {
                match &row.name {
                    RowName::Number(number) => tx.execute(row.remove, values![*number])?,
                    RowName::Place(of, number) => tx.execute(row.remove, values![*of, *number])?,
                    RowName::Text(text) => tx.execute(row.remove, values![text])?,
                };
            }
            Ok(rows.len())
        })
    }

    /// The licenses whose counters no host has counted to.
    pub fn damaged_counters(&self) -> Result<Vec<DamagedCounter>> {
        self.engine.snapshot(damaged_counters).map_err(|e| self.fault("be read", e))
    }

    /// Has them count on from beyond all that is known of each; how many there were.
    pub fn mend_counters(&mut self) -> Result<usize> {
        let newest = |it: &DamagedCounter| self.newest_live(&it.profile, &it.key);
        let known: Vec<_> = self.damaged_counters()?.iter().map(|it| (it.clone(), newest(it))).collect();
        self.transaction("mend the counters", |tx| {
            for (damaged, newest) in &known {
                mend(tx, damaged, *newest)?;
            }
            Ok(known.len())
        })
    }
}

fn unreadable_rows(db: Db<'_>) -> std::result::Result<Vec<UnreadableRow>, DbError> {
    let mut found = Vec::new();
    let number = |row: &SqlRow<'_>, column| row.get(column).map(RowName::Number);
    look(
        (db, &mut found),
        (&format!("{} ORDER BY seq", reminders::QUEUED), "DELETE FROM hook_queue WHERE seq = ?1"),
        |row| reminders::queued(row).map(drop),
        |row| Ok((format!("the waiting hook of history entry {}", row.get::<i64>(0)?), number(row, 0)?)),
    )?;
    look(
        (db, &mut found),
        (&format!("{} ORDER BY seq", runs::RUNS), "DELETE FROM run WHERE seq = ?1"),
        |row| runs::run(row).map(drop),
        |row| Ok((format!("run {} over several licenses", row.get::<i64>(0)?), number(row, 0)?)),
    )?;
    look(
        (db, &mut found),
        (
            &format!("SELECT {}, run FROM run_item ORDER BY run, place", runs::ITEM),
            "DELETE FROM run_item WHERE run = ?1 AND place = ?2",
        ),
        |row| runs::item(row).map(drop),
        |row| {
            let (place, run) = (row.get(0)?, row.get(12)?);
            Ok((format!("license {place} of run {run}"), RowName::Place(run, place)))
        },
    )?;
    look(
        (db, &mut found),
        (&format!("{} ORDER BY recipient", hosts::HOSTS), "DELETE FROM host WHERE recipient = ?1"),
        |row| hosts::host(row).map(drop),
        |row| {
            let recipient: String = row.get(0)?;
            Ok((format!("the listening host {}", clean(&recipient)), RowName::Text(recipient)))
        },
    )?;
    look(
        (db, &mut found),
        (
            "SELECT days, count(*) FROM reminded WHERE days NOT BETWEEN 0 AND 4294967295 GROUP BY days ORDER BY days",
            "DELETE FROM reminded WHERE days = ?1",
        ),
        |row| row.get::<u32>(0).map(drop),
        |row| Ok((format!("{} notes of a reminder", row.get::<i64>(1)?), number(row, 0)?)),
    )?;
    Ok(found)
}

/// Looks at each row of a table. One whose very name is of another type is named by nothing, and passed over.
fn look(
    (db, found): (Db<'_>, &mut Vec<UnreadableRow>),
    (statement, remove): (&str, &'static str),
    read: impl Fn(&SqlRow<'_>) -> std::result::Result<(), DbError>,
    name: impl Fn(&SqlRow<'_>) -> std::result::Result<(String, RowName), DbError>,
) -> std::result::Result<(), DbError> {
    db.each(statement, values![], |row| {
        match read(row) {
            Err(DbError::Unexpected { column, why }) => {
                if let Ok((what, name)) = name(row) {
                    let why = format!("column {column} of the row holds {why}");
                    found.push(UnreadableRow { what, why, remove, name });
                }
            }
            read => read?,
        }
        Ok(true)
    })
}

fn damaged_counters(db: Db<'_>) -> std::result::Result<Vec<DamagedCounter>, DbError> {
    let most = Generation::MOST;
    let of = |has_record| {
        move |row: &SqlRow<'_>| {
            let (profile, key, generation) = (row.get(0)?, key(row, 1)?, Generation(row.get(3)?));
            Ok(DamagedCounter { profile, key, has_record, generation })
        }
    };
    let records = "SELECT profile, ubi, license, generation FROM authorization
         WHERE generation NOT BETWEEN 0 AND ?1 OR revision NOT BETWEEN 0 AND ?1 ORDER BY profile, ubi, license";
    let removed = "SELECT profile, ubi, license, generation FROM removed_record
         WHERE generation NOT BETWEEN 0 AND ?1 ORDER BY profile, ubi, license";
    let mut found = db.readable_rows(records, values![most], of(true))?;
    found.extend(db.readable_rows(removed, values![most], of(false))?);
    Ok(found)
}

fn mend(
    tx: Db<'_>,
    damaged: &DamagedCounter,
    newest: Option<Generation>,
) -> std::result::Result<(), DbError> {
    let DamagedCounter { profile, key, has_record, generation } = damaged;
    let license = [profile, key.ubi.as_str(), key.license.as_str()].map(SqlValue::Text);
    let beyond = |known: i64| (known.max(ANEW)).saturating_add(APART);
    let newest = newest.filter(|it| it.is_sound()).map_or(0, |it| it.0);
    if !has_record {
        let [profile, ubi, license] = license;
        let set =
            "UPDATE removed_record SET generation = ?4 WHERE profile = ?1 AND ubi = ?2 AND license = ?3";
        tx.execute(set, &[profile, ubi, license, SqlValue::Number(beyond(newest))])?;
        return Ok(());
    }
    let asked = "SELECT coalesce(max(generation), 0) FROM secret
         WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND generation BETWEEN 0 AND ?4";
    let [profile_, ubi, name] = license;
    let stored = tx.number(asked, &[profile_, ubi, name, SqlValue::Number(Generation::MOST)])?;
    // An answer to a refresh takes the place of the tokens that it was asked with, which the count tells.
    let refreshed = journal::refresh_of_license(tx, profile, key)?.map(|flow| flow.base);
    let counted = match (generation.is_sound(), refreshed.filter(|base| base.is_sound())) {
        (true, _) => generation.0,
        (false, Some(base)) => base.0,
        (false, None) => beyond(stored.max(newest)),
    };
    // No host has read it with this number, and so none writes over what it hasn't seen.
    let set = "UPDATE authorization SET generation = ?4,
             revision = CASE WHEN revision BETWEEN 0 AND ?5 THEN revision + 1 ELSE ?6 + unixepoch() END
         WHERE profile = ?1 AND ubi = ?2 AND license = ?3";
    let numbers = [counted, Generation::MOST, ANEW].map(SqlValue::Number);
    tx.execute(set, &[profile_, ubi, name, numbers[0], numbers[1], numbers[2]])?;
    Ok(())
}
