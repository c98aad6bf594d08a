//! Bundles whose process was killed on their way out: finished, or taken back.

use super::writer::Custody;
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
                    "An export of {whose} was cut short by {}. Run any command that writes there, to finish it.",
                    clean(export.owner())
                ));
                continue;
            }
            // As it is once whatever its process had left in the server's hands is decided.
            let Some(export) = self.ledger.export_as_it_is(&export)? else { continue };
            let said = match export.file.clone() {
                None => format!(
                    "An export of {whose} to standard output was cut short. The tokens are still live here: throw away what was written, and don't import it."
                ),
                Some(file) => match in_file(&export, &file, &whose) {
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
fn in_file(export: &ExportNote, file: &Path, whose: &str) -> Result<String> {
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
                reason: format!("it's a bundle that must not be imported, and can't be removed: {e}"),
            })?;
            format!(
                "An export of {whose} was cut short: its unfinished file is removed, and the tokens are still live here. Export again."
            )
        }
        (false, false) => format!("An export of {whose} was cut short: nothing has left. Export again."),
        (true, true) => {
            give_its_name(&part, file, whose)?;
            gone(whose, &shown)
        }
        (true, false) if is_there => gone(whose, &shown),
        (true, false) => format!(
            "An export of {whose} was cut short once the tokens had left, and {shown} isn't there. Unless it has been imported, ask the admins to grant access again: biotrack-auth renew"
        ),
    })
}

/// Gives a bundle whose tokens have left its name.
pub(super) fn give_its_name(part: &Path, file: &Path, whose: &str) -> Result<()> {
    files::rename_new(part, file).map_err(|e| match file.symlink_metadata().is_ok() {
        true => Error::File {
            path: part.display().to_string(),
            reason: format!(
                "it's the bundle with the tokens of {whose}, and another file has its name: move that away, then run any command that writes"
            ),
        },
        false => e,
    })
}

fn gone(whose: &str, file: &str) -> String {
    format!(
        "An export of {whose} was cut short once the tokens had left: they are in {file}. Keep it until it's imported where they live from now on."
    )
}
