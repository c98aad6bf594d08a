//! The whole ledger, from a file to a server or back: copied in one transaction of the one it goes to while the one it comes
//! from lets nobody write, compared, and only then marked as moved. Killed anywhere, the same command goes on.

use super::engine::{LedgerEngine, OpenMode, ServerSession, checkpoint_truncate, values};
use super::history_chain::append_chore;
use super::move_state::MoveState;
use super::store::Ledger;
use super::{meta, table_copy};
use crate::error::{Error, LedgerError, Result};
use crate::model::history::LedgerEventKind;
use crate::model::server::LedgerPlace;
use crate::system::{Env, Paths, WatchedStep};
use jiff::Timestamp;
use std::fs;

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveSummary {
    pub records: usize,
    pub links: usize,
}

impl Ledger {
    /// Carries everything to another place, where it keeps its name. What was carried; where that had been done before,
    /// what is there now.
    ///
    /// # Errors
    /// Where the other place has records of its own, or the move isn't allowed there: nothing is changed.
    pub fn move_to(env: &Env, from: &LedgerPlace, to: &LedgerPlace, now: Timestamp) -> Result<MoveSummary> {
        let source = Self::connected(env, from, OpenMode::AsItIs)?;
        let is = |named: &Option<String>, ledger: &str| named.as_deref() == Some(ledger);
        let there = source.move_state()?;
        let mut target = match (&there.moved, is_unused_place(env, to)?) {
            (None, true) => Self::connected(env, to, OpenMode::AsItIs)?,
            (None, false) => source.replaced(env, to)?,
            (Some(moved), _) if *moved == place_of(env, to) => Self::connected(env, to, OpenMode::AsItIs)?,
            (Some(moved), _) => {
                return Err(LedgerError::Moved { place: source.path.clone(), to: moved.clone() }.into());
            }
        };
        if there.moved.is_none() {
            env.steps.reached(WatchedStep::BeforeCommit);
            source.copy_to(&target)?;
            env.steps.reached(WatchedStep::AfterCommit);
        }
        target.id.clone_from(&source.id);
        let from = source.path.clone();
        if is(&target.move_state()?.arriving, &from) {
            let context = target.write_context();
            let done = target.engine.transaction(|tx| {
                meta::remove(tx, "arriving")?;
                append_chore(tx, LedgerEventKind::LedgerMoved, now, &format!("from {from}"), &context)
            });
            done.map_err(|e| target.fault("finish the move", e))?;
            env.steps.reached(WatchedStep::AfterCommit);
        }
        let count = |table: &str| -> Result<usize> {
            let counted = target.engine.db().number(&format!("SELECT count(*) FROM {table}"), values![]);
            Ok(usize::try_from(counted.map_err(|e| target.fault("be read", e))?).unwrap_or_default())
        };
        Ok(MoveSummary { records: count("authorization")?, links: count("history")? })
    }

    pub(super) fn move_state(&self) -> Result<MoveState> {
        meta::move_state(self.engine.db()).map_err(|e| self.fault("be read", e))
    }

    /// Makes room at a place that is empty, or once held these very records: they moved away from there, or a move to it was
    /// cut short.
    fn replaced(&self, env: &Env, to: &LedgerPlace) -> Result<Self> {
        let old = Self::connected(env, to, OpenMode::AsItIs)?;
        let there = old.move_state()?;
        let ours = old.id == self.id && (there.moved.is_some() || there.arriving.is_some());
        if there == MoveState::default() && old.is_empty()? {
            return Ok(old);
        }
        if !ours {
            return Err(LedgerError::Occupied { place: old.path.clone() }.into());
        }
        if let LedgerEngine::Postgres(session) = &old.engine {
            session.makes_room(env.random.as_ref())?;
            return Ok(old);
        }
        drop(old);
        set_aside(&env.paths)?;
        Self::connected(env, to, OpenMode::AsItIs)
    }

    /// Whether nothing was kept in it yet.
    fn is_empty(&self) -> Result<bool> {
        table_copy::is_empty(self.engine.db()).map_err(|e| self.fault("be read", e))
    }

    fn copy_to(&self, target: &Self) -> Result<()> {
        let moved = self.engine.undisturbed(|from| {
            let done = target.engine.transaction(|to| {
                table_copy::copy_all(from, to)?;
                to.execute("UPDATE meta SET value = ?1 WHERE name = 'id'", values![&self.id])?;
                to.execute("INSERT INTO meta (name, value) VALUES ('arriving', ?1)", values![&self.path])?;
                Ok(())
            });
            done.map_err(|e| target.fault("receive the moved records", e))?;
            // From here on nobody writes here any more, however they had opened it.
            from.execute("INSERT INTO meta (name, value) VALUES ('moved', ?1)", values![&target.path])?;
            Ok(())
        });
        moved.map_err(|e| self.fault("be moved", e))
    }
}

/// The name of a place in messages and in a ledger that moved there.
fn place_of(env: &Env, place: &LedgerPlace) -> String {
    match place {
        LedgerPlace::File => env.paths.ledger().display().to_string(),
        LedgerPlace::Server(server) => server.address.clone(),
    }
}

/// Whether nothing was ever there.
fn is_unused_place(env: &Env, place: &LedgerPlace) -> Result<bool> {
    match place {
        LedgerPlace::File => Ok(!env.paths.ledger().exists()),
        LedgerPlace::Server(server) => Ok(ServerSession::is_new(server)?),
    }
}

/// The file from which the ledger once moved is kept, under another name.
fn set_aside(paths: &Paths) -> Result<()> {
    let file = paths.ledger();
    let fault = |e: std::io::Error| Error::File { path: file.display().to_string(), reason: e.to_string() };
    checkpoint_truncate(&file)?;
    for beside in paths.beside_ledger() {
        let _ = fs::remove_file(beside);
    }
    fs::rename(&file, paths.data.join("ledger.db.moved")).map_err(fault)
}
