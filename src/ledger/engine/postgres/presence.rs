//! Who is at work, as other hosts see it: a claim that expires unless it's heard of again.

use super::connect::{connect, limit};
use super::heartbeat::{Heartbeat, LEASE};
use super::messages::first;
use super::session::ServerSession;
use crate::error::{LedgerError, Result};
use crate::ledger::engine::value::SqlValue;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// How long what a process left open is its own host's to finish: a code lives ten minutes at most (RFC 6749, 4.1.2).
const LEFT: Duration = Duration::from_secs(15 * 60);

impl ServerSession {
    /// Shows from now on that this process lives: others leave what it's at to it.
    pub(in crate::ledger) fn enter(&self, mark: &str, label: &str) -> Result<()> {
        let named = |e| self.fault("note that this process is running", e);
        self.execute("DELETE FROM owner WHERE until < unixepoch() - 86400", &[]).map_err(named)?;
        self.execute(
            "INSERT INTO owner (mark, label, until) VALUES (?1, ?2, unixepoch() + ?3)",
            &[SqlValue::Text(mark), SqlValue::Text(label), SqlValue::Number(LEASE.as_secs().cast_signed())],
        )
        .map_err(named)?;
        let asked = Instant::now();
        let second = self.runtime.block_on(connect(&self.server)).map_err(|e| {
            if asked.elapsed() >= limit(&self.server) {
                self.nothing_answers();
            }
            self.away(e)
        })?;
        self.refuse_a_pool(&second)?;
        let heartbeat = Heartbeat::begin(&self.runtime, &self.server, second, mark);
        *self.heartbeat.borrow_mut() = Some(heartbeat);
        Ok(())
    }

    /// This process is at work no longer. Whether nothing of its is left open: else that is its host's to finish for a while,
    /// because an answer may wait there which nobody else knows of.
    pub(in crate::ledger) fn leaves(&self) -> bool {
        let Some(heartbeat) = self.heartbeat.borrow_mut().take() else { return true };
        heartbeat.end();
        let gone =
            "DELETE FROM owner WHERE mark = ?1 AND NOT EXISTS (SELECT FROM flow WHERE owner_mark = ?1)";
        let left = "UPDATE owner SET until = unixepoch() + ?2 WHERE mark = ?1";
        let told = "UPDATE flow SET owner_label = owner_label || ?2 WHERE owner_mark = ?1";
        let mark = SqlValue::Text(heartbeat.mark());
        if self.execute(gone, &[mark]).is_ok_and(|gone| gone == 1) {
            return true;
        }
        let until = SqlValue::Number(LEFT.as_secs().cast_signed());
        let _ = self.execute(left, &[mark, until]);
        let _ = self.execute(
            told,
            &[mark, SqlValue::Text(", which has ended: run the command on its host to continue")],
        );
        false
    }

    /// A pool that lends a server's process for one transaction at a time gives two idle connections the same.
    fn refuse_a_pool(&self, second: &Client) -> Result<()> {
        let ask = "SELECT pg_backend_pid()";
        let ours = self.simple(ask).map_err(|e| self.fault("be read", e))?;
        let theirs = self.wait(second.simple_query(ask)).map_err(|e| self.fault("be read", e))?;
        match first(&ours) == first(&theirs) {
            true => Err(LedgerError::Pooled { place: self.place() }.into()),
            false => Ok(()),
        }
    }

    /// How long others will still take this process for one that is at work.
    pub(in crate::ledger) fn lease(&self) -> Duration {
        self.heartbeat.borrow().as_ref().map_or(Duration::ZERO, Heartbeat::lease)
    }
}
