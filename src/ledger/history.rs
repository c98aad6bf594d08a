//! What happened, in order, each line chained to the one before it.

use super::engine::{Db, DbError, Row, unexpected_value, values};
use super::{Ledger, WriteContext, reminders};
use crate::error::Result;
use crate::model::history::{Anchor, Broken, Chain, Chore, Event, Line, Link};
use crate::model::ids::Key;
use crate::model::instant::for_machines;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

const COLUMNS: &str = "seq, at, profile, ubi, license, event, user, host, detail, hash";

const ANCHOR: &str = "seq, hash, last, at, user, host";

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

pub(super) fn append(tx: Db<'_>, event: &Event, context: &WriteContext) -> Result<(), DbError> {
    let (seq, hash) = chain(
        tx,
        Link {
            seq: 0,
            at: for_machines(event.at),
            profile: event.profile.clone(),
            ubi: event.key.ubi.to_string(),
            license: event.key.license.to_string(),
            event: event.happened.word().to_owned(),
            user: context.who.user.clone(),
            host: context.who.host.clone(),
            detail: event.detail.clone(),
            hash: Vec::new(),
        },
    )?;
    context.written.borrow_mut().head = Some((seq, hash));
    reminders::queue(tx, event, seq, &context.hooks)
}

/// An event of the whole ledger.
pub(super) fn append_chore(
    tx: Db<'_>,
    chore: Chore,
    at: Timestamp,
    detail: &str,
    context: &WriteContext,
) -> Result<(), DbError> {
    let link = Link {
        seq: 0,
        at: for_machines(at),
        profile: String::new(),
        ubi: String::new(),
        license: String::new(),
        event: chore.word().to_owned(),
        user: context.who.user.clone(),
        host: context.who.host.clone(),
        detail: detail.to_owned(),
        hash: Vec::new(),
    };
    let head = chain(tx, link)?;
    context.written.borrow_mut().head = Some(head);
    Ok(())
}

/// Numbers a link, chains it to the head and makes it the head.
fn chain(tx: Db<'_>, mut link: Link) -> Result<(i64, Vec<u8>), DbError> {
    let (last, before) = head(tx)?.unwrap_or_default();
    link.seq = last + 1;
    link.hash = hash_of(&link, &before);
    tx.execute(
        &format!("INSERT INTO history ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"),
        values![
            link.seq,
            &link.at,
            &link.profile,
            &link.ubi,
            &link.license,
            &link.event,
            &link.user,
            &link.host,
            &link.detail,
            &link.hash,
        ],
    )?;
    tx.execute(
        "INSERT INTO history_head (only, seq, hash) VALUES (1, ?1, ?2)
         ON CONFLICT (only) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
        values![link.seq, &link.hash],
    )?;
    Ok((link.seq, link.hash))
}

pub(super) fn head(db: Db<'_>) -> Result<Option<(i64, Vec<u8>)>, DbError> {
    db.row("SELECT seq, hash FROM history_head", values![], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn anchor(db: Db<'_>) -> Result<Option<Anchor>, DbError> {
    db.row(&format!("SELECT {ANCHOR} FROM history_anchor ORDER BY seq DESC LIMIT 1"), values![], |row| {
        Ok(Anchor {
            seq: row.get(0)?,
            hash: row.get(1)?,
            last: row.get(2)?,
            at: row.get(3)?,
            user: row.get(4)?,
            host: row.get(5)?,
        })
    })
}

fn link(row: &Row<'_>) -> Result<Link, DbError> {
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
fn follow(db: Db<'_>) -> Result<Chain, DbError> {
    let anchor = anchor(db)?;
    let (mut last, mut before) = anchor.as_ref().map(|it| (it.seq, it.hash.clone())).unwrap_or_default();
    let (mut links, mut broken) = (0, None);
    db.each(&format!("SELECT {COLUMNS} FROM history ORDER BY seq"), values![], |row| {
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
                return Ok(false);
            }
        };
        let why = if found.seq != last + 1 {
            // The one before it is what is missing.
            broken = Some(Broken { seq: last + 1, at: None, license: None, why: "it is missing" });
            return Ok(false);
        } else if found.hash != hash_of(&found, &before) {
            "it was changed, or what stood before it was"
        } else {
            (last, before) = (found.seq, found.hash);
            links += 1;
            return Ok(true);
        };
        broken = Some(Broken { seq: found.seq, at: Some(found.at), license: Some(found.license), why });
        Ok(false)
    })?;
    if broken.is_none() {
        broken = match head(db)? {
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
fn prunable(db: Db<'_>, before: Timestamp) -> Result<Pruning, DbError> {
    let waiting: Option<i64> =
        db.row("SELECT min(seq) FROM hook_queue", values![], |row| row.get(0))?.flatten();
    let mut found = Pruning { links: 0, last: None, seq: 0, hash: Vec::new() };
    db.each(&format!("SELECT {COLUMNS} FROM history ORDER BY seq"), values![], |row| {
        let link = link(row)?;
        let old = link.instant().is_some_and(|at| at < before);
        if !old || waiting.is_some_and(|seq| seq <= link.seq) {
            return Ok(false);
        }
        found = Pruning { links: found.links + 1, last: Some(link.at), seq: link.seq, hash: link.hash };
        Ok(true)
    })?;
    Ok(found)
}

impl Ledger {
    /// The last lines of a license's history, oldest first.
    pub fn last_lines(&self, profile: &str, key: &Key, most: u32) -> Result<Vec<Line>> {
        let read = self.engine.db().rows(
            "SELECT at, event, user, host, detail FROM history
             WHERE profile = ?1 AND ubi = ?2 AND license = ?3 ORDER BY seq DESC LIMIT ?4",
            values![profile, key.ubi.as_str(), key.license.as_str(), most],
            |row| {
                Ok(Line {
                    at: row.get::<&str>(0)?.parse().map_err(|e| unexpected_value(0, e))?,
                    event: row.get(1)?,
                    user: row.get(2)?,
                    host: row.get(3)?,
                    detail: row.get(4)?,
                })
            },
        );
        let mut lines = read.map_err(|e| self.fault("read the history", e))?;
        lines.reverse();
        Ok(lines)
    }

    /// The history of a profile, with the events of the whole ledger, oldest first; only links that are wanted.
    pub fn links(&self, profile: &str, wanted: impl Fn(&Link) -> bool) -> Result<Vec<Link>> {
        let mut links = Vec::new();
        let read = self.engine.db().each(
            &format!("SELECT {COLUMNS} FROM history WHERE profile IN (?1, '') ORDER BY seq"),
            values![profile],
            |row| {
                links.extend(Some(link(row)?).filter(&wanted));
                Ok(true)
            },
        );
        read.map_err(|e| self.fault("read the history", e))?;
        Ok(links)
    }

    /// Follows the whole chain.
    pub fn verify_history(&self) -> Result<Chain> {
        // One snapshot, so that the head belongs to its links.
        let read = self.engine.snapshot(follow);
        read.map_err(|e| self.fault("read the history", e))
    }

    /// What [`Self::prune_history`] would remove.
    pub fn prunable(&self, before: Timestamp) -> Result<Pruning> {
        prunable(self.engine.db(), before).map_err(|e| self.fault("read the history", e))
    }

    /// Removes the links before an instant and leaves an anchor that the rest verifies from; one synced commit. The
    /// history says so itself. A chain that is broken isn't touched: `None`.
    pub fn prune_history(&mut self, before: Timestamp, now: Timestamp) -> Result<Option<Pruning>> {
        let context = self.write_context();
        self.transaction("prune the history", |tx| {
            if follow(tx)?.broken.is_some() {
                return Ok(None);
            }
            let pruned = prunable(tx, before)?;
            let Some(last) = &pruned.last else { return Ok(Some(pruned)) };
            tx.execute(
                &format!("INSERT INTO history_anchor ({ANCHOR}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
                values![
                    pruned.seq,
                    &pruned.hash,
                    last,
                    &for_machines(now),
                    &context.who.user,
                    &context.who.host
                ],
            )?;
            tx.execute("DELETE FROM history WHERE seq <= ?1", values![pruned.seq])?;
            tx.execute("DELETE FROM history_anchor WHERE seq < ?1", values![pruned.seq])?;
            let detail = format!(
                "{} links up to {} of {last}, hash {}",
                pruned.links,
                pruned.seq,
                hex::encode(&pruned.hash)
            );
            append_chore(tx, Chore::Pruned, now, &detail, &context)?;
            Ok(Some(pruned))
        })
    }
}
