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
        let what = "take the lock";
        self.connected()?;
        let taken = self
            .simple(&format!("SELECT pg_try_advisory_lock({number})"))
            .map_err(|e| self.fault(what, e))?;
        if first(&taken) == Some("t") {
            return Ok(Some(false));
        }
        if wait.is_zero() {
            return Ok(None);
        }
        // A session of another program holds no claim of ours: it isn't waited for as long as a refresh may take.
        if self.waits(number, wait.min(PATIENCE))? {
            return Ok(Some(true));
        }
        let is_a_strangers =
            self.blocker.borrow().as_ref().is_some_and(|holder| holder.is_recent() && !holder.is_ours);
        if let Some(held) = is_a_strangers.then(|| self.held(wait.min(PATIENCE))).flatten() {
            return Err(held.into());
        }
        let rest = wait.saturating_sub(PATIENCE);
        Ok((!rest.is_zero() && self.waits(number, rest)?).then_some(true))
    }

    /// Waits for a lock that goes with the connection; `false` where another has it for longer.
    fn waits(&self, number: i64, wait: Duration) -> Result<bool> {
        let milliseconds = wait.as_millis();
        self.patience.set(wait);
        let waited = self.simple(&format!(
            "BEGIN; SET LOCAL lock_timeout = {milliseconds}; SET LOCAL statement_timeout = 0; SELECT pg_advisory_lock({number}); COMMIT"
        ));
        self.patience.set(PATIENCE);
        match waited {
            Ok(_) => Ok(true),
            Err(e) => {
                let _ = self.simple("ROLLBACK");
                match code(&e) {
                    Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => Ok(false),
                    _ => Err(self.fault("take the lock", e)),
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
