//! Files of licenses, read whole before anything else happens.

use super::Call;
use crate::error::{Complaint, Error, Result, clean};
use crate::model::rows::{MOST_BYTES, Sheet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What a file is called in complaints; `-` is standard input.
pub(super) fn name(path: &Path) -> String {
    match path.as_os_str() == "-" {
        true => "standard input".into(),
        false => clean(&path.display().to_string()),
    }
}

/// All of a file, or of standard input for `-`; of what is larger than may be, one byte more than that.
pub(super) fn bytes(path: &Path, call: &Call<'_>) -> std::io::Result<Vec<u8>> {
    let most = MOST_BYTES as u64;
    if path.as_os_str() == "-" {
        return call.env.terminal.read_all(most);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The rows of a CSV file; with the name that complaints use.
pub(super) fn rows<R>(
    path: &Path,
    call: &Call<'_>,
    read: impl FnOnce(&[u8]) -> Result<Sheet<R>, Vec<Complaint>>,
) -> Result<(String, Vec<R>)> {
    let name = name(path);
    let text = bytes(path, call).map_err(|e| Error::Usage {
        what: format!("{name} can't be read: {e}"),
        hint: "Name a CSV file with a header, or - for standard input.".into(),
    })?;
    let sheet = read(&text).map_err(|complaints| Error::Rows { path: name.clone(), complaints })?;
    if !sheet.unused.is_empty() {
        call.env.terminal.say(&format!("Columns not used: {}.", sheet.unused.join(", ")));
    }
    Ok((name, sheet.rows))
}
