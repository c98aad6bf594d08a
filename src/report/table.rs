//! All licences in a table, soonest expiry first: what fits the terminal, and plain text where it's piped.

use super::{Row, Summary, View, sign};
use crate::model::authorization::State;
use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A column, the terminal's width from which it's shown, and how far its text may be cut; `None`: never.
struct Column {
    title: &'static str,
    from: u16,
    least: Option<usize>,
    cell: fn(&Row<'_>) -> String,
}

/// Between two columns.
const GAP: u16 = 2;

const COLUMNS: [Column; 9] = [
    Column {
        title: "State",
        from: 0,
        least: None,
        cell: |row| format!("{} {}", sign(row.state), row.state.word()),
    },
    Column {
        title: "Days",
        from: 0,
        least: None,
        cell: |row| row.days_left.map_or_else(String::new, |days| days.to_string()),
    },
    Column { title: "Profile", from: 50, least: Some(10), cell: |row| row.standing.record.profile.clone() },
    Column {
        title: "Location",
        from: 0,
        least: Some(12),
        cell: |row| row.standing.record.key.license.to_string(),
    },
    Column { title: "Store", from: 50, least: Some(12), cell: store },
    Column { title: "Expiration Date", from: 70, least: None, cell: expiry },
    Column { title: "Admin user", from: 110, least: Some(15), cell: admin },
    Column { title: "UBI", from: 130, least: Some(10), cell: |row| row.standing.record.key.ubi.to_string() },
    Column { title: "Attention", from: 60, least: Some(9), cell: attention },
];

fn store(row: &Row<'_>) -> String {
    row.standing.record.name.as_ref().map_or_else(String::new, ToString::to_string)
}

fn admin(row: &Row<'_>) -> String {
    let record = &row.standing.record;
    record.granted_by.clone().unwrap_or_else(|| record.username.to_string())
}

fn expiry(row: &Row<'_>) -> String {
    let record = &row.standing.record;
    let Some(at) = record.expires_at.filter(|_| record.deactivated_at.is_none()) else {
        return String::new();
    };
    format!("{}{}", if record.expires_estimated { "~" } else { "" }, row.when(at))
}

fn attention(row: &Row<'_>) -> String {
    row.conditions.iter().map(|one| one.word()).collect::<Vec<_>>().join(", ")
}

/// The plain colours of the terminal's theme: the bright ones, yellow above all, vanish on a light ground.
fn colour(state: State) -> Color {
    match state {
        State::Active => Color::DarkGreen,
        State::Due => Color::DarkYellow,
        State::Expired | State::Invalid => Color::DarkRed,
        State::Pending => Color::DarkCyan,
        State::Deactivated => Color::DarkGrey,
    }
}

/// The table, with a line that counts. Sorted by expiry; what has none comes last.
pub fn table(rows: &[Row<'_>], view: &View) -> String {
    let mut sorted: Vec<&Row<'_>> = rows.iter().collect();
    sorted.sort_by_cached_key(|row| {
        let record = &row.standing.record;
        (record.deactivated_at.is_some(), record.expires_at.is_none(), record.expires_at, record.key.clone())
    });
    let width = view.width.unwrap_or(u16::MAX);
    let any_attention = rows.iter().any(|row| !row.conditions.is_empty());
    let any_name = rows.iter().any(|row| row.standing.record.name.is_some());
    let mut columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| column.from <= width)
        .filter(|column| match column.title {
            "Attention" => any_attention,
            "Store" => any_name,
            "Profile" => view.profile.is_none(),
            _ => true,
        })
        .collect();

    let mut cells: Vec<Vec<String>> =
        sorted.iter().map(|row| columns.iter().map(|column| (column.cell)(row)).collect()).collect();
    let widths = fitted(&mut columns, &mut cells, view.width);

    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| Cell::new(column.title.to_uppercase())));
    if view.colour {
        table.enforce_styling();
        // `--color always` goes before NO_COLOR, which was weighed where the view was made.
        crossterm::style::force_color_output(true);
    } else {
        table.force_no_tty();
    }
    for (row, cells) in sorted.iter().zip(&cells) {
        table.add_row(columns.iter().zip(cells).zip(&widths).map(|((column, text), width)| {
            let cell = Cell::new(cut(text, *width));
            match column.title {
                "State" if view.colour => cell.fg(colour(row.state)),
                "Days" => cell.set_alignment(CellAlignment::Right),
                _ => cell,
            }
        }));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    let lines: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    format!("{lines}\n{}\n", counted(rows, view))
}

/// The columns' widths; where even the shortest cuts don't fit, the column that needs the widest terminal goes.
fn fitted(columns: &mut Vec<&Column>, cells: &mut [Vec<String>], terminal: Option<u16>) -> Vec<usize> {
    loop {
        let widths = widths(columns, cells, terminal);
        let gaps = usize::from(GAP) * columns.len().saturating_sub(1);
        let fits =
            terminal.is_none_or(|terminal| widths.iter().sum::<usize>() + gaps <= usize::from(terminal));
        let last = (0..columns.len()).max_by_key(|at| columns[*at].from).filter(|at| columns[*at].from > 0);
        match last {
            Some(last) if !fits => {
                columns.remove(last);
                cells.iter_mut().for_each(|row| drop(row.remove(last)));
            }
            _ => return widths,
        }
    }
}

/// How wide each column may be: all that it holds, where the terminal is wide enough; else the widest of those that
/// may be cut give way, each as far as it may. One line a licence: what doesn't fit is cut, not wrapped.
fn widths(columns: &[&Column], cells: &[Vec<String>], terminal: Option<u16>) -> Vec<usize> {
    let natural = |(at, column): (usize, &&Column)| {
        cells.iter().map(|row| row[at].width()).max().unwrap_or(0).max(column.title.len())
    };
    let mut widths: Vec<usize> = columns.iter().enumerate().map(natural).collect();
    let Some(terminal) = terminal.map(usize::from) else { return widths };
    let gaps = usize::from(GAP) * columns.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > terminal {
        let may = |at: &usize| {
            columns[*at].least.is_some_and(|least| widths[*at] > least.max(columns[*at].title.len()))
        };
        let Some(widest) = (0..columns.len()).filter(may).max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
    }
    widths
}

/// The text where it fits, else as much of it as does, between two characters as a reader sees them, and an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.graphemes(true) {
        if kept.width() + character.width() >= width {
            break;
        }
        kept.push_str(character);
    }
    kept.truncate(kept.trim_end().len());
    kept + "…"
}

/// The line that counts, broken where the terminal is narrower.
fn counted(rows: &[Row<'_>], view: &View) -> String {
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

    #[test]
    fn the_widest_give_way_and_what_must_not_be_cut_stays() {
        let mut columns: Vec<&Column> = COLUMNS.iter().filter(|it| it.from <= 80).collect();
        let row = |location: usize, store: usize| {
            vec![
                "– deactivated".to_owned(),
                "-100".into(),
                "ny".into(),
                "L".repeat(location),
                "店".repeat(store / 2),
                "2026-06-10 08:00 EDT".into(),
                String::new(),
            ]
        };
        let mut cells = vec![row(64, 240)];
        let wide = widths(&columns, &cells, Some(100));
        assert_eq!(wide.iter().sum::<usize>() + 12, 100);
        assert_eq!((wide[0], wide[1], wide[5]), (13, 4, 20));
        assert!(wide[3].abs_diff(wide[4]) <= 1, "{wide:?}");
        let piped = widths(&columns, &cells, None);
        assert_eq!((piped[3], piped[4]), (64, 240));
        // With a profile's column too, eighty columns have no room for the date.
        let narrow = fitted(&mut columns, &mut cells, Some(80));
        assert!(columns.iter().all(|column| column.title != "Expiration Date"));
        assert_eq!(narrow.iter().sum::<usize>() + 10, 80);
    }
}
