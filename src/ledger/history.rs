//! What happened, in order, each line chained to the one before it.

use super::{Fault, Ledger};
use crate::edge::Who;
use crate::error::Result;
use crate::model::history::Event;
use crate::model::ids::Key;
use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: i64,
    /// When: RFC 3339, UTC.
    pub at: String,
    /// In which profile.
    pub profile: String,
    /// Which company.
    pub ubi: String,
    /// Which licence.
    pub license: String,
    /// What happened.
    pub event: String,
    /// Which OS user did it.
    pub user: String,
    /// On which host.
    pub host: String,
    /// More, in words.
    pub detail: String,
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

pub(super) fn append(tx: &Transaction<'_>, event: &Event, who: &Who) -> Result<(), Fault> {
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
        user: who.user.clone(),
        host: who.host.clone(),
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
    Ok(())
}

impl Ledger {
    /// The last lines of a licence's history, oldest first.
    pub fn history(&self, profile: &str, key: &Key, most: usize) -> Result<Vec<Entry>> {
        let read = || -> rusqlite::Result<Vec<Entry>> {
            let mut found = self.db.prepare_cached(
                "SELECT seq, at, profile, ubi, license, event, user, host, detail FROM history
                 WHERE profile = ?1 AND ubi = ?2 AND license = ?3 ORDER BY seq DESC LIMIT ?4",
            )?;
            let rows = found.query_map(
                params![
                    profile,
                    key.ubi.as_str(),
                    key.license.as_str(),
                    i64::try_from(most).unwrap_or(i64::MAX)
                ],
                |row| {
                    Ok(Entry {
                        seq: row.get(0)?,
                        at: row.get(1)?,
                        profile: row.get(2)?,
                        ubi: row.get(3)?,
                        license: row.get(4)?,
                        event: row.get(5)?,
                        user: row.get(6)?,
                        host: row.get(7)?,
                        detail: row.get(8)?,
                    })
                },
            )?;
            rows.collect()
        };
        let mut entries = read().map_err(|e| self.fault("read the history", e))?;
        entries.reverse();
        Ok(entries)
    }
}
