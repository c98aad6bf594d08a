//! Bundles on their way out: begun, settled, and those that were cut short.

use super::export_notes::{ExportNote, NOTED, is_part_of_a_name, note, own_name};
use super::history_chain::append_chore;
use super::meta;
use super::store::Ledger;
use crate::error::Result;
use crate::model::flow::FlowOwner;
use crate::model::history::LedgerEventKind;
use jiff::Timestamp;
use std::path::Path;

impl Ledger {
    /// Notes, synced, that a bundle is about to be written.
    pub fn begin_export(&mut self, file: Option<&Path>, licenses: Vec<String>) -> Result<ExportNote> {
        let FlowOwner { mark, label } = self.mark()?.owner();
        let id = format!("{NOTED} {}", self.random.name()?);
        let export =
            ExportNote { id, file: file.map(Path::to_owned), licenses, has_left: false, mark, label };
        self.transaction("note the export", |tx| note(tx, &export))?;
        Ok(export)
    }

    /// What is noted of an export, read behind every commit that is on its way; `None` where another command has settled it.
    pub fn export_as_it_is(&mut self, export: &ExportNote) -> Result<Option<ExportNote>> {
        let noted = self.transaction("read the exports", |tx| meta::get(tx, &export.id))?;
        let noted = noted.and_then(|value| serde_json::from_str::<ExportNote>(&value).ok());
        Ok(noted.map(|noted| ExportNote { id: export.id.clone(), ..noted }))
    }

    /// A bundle is where it belongs, or was taken back: nothing is noted of it any more. With a line in the history for
    /// one that was cut short.
    pub fn end_export(&mut self, export: &ExportNote, cut_short: Option<(&str, Timestamp)>) -> Result<()> {
        let context = self.write_context();
        self.transaction("note the export", |tx| {
            meta::remove(tx, &export.id)?;
            match cut_short {
                Some((detail, at)) => append_chore(tx, LedgerEventKind::ExportCutShort, at, detail, &context),
                None => Ok(()),
            }
        })
    }

    /// Bundles whose process has ended before they were where they belong; whether it was one of this host.
    pub fn exports_cut_short(&self) -> Result<Vec<(ExportNote, bool)>> {
        let noted = meta::of_kind(self.engine.db(), NOTED);
        let mut left = Vec::new();
        for (id, value) in noted.map_err(|e| self.fault("read the exports", e))? {
            let Ok(export) = serde_json::from_str::<ExportNote>(&value) else { continue };
            // Whoever may write to the ledger may have written that: both are parts of a file's name, and no way to another.
            if !is_part_of_a_name(&export.mark) || !is_part_of_a_name(own_name(&id)) {
                continue;
            }
            let owner = FlowOwner { mark: export.mark.clone(), label: export.label.clone() };
            let living = self.living().has(self.engine.db(), &owner);
            if !living.map_err(|e| self.fault("read which processes are running", e))? {
                let here = !self.is_shared() || self.paths.owners().join(&export.mark).exists();
                left.push((ExportNote { id, ..export }, here));
            }
        }
        Ok(left)
    }
}
