//! Whether a ledger went back in time: what this host has seen of it, measured by what it holds.

use super::engine::{Db, DbError, LedgerEngine, values};
use super::history_chain;
use super::records;
use super::seen_heads::{self, SeenHead};
use std::path::Path;

/// Whether the ledger holds what was seen: its history has that link, or was pruned behind it, and no record is older.
fn holds(db: Db<'_>, seen: &SeenHead) -> Result<bool, DbError> {
    let pruned = db.number("SELECT coalesce(max(seq), 0) FROM history_anchor", values![])?;
    if seen.seq > pruned {
        let hash: Option<Vec<u8>> =
            db.row("SELECT hash FROM history WHERE seq = ?1", values![seen.seq], |row| row.get(0))?;
        if hash.is_none_or(|hash| hex::encode(hash) != seen.hash) {
            return Ok(false);
        }
    }
    for it in &seen.changed {
        let Some(key) = it.key() else { continue };
        let found = records::generation(db, &it.profile, &key)?;
        // One that isn't there any more was removed, or the history doesn't hold what was seen either.
        if found.is_some_and(|found| found.0 < it.generation) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the history has what is noted as its last. One that doesn't wasn't taken back, somebody had his hands in it: `history
/// verify` says where. Behind it may be rows that somebody put there by hand.
fn is_whole(db: Db<'_>) -> Result<bool, DbError> {
    let Some((seq, hash)) = history_chain::head(db)? else {
        let any: Option<i64> = db.row("SELECT seq FROM history LIMIT 1", values![], |row| row.get(0))?;
        return Ok(any.is_none());
    };
    let last = "SELECT hash FROM history WHERE seq = ?1";
    let last: Option<Vec<u8>> = db.row(last, values![seq], |row| row.get(0))?;
    match last {
        Some(last) => Ok(last == hash),
        None => Ok(seq <= db.number("SELECT coalesce(max(seq), 0) FROM history_anchor", values![])?),
    }
}

/// What this host has seen and the ledger doesn't hold; `lines` are what it does.
///
/// A link that is held has all before it. What was seen while it was the newest isn't: a refresh adds no link, so each of those
/// lines is looked at.
pub(super) fn lost_of(engine: &LedgerEngine, lines: &mut Vec<SeenHead>) -> Result<Vec<SeenHead>, DbError> {
    let mut lost = Vec::new();
    if !engine.snapshot(is_whole)? {
        return Ok(lost);
    }
    let mut held = Vec::new();
    while let Some(last) = lines.pop_if(|line| held.last().is_none_or(|it: &SeenHead| it.seq == line.seq)) {
        match engine.snapshot(|db| holds(db, &last))? {
            true => held.push(last),
            false => lost.push(last),
        }
    }
    held.reverse();
    lines.append(&mut held);
    Ok(lost)
}

/// Whether the ledger is still the one that this process, and others of its host, have seen: after its connection was lost
/// another server may answer.
pub(super) fn is_still_there(tx: Db<'_>, seen: &SeenHead, file: &Path) -> Result<bool, DbError> {
    let newest = seen_heads::newest(file);
    let seen = std::iter::once(seen).chain(&newest).filter(|it| it.seq > 0);
    seen.map(|it| holds(tx, it)).try_fold(true, |all, holds| Ok(all && holds?))
}
