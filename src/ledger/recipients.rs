//! To whom a team's hosts seal their token sets: one list, in the ledger. Where each host went by its own, the first that
//! didn't know of the others would seal a renewed grant to itself alone.

use super::engine::{Db, DbError, values};
use super::store::Ledger;
use crate::error::Result;
use jiff::Timestamp;

/// Whom the hosts seal to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRecipient {
    /// The public half of a host's identity.
    pub recipient: String,
    /// Which host listed it, as it named itself.
    pub host: String,
}

impl Ledger {
    /// The list, in the recipients' order; empty where no host has sealed anything yet that keeps one.
    pub fn recipients(&self) -> Result<Vec<ListedRecipient>> {
        let read = self.engine.db().rows(
            "SELECT recipient, host FROM recipient ORDER BY recipient",
            values![],
            |row| Ok(ListedRecipient { recipient: row.get(0)?, host: row.get(1)? }),
        );
        read.map_err(|e| self.fault("read the recipients", e))
    }

    /// Makes a list where there is none. `false` where another host was quicker.
    pub fn begin_recipients(&mut self, recipients: &[String], now: Timestamp) -> Result<bool> {
        let host = self.write_context().who.host;
        self.transaction("list the recipients", |tx| {
            if tx.number("SELECT count(*) FROM recipient", values![])? > 0 {
                return Ok(false);
            }
            list(tx, recipients, &host, now)?;
            Ok(true)
        })
    }
}

/// From now on the hosts seal to these. Who was listed before stays as it was.
pub(super) fn list(tx: Db<'_>, recipients: &[String], host: &str, now: Timestamp) -> Result<(), DbError> {
    let listed: Vec<String> = tx.rows("SELECT recipient FROM recipient", values![], |row| row.get(0))?;
    for gone in listed.iter().filter(|it| !recipients.contains(it)) {
        tx.execute("DELETE FROM recipient WHERE recipient = ?1", values![gone])?;
    }
    for recipient in recipients {
        tx.execute(
            "INSERT INTO recipient (recipient, host, since) VALUES (?1, ?2, ?3) ON CONFLICT (recipient) DO NOTHING",
            values![recipient, host, now.as_second()],
        )?;
    }
    Ok(())
}
