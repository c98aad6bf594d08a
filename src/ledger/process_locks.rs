//! Who lives: each process that works on flows keeps a file locked, and the lock goes with it, however it ends.

use super::engine::{Db, DbError};
use super::file_system::no_locks;
use crate::error::Result;
use crate::model::flow::FlowOwner;
use crate::system::files::{self, FileSensitivity};
use crate::system::{Invoker, Random};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// This process's mark.
#[derive(Debug)]
pub struct ProcessLock {
    owner: FlowOwner,
    path: PathBuf,
    stays: bool,
    // Held open for its lock.
    _file: File,
}

impl ProcessLock {
    pub(super) fn make(
        folder: &Path,
        who: &Invoker,
        boot: Option<&str>,
        random: &dyn Random,
    ) -> Result<Self> {
        files::ensure_private_folder(folder)?;
        let mark = format!("{}{BEHIND_BOOT}{}", boot.unwrap_or(SYNCED), random.name()?);
        let path = folder.join(&mark);
        let file = files::create_private(&path)?;
        file.lock().map_err(|e| no_locks(&path, &e))?;
        let label = format!("{}@{}, process {}", who.user, who.host, std::process::id());
        Ok(Self { owner: FlowOwner { mark, label }, path, stays: false, _file: file })
    }

    /// It outlives the process, unlocked.
    pub(super) fn stays(&mut self) {
        self.stays = true;
    }

    pub(super) fn owner(&self) -> FlowOwner {
        self.owner.clone()
    }

    pub(super) fn locked(path: &Path) -> bool {
        match files::read_private(path, FileSensitivity::Settings) {
            // What can't be looked at counts as living.
            Err(_) => true,
            Ok(None) => false,
            Ok(Some(file)) => file.try_lock_shared().is_err(),
        }
    }
}

/// What stands in a mark between the start of the machine and the process's own name. No random name has it.
const BEHIND_BOOT: char = '.';

/// What stands there instead where starts can't be told apart: such a process syncs what it notes.
const SYNCED: &str = "synced";

/// The mark of a process that has ended, whose last note is synced by whoever read it in its spool.
pub(super) fn with_notes_synced(mark: &str) -> String {
    format!("{SYNCED}{BEHIND_BOOT}{mark}")
}

/// Whether a process's last notes are surely there: it synced them, or belonged to this start of the machine, so that no cut
/// of its power can have taken them. Version 0.2 named no start in its marks.
pub(super) fn has_noted_all(owner: &FlowOwner, boot: Option<&str>) -> bool {
    let of = owner.mark.split_once(BEHIND_BOOT).map(|(of, _)| of);
    of.is_some() && (of == Some(SYNCED) || of == boot)
}

/// How it's found out whether an owner lives.
#[derive(Debug, Clone)]
pub(super) struct Liveness {
    /// The folder of marks here.
    pub(super) marks: PathBuf,
}

impl Liveness {
    /// Whether the process behind a mark lives. A doubt counts as living: nothing is taken from it. One of this host is
    /// known by its mark's lock, however it ended; of another host by its lease.
    pub(super) fn has(&self, db: Db<'_>, owner: &FlowOwner) -> Result<bool, DbError> {
        let mark = self.marks.join(&owner.mark);
        match fs::symlink_metadata(&mark) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => db.has_a_lease(&owner.mark),
            _ => Ok(ProcessLock::locked(&mark)),
        }
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        if !self.stays {
            let _ = fs::remove_file(&self.path);
        }
    }
}
