//! What happened, in order, each line chained to the one before it.

use super::journal::strange;
use super::{Fault, Hand, Ledger, reminders};
use crate::error::Result;
use crate::model::history::{Anchor, Broken, Chain, Chore, Event, Line, Link};
use crate::model::ids::Key;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};
use std::fmt::Write;

const COLUMNS: &str = "seq, at, profile, ubi, license, event, user, host, detail, hash";

/// A link's hash: SHA-256 over the hash before it and the line as a JSON array.
fn hash_of(link: &Link, before: &[u8]) -> Vec<u8> {
    let line = serde_json::json!([
        link.seq,
        link.at,
        link.profile,
        link.ubi,
        link.license,
        link.event,
        link.user,
        link.host,
        link.detail
    ]);
    Sha256::new().chain_update(before).chain_update(line.to_string()).finalize().to_vec()
}

pub(super) fn append(tx: &Transaction<'_>, event: &Event, hand: &Hand) -> Result<(), Fault> {
    let seq = chain(
        tx,
        Link {
            seq: 0,
            at: event.at.to_string(),
            profile: event.profile.clone(),
            ubi: event.key.ubi.to_string(),
            license: event.key.license.to_string(),
            event: event.happened.word().to_owned(),
            user: hand.who.user.clone(),
            host: hand.who.host.clone(),
            detail: event.detail.clone(),
            hash: Vec::new(),
        },
    )?;
    reminders::queue(tx, event, seq, &hand.hooks)
}

/// An event of the whole ledger.
pub(super) fn append_chore(
    tx: &Transaction<'_>,
    chore: Chore,
    at: Timestamp,
    detail: &str,
    hand: &Hand,
) -> Result<(), Fault> {
    let link = Link {
        seq: 0,
        at: at.to_string(),
        profile: String::new(),
        ubi: String::new(),
        license: String::new(),
        event: chore.word().to_owned(),
        user: hand.who.user.clone(),
        host: hand.who.host.clone(),
        detail: detail.to_owned(),
        hash: Vec::new(),
    };
    chain(tx, link).map(drop)
}

/// Numbers a link, chains it to the head and makes it the head.
fn chain(tx: &Transaction<'_>, mut link: Link) -> Result<i64, Fault> {
    let (last, before) = head(tx)?.unwrap_or_default();
    link.seq = last + 1;
    link.hash = hash_of(&link, &before);
    tx.prepare_cached(&format!(
        "INSERT INTO history ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    ))?
    .execute(params![
        link.seq,
        link.at,
        link.profile,
        link.ubi,
        link.license,
        link.event,
        link.user,
        link.host,
        link.detail,
        link.hash,
    ])?;
    tx.prepare_cached("INSERT OR REPLACE INTO history_head (only, seq, hash) VALUES (1, ?1, ?2)")?
        .execute(params![link.seq, link.hash])?;
    Ok(link.seq)
}

fn head(db: &Connection) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    db.prepare_cached("SELECT seq, hash FROM history_head")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn anchor(db: &Connection) -> rusqlite::Result<Option<Anchor>> {
    db.query_row(
        "SELECT seq, hash, last, at, user, host FROM history_anchor ORDER BY seq DESC LIMIT 1",
        [],
        |row| {
            Ok(Anchor {
                seq: row.get(0)?,
                hash: row.get(1)?,
                last: row.get(2)?,
                at: row.get(3)?,
                user: row.get(4)?,
                host: row.get(5)?,
            })
        },
    )
    .optional()
}

fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link {
        seq: row.get(0)?,
        at: row.get(1)?,
        profile: row.get(2)?,
        ubi: row.get(3)?,
        license: row.get(4)?,
        event: row.get(5)?,
        user: row.get(6)?,
        host: row.get(7)?,
        detail: row.get(8)?,
        hash: row.get(9)?,
    })
}

/// Follows the chain from where it begins to the head that was noted.
fn follow(db: &Connection) -> rusqlite::Result<Chain> {
    // One that an older program made, and that is only read, has neither anchor nor head.
    let noted: bool =
        db.query_row("SELECT count(*) FROM sqlite_master WHERE name = 'history_head'", [], |row| row.get(0))?;
    let anchor = if noted { anchor(db)? } else { None };
    let (mut last, mut before) = anchor.as_ref().map(|it| (it.seq, it.hash.clone())).unwrap_or_default();
    let (mut links, mut broken) = (0, None);
    let mut all = db.prepare(&format!("SELECT {COLUMNS} FROM history ORDER BY seq"))?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        // A column of another type is somebody's, too.
        let found = match link(row) {
            Ok(found) => found,
            Err(_) => {
                broken = Some(Broken {
                    seq: row.get(0).unwrap_or(last + 1),
                    at: row.get(1).ok(),
                    license: row.get(4).ok(),
                    why: "it isn't what this program writes",
                });
                break;
            }
        };
        let why = if found.seq != last + 1 {
            // The one before it is what is missing.
            broken = Some(Broken { seq: last + 1, at: None, license: None, why: "it is missing" });
            break;
        } else if found.hash != hash_of(&found, &before) {
            "it was changed, or what stood before it was"
        } else {
            (last, before) = (found.seq, found.hash);
            links += 1;
            continue;
        };
        broken = Some(Broken { seq: found.seq, at: Some(found.at), license: Some(found.license), why });
        break;
    }
    if broken.is_none() && noted {
        let noted = head(db)?;
        broken = match noted {
            Some((seq, _)) if seq > last => Some(Broken {
                seq: last + 1,
                at: None,
                license: None,
                why: "it is missing, and so is all after it",
            }),
            Some((seq, hash)) if seq != last || hash != before => Some(Broken {
                seq: last,
                at: None,
                license: None,
                why: "it isn't the one that was noted as the last",
            }),
            None if last > 0 => Some(Broken {
                seq: last,
                at: None,
                license: None,
                why: "nothing is noted as the last any more",
            }),
            _ => None,
        };
    }
    Ok(Chain { links, head: before, anchor, broken })
}

/// What pruning would remove, or has removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruning {
    /// How many links.
    pub links: u64,
    /// When the newest of them was made.
    pub last: Option<String>,
    /// The number of the newest of them.
    pub seq: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// The links before an instant, from the oldest on: up to the first that is younger, or whose hook still waits.
fn prunable(db: &Connection, before: Timestamp) -> rusqlite::Result<Pruning> {
    let waiting: Option<i64> = db.query_row("SELECT min(seq) FROM hook_queue", [], |row| row.get(0))?;
    let mut found = Pruning { links: 0, last: None, seq: 0, hash: Vec::new() };
    let mut all = db.prepare(&format!("SELECT {COLUMNS} FROM history ORDER BY seq"))?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let link = link(row)?;
        let old = link.instant().is_some_and(|at| at < before);
        if !old || waiting.is_some_and(|seq| seq <= link.seq) {
            break;
        }
        found = Pruning { links: found.links + 1, last: Some(link.at), seq: link.seq, hash: link.hash };
    }
    Ok(found)
}

/// A hash as people see it.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Ledger {
    /// The last lines of a licence's history, oldest first.
    pub fn last_lines(&self, profile: &str, key: &Key, most: u32) -> Result<Vec<Line>> {
        let read = || -> rusqlite::Result<Vec<Line>> {
            let mut found = self.db.prepare_cached(
                "SELECT at, event, user, host, detail FROM history
                 WHERE profile = ?1 AND ubi = ?2 AND license = ?3 ORDER BY seq DESC LIMIT ?4",
            )?;
            let rows =
                found.query_map(params![profile, key.ubi.as_str(), key.license.as_str(), most], |row| {
                    Ok(Line {
                        at: row.get::<_, String>(0)?.parse().map_err(|e| strange(0, e))?,
                        event: row.get(1)?,
                        user: row.get(2)?,
                        host: row.get(3)?,
                        detail: row.get(4)?,
                    })
                })?;
            rows.collect()
        };
        let mut lines = read().map_err(|e| self.fault("read the history", e))?;
        lines.reverse();
        Ok(lines)
    }

    /// The history of a profile, with the events of the whole ledger, oldest first; only links that are wanted.
    pub fn links(&self, profile: &str, wanted: impl Fn(&Link) -> bool) -> Result<Vec<Link>> {
        let read = || -> rusqlite::Result<Vec<Link>> {
            let mut all = self.db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM history WHERE profile IN (?1, '') ORDER BY seq"
            ))?;
            let rows = all.query_map([profile], link)?;
            rows.filter(|row| row.as_ref().map_or(true, &wanted)).collect()
        };
        read().map_err(|e| self.fault("read the history", e))
    }

    /// Follows the whole chain.
    pub fn verify_history(&self) -> Result<Chain> {
        let read = || -> rusqlite::Result<Chain> {
            // One snapshot, so that the head belongs to its links.
            let snapshot = self.db.unchecked_transaction()?;
            let chain = follow(&snapshot)?;
            snapshot.finish()?;
            Ok(chain)
        };
        read().map_err(|e| self.fault("read the history", e))
    }

    /// What [`Self::prune_history`] would remove.
    pub fn prunable(&self, before: Timestamp) -> Result<Pruning> {
        prunable(&self.db, before).map_err(|e| self.fault("read the history", e))
    }

    /// Removes the links before an instant and leaves an anchor that the rest verifies from; one synced commit. The
    /// history says so itself. A chain that is broken isn't touched: `None`.
    pub fn prune_history(&mut self, before: Timestamp, now: Timestamp) -> Result<Option<Pruning>> {
        let hand = self.hand();
        self.transaction("prune the history", |tx| {
            if follow(tx)?.broken.is_some() {
                return Ok(None);
            }
            let pruned = prunable(tx, before)?;
            let Some(last) = &pruned.last else { return Ok(Some(pruned)) };
            tx.execute(
                "INSERT INTO history_anchor (seq, hash, last, at, user, host) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![pruned.seq, pruned.hash, last, now.to_string(), hand.who.user, hand.who.host],
            )?;
            tx.execute("DELETE FROM history WHERE seq <= ?1", [pruned.seq])?;
            tx.execute("DELETE FROM history_anchor WHERE seq < ?1", [pruned.seq])?;
            let detail =
                format!("{} links up to {} of {last}, hash {}", pruned.links, pruned.seq, hex(&pruned.hash));
            append_chore(tx, Chore::Pruned, now, &detail, &hand)?;
            Ok(Some(pruned))
        })
    }
}
