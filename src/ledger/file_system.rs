//! What the ledger needs of the file system under it, and the names of those that don't give it.

use crate::error::{LedgerError, Result};
use crate::system::files;
use std::io;
use std::path::Path;

/// A file that can't be locked, for another reason than that somebody has it.
pub(super) fn no_locks(path: &Path, e: &io::Error) -> LedgerError {
    lacking(path, "file locks", e.to_string())
}

/// What the file system under a file lacks.
pub(super) fn lacking(path: &Path, lacks: &'static str, reason: String) -> LedgerError {
    let on = match files::remote_file_system(path) {
        Some(remote) => format!("its file system ({remote})"),
        None => "its file system".into(),
    };
    LedgerError::FileSystem { path: path.display().to_string(), on, lacks, reason }
}

/// Whether locks are to be had in the folder of a ledger.
pub(super) fn check_locks(ledger: &Path) -> Result<(), LedgerError> {
    let refused = ledger.parent().and_then(files::no_locks_in);
    refused.map_or(Ok(()), |e| Err(no_locks(ledger, &e)))
}
