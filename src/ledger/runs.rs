//! Runs over several licenses: what a killed one had still to do. The records tell what was granted, whatever a run says.

use super::cells::{self, instant, key};
use super::engine::{Db, DbError, SqlRow, unexpected_value, values};
use super::process_locks::Liveness;
use super::store::Ledger;
use crate::error::{Error, Result};
use crate::model::flow::{FlowOwner, Purpose};
use crate::model::ids::{Generation, RunId, Username};
use crate::model::plan::{PlannedLicense, Progress};
use jiff::Timestamp;
use std::collections::HashSet;

/// What a run has to do for a license, as it's written and read.
pub(super) const ITEM: &str =
    "place, ubi, license, username, purpose, name, ocm_license, contact, tags, base, why, progress";

#[derive(Debug)]
pub struct UnfinishedRun {
    /// Its name; it's ours now.
    pub id: RunId,
    pub began: Timestamp,
    pub owner: String,
    /// What it had left to do, with each license's place in it.
    pub items: Vec<(usize, PlannedLicense)>,
}

impl Ledger {
    /// Begins a run, synced. A license that a living run still has to do refuses it; from dead ones it's taken over. On a
    /// shared ledger runs of several people split the work: each license is whoever's who asks first.
    pub fn begin_run(&mut self, profile: &str, items: &[PlannedLicense], now: Timestamp) -> Result<RunId> {
        let ours = self.mark()?.owner();
        let (living, shared) = (self.living(), self.is_shared());
        let wanted: HashSet<_> = items.iter().map(|item| &item.key).collect();
        self.transaction("begin the run", |tx| {
            for (seq, owner, _) in runs(tx, profile)? {
                let left = items_of(tx, seq)?.into_iter().filter(|(_, _, progress)| !progress.is_done());
                let (ours, theirs): (Vec<_>, Vec<_>) =
                    left.partition(|(_, item, _)| wanted.contains(&item.key));
                if !living.has(tx, &owner)? {
                    for (place, _, _) in &ours {
                        drop_item(tx, seq, *place)?;
                    }
                    if theirs.is_empty() {
                        tx.execute("DELETE FROM run WHERE seq = ?1", values![seq])?;
                    }
                } else if let (false, Some((_, item, _))) = (shared, ours.first()) {
                    return Err(
                        Error::busy(item.key.license.to_string(), owner.label).into()
                    );
                }
            }
            let run = tx.number(
                "INSERT INTO run (profile, started, owner_mark, owner_label) VALUES (?1, ?2, ?3, ?4) RETURNING seq",
                values![profile, now.as_second(), &ours.mark, &ours.label],
            )?;
            for (place, item) in items.iter().enumerate() {
                insert(tx, run, place, item)?;
            }
            Ok(RunId(run))
        })
    }

    /// Takes over the newest run of a profile that no living process is at and that has something left to do; `None`
    /// where there is none.
    pub fn take_run(&mut self, profile: &str) -> Result<Option<UnfinishedRun>> {
        let ours = self.mark()?.owner();
        let living = self.living();
        self.transaction("take over the run", |tx| {
            let left = newest_left(tx, profile, &living)?;
            if let Some(run) = &left {
                tx.execute(
                    "UPDATE run SET owner_mark = ?2, owner_label = ?3 WHERE seq = ?1",
                    values![run.id.0, &ours.mark, &ours.label],
                )?;
            }
            Ok(left)
        })
    }

    /// The run that would be taken over, only looked at.
    pub fn left_run(&self, profile: &str) -> Result<Option<UnfinishedRun>> {
        let living = self.living();
        self.engine
            .snapshot(|db| newest_left(db, profile, &living))
            .map_err(|e| self.fault("read the runs", e))
    }

    /// A run with nothing left to do is forgotten.
    pub fn end_run(&mut self, run: RunId) -> Result<()> {
        self.relaxed(|tx| {
            tx.execute("DELETE FROM run WHERE seq = ?1", values![run.0])?;
            Ok(())
        })
    }

    /// Notes how far a license of a run has come. Not synced: the record itself says what was granted.
    pub fn note_run(&mut self, run: RunId, at: usize, progress: Progress) -> Result<()> {
        self.relaxed(|tx| {
            tx.execute(
                "UPDATE run_item SET progress = ?3 WHERE run = ?1 AND place = ?2",
                values![run.0, place(at), progress.word()],
            )?;
            Ok(())
        })
    }
}

/// The newest run that has something left to do and that no living process is at.
fn newest_left(db: Db<'_>, profile: &str, living: &Liveness) -> Result<Option<UnfinishedRun>, DbError> {
    let mut busy = None;
    for (seq, owner, began) in runs(db, profile)?.into_iter().rev() {
        let mut items = items_of(db, seq)?;
        items.retain(|(_, _, progress)| !progress.is_done());
        match (items.first(), living.has(db, &owner)?) {
            (None, _) => {}
            (Some((_, item, _)), true) => busy = Some((item.key.license.to_string(), owner.label)),
            (Some(_), false) => {
                let items = items.into_iter().map(|(place, item, _)| (place, item)).collect();
                return Ok(Some(UnfinishedRun { id: RunId(seq), began, owner: owner.label, items }));
            }
        }
    }
    match busy {
        Some((license, holder)) => Err(Error::busy(license, holder).into()),
        None => Ok(None),
    }
}

fn runs(tx: Db<'_>, profile: &str) -> Result<Vec<(i64, FlowOwner, Timestamp)>, DbError> {
    tx.readable_rows(&format!("{RUNS} WHERE profile = ?1 ORDER BY seq"), values![profile], run)
}

/// Asks for the runs.
pub(super) const RUNS: &str = "SELECT seq, owner_mark, owner_label, started FROM run";

pub(super) fn run(row: &SqlRow<'_>) -> Result<(i64, FlowOwner, Timestamp), DbError> {
    Ok((row.get(0)?, FlowOwner { mark: row.get(1)?, label: row.get(2)? }, instant(row, 3)?))
}

fn insert(tx: Db<'_>, run: i64, at: usize, item: &PlannedLicense) -> Result<(), DbError> {
    tx.execute(
        &format!(
            "INSERT INTO run_item ({ITEM}, run) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
        ),
        values![
        place(at),
        item.key.ubi.as_str(),
        item.key.license.as_str(),
        item.username.as_str(),
        item.purpose.word(),
        item.name.as_ref().map(|it| it.as_str()),
        item.ocm_license.as_ref().map(|it| it.as_str()),
        item.contact.as_ref().map(|it| it.as_str()),
        &cells::lines(&item.tags),
        item.base.0,
        &item.why,
        Progress::Waiting.word(),
        run,
    ],
    )?;
    Ok(())
}

fn drop_item(tx: Db<'_>, run: i64, at: usize) -> Result<(), DbError> {
    tx.execute("DELETE FROM run_item WHERE run = ?1 AND place = ?2", values![run, place(at)])?;
    Ok(())
}

fn items_of(tx: Db<'_>, run: i64) -> Result<Vec<(usize, PlannedLicense, Progress)>, DbError> {
    let of_the_run = format!("SELECT {ITEM} FROM run_item WHERE run = ?1 ORDER BY place");
    tx.readable_rows(&of_the_run, values![run], item)
}

pub(super) fn item(row: &SqlRow<'_>) -> Result<(usize, PlannedLicense, Progress), DbError> {
    let planned = PlannedLicense {
        key: key(row, 1)?,
        username: Username::parse(row.get(3)?).map_err(|e| unexpected_value(3, e))?,
        named: None,
        purpose: Purpose::of(row.get(4)?).ok_or_else(|| unexpected_value(4, "an unknown purpose"))?,
        name: cells::parsed(row, 5)?,
        ocm_license: cells::parsed(row, 6)?,
        contact: cells::parsed(row, 7)?,
        tags: cells::tags(row, 8)?,
        expires_at: None,
        base: Generation(row.get(9)?),
        why: row.get(10)?,
    };
    let progress = Progress::of(row.get(11)?).ok_or_else(|| unexpected_value(11, "an unknown progress"))?;
    Ok((usize::try_from(row.get::<i64>(0)?).unwrap_or_default(), planned, progress))
}

fn place(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}
