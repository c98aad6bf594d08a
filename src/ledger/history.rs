//! What happened, in order, each line chained to the one before it.

use super::journal::strange;
use super::{Fault, Hand, Ledger, reminders};
use crate::error::Result;
use crate::model::history::{Event, Line};
use crate::model::ids::Key;
use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

/// A line of the history, as it's chained.
struct Entry {
    seq: i64,
    at: String,
    profile: String,
    ubi: String,
    license: String,
    event: String,
    user: String,
    host: String,
    detail: String,
}

impl Entry {
    /// The line's hash: SHA-256 over the hash before it and the line as a JSON array.
    fn hash(&self, before: &[u8]) -> Vec<u8> {
        let line = serde_json::json!([
            self.seq,
            self.at,
            self.profile,
            self.ubi,
            self.license,
            self.event,
            self.user,
            self.host,
            self.detail
        ]);
        Sha256::new().chain_update(before).chain_update(line.to_string()).finalize().to_vec()
    }
}

pub(super) fn append(tx: &Transaction<'_>, event: &Event, hand: &Hand) -> Result<(), Fault> {
    let last: Option<(i64, Vec<u8>)> = tx
        .prepare_cached("SELECT seq, hash FROM history ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (seq, before) = last.unwrap_or_default();
    let entry = Entry {
        seq: seq + 1,
        at: event.at.to_string(),
        profile: event.profile.clone(),
        ubi: event.key.ubi.to_string(),
        license: event.key.license.to_string(),
        event: event.happened.word().to_owned(),
        user: hand.who.user.clone(),
        host: hand.who.host.clone(),
        detail: event.detail.clone(),
    };
    tx.prepare_cached(
        "INSERT INTO history (seq, at, profile, ubi, license, event, user, host, detail, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        entry.seq,
        entry.at,
        entry.profile,
        entry.ubi,
        entry.license,
        entry.event,
        entry.user,
        entry.host,
        entry.detail,
        entry.hash(&before),
    ])?;
    reminders::queue(tx, event, entry.seq, &hand.hooks)
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
}
