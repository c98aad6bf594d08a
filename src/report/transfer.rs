//! Records as they leave and come: only what no clock changes, so that a file taken in and written again is the same.

use super::csv::sheet;
use super::json::DOCUMENT_VERSION;
use crate::error::Result;
use crate::model::authorization::{Authorization, Column, ExportedRecord};
use crate::model::transfer::{ExportDocument, FieldChange, ImportEffect, MergedRecord};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write;

/// The records as CSV (RFC 4180), safe to open in a spreadsheet.
pub fn export_csv(records: &[&Authorization]) -> Result<String> {
    let carried = || Authorization::COLUMNS.iter().filter(|column| column.part.is_carried());
    let cells = |record| carried().map(|column: &Column| column.value(record).cell()).collect::<Vec<_>>();
    sheet(carried().map(|column| column.name), records.iter().map(|record| cells(record)))
}

pub fn export_json(records: &[&Authorization]) -> serde_json::Result<String> {
    let authorizations = records.iter().map(|record| ExportedRecord(record)).collect();
    Ok(serde_json::to_string_pretty(&ExportDocument { schema: DOCUMENT_VERSION, authorizations })? + "\n")
}

/// What `import --json` prints.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ImportDocument {
    schema: u8,
    /// Nothing was changed; the changes are only shown.
    dry_run: bool,
    added: usize,
    changed: usize,
    unchanged: usize,
    /// How many grants of the file were skipped, because the grant here is newer or its tokens are already here.
    left: usize,
    /// How many token sets were imported.
    token_sets: usize,
    /// How many authorizations' tokens were activated here (`--adopt`).
    adopted: usize,
    rows: Vec<ImportRow>,
}

/// What becomes of one license.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ImportRow {
    profile: String,
    ubi: String,
    license: String,
    effect: ImportEffect,
    /// The file's tokens are imported.
    tokens: bool,
    /// Why the file's grant was skipped; `null` if it wasn't.
    left: Option<&'static str>,
    changes: Vec<FieldChange>,
}

impl ImportDocument {
    /// What taking these in changes.
    pub fn of(merged: &[MergedRecord], dry_run: bool) -> Self {
        let count = |effect: ImportEffect| merged.iter().filter(|it| it.effect == effect).count();
        let row = |it: &MergedRecord| ImportRow {
            profile: it.record.profile.clone(),
            ubi: it.record.key.ubi.to_string(),
            license: it.record.key.license.to_string(),
            effect: it.effect,
            tokens: it.takes_tokens,
            left: it.left,
            changes: it.changes.clone(),
        };
        Self {
            schema: DOCUMENT_VERSION,
            dry_run,
            added: count(ImportEffect::Add),
            changed: count(ImportEffect::Change),
            unchanged: count(ImportEffect::Same),
            left: merged.iter().filter(|it| it.left.is_some()).count(),
            token_sets: merged.iter().filter(|it| it.takes_tokens).count(),
            adopted: 0,
            rows: merged.iter().map(row).collect(),
        }
    }

    pub fn with_adopted(self, adopted: usize) -> Self {
        Self { adopted, ..self }
    }

    pub fn token_sets(&self) -> usize {
        self.token_sets
    }

    /// Whether anything would change.
    pub fn changes_anything(&self) -> bool {
        self.added + self.changed > 0
    }

    /// The same for people: a line a record, below it a line a field; those that stay as they are only counted.
    pub fn in_words(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let sign = match row.effect {
                ImportEffect::Add => "+",
                ImportEffect::Change => "~",
                ImportEffect::Same if row.left.is_some() => "=",
                ImportEffect::Same => continue,
            };
            let tokens = if row.tokens { ", with its tokens" } else { "" };
            let left = row.left.map_or(String::new(), |why| format!("; the file's grant is skipped: {why}"));
            // Writing to a String can't fail.
            let _ = writeln!(text, "{sign} {} {}/{}{tokens}{left}", row.profile, row.ubi, row.license);
            for change in &row.changes {
                let shown = |it: &Option<String>| it.clone().unwrap_or_else(|| "(none)".into());
                let _ = match (row.effect, &change.before) {
                    (ImportEffect::Add, None) => {
                        writeln!(text, "    {:18}{}", change.field, shown(&change.after))
                    }
                    _ => writeln!(
                        text,
                        "    {:18}{} → {}",
                        change.field,
                        shown(&change.before),
                        shown(&change.after)
                    ),
                };
            }
        }
        let _ = writeln!(
            text,
            "{} to add, {} to update, {} unchanged, {} skipped (newer here).",
            self.added, self.changed, self.unchanged, self.left
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::authorization::ColumnScope;
    use crate::model::rows::incoming;
    use crate::model::transfer::{FileTokens, TokensHere, merge};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads_back(record: Authorization) {
            // As a record is that is taken in for the first time: what is a ledger's own stays behind.
            let asked = Authorization::asked(&record.profile, record.key.clone(), record.username.clone());
            let mut left = record.clone();
            for column in Authorization::COLUMNS.iter().filter(|column| column.part == ColumnScope::Own) {
                column.copy(&asked, &mut left);
            }
            let csv = export_csv(&[&record]).unwrap();
            let from_csv = incoming(csv.as_bytes(), "other").unwrap().rows.pop().unwrap();
            let json = export_json(&[&record]).unwrap();
            let document: ExportDocument = serde_json::from_str(&json).unwrap();
            let from_json = document.authorizations[0].incoming(1).unwrap();
            for incoming in [from_csv, from_json] {
                let merged = merge(None, &incoming, TokensHere::None, FileTokens::None).record;
                prop_assert_eq!(&Authorization { held_elsewhere: false, ..merged }, &left);
            }
            let mut cells = ::csv::Reader::from_reader(csv.as_bytes());
            for cell in cells.records().flatten().next().unwrap().iter() {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{}", csv);
            }
        }
    }
}
