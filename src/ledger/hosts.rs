//! The hosts that take answers for others: each lists itself, and whoever makes a hand-off seals its verifier to them, too.

use super::cells::instant;
use super::engine::{DbError, SqlRow, values};
use super::store::Ledger;
use crate::error::Result;
use jiff::Timestamp;

/// A host that wasn't heard of as a listener for so long, in seconds, isn't sealed to any more: 30 days, for it may be away while
/// a hand-off is out, which lives 7 unless it's told otherwise.
const LISTENS_ON: i64 = 30 * 24 * 60 * 60;
/// No verifier is sealed to more of them than this: the last ones heard of.
const MOST: i64 = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListeningHost {
    pub recipient: String,
    pub name: String,
    pub since: Timestamp,
    pub listened: Timestamp,
}

/// Asks for the hosts.
pub(super) const HOSTS: &str = "SELECT recipient, name, since, listened FROM host";

pub(super) fn host(row: &SqlRow<'_>) -> Result<ListeningHost, DbError> {
    Ok(ListeningHost {
        recipient: row.get(0)?,
        name: row.get(1)?,
        since: instant(row, 2)?,
        listened: instant(row, 3)?,
    })
}

impl Ledger {
    /// Lists a host as one that listens now. Those that were silent for too long go.
    pub fn list_host(&mut self, recipient: &str, name: &str, now: Timestamp) -> Result<()> {
        let now = now.as_second();
        self.transaction("list this host", |tx| {
            tx.execute("DELETE FROM host WHERE listened < ?1", values![now - LISTENS_ON])?;
            tx.execute(
                "INSERT INTO host (recipient, name, since, listened) VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT (recipient) DO UPDATE SET name = excluded.name, listened = excluded.listened",
                values![recipient, name, now],
            )?;
            Ok(())
        })
    }

    /// Lists a host no longer: its name, where it was listed. It lists itself again where it still listens.
    pub fn unlist_host(&mut self, recipient: &str) -> Result<Option<String>> {
        self.transaction("take the host off the list", |tx| {
            let named = "SELECT name FROM host WHERE recipient = ?1";
            let name = tx.row(named, values![recipient], |row| row.get(0))?;
            tx.execute("DELETE FROM host WHERE recipient = ?1", values![recipient])?;
            Ok(name)
        })
    }

    /// The hosts that listen, by what was heard of them, the latest first.
    pub fn listening_hosts(&self, now: Timestamp) -> Result<Vec<ListeningHost>> {
        let latest = format!("{HOSTS} WHERE listened >= ?1 ORDER BY listened DESC, recipient LIMIT ?2");
        let since = now.as_second() - LISTENS_ON;
        let read = self.engine.db().readable_rows(&latest, values![since, MOST], host);
        read.map_err(|e| self.fault("read which hosts listen", e))
    }
}
