//! A file of licences, read whole before anything else happens.

use crate::command::Call;
use crate::error::{Complaint, Error, Result};
use crate::model::rows::{MOST_BYTES, Sheet};
use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

/// Reads a file's rows, or those of standard input for `-`; with the name that complaints use.
pub(in crate::command) fn read<R>(
    path: &Path,
    call: &Call<'_>,
    rows: impl FnOnce(&[u8]) -> Result<Sheet<R>, Vec<Complaint>>,
) -> Result<(String, Vec<R>)> {
    let (name, text) = match path.as_os_str() == "-" {
        true => ("standard input".to_owned(), whole(stdin().lock())),
        false => (path.display().to_string(), File::open(path).and_then(whole)),
    };
    let text = text.map_err(|e| Error::Usage {
        what: format!("{name} can't be read: {e}"),
        hint: "Name a CSV file with a header, or - for standard input.".into(),
    })?;
    let sheet = rows(&text).map_err(|complaints| Error::Rows { path: name.clone(), complaints })?;
    if !sheet.unused.is_empty() {
        call.env.terminal.say(&format!("Columns not used: {}.", sheet.unused.join(", ")));
    }
    Ok((name, sheet.rows))
}

/// All of it, and one byte more than may be: what is too large is told by the reader of rows.
fn whole(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(MOST_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}
