//! Bundles on their way out: noted before a byte of one is written, so that one that is cut short is finished or taken back.

use super::engine::{Db, DbError};
use super::{Ledger, WriteContext, history, meta};
use crate::error::{Error, LedgerError, Result};
use crate::model::flow::Owner;
use crate::model::history::Chore;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What stands before an export's own name where the ledger says that it's under way.
const NOTED: &str = "export";

/// A bundle with tokens that leave for another home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Its name in the ledger.
    #[serde(skip)]
    pub id: String,
    /// The file that it's written to; `None`: standard output.
    pub file: Option<PathBuf>,
    /// Whose tokens are in it.
    pub licenses: Vec<String>,
    /// The tokens have left the ledger: they are in the bundle alone.
    pub has_left: bool,
    /// The process that writes it.
    mark: String,
    /// The same for people.
    label: String,
}

impl Export {
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
fn own_name(id: &str) -> &str {
    id.strip_prefix(NOTED).unwrap_or(id).trim_start()
}

fn is_part_of_a_name(text: &str) -> bool {
    !text.contains(['/', '\\']) && !text.starts_with('.')
}

impl Ledger {
    /// Notes, synced, that a bundle is about to be written.
    pub fn begin_export(&mut self, file: Option<&Path>, licenses: Vec<String>) -> Result<Export> {
        let Owner { mark, label } = self.mark()?.owner();
        let id = format!("{NOTED} {}", self.random.name()?);
        let export = Export { id, file: file.map(Path::to_owned), licenses, has_left: false, mark, label };
        self.transaction("note the export", |tx| note(tx, &export))?;
        Ok(export)
    }

    /// What is noted of an export, read behind every commit that is on its way; `None` where another command has settled it.
    pub fn export_as_it_is(&mut self, export: &Export) -> Result<Option<Export>> {
        let noted = self.transaction("read the exports", |tx| meta::get(tx, &export.id))?;
        let noted = noted.and_then(|value| serde_json::from_str::<Export>(&value).ok());
        Ok(noted.map(|noted| Export { id: export.id.clone(), ..noted }))
    }

    /// A bundle is where it belongs, or was taken back: nothing is noted of it any more. With a line in the history for
    /// one that was cut short.
    pub fn end_export(&mut self, export: &Export, cut_short: Option<(&str, Timestamp)>) -> Result<()> {
        let context: WriteContext = self.write_context();
        self.transaction("note the export", |tx| {
            meta::remove(tx, &export.id)?;
            match cut_short {
                Some((detail, at)) => history::append_chore(tx, Chore::ExportCutShort, at, detail, &context),
                None => Ok(()),
            }
        })
    }

    /// Bundles whose process has ended before they were where they belong; whether it was one of this host.
    pub fn exports_cut_short(&self) -> Result<Vec<(Export, bool)>> {
        let noted = meta::of_kind(self.engine.db(), NOTED);
        let mut left = Vec::new();
        for (id, value) in noted.map_err(|e| self.fault("read the exports", e))? {
            let Ok(export) = serde_json::from_str::<Export>(&value) else { continue };
            // Whoever may write to the ledger may have written that: both are parts of a file's name, and no way to another.
            if !is_part_of_a_name(&export.mark) || !is_part_of_a_name(own_name(&id)) {
                continue;
            }
            let owner = Owner { mark: export.mark.clone(), label: export.label.clone() };
            let living = self.living().has(self.engine.db(), &owner);
            if !living.map_err(|e| self.fault("read who is at work", e))? {
                let here = !self.is_shared() || self.paths.owners().join(&export.mark).exists();
                left.push((Export { id, ..export }, here));
            }
        }
        Ok(left)
    }
}

/// How many bundles a process has noted that aren't settled yet.
pub(super) fn of_process(db: Db<'_>, mark: &str) -> Result<usize, DbError> {
    let noted = meta::of_kind(db, NOTED)?;
    let noted = noted.iter().filter_map(|(_, value)| serde_json::from_str::<Export>(value).ok());
    Ok(noted.filter(|export| export.mark == mark).count())
}

/// The tokens leave, in the commit in which this is noted. What goes to standard output is there by then.
pub(super) fn leaves(tx: Db<'_>, export: &Export) -> Result<(), DbError> {
    match export.file {
        // One that another command has taken back by now isn't noted again.
        Some(_) => match meta::get(tx, &export.id)? {
            Some(_) => note(tx, &Export { has_left: true, ..export.clone() }),
            None => Err(Error::from(LedgerError::TakenOver).into()),
        },
        None => meta::remove(tx, &export.id),
    }
}

fn note(tx: Db<'_>, export: &Export) -> Result<(), DbError> {
    let value = serde_json::to_string(export).map_err(|e| Error::Internal(e.to_string()))?;
    meta::put(tx, &export.id, &value)
}
