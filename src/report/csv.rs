//! Records as CSV (RFC 4180), safe to open in a spreadsheet.

use super::Row;
use crate::error::{Error, Result};
use crate::model::rows::tags_cell;
use jiff::Timestamp;

/// The columns, which `import` reads back by name.
pub const COLUMNS: [&str; 18] = [
    "profile",
    "ubi",
    "license",
    "ocm_license",
    "name",
    "username",
    "granted_by",
    "contact",
    "tags",
    "state",
    "conditions",
    "created_at",
    "renewed_at",
    "expires_at",
    "expires_estimated",
    "pending_until",
    "days_left",
    "next_command",
];

/// A header and a line for each row. Several tags or conditions are separated by semicolons.
pub fn csv(rows: &[Row<'_>]) -> Result<String> {
    sheet(
        COLUMNS,
        rows.iter().map(|row| {
            let record = &row.standing.record;
            let some = |it: Option<&dyn std::fmt::Display>| it.map(ToString::to_string).unwrap_or_default();
            let at = |it: Option<Timestamp>| it.map(|at| at.to_string()).unwrap_or_default();
            [
                record.profile.clone(),
                record.key.ubi.to_string(),
                record.key.license.to_string(),
                some(record.ocm_license.as_ref().map(|it| it as _)),
                some(record.name.as_ref().map(|it| it as _)),
                record.username.to_string(),
                record.granted_by.clone().unwrap_or_default(),
                some(record.contact.as_ref().map(|it| it as _)),
                tags_cell(&record.tags),
                row.state.word().to_owned(),
                row.conditions.iter().map(|one| one.word()).collect::<Vec<_>>().join(";"),
                at(record.created_at),
                at(record.renewed_at),
                at(record.expires_at),
                record.expires_estimated.to_string(),
                at(row.standing.pending_until()),
                row.days_left.map(|days| days.to_string()).unwrap_or_default(),
                row.next_command().unwrap_or_default(),
            ]
        }),
    )
}

/// A header and its rows as CSV (RFC 4180), safe to open in a spreadsheet.
pub(super) fn sheet<const N: usize>(
    columns: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<String> {
    let unwritten = |e: &dyn std::fmt::Display| Error::Failed(format!("the CSV can't be written: {e}"));
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(columns).map_err(|e| unwritten(&e))?;
    for cells in rows {
        writer.write_record(cells.map(|cell| harmless(&cell))).map_err(|e| unwritten(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| unwritten(&e))?;
    String::from_utf8(bytes).map_err(|e| unwritten(&e))
}

/// A cell that a spreadsheet would run as a formula gets a `'` before it (DESIGN, JSON); `import` takes one off.
fn harmless(cell: &str) -> String {
    // defense: S34 no-cell-is-a-formula
    if cell.starts_with(['=', '+', '-', '@', '\'', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, harmless};
    use crate::model::rows;

    #[test]
    fn a_file_to_register_from_may_be_our_own_export() {
        let header = format!("{}\n", COLUMNS.join(","));
        assert_eq!(rows::registrations(header.as_bytes()).unwrap().unused, Vec::<String>::new());
        assert_eq!(rows::renewals(header.as_bytes()).unwrap().unused, Vec::<String>::new());
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, safe) in [
            ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
            ("+1", "'+1"),
            ("-3", "'-3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("'x", "''x"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), safe);
        }
    }
}
