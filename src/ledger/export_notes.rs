//! What the ledger notes of a bundle whose tokens leave for another home.

use super::engine::{Db, DbError};
use super::meta;
use crate::error::{Error, LedgerError};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What stands before an export's own name where the ledger says that it's under way.
pub(super) const NOTED: &str = "export";

/// A bundle with tokens that leave for another home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportNote {
    /// Its name in the ledger.
    #[serde(skip)]
    pub id: String,
    /// The file that it's written to; `None`: standard output.
    pub file: Option<PathBuf>,
    pub licenses: Vec<String>,
    /// The tokens have left the ledger: they are in the bundle alone.
    pub has_left: bool,
    /// The process that writes it.
    pub(super) mark: String,
    /// The same for people.
    pub(super) label: String,
}

impl ExportNote {
    /// The mark of the process that writes it.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// The process that writes it, and which host's.
    pub fn owner(&self) -> &str {
        &self.label
    }

    /// The bundle's file until its tokens have left: one of its own, whatever else is on its way to the same name.
    pub fn unfinished(&self) -> Option<PathBuf> {
        let file = self.file.as_deref()?;
        let mut name = file.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}.unfinished", own_name(&self.id)));
        Some(file.with_file_name(name))
    }
}

/// What makes an export's name in the ledger its own.
pub(super) fn own_name(id: &str) -> &str {
    id.strip_prefix(NOTED).unwrap_or(id).trim_start()
}

pub(super) fn is_part_of_a_name(text: &str) -> bool {
    !text.contains(['/', '\\']) && !text.starts_with('.')
}

/// How many bundles a process has noted that aren't settled yet.
pub(super) fn of_process(db: Db<'_>, mark: &str) -> Result<usize, DbError> {
    let noted = meta::of_kind(db, NOTED)?;
    let noted = noted.iter().filter_map(|(_, value)| serde_json::from_str::<ExportNote>(value).ok());
    Ok(noted.filter(|export| export.mark == mark).count())
}

/// The tokens leave, in the commit in which this is noted. What goes to standard output is there by then.
pub(super) fn leaves(tx: Db<'_>, export: &ExportNote) -> Result<(), DbError> {
    match export.file {
        // One that another command has taken back by now isn't noted again.
        Some(_) => match meta::get(tx, &export.id)? {
            Some(_) => note(tx, &ExportNote { has_left: true, ..export.clone() }),
            None => Err(Error::from(LedgerError::TakenOver).into()),
        },
        None => meta::remove(tx, &export.id),
    }
}

pub(super) fn note(tx: Db<'_>, export: &ExportNote) -> Result<(), DbError> {
    let value = serde_json::to_string(export).map_err(|e| Error::Internal(e.to_string()))?;
    meta::put(tx, &export.id, &value)
}
