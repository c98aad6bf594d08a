//! Bundles whose process was killed on their way out: finished, or taken back.

use crate::custody::writer::Custody;
use crate::error::{Error, Result, clean, first_few};
use crate::ledger::ExportNote;
use crate::system::files;
use std::path::Path;

/// So many licenses are named in a sentence.
pub(super) const NAMED: usize = 10;

impl Custody<'_> {
    /// Finishes what killed processes left of bundles on their way out, or takes it back; what a person must hear of it.
    pub fn finish_exports(&mut self) -> Result<Vec<String>> {
        let mut told = Vec::new();
        for (export, here) in self.ledger.exports_cut_short()? {
            let whose = first_few(&export.licenses, NAMED);
            if !here {
                told.push(format!(
                    "An export of {whose} was interrupted by {}. To finish it, run any command that writes there.",
                    clean(export.owner())
                ));
                continue;
            }
            // As it is once whatever its process had left in the server's hands is decided.
            let Some(export) = self.ledger.export_as_it_is(&export)? else { continue };
            let said = match export.file.clone() {
                None => format!(
                    "An export of {whose} to standard output was interrupted. The tokens are still in use here: discard the output, and don't import it."
                ),
                Some(file) => match recover_file_export(&export, &file, &whose) {
                    Ok(said) => said,
                    // It stays noted, and stops nothing else.
                    Err(e) => {
                        told.push(e.to_string());
                        continue;
                    }
                },
            };
            let now = self.env.clock.now();
            self.ledger.end_export(&export, Some((&said, now)))?;
            told.push(said);
        }
        Ok(told)
    }
}

/// What becomes of a bundle that was cut short on its way into a file.
fn recover_file_export(export: &ExportNote, file: &Path, whose: &str) -> Result<String> {
    let part = export.unfinished().unwrap_or_default();
    let (shown, is_part_there) = (clean(&file.display().to_string()), part.symlink_metadata().is_ok());
    let is_there = file.symlink_metadata().is_ok();
    Ok(match (export.has_left, is_part_there) {
        (false, true) => {
            let removed = match std::fs::remove_file(&part) {
                // Another command was quicker.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            };
            removed.map_err(|e| Error::File {
                path: part.display().to_string(),
                reason: format!("this export must not be imported, and can't be removed: {e}"),
            })?;
            format!(
                "An export of {whose} was interrupted: its unfinished file is removed, and the tokens are still in use here. Export again."
            )
        }
        (false, false) => format!("An export of {whose} was interrupted: nothing was moved. Export again."),
        (true, true) => {
            give_its_name(&part, file, whose)?;
            moved_tokens_message(whose, &shown)
        }
        (true, false) if is_there => moved_tokens_message(whose, &shown),
        (true, false) => format!(
            "An export of {whose} was interrupted after the tokens were moved, and {shown} is missing. Unless it was imported, ask the admins to grant access again: biotrack-auth renew"
        ),
    })
}

/// Gives a bundle whose tokens have left its name.
pub(super) fn give_its_name(part: &Path, file: &Path, whose: &str) -> Result<()> {
    files::rename_new(part, file).map_err(|e| match file.symlink_metadata().is_ok() {
        true => Error::File {
            path: part.display().to_string(),
            reason: format!(
                "this is the export with the tokens of {whose}, and another file has its name: move that file away, then run any command that writes"
            ),
        },
        false => e,
    })
}

fn moved_tokens_message(whose: &str, file: &str) -> String {
    format!(
        "An export of {whose} was interrupted after the tokens were moved: they are in {file}. Keep it until it is imported on the new host."
    )
}
