//! The rows of a CSV file of licenses, for `register --from` and `renew --from`. All or nothing: every bad cell is
//! named with its line and column before anything else happens.

use super::authorization::{Authorization, Column, ColumnScope};
use super::cell::unguarded;
use super::column::{ColumnKind, ColumnReader, ColumnValue, split};
use super::ids::{Contact, License, LicenseId, OcmLicense, StoreName, Tag, Ubi, Username};
use super::instant;
use super::odd_cell::{OddText, suspicious_text};
use super::transfer::ImportedRow;
use crate::error::{Error, Result, RowProblem, clean, counted, excerpt};
use std::collections::HashMap;
use std::io::Read;

/// The largest file that is read, in bytes; a caller may look at the file's size before reading it.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The most rows that are taken from one file.
pub const MOST_ROWS: usize = 100_000;

/// Further columns of `status --format csv`: they follow from a record and the instant, and no file changes them.
pub const DERIVED: [&str; 5] = ["state", "conditions", "pending_until", "days_left", "next_command"];
/// What spreadsheets put between two cells. The first is taken where the header doesn't tell.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// Read after the text: a row that swallows it has a quotation mark that is never closed. No text holds a NUL.
const END: &str = "\n\0";

/// A file whose every row can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseFile<R> {
    /// The rows, in the file's order.
    pub rows: Vec<R>,
    /// The columns that mean nothing to us, as the header has them, cleaned: for "Columns not used: notes".
    pub unused: Vec<String>,
    /// What is unusual about single cells, and may be right all the same.
    pub notes: Vec<RowProblem>,
}

/// What a row may say of a store besides who it is; an empty cell is `None`, or no tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreDetails {
    pub name: Option<StoreName>,
    pub ocm_license: Option<OcmLicense>,
    /// The e-mail address to write to.
    pub contact: Option<Contact>,
    /// Words to group it by, sorted, each once.
    pub tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationRow {
    /// The line of the file on which the row begins, counted from 1.
    pub line: u64,
    pub key: LicenseId,
    pub username: Username,
    pub details: StoreDetails,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalRow {
    /// The line of the file on which the row begins, counted from 1.
    pub line: u64,
    /// The company, where it's said; without it the license must name one record.
    pub ubi: Option<Ubi>,
    pub license: License,
    /// The admin to ask, where another one than the record's is wanted.
    pub username: Option<Username>,
    pub details: StoreDetails,
}

/// Reads a file for `register --from`: `ubi`, `license` and `username` are needed. Two rows of one license are
/// complained about, with both lines.
///
/// # Errors
/// All that is wrong with the file, in its order; never an empty list. What is wrong with the file as a whole (not
/// UTF-8, no header, too large) has no line.
pub fn registrations(text: &[u8]) -> Result<LicenseFile<RegistrationRow>, Vec<RowProblem>> {
    read(text)
}

/// Reads a file for `renew --from`: only `license` is needed. Whether a license without a UBI means the same record
/// as another row, only the ledger can tell.
///
/// # Errors
/// As [`registrations`].
pub fn renewals(text: &[u8]) -> Result<LicenseFile<RenewalRow>, Vec<RowProblem>> {
    read(text)
}

/// Reads a file for `import`: `license` and `ubi` are needed; what a column that isn't there would say stays as it is.
///
/// # Errors
/// As [`registrations`].
pub fn incoming(text: &[u8], profile: &str) -> Result<LicenseFile<ImportedRow>, Vec<RowProblem>> {
    let mut sheet: LicenseFile<ImportedRow> = read(text)?;
    for row in &mut sheet.rows {
        if row.record.profile.is_empty() {
            profile.clone_into(&mut row.record.profile);
        }
    }
    Ok(sheet)
}

trait Row: Sized {
    const NEEDED: &'static [&'static str];
    /// The row; `None` where a cell it can't do without was bad, which has been complained about then.
    fn of(cells: &mut RowCells<'_>) -> Option<Self>;
    fn named(&self) -> (Option<Ubi>, License);
    /// The profile, where rows of several may stand in one file.
    fn profile(&self) -> &str {
        ""
    }
}

impl Row for RegistrationRow {
    const NEEDED: &'static [&'static str] = &["ubi", "license", "username"];

    fn of(cells: &mut RowCells<'_>) -> Option<Self> {
        // All are read before one is missed, so that each bad cell is named.
        let (ubi, license, username) = (cells.read("ubi"), cells.read("license"), cells.read("username"));
        let details = cells.details();
        let key = LicenseId { ubi: ubi?, license: license? };
        Some(Self { line: cells.line, key, username: username?, details })
    }

    fn named(&self) -> (Option<Ubi>, License) {
        (Some(self.key.ubi.clone()), self.key.license.clone())
    }
}

impl Row for RenewalRow {
    const NEEDED: &'static [&'static str] = &["license"];

    fn of(cells: &mut RowCells<'_>) -> Option<Self> {
        let (ubi, license, username) = (cells.read("ubi"), cells.read("license"), cells.read("username"));
        let details = cells.details();
        Some(Self {
            line: cells.line,
            ubi: ubi.flatten(),
            license: license?,
            username: username.flatten(),
            details,
        })
    }

    fn named(&self) -> (Option<Ubi>, License) {
        (self.ubi.clone(), self.license.clone())
    }
}

impl Row for ImportedRow {
    const NEEDED: &'static [&'static str] = &["ubi", "license", "username"];

    fn of(cells: &mut RowCells<'_>) -> Option<Self> {
        let mut record = Authorization::read(cells)?;
        // Where none is said, it's the one that the command is about.
        if !record.profile.is_empty() {
            record.profile =
                super::ids::profile(&record.profile).map_err(|e| cells.refuse("profile", e)).ok()?;
        }
        let says = cells.header.places.keys().copied().filter(|name| !DERIVED.contains(name)).collect();
        Some(Self::of(Some(cells.line), record, says))
    }

    fn named(&self) -> (Option<Ubi>, License) {
        let LicenseId { ubi, license } = &self.record.key;
        (Some(ubi.clone()), license.clone())
    }

    fn profile(&self) -> &str {
        &self.record.profile
    }
}

/// The cells of one row, by the columns' names.
struct RowCells<'a> {
    line: u64,
    record: &'a csv::StringRecord,
    header: &'a Header,
    complaints: &'a mut Vec<RowProblem>,
}

/// A record's columns by their names, wherever the file has them.
impl ColumnReader for RowCells<'_> {
    fn value(&mut self, column: &'static str, kind: ColumnKind) -> Option<ColumnValue<'_>> {
        let text = self.text(column);
        if text.trim().is_empty() {
            return Some(ColumnValue::Nothing);
        }
        let value = match kind {
            ColumnKind::Text => Some(ColumnValue::Text(text)),
            ColumnKind::List => Some(ColumnValue::List(split(text).into_iter().map(Into::into).collect())),
            ColumnKind::Instant => instant::parse(text).map(ColumnValue::Instant),
            // Spreadsheets write theirs in capitals.
            ColumnKind::Flag => text.trim().to_lowercase().parse().ok().map(ColumnValue::Flag),
            ColumnKind::Number => text.trim().parse().ok().map(ColumnValue::Number),
        };
        if value.is_none() {
            let problem = format!("\"{}\" {}", clean(text.trim()), kind.isnt());
            self.refuse(column, Error::BadValue { name: column, problem });
        }
        value
    }

    fn refuse(&mut self, column: &'static str, why: Error) {
        let problem = match why {
            Error::BadValue { problem, .. } => problem,
            other => other.to_string(),
        };
        self.complaints.push(RowProblem { line: Some(self.line), column: Some(column), problem });
    }
}

impl<'a> RowCells<'a> {
    /// What is odd about the cells: refused where it can't be right, else noted. One that can't be read at all has been told.
    fn look_at(&mut self, notes: &mut Vec<RowProblem>) {
        let mut columns: Vec<_> = self.header.places.iter().filter(|(name, _)| is_told(name)).collect();
        columns.sort_by_key(|(_, at)| **at);
        for (column, at) in columns {
            let (column, line) = (*column, Some(self.line));
            let mut told = self.complaints.iter().rev().take_while(|it| it.line == line);
            if told.any(|it| it.column == Some(column)) {
                continue;
            }
            let cell = self.record.get(*at).unwrap_or_default();
            match suspicious_text(column, cell) {
                None => {}
                Some(OddText::Wrong(problem)) => {
                    self.complaints.push(RowProblem { line, column: Some(column), problem });
                }
                Some(OddText::Unusual(why)) => {
                    notes.push(RowProblem { line, column: Some(column), problem: why.to_owned() });
                }
            }
        }
    }

    fn text(&self, column: &str) -> &'a str {
        self.header.places.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default()
    }

    fn details(&mut self) -> StoreDetails {
        StoreDetails {
            name: self.read("name").flatten(),
            ocm_license: self.read("ocm_license").flatten(),
            contact: self.read("contact").flatten(),
            tags: self.read("tags").unwrap_or_default(),
        }
    }
}

/// What the first line that isn't blank says.
struct Header {
    delimiter: u8,
    cells: usize,
    places: HashMap<&'static str, usize>,
    unused: Vec<String>,
}

impl Header {
    /// The header as the delimiter has it that makes most known columns of it; what else is wrong with it is told.
    fn of(text: &str, needed: &[&'static str]) -> Result<Self, Vec<RowProblem>> {
        let mut best: Option<(usize, u8, csv::StringRecord)> = None;
        let told = told_delimiter(text);
        for delimiter in told.map_or(DELIMITERS.to_vec(), |delimiter| vec![delimiter]) {
            let Some(record) = first(text, delimiter) else { continue };
            let known = record.iter().filter(|name| known(name).is_some()).count();
            if best.as_ref().is_none_or(|(most, ..)| known > *most) {
                best = Some((known, delimiter, record));
            }
        }
        let Some((_, delimiter, record)) = best else {
            return Err(whole(format!(
                "is empty: the first line must name the columns: {}",
                needed.join(",")
            )));
        };
        if record.iter().any(|cell| cell.contains('\0')) {
            return Err(whole("a quotation mark in the header is never closed".into()));
        }
        Self::named(&record, delimiter, needed)
    }

    fn named(
        record: &csv::StringRecord,
        delimiter: u8,
        needed: &[&'static str],
    ) -> Result<Self, Vec<RowProblem>> {
        let mut header = Self { delimiter, cells: record.len(), places: HashMap::new(), unused: Vec::new() };
        let mut complaints = Vec::new();
        for (at, name) in record.iter().enumerate() {
            match known(name) {
                Some(column) if is_told(column) => {
                    if let Some(before) = header.places.insert(column, at) {
                        let problem = format!(
                            "the column {column} appears twice in the header, as column {} and {}",
                            before + 1,
                            at + 1
                        );
                        complaints.extend(whole(problem));
                    }
                }
                // Not everybody reads it.
                Some(column) => drop(header.places.entry(column).or_insert(at)),
                None if name.trim().is_empty() => {}
                None => header.unused.push(shown(name)),
            }
        }
        let missing: Vec<_> =
            needed.iter().filter(|column| !header.places.contains_key(*column)).copied().collect();
        if !missing.is_empty() {
            let has: Vec<_> = record.iter().take(10).map(shown).collect();
            complaints.extend(whole(format!(
                "{} {}: the first line must name the columns ({}), but it has: {}",
                missing.join(", "),
                if missing.len() == 1 { "is missing" } else { "are missing" },
                needed.join(","),
                has.join(", ")
            )));
        }
        if complaints.is_empty() { Ok(header) } else { Err(complaints) }
    }
}

/// The name of a column that we know: case, blanks, `_` and `#` don't matter.
fn known(name: &str) -> Option<&'static str> {
    let letters = |name: &str| {
        let kept = |c: &char| !c.is_whitespace() && !matches!(c, '_' | '#');
        name.to_lowercase().chars().filter(kept).collect::<String>()
    };
    let name = letters(name);
    let carried = Authorization::COLUMNS.iter().filter(|column| column.part.is_carried());
    carried.map(|column| column.name).chain(DERIVED).find(|column| letters(column) == name)
}

/// Whether somebody tells us what stands in a column, and not the ledger or the clock.
fn is_told(name: &str) -> bool {
    let told = |column: &Column| matches!(column.part, ColumnScope::Key | ColumnScope::Detail);
    Authorization::COLUMNS.iter().any(|column| column.name == name && told(column))
}

/// A header's name, as it may be shown.
fn shown(name: &str) -> String {
    excerpt(name.trim(), 40)
}

fn whole(problem: String) -> Vec<RowProblem> {
    vec![RowProblem { line: None, column: None, problem }]
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<impl Read + '_> {
    let rows = text.as_bytes().chain(END.as_bytes());
    csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(rows)
}

/// The first row that isn't blank.
fn first(text: &str, delimiter: u8) -> Option<csv::StringRecord> {
    let rows = reader(text, delimiter).into_records().map_while(Result::ok);
    rows.take_while(|row| !is_end(row)).find(|row| !is_before_header(row))
}

fn is_end(row: &csv::StringRecord) -> bool {
    row.len() == 1 && &row[0] == "\0"
}

/// Spreadsheets write rows of nothing but delimiters below the last one.
fn is_blank(row: &csv::StringRecord) -> bool {
    row.iter().all(|cell| cell.trim().is_empty())
}

/// A blank row before the header, where it isn't known yet which delimiter the file has; and Excel's line that tells it.
fn is_before_header(row: &csv::StringRecord) -> bool {
    let is_blank = |cell: &str| cell.trim_matches([' ', '\t', ',', ';']).is_empty();
    let mut cells = row.iter();
    let first = cells.next().unwrap_or_default().trim_start();
    let is_sep = first.strip_prefix("sep=").is_some_and(|rest| rest.trim_end().chars().count() <= 1);
    (is_sep || is_blank(first)) && cells.all(is_blank)
}

/// The delimiter that Excel's first line tells: `sep=;`.
fn told_delimiter(text: &str) -> Option<u8> {
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    let delimiter = line.strip_prefix("sep=")?.bytes().next()?;
    DELIMITERS.contains(&delimiter).then_some(delimiter)
}

/// The text of the file, without a byte order mark.
fn decoded(bytes: &[u8]) -> Result<&str, Vec<RowProblem>> {
    const SAVE_AS: &str = "save it as \"CSV UTF-8\"";
    if bytes.len() > MOST_BYTES {
        return Err(whole(format!("is larger than {} MiB: split it", MOST_BYTES / 1024 / 1024)));
    }
    // defense: S51 list-is-text
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
        return Err(whole(format!("is UTF-16, or not text: {SAVE_AS}")));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = 1 + breaks(&bytes[..e.valid_up_to()]);
        whole(format!("isn't UTF-8 (the first unreadable line is {line}): {SAVE_AS}"))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// How many lines end in it: LF, CR LF, or CR alone, as rows do.
fn breaks(bytes: &[u8]) -> u64 {
    let ends = |at: &usize| match bytes[*at] {
        b'\n' => *at == 0 || bytes[at - 1] != b'\r',
        b'\r' => true,
        _ => false,
    };
    (0..bytes.len()).filter(ends).count() as u64
}

/// Finds the lines on which rows begin, going forward. The reader's own count is of no use: it takes the blank lines
/// before a row for its beginning.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which the row begins that the reader began to look for at this byte.
    fn of(&mut self, byte: u64) -> u64 {
        let mut start = usize::try_from(byte).unwrap_or(usize::MAX).clamp(self.at, self.text.len());
        while self.text.get(start).is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            start += 1;
        }
        self.line += breaks(&self.text[self.at..start]);
        self.at = start;
        self.line
    }
}

fn read<R: Row>(bytes: &[u8]) -> Result<LicenseFile<R>, Vec<RowProblem>> {
    let text = decoded(bytes)?;
    let header = Header::of(text, R::NEEDED)?;
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let mut reader = reader(text, header.delimiter);
    let mut record = csv::StringRecord::new();
    let mut seen = HashMap::new();
    let (mut rows, mut complaints, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut count = 0;
    let mut past_header = false;
    loop {
        let byte = reader.position().byte();
        match reader.read_record(&mut record) {
            Ok(true) if !is_end(&record) => {}
            Ok(_) => break,
            Err(e) => {
                complaints.extend(whole(format!("can't be read as CSV: {e}")));
                break;
            }
        }
        let line = lines.of(byte);
        if !past_header {
            past_header = !is_before_header(&record);
            continue;
        }
        if is_blank(&record) {
            continue;
        }
        count += 1;
        if count > MOST_ROWS {
            complaints.extend(whole(format!("has more than {MOST_ROWS} rows: split it")));
            break;
        }
        if let Some(problem) = misshapen(&record, &header) {
            complaints.push(RowProblem { line: Some(line), column: None, problem });
            continue;
        }
        if record.iter().any(|cell| cell.contains('\'')) {
            record = record.iter().map(unguarded).collect();
        }
        let cells = &mut RowCells { line, record: &record, header: &header, complaints: &mut complaints };
        let row = R::of(cells);
        cells.look_at(&mut notes);
        let Some(row) = row else { continue };
        if let Some(before) = seen.insert((row.profile().to_owned(), row.named()), line) {
            let problem = format!("repeats the license of line {before}: {}", row.named().1);
            complaints.push(RowProblem { line: Some(line), column: Some("license"), problem });
        }
        rows.push(row);
    }
    if complaints.is_empty() {
        Ok(LicenseFile { rows, unused: header.unused, notes })
    } else {
        Err(complaints)
    }
}

/// What makes it useless to look at a row's cells one by one.
fn misshapen(record: &csv::StringRecord, header: &Header) -> Option<String> {
    if record.iter().any(|cell| cell.contains('\0')) {
        return Some("a quotation mark is never closed".into());
    }
    // Excel leaves blank cells out at the end of a row, and other programs put some there.
    let filled = record.iter().enumerate().filter(|(_, cell)| !cell.trim().is_empty());
    let filled = filled.last().map_or(0, |(last, _)| last + 1);
    let cells = counted(filled, "cell", "cells");
    (filled > header.cells).then(|| format!("has {cells}, but the header has {}", header.cells))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cell::escape_formula;
    use proptest::prelude::*;

    fn told<R>(read: Result<LicenseFile<R>, Vec<RowProblem>>) -> Vec<String> {
        read.err().expect("complaints").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_in_any_spreadsheets_dress_is_the_same_file() {
        let plain = "ubi,license,username,name,tags,notes\n\
                     604001,00123-D1,ann@store.example,\"Hudson, St\",b;a;b,hello\n";
        let expected = registrations(plain.as_bytes()).unwrap();
        assert_eq!(expected.unused, ["notes"]);
        let row = &expected.rows[0];
        assert_eq!((row.line, row.key.to_string().as_str()), (2, "604001/00123-D1"));
        assert_eq!(row.details.name.as_ref().unwrap().as_str(), "Hudson, St");
        assert_eq!(row.details.tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["a", "b"]);
        for dress in [
            plain.replace('\n', "\r\n"),
            format!("\u{feff}{plain}"),
            plain.replace("ubi,license", " UBI ,License"),
            plain.replace("ubi,license,username,name,tags", "UBI #,License #,User Name,NAME,Tags"),
            format!("sep=,\n{plain}"),
            plain.trim_end().to_owned(),
            "ubi;license;username;name;tags;notes\n604001;00123-D1;ann@store.example;Hudson, St;\"b;a;b\";hello"
                .to_owned(),
            "ubi\tlicense\tusername\tname\ttags\tnotes\n604001\t00123-D1\tann@store.example\tHudson, St\tb;a\thello"
                .to_owned(),
        ] {
            let mut read = registrations(dress.as_bytes()).unwrap();
            // A line above the header moves the others down.
            read.rows.iter_mut().for_each(|row| row.line -= u64::from(dress.starts_with("sep=")));
            assert_eq!(read, expected, "{dress:?}");
        }
    }

    #[test]
    fn rows_as_excel_and_libreoffice_write_them_are_taken() {
        let excel = include_bytes!("../../tests/fixtures/sheets/excel-semicolon.csv");
        let libre = include_bytes!("../../tests/fixtures/sheets/libreoffice.csv");
        let tabs = include_bytes!("../../tests/fixtures/sheets/excel-tabs.txt");
        let read = |bytes: &[u8]| {
            let sheet = registrations(bytes).unwrap();
            let row = |row: &RegistrationRow| {
                let name = row.details.name.as_ref().map(ToString::to_string).unwrap_or_default();
                (row.line, row.key.to_string(), row.username.to_string(), name)
            };
            assert!(sheet.notes.is_empty(), "{:?}", sheet.notes);
            sheet.rows.iter().map(row).collect::<Vec<_>>()
        };
        let rows = |first: u64| {
            [
                (
                    first,
                    "604001234/101-X0001-D1".into(),
                    "ann@store.example".into(),
                    "Hudson; \"the\" Yard".into(),
                ),
                (first + 2, "604001235/101-X0002-D1".into(), "bob@store.example".into(), "Café Ünï".into()),
                (first + 3, "604001236/101-X0003-D1".into(), "cat@store.example".into(), String::new()),
            ]
        };
        assert_eq!(read(excel), rows(3));
        assert_eq!(read(libre), rows(2));
        assert_eq!(read(tabs), rows(2));
    }

    #[test]
    fn a_cell_that_may_be_right_is_noted_with_its_place() {
        let text =
            "ubi,license,username,contact\n604 001 234,101–X1,ann,555-0100\n604001,L1,ann@x.example,\n";
        let notes: Vec<_> =
            registrations(text.as_bytes()).unwrap().notes.iter().map(ToString::to_string).collect();
        assert_eq!(
            notes,
            [
                "line 2, column ubi: contains a space",
                "line 2, column license: contains a dash that isn't a hyphen (-)",
                "line 2, column username: isn't an e-mail address",
                "line 2, column contact: isn't an e-mail address",
            ]
        );
    }

    #[test]
    fn every_bad_cell_is_named_with_its_line_and_column() {
        let text = "ubi,license,username,name\r\n\r\n,L1,,a\u{202e}b\r\n604001,\"L\r\n2\",ann@x.example,\r\n\
                    604001,L3\r\n604001,L4,ann@x.example,,x\r\n,,,\r\n604001,L5,a@x.example,\r\n\
                    604001, L5 ,b@x.example,\r\n604001,#REF!,Ray <ray@x.example>\r\n";
        let said = told(registrations(text.as_bytes()));
        assert_eq!(
            said,
            [
                "line 3, column ubi: is empty",
                "line 3, column username: is empty",
                "line 3, column name: contains a control or invisible character: a�b",
                "line 4, column license: contains a control or invisible character: L��2",
                "line 6, column username: is empty",
                "line 7: has 5 cells, but the header has 4",
                "line 10, column license: repeats the license of line 9: L5",
                "line 11, column license: is a spreadsheet error: #REF!. Fix the formula",
                "line 11, column username: contains more than one address: Ray <ray@x.example>. Enter one e-mail address only",
            ]
        );
    }

    #[test]
    fn line_numbers_stay_true_below_quoted_line_breaks_and_blank_lines() {
        let text = "\n\nlicense,notes\nL1,\"one\ntwo\r\nthree\"\n\n  \nL2,x\rL3,y\n";
        let lines: Vec<_> = renewals(text.as_bytes()).unwrap().rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [4, 9, 10]);
    }

    #[test]
    fn a_header_that_cannot_be_right_is_told() {
        for (text, expected) in [
            ("", "is empty: the first line must name the columns: ubi,license,username"),
            ("\u{feff}\r\n ,, \n", "is empty: the first line must name the columns: ubi,license,username"),
            (
                "ubi,license,username,License #\n",
                "the column license appears twice in the header, as column 2 and 4",
            ),
            (
                "notes\n",
                "ubi, license, username are missing: the first line must name the columns (ubi,license,username), but it has: notes",
            ),
            ("ubi,\"license\n604001,L1", "a quotation mark in the header is never closed"),
            (
                "ubi;license\n",
                "username is missing: the first line must name the columns (ubi,license,username), but it has: ubi, license",
            ),
        ] {
            assert_eq!(told(registrations(text.as_bytes())), [expected], "{text:?}");
        }
        assert_eq!(told(renewals(b"604001,L1\n")).len(), 1);
        assert!(renewals(b"license\n").unwrap().rows.is_empty());
    }

    #[test]
    fn what_comes_in_has_its_profile_and_every_bad_cell_of_it_is_named() {
        let text = "profile,ubi,license,username,expires_at,expires_estimated\n,604001,L1,a@x.example,,TRUE\n\
                    fl,604001,L2,a@x.example,2026-01-31T12:00:00.9Z,\n";
        let rows = incoming(text.as_bytes(), "ny").unwrap().rows;
        let seen = rows.iter().map(|row| (row.record.profile.as_str(), row.record.expires_estimated));
        assert_eq!(seen.collect::<Vec<_>>(), [("ny", true), ("fl", false)]);
        assert_eq!(rows[1].record.expires_at, Some("2026-01-31T12:00:00Z".parse().unwrap()));
        let text = "profile,ubi,license,username,expires_at,expires_estimated,tags\n\
                    a\u{202e},604001,L1,a@x.example,,,\n ,604001,L2,,soon,perhaps,a;\u{202e}\n";
        let said = told(incoming(text.as_bytes(), "ny"));
        assert_eq!(
            said,
            [
                "line 2, column profile: contains a control or invisible character: a\u{fffd}",
                "line 3, column username: is empty",
                "line 3, column tags: contains a control or invisible character: \u{fffd}",
                "line 3, column expires_at: \"soon\" isn't an instant such as 2026-01-31T12:00:00Z",
                "line 3, column expires_estimated: \"perhaps\" is neither true nor false",
            ]
        );
    }

    #[test]
    fn an_open_quotation_mark_is_told_where_it_stands() {
        let text = "license,name\nL1,ok\nL2,\"open\nL3,ok\nL4,ok\n";
        assert_eq!(told(renewals(text.as_bytes())), ["line 3: a quotation mark is never closed"]);
    }

    #[test]
    fn what_isnt_utf8_is_refused_with_what_to_do() {
        let utf16: Vec<u8> = "license\nL1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [b"\xff\xfe".as_slice(), &utf16].concat();
        for bytes in [utf16, marked] {
            assert_eq!(told(renewals(&bytes)), ["is UTF-16, or not text: save it as \"CSV UTF-8\""]);
        }
        let latin = told(renewals(b"license,name\nL1,Caf\xe9\n"));
        assert!(latin[0].starts_with("isn't UTF-8 (the first unreadable line is 2)"), "{latin:?}");
    }

    #[test]
    fn no_file_is_too_large_to_be_refused() {
        assert_eq!(told(renewals(&vec![b'x'; MOST_BYTES + 1])), ["is larger than 64 MiB: split it"]);
        let mut text = "license\n".to_owned();
        (0..MOST_ROWS).for_each(|at| text.push_str(&format!("L{at}\n")));
        assert_eq!(renewals(text.as_bytes()).unwrap().rows.len(), MOST_ROWS);
        text.push_str("L-one-more\n");
        assert_eq!(told(renewals(text.as_bytes())), ["has more than 100000 rows: split it"]);
    }

    #[test]
    fn the_quote_that_our_export_put_before_a_formula_comes_off_again() {
        let text = "license,name\n'-L1,''s Hertogenbosch\n'L2,'=1+1\n";
        let sheet = renewals(text.as_bytes()).unwrap();
        let names: Vec<_> = sheet
            .rows
            .iter()
            .map(|row| (row.license.as_str(), row.details.name.as_ref().map(|name| name.as_str())))
            .collect();
        assert_eq!(names, [("-L1", Some("'s Hertogenbosch")), ("'L2", Some("=1+1"))]);
    }

    #[test]
    fn a_renewal_needs_only_its_license() {
        let sheet = renewals(b"License,UBI,Username,Password\nL1,,,x\nL1,604001,new@x.example,y\n").unwrap();
        assert_eq!(sheet.unused, ["Password"]);
        assert_eq!((&sheet.rows[0].ubi, &sheet.rows[0].username), (&None, &None));
        assert_eq!(sheet.rows[1].username.as_ref().unwrap().as_str(), "new@x.example");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = registrations(&bytes);
            let _ = renewals(&[b"license,name\n".as_slice(), &bytes].concat());
        }

        #[test]
        fn no_text_makes_it_panic_and_lines_are_the_files(
            text in "([a-zé\",;'\t\r\n=\u{feff}\u{202e} ]|license|ubi){0,80}",
        ) {
            let _ = registrations(text.as_bytes());
            let text = format!("license,name\n{text}");
            let last = 1 + breaks(text.as_bytes());
            let lines: Vec<u64> = match renewals(text.as_bytes()) {
                Ok(sheet) => sheet.rows.iter().map(|row| row.line).collect(),
                Err(complaints) => {
                    prop_assert!(!complaints.is_empty());
                    complaints.iter().filter_map(|one| one.line).collect()
                }
            };
            prop_assert!(lines.is_sorted());
            prop_assert!(lines.iter().all(|line| (2..=last).contains(line)), "{lines:?} of {last}");
        }

        #[test]
        fn what_is_written_is_read_back(
            stores in prop::collection::vec(("[ '=+@-]{0,2}[a-z0-9\",;=é-]{1,20}", "[a-zA-Zé\"',; ]{0,20}"), 1..20),
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["license", "name"]).unwrap();
            let mut expected = Vec::new();
            let mut seen = std::collections::BTreeSet::new();
            for (license, name) in &stores {
                if !seen.insert(license.trim()) {
                    continue;
                }
                writer.write_record([escape_formula(license), escape_formula(name)]).unwrap();
                expected.push((license.trim().to_owned(), name.trim().to_owned()));
            }
            let bytes = writer.into_inner().unwrap();
            let read: Vec<_> = renewals(&bytes).unwrap().rows.into_iter()
                .map(|row| (row.license.to_string(), row.details.name.map(|it| it.to_string()).unwrap_or_default()))
                .collect();
            prop_assert_eq!(read, expected);
        }
    }
}
