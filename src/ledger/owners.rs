//! Who lives: each process that works on questions keeps a file locked, and the lock goes with it, however it ends.

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
        Ok(Self { owner: Owner { mark, label }, path, _file: file })
    }

    pub(super) fn owner(&self) -> Owner {
        self.owner.clone()
    }

    /// Whether the process behind a mark lives. A doubt counts as living: nothing is taken from it.
    pub(super) fn alive(folder: &Path, owner: &Owner) -> bool {
        Self::locked(&folder.join(&owner.mark))
    }

    pub(super) fn locked(path: &Path) -> bool {
        match files::open_to_look(path) {
            Err(e) => e.kind() != std::io::ErrorKind::NotFound,
            Ok(file) => file.try_lock_shared().is_err(),
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
