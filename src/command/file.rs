//! Files of licenses, read whole before anything else happens.

use super::Invocation;
use crate::error::{Error, Result, RowProblem, clean};
use crate::model::rows::{LicenseFile, MOST_BYTES};
use std::collections::HashMap;
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
pub(super) fn bytes(path: &Path, call: &Invocation<'_>) -> std::io::Result<Vec<u8>> {
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
    call: &Invocation<'_>,
    read: impl FnOnce(&[u8]) -> Result<LicenseFile<R>, Vec<RowProblem>>,
) -> Result<(String, Vec<R>)> {
    let name = name(path);
    let text = bytes(path, call).map_err(|e| Error::Usage {
        what: format!("{name} can't be read: {e}"),
        hint: "Name a CSV file with a header row, or `-` for standard input.".into(),
    })?;
    let sheet = read(&text).map_err(|complaints| Error::Rows { path: name.clone(), complaints })?;
    tell(call, &sheet);
    Ok((name, sheet.rows))
}

/// What is told of a file that can be used: what of it isn't, and every cell that deserves a second look.
pub(super) fn tell<R>(call: &Invocation<'_>, sheet: &LicenseFile<R>) {
    if !sheet.unused.is_empty() {
        call.env.terminal.info(&format!("Columns not used: {}.", sheet.unused.join(", ")));
    }
    tell_notes(call, &sheet.notes);
    if !sheet.notes.is_empty() {
        tell_as_written(call);
    }
}

/// What is done with values that were noted.
pub(super) fn tell_as_written(call: &Invocation<'_>) {
    call.env.terminal.info("The values above are used exactly as written.");
}

/// Notes of the same column and kind in one line, with the lines of the file that they are about.
pub(super) fn tell_notes(call: &Invocation<'_>, notes: &[RowProblem]) {
    let mut by_kind: Vec<(Option<&str>, &str, Vec<u64>)> = Vec::new();
    let mut places = HashMap::new();
    for note in notes {
        let place = *places.entry((note.column, note.problem.as_str())).or_insert_with(|| {
            by_kind.push((note.column, &note.problem, Vec::new()));
            by_kind.len() - 1
        });
        by_kind[place].2.extend(note.line);
    }
    for (column, problem, lines) in by_kind {
        let column = column.map(|column| format!(", column {column}")).unwrap_or_default();
        call.env.terminal.info(&format!("Note: {}{column}: {problem}", numbered(&lines)));
    }
}

/// Numbers of lines in words, those behind each other as one: `lines 2-4, 7`.
fn numbered(lines: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for line in lines {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *line => *last = *line,
            _ => runs.push((*line, *line)),
        }
    }
    let shown = |(first, last): &(u64, u64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let word = if lines.len() == 1 { "line" } else { "lines" };
    format!("{word} {}", runs.iter().map(shown).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn lines_behind_each_other_are_one() {
        assert_eq!(numbered(&[7]), "line 7");
        assert_eq!(numbered(&[2, 3, 4, 7, 9, 10]), "lines 2-4, 7, 9-10");
    }
}
