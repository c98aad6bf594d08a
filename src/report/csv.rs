//! Records as CSV (RFC 4180), safe to open in a spreadsheet.

use super::row::ReportRow;
use crate::error::{Error, Result};
use crate::model::authorization::{Authorization, Column};
use crate::model::cell::escape_formula;
use crate::model::column::ColumnKind;
use crate::model::instant::for_machines;
use crate::model::rows::DERIVED;

/// The record's columns that a report shows: names and other words, then instants and what belongs to them.
fn reported() -> (Vec<&'static Column>, Vec<&'static Column>) {
    let mut words: Vec<_> =
        Authorization::COLUMNS.iter().filter(|column| column.part.is_reported()).collect();
    let first = words.iter().position(|column| column.kind == ColumnKind::Instant).unwrap_or(words.len());
    let times = words.split_off(first);
    (words, times)
}

/// A header and a line for each row, which `import` reads back by name. Between the record's words and times stand its
/// state and conditions, so that a narrow window shows them; several are separated by semicolons.
pub fn csv(rows: &[ReportRow<'_>]) -> Result<String> {
    let (words, times) = reported();
    let [state, conditions, pending_until, days_left, next_command] = DERIVED;
    let names = |columns: &[&'static Column]| columns.iter().map(|column| column.name).collect::<Vec<_>>();
    sheet(
        [names(&words), vec![state, conditions], names(&times), vec![pending_until, days_left, next_command]]
            .concat(),
        rows.iter().map(|row| {
            let record = &row.standing.record;
            let conditions: Vec<_> = row.conditions.iter().map(|one| one.word()).collect();
            let mut cells: Vec<_> = words.iter().map(|column| column.value(record).cell()).collect();
            cells.extend([row.state.word().to_owned(), conditions.join(";")]);
            cells.extend(times.iter().map(|column| column.value(record).cell()));
            cells.extend([
                row.standing.pending_until().map(for_machines).unwrap_or_default(),
                row.days_left.map(|days| days.to_string()).unwrap_or_default(),
                row.next_command().unwrap_or_default(),
            ]);
            cells
        }),
    )
}

/// A header and its rows as CSV (RFC 4180), safe to open in a spreadsheet.
pub(super) fn sheet<C: AsRef<[u8]>>(
    columns: impl IntoIterator<Item = C>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
) -> Result<String> {
    let unwritten = |e: &dyn std::fmt::Display| Error::Internal(format!("the CSV can't be written: {e}"));
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(columns).map_err(|e| unwritten(&e))?;
    for cells in rows {
        writer
            .write_record(cells.into_iter().map(|cell| escape_formula(&cell)))
            .map_err(|e| unwritten(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| unwritten(&e))?;
    String::from_utf8(bytes).map_err(|e| unwritten(&e))
}

#[cfg(test)]
mod tests {
    use super::csv;
    use crate::model::rows;

    #[test]
    fn a_file_to_register_from_may_be_our_own_export() {
        let header = csv(&[]).unwrap();
        assert_eq!(rows::registrations(header.as_bytes()).unwrap().unused, Vec::<String>::new());
        assert_eq!(rows::renewals(header.as_bytes()).unwrap().unused, Vec::<String>::new());
    }
}
