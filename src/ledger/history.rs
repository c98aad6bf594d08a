//! The history as it's read, verified and pruned.

use super::engine::{Db, DbError, unexpected_value, values};
use super::history_chain::{ANCHOR, COLUMNS, append_chore, follow, link};
use super::store::Ledger;
use crate::error::Result;
use crate::model::history::{Chain, ChainLink, HistoryLine, LedgerEventKind};
use crate::model::ids::LicenseId;
use crate::model::instant::for_machines;
use jiff::Timestamp;

/// What pruning would remove, or has removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneSummary {
    pub links: u64,
    pub last: Option<String>,
    pub seq: i64,
    pub hash: Vec<u8>,
}

impl Ledger {
    /// The last lines of a license's history, oldest first.
    pub fn last_lines(&self, profile: &str, key: &LicenseId, most: u32) -> Result<Vec<HistoryLine>> {
        let read = self.engine.db().readable_rows(
            "SELECT at, event, host, detail FROM history
             WHERE profile = ?1 AND ubi = ?2 AND license = ?3 ORDER BY seq DESC LIMIT ?4",
            values![profile, key.ubi.as_str(), key.license.as_str(), most],
            |row| {
                Ok(HistoryLine {
                    at: row.get::<&str>(0)?.parse().map_err(|e| unexpected_value(0, e))?,
                    event: row.get(1)?,
                    host: row.get(2)?,
                    detail: row.get(3)?,
                })
            },
        );
        let mut lines = read.map_err(|e| self.fault("read the history", e))?;
        lines.reverse();
        Ok(lines)
    }

    /// When the last event happened, by the clock of whoever wrote it.
    pub fn newest_event(&self) -> Result<Option<Timestamp>> {
        let last = "SELECT at FROM history ORDER BY seq DESC LIMIT 1";
        let read = self.engine.db().row(last, values![], |row| row.get::<String>(0));
        let at = read.map_err(|e| self.fault("read the history", e))?;
        // What isn't an instant isn't what a clock is measured by; `history verify` says what is wrong with it.
        Ok(at.and_then(|at| at.parse().ok()))
    }

    /// The history of a profile, with the events of the whole ledger, oldest first; only links that are wanted.
    pub fn links(&self, profile: &str, wanted: impl Fn(&ChainLink) -> bool) -> Result<Vec<ChainLink>> {
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

    pub fn verify_history(&self) -> Result<Chain> {
        // One snapshot, so that the head belongs to its links.
        let read = self.engine.snapshot(follow);
        read.map_err(|e| self.fault("read the history", e))
    }

    /// What [`Self::prune_history`] would remove.
    pub fn prunable(&self, before: Timestamp) -> Result<PruneSummary> {
        prunable(self.engine.db(), before).map_err(|e| self.fault("read the history", e))
    }

    /// Removes the links before an instant and leaves an anchor that the rest verifies from; one synced commit. The
    /// history says so itself. A chain that is broken isn't touched: `None`.
    pub fn prune_history(&mut self, before: Timestamp, now: Timestamp) -> Result<Option<PruneSummary>> {
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
            append_chore(tx, LedgerEventKind::Pruned, now, &detail, &context)?;
            Ok(Some(pruned))
        })
    }
}

/// The links before an instant, from the oldest on: up to the first that is younger, or whose hook still waits.
fn prunable(db: Db<'_>, before: Timestamp) -> Result<PruneSummary, DbError> {
    let waiting: Option<i64> =
        db.row("SELECT min(seq) FROM hook_queue", values![], |row| row.get(0))?.flatten();
    let mut found = PruneSummary { links: 0, last: None, seq: 0, hash: Vec::new() };
    db.each(&format!("SELECT {COLUMNS} FROM history ORDER BY seq"), values![], |row| {
        let link = link(row)?;
        let old = link.instant().is_some_and(|at| at < before);
        if !old || waiting.is_some_and(|seq| seq <= link.seq) {
            return Ok(false);
        }
        found = PruneSummary { links: found.links + 1, last: Some(link.at), seq: link.seq, hash: link.hash };
        Ok(true)
    })?;
    Ok(found)
}
