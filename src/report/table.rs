//! All licences in a table, soonest expiry first: what fits the terminal, and plain text where it's piped.

use super::{Row, Summary, View, sign};
use crate::model::authorization::State;
use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table};

/// A column, and the terminal's width from which it's shown.
struct Column {
    title: &'static str,
    from: u16,
    cell: fn(&Row<'_>) -> String,
}

const COLUMNS: [Column; 9] = [
    Column { title: "State", from: 0, cell: |row| format!("{} {}", sign(row.state), row.state.word()) },
    Column {
        title: "Days",
        from: 0,
        cell: |row| row.days_left.map_or_else(String::new, |days| days.to_string()),
    },
    Column { title: "Profile", from: 0, cell: |row| row.standing.record.profile.clone() },
    Column { title: "Location", from: 0, cell: |row| row.standing.record.key.license.to_string() },
    Column { title: "Store", from: 0, cell: store },
    Column { title: "Expiration Date", from: 70, cell: expiry },
    Column { title: "Admin user", from: 110, cell: admin },
    Column { title: "UBI", from: 130, cell: |row| row.standing.record.key.ubi.to_string() },
    Column { title: "Attention", from: 0, cell: attention },
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

fn colour(state: State) -> Color {
    match state {
        State::Active => Color::Green,
        State::Due => Color::Yellow,
        State::Expired | State::Invalid => Color::Red,
        State::Pending => Color::Cyan,
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
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| column.from <= width)
        .filter(|column| match column.title {
            "Attention" => any_attention,
            "Store" => any_name,
            "Profile" => view.profile.is_none(),
            _ => true,
        })
        .collect();

    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(columns.iter().map(|column| Cell::new(column.title.to_uppercase())));
    match view.width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if view.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    for row in sorted {
        table.add_row(columns.iter().map(|column| {
            let cell = Cell::new((column.cell)(row));
            match column.title {
                "State" if view.colour => cell.fg(colour(row.state)),
                "Days" => cell.set_alignment(CellAlignment::Right),
                _ => cell,
            }
        }));
    }
    if view.width.is_some() {
        // One line a licence: what doesn't fit is cut, not wrapped.
        for row in table.row_iter_mut() {
            row.max_height(1);
        }
        for (at, column) in columns.iter().enumerate() {
            if matches!(column.title, "State" | "Days" | "Location" | "Expiration Date")
                && let Some(column) = table.column_mut(at)
            {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let counts = Summary::of(rows).by_state();
    let counted: Vec<_> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {}", state.word()))
        .collect();
    let where_from =
        view.profile.as_ref().map_or_else(|| "all profiles".to_owned(), |name| format!("profile {name}"));
    text.push_str(&format!("\n{} in {where_from}: {}\n", rows.len(), counted.join(", ")));
    text
}
