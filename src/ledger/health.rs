//! How the ledger's own files are: for `doctor`, which looks and, where it's told to, clears away.

use super::engine::{DbError, LedgerEngine};
use super::process_locks::ProcessLock;
use super::store::Ledger;
use crate::error::{Error, Result};
use crate::system::{Paths, files};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// A mark that is younger may be of a process that is just about to lock it.
const SETTLED: Duration = Duration::from_secs(60);

/// What dead processes left beside the ledger.
#[derive(Debug, Default)]
pub struct Leftovers {
    pub marks: Vec<PathBuf>,
    /// Their spools, which may hold an answer.
    pub spools: Vec<PathBuf>,
    pub living: usize,
}

impl Leftovers {
    /// Looks; changes nothing.
    pub fn find(paths: &Paths, spool: &Path) -> Self {
        let mut found = Self::default();
        let entries = |folder: PathBuf| {
            fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
        };
        let settled = |path: &PathBuf| {
            let age = path.metadata().and_then(|it| it.modified()).map(|at| at.elapsed().unwrap_or_default());
            age.is_ok_and(|age| age >= SETTLED)
        };
        for mark in entries(paths.owners()) {
            if ProcessLock::locked(&mark) {
                found.living += 1;
            } else if settled(&mark) {
                found.marks.push(mark);
            }
        }
        for spool in entries(spool.to_owned()) {
            let mark = spool.file_name().map(|name| paths.owners().join(name));
            if mark.is_some_and(|mark| !ProcessLock::locked(&mark)) && settled(&spool) {
                found.spools.push(spool);
            }
        }
        found
    }
}

impl Ledger {
    /// Why a failover of its server may lose what was committed last; `None` where it can't, or there is no standby.
    pub fn failover_risk(&self) -> Result<Option<&'static str>> {
        match &self.engine {
            LedgerEngine::Sqlite(_) => Ok(None),
            LedgerEngine::Postgres(session) => session.failover_risk(),
        }
    }

    /// What dead processes of this host left beside it.
    pub fn leftovers(&self) -> Leftovers {
        Leftovers::find(&self.paths, &self.spool)
    }

    /// SQLite's own look at the whole file, for no longer than that: what it complains of, or `None` where time was up.
    pub fn integrity(&self, limit: Duration) -> Result<Option<Vec<String>>> {
        // A server looks after its own pages.
        let LedgerEngine::Sqlite(file) = &self.engine else { return Ok(Some(Vec::new())) };
        let interrupt = file.interrupt();
        let (done, wait) = mpsc::channel::<()>();
        let watch = std::thread::Builder::new().name("integrity".into()).spawn(move || {
            let late = matches!(wait.recv_timeout(limit), Err(mpsc::RecvTimeoutError::Timeout));
            if late {
                interrupt.interrupt();
            }
        });
        watch.map_err(|e| Error::System { what: "no thread can be started", reason: e.to_string() })?;
        let read = self.engine.db().rows("PRAGMA integrity_check(5)", &[], |row| row.get::<String>(0));
        drop(done);
        match read {
            Ok(lines) => Ok(Some(lines.into_iter().filter(|line| line != "ok").collect())),
            Err(DbError::Sqlite(e))
                if e.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
            {
                Ok(None)
            }
            Err(e) => Err(self.fault("be checked", e)),
        }
    }

    /// Clears away what dead processes left: what their spools hold goes into the journal first. How many files went.
    pub fn clear_leftovers(&mut self) -> Result<usize> {
        let mut left = self.leftovers();
        self.merge_spools()?;
        // By its mark this host knows that an unfinished bundle is its own to finish.
        let bundles = self.exports_cut_short()?;
        left.marks.retain(|mark| bundles.iter().all(|(export, _)| !mark.ends_with(export.mark())));
        for mark in &left.marks {
            fs::remove_file(mark)
                .map_err(|e| Error::File { path: mark.display().to_string(), reason: e.to_string() })?;
        }
        files::ensure_folder(&self.paths.data)?;
        Ok(left.marks.len() + left.spools.len())
    }
}
