//! Advisory locks of a server: what two must not do at once, on whatever host.

use super::messages::first;
use super::session::ServerSession;
use crate::error::Result;
use crate::ledger::engine::db_error::DbError;
use crate::ledger::engine::transaction_kind::PATIENCE;
use std::rc::Rc;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// An advisory lock, until it's dropped or the connection is lost.
pub(in crate::ledger) struct ServerLock {
    session: Rc<ServerSession>,
    number: i64,
}

impl ServerLock {
    /// Takes it, and says whether it was waited for; `None` where another has it for longer than `wait`.
    pub(in crate::ledger) fn take(
        session: &Rc<ServerSession>,
        number: i64,
        wait: Duration,
    ) -> Result<Option<(Self, bool)>> {
        let taken = session.lock(number, wait)?;
        Ok(taken.map(|waited| (Self { session: session.clone(), number }, waited)))
    }
}

impl Drop for ServerLock {
    fn drop(&mut self) {
        let _ = self.session.simple(&format!("SELECT pg_advisory_unlock({})", self.number));
    }
}

impl ServerSession {
    /// Whether a lock that goes with the connection was waited for; `None` where another has it for longer than that.
    fn lock(&self, number: i64, wait: Duration) -> Result<Option<bool>> {
        let what = "lock what two must not do at once";
        self.connected()?;
        let taken = self
            .simple(&format!("SELECT pg_try_advisory_lock({number})"))
            .map_err(|e| self.fault(what, e))?;
        if first(&taken) == Some("t") {
            return Ok(Some(false));
        }
        let milliseconds = wait.as_millis();
        if milliseconds == 0 {
            return Ok(None);
        }
        self.patience.set(wait);
        let waited = self.simple(&format!(
            "BEGIN; SET LOCAL lock_timeout = {milliseconds}; SET LOCAL statement_timeout = 0; SELECT pg_advisory_lock({number}); COMMIT"
        ));
        self.patience.set(PATIENCE);
        match waited {
            Ok(_) => Ok(Some(true)),
            Err(e) => {
                let _ = self.simple("ROLLBACK");
                match code(&e) {
                    Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => Ok(None),
                    _ => Err(self.fault(what, e)),
                }
            }
        }
    }
}

fn code(fault: &DbError) -> Option<&SqlState> {
    match fault {
        DbError::Postgres(e) => e.code(),
        _ => None,
    }
}
