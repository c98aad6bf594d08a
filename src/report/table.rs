//! All licenses in a table, soonest expiry first: what fits the terminal, and plain text where it's piped.

use super::json::Summary;
use super::row::{ReportRow, View, sign};
use crate::error::{clean, is_clean};
use crate::model::authorization::State;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use std::borrow::Cow;
use std::io::{self, Write};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A column, the terminal's width from which it's shown, and how far its text may be cut; `None`: never.
struct TableColumn {
    title: &'static str,
    from: u16,
    least: Option<usize>,
    cell: for<'r> fn(&'r ReportRow<'_>) -> Cow<'r, str>,
}

/// A column as wide as it's shown.
struct SizedColumn {
    column: &'static TableColumn,
    width: usize,
}

/// Between two columns.
const GAP: u16 = 2;

static COLUMNS: [TableColumn; 9] = [
    TableColumn {
        title: "State",
        from: 0,
        least: None,
        cell: |row| format!("{} {}", sign(row.state), row.state.word()).into(),
    },
    TableColumn {
        title: "Days",
        from: 0,
        least: None,
        cell: |row| row.days_left.map_or_else(Cow::default, |days| days.to_string().into()),
    },
    TableColumn {
        title: "Profile",
        from: 50,
        least: Some(10),
        cell: |row| row.standing.record.profile.as_str().into(),
    },
    TableColumn {
        title: "Location",
        from: 0,
        least: Some(12),
        cell: |row| row.standing.record.key.license.as_str().into(),
    },
    TableColumn { title: "Store", from: 50, least: Some(12), cell: store },
    TableColumn { title: "Expiration Date", from: 70, least: None, cell: expiry },
    TableColumn { title: "Admin user", from: 110, least: Some(15), cell: admin },
    TableColumn {
        title: "UBI",
        from: 130,
        least: Some(10),
        cell: |row| row.standing.record.key.ubi.as_str().into(),
    },
    TableColumn { title: "Attention", from: 60, least: Some(9), cell: attention },
];

fn store<'r>(row: &'r ReportRow<'_>) -> Cow<'r, str> {
    row.standing.record.name.as_ref().map_or("", |name| name.as_str()).into()
}

fn admin<'r>(row: &'r ReportRow<'_>) -> Cow<'r, str> {
    let record = &row.standing.record;
    record.granted_by.as_deref().unwrap_or(record.username.as_str()).into()
}

fn expiry<'r>(row: &'r ReportRow<'_>) -> Cow<'r, str> {
    let record = &row.standing.record;
    let Some(at) = record.expires_at.filter(|_| record.deactivated_at.is_none()) else {
        return Cow::default();
    };
    match record.expires_estimated {
        true => format!("~{}", row.when(at)).into(),
        false => row.when(at).into(),
    }
}

fn attention<'r>(row: &'r ReportRow<'_>) -> Cow<'r, str> {
    row.conditions.iter().map(|one| one.word()).collect::<Vec<_>>().join(", ").into()
}

/// What a cell shows: made harmless here, whatever a record holds.
fn shown<'r>(column: &TableColumn, row: &'r ReportRow<'_>) -> Cow<'r, str> {
    let cell = (column.cell)(row);
    // defense: S33 table-is-clean
    if is_clean(&cell) { cell } else { clean(&cell).into() }
}

/// The plain colors of the terminal's theme, by their numbers: the bright ones, yellow above all, vanish on a light ground.
fn color(state: State) -> u8 {
    match state {
        State::Active => 2,
        State::Due => 3,
        State::Expired | State::Invalid => 1,
        State::Pending => 6,
        State::Deactivated => 8,
    }
}

/// A row whose first cell, the state, has its color. The escapes are our own: a library's depend on what it takes the process's
/// console for, and `--color always` writes into a pipe where there is none.
fn colored(line: &str, row: &ReportRow<'_>) -> String {
    let state = (COLUMNS[0].cell)(row);
    match line.strip_prefix(&*state) {
        Some(rest) => format!("\x1b[38;5;{}m{state}\x1b[39m{rest}", color(row.state)),
        None => line.to_owned(),
    }
}

/// Writes the table, with a line that counts. Sorted by expiry; what has none comes last.
pub fn table(rows: &[ReportRow<'_>], view: &View, out: &mut dyn Write) -> io::Result<()> {
    // Several copies are made of what is drawn together: of a few rows, not of all.
    const AT_ONCE: usize = 32;
    let mut sorted: Vec<&ReportRow<'_>> = rows.iter().collect();
    sorted.sort_by(|one, other| soonest(one).cmp(&soonest(other)));
    let any_attention = rows.iter().any(|row| !row.conditions.is_empty());
    let any_name = rows.iter().any(|row| row.standing.record.name.is_some());
    let mut columns: Vec<SizedColumn> = COLUMNS
        .iter()
        .filter(|column| column.from <= view.width.unwrap_or(u16::MAX))
        .filter(|column| match column.title {
            "Attention" => any_attention,
            "Store" => any_name,
            "Profile" => view.profile.is_none(),
            _ => true,
        })
        .map(|column| SizedColumn::of(column, &sorted))
        .collect();
    fit(&mut columns, view.width);
    for (number, rows) in sorted.chunks(AT_ONCE).enumerate() {
        let is_headed = number == 0;
        let rows_of_lines = is_headed.then_some(None).into_iter().chain(rows.iter().map(Some));
        for (line, row) in drawn(rows, is_headed, &columns).lines().zip(rows_of_lines) {
            match row.filter(|_| view.color) {
                Some(row) => writeln!(out, "{}", colored(line.trim_end(), row))?,
                None => writeln!(out, "{}", line.trim_end())?,
            }
        }
    }
    writeln!(out, "\n{}", counted(rows, view))
}

fn soonest<'r>(row: &'r ReportRow<'_>) -> impl Ord + use<'r> {
    let record = &row.standing.record;
    (record.deactivated_at.is_some(), record.expires_at.is_none(), record.expires_at, &record.key)
}

impl SizedColumn {
    /// As wide as the widest of what it holds. That isn't kept, but made again when it's drawn: it would take as much
    /// memory as the records.
    fn of(column: &'static TableColumn, rows: &[&ReportRow<'_>]) -> Self {
        let widths = rows.iter().map(|row| width(&shown(column, row)));
        Self { column, width: widths.max().unwrap_or(0).max(column.title.len()) }
    }
}

/// Some of the rows; with the header above the first of all.
fn drawn(rows: &[&ReportRow<'_>], headed: bool, columns: &[SizedColumn]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if headed {
        table.set_header(columns.iter().map(|laid| Cell::new(laid.column.title.to_uppercase())));
    }
    for row in rows {
        table.add_row(columns.iter().map(|laid| {
            let cell = Cell::new_owned(cut(&shown(laid.column, row), laid.width));
            match laid.column.title {
                "Days" => cell.set_alignment(CellAlignment::Right),
                _ => cell,
            }
        }));
    }
    for (drawn, laid) in table.column_iter_mut().zip(columns) {
        let width = u16::try_from(laid.width).unwrap_or(u16::MAX).saturating_add(GAP);
        drawn.set_padding((0, GAP)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
    }
    table
}

/// Fits the columns into a terminal; where even the shortest cuts don't, the column that needs the widest terminal goes.
fn fit(columns: &mut Vec<SizedColumn>, terminal: Option<u16>) {
    let Some(terminal) = terminal.map(usize::from) else { return };
    let natural = |columns: &[SizedColumn]| columns.iter().map(|laid| laid.width).collect::<Vec<_>>();
    loop {
        let mut widths = natural(columns);
        narrow(columns, &mut widths, terminal);
        let last = (0..columns.len())
            .max_by_key(|at| columns[*at].column.from)
            .filter(|at| columns[*at].column.from > 0);
        match last {
            Some(last) if whole(&widths) > terminal => drop(columns.remove(last)),
            _ => {
                columns.iter_mut().zip(widths).for_each(|(laid, width)| laid.width = width);
                return;
            }
        }
    }
}

/// How wide columns are together.
fn whole(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + usize::from(GAP) * widths.len().saturating_sub(1)
}

/// Where the terminal isn't wide enough for all that the columns hold, the widest of those that may be cut give way,
/// each as far as it may. One line a license: what doesn't fit is cut, not wrapped.
fn narrow(columns: &[SizedColumn], widths: &mut [usize], terminal: usize) {
    while whole(widths) > terminal {
        let may = |at: &usize| {
            let column = columns[*at].column;
            column.least.is_some_and(|least| widths[*at] > least.max(column.title.len()))
        };
        let Some(widest) = (0..columns.len()).filter(may).max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
    }
}

/// How many columns of a terminal a text takes. Nearly all are plain ASCII: each of theirs takes one.
fn width(text: &str) -> usize {
    match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => text.len(),
        false => text.width(),
    }
}

/// The text where it fits, else as much of it as does, between two characters as a reader sees them, and an ellipsis.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.graphemes(true) {
        if kept.width() + character.width() >= most {
            break;
        }
        kept.push_str(character);
    }
    kept.truncate(kept.trim_end().len());
    kept + "…"
}

/// The line that counts, broken where the terminal is narrower.
fn counted(rows: &[ReportRow<'_>], view: &View) -> String {
    let where_from =
        view.profile.as_ref().map_or_else(|| "all profiles".to_owned(), |name| format!("profile {name}"));
    let mut line = format!("{} in {where_from}:", rows.len());
    let mut before = "";
    for (state, count) in Summary::of(rows).by_state().into_iter().filter(|(_, count)| *count > 0) {
        let counted = format!(" {count} {}", state.word());
        line.push_str(before);
        let last = line.rsplit('\n').next().unwrap_or_default().width();
        if view.width.is_some_and(|width| last + counted.len() + 1 > usize::from(width)) {
            line.push_str("\n ");
        }
        line.push_str(&counted);
        before = ",";
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_exceeds_its_width_nor_splits_a_character() {
        for (text, width, shown) in [
            ("Hudson St", 9, "Hudson St"),
            ("Hudson Street", 9, "Hudson S…"),
            ("Hudson Street", 8, "Hudson…"),
            ("漢字の店", 8, "漢字の店"),
            ("漢字の店", 7, "漢字の…"),
            ("漢字の店", 6, "漢字…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("🇺🇸🇺🇸🇺🇸", 4, "🇺🇸…"),
            ("👍🏽👍🏽👍🏽", 5, "👍🏽👍🏽…"),
        ] {
            assert_eq!(cut(text, width), shown);
            assert!(cut(text, width).width() <= width, "{text}");
        }
    }

    /// The columns of a terminal that wide, each with one cell: a license and a store as wide as this, in two profiles.
    fn laid(terminal: u16, location: usize, store: usize) -> Vec<SizedColumn> {
        let columns = COLUMNS.iter().filter(|column| column.from <= terminal);
        let mut laid: Vec<_> = columns.map(|column| SizedColumn::of(column, &[])).collect();
        for it in &mut laid {
            let shown = match it.column.title {
                "State" => "– deactivated".width(),
                "Days" => "-100".len(),
                "Location" => location,
                "Store" => store,
                "Expiration Date" => "2026-06-10 08:00 EDT".len(),
                _ => 2,
            };
            it.width = it.width.max(shown);
        }
        laid
    }

    fn widths(columns: &[SizedColumn]) -> Vec<usize> {
        columns.iter().map(|laid| laid.width).collect()
    }

    #[test]
    fn the_widest_give_way_and_what_must_not_be_cut_stays() {
        let mut columns = laid(80, 64, 240);
        fit(&mut columns, Some(100));
        let wide = widths(&columns);
        assert_eq!(whole(&wide), 100);
        assert_eq!((wide[0], wide[1], wide[5]), (13, 4, 20));
        assert!(wide[3].abs_diff(wide[4]) <= 1, "{wide:?}");

        // A license of usual length stays whole.
        let mut columns = laid(80, 14, 240);
        fit(&mut columns, Some(80));
        assert_eq!(columns[3].width, 14);

        let mut columns = laid(80, 64, 240);
        fit(&mut columns, None);
        assert_eq!((columns[3].width, columns[4].width), (64, 240));

        // With a profile's column too, eighty columns have no room for the date.
        let mut columns = laid(80, 64, 240);
        fit(&mut columns, Some(80));
        assert!(columns.iter().all(|laid| laid.column.title != "Expiration Date"));
        assert_eq!(whole(&widths(&columns)), 80);
    }
}
