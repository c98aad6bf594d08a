//! Who lives: each process that works on questions keeps a file locked, and the lock goes with it, however it ends.

use super::engine::{Db, Fault};
use crate::edge::{Random, Who, files};
use crate::error::{Error, Result};
use crate::model::flow::Owner;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// This process's mark.
#[derive(Debug)]
pub struct Mark {
    owner: Owner,
    path: PathBuf,
    stays: bool,
    // Held open for its lock.
    _file: File,
}

impl Mark {
    pub(super) fn make(folder: &Path, who: &Who, random: &dyn Random) -> Result<Self> {
        files::private_folder(folder)?;
        let mark = random.name()?;
        let path = folder.join(&mark);
        let file = files::create_private(&path)?;
        file.lock().map_err(|e| Error::File { path: path.display().to_string(), reason: e.to_string() })?;
        let label = format!("{}@{}, process {}", who.user, who.host, std::process::id());
        Ok(Self { owner: Owner { mark, label }, path, stays: false, _file: file })
    }

    /// It outlives the process, unlocked.
    pub(super) fn stays(&mut self) {
        self.stays = true;
    }

    pub(super) fn owner(&self) -> Owner {
        self.owner.clone()
    }

    pub(super) fn locked(path: &Path) -> bool {
        match files::open_to_look(path) {
            Err(e) => e.kind() != std::io::ErrorKind::NotFound,
            Ok(file) => file.try_lock_shared().is_err(),
        }
    }
}

/// How it's found out whether an owner lives.
#[derive(Debug, Clone)]
pub(super) struct Living {
    /// The folder of marks here.
    pub(super) marks: PathBuf,
}

impl Living {
    /// Whether the process behind a mark lives. A doubt counts as living: nothing is taken from it. One of this host is
    /// known by its mark's lock, however it ended; of another host by its lease.
    pub(super) fn has(&self, db: Db<'_>, owner: &Owner) -> Result<bool, Fault> {
        let mark = self.marks.join(&owner.mark);
        match fs::symlink_metadata(&mark) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => db.has_a_lease(&owner.mark),
            _ => Ok(Mark::locked(&mark)),
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if !self.stays {
            let _ = fs::remove_file(&self.path);
        }
    }
}
