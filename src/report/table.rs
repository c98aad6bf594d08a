//! All licences in a table, soonest expiry first: what fits the terminal, and plain text where it's piped.

use super::{View, sign};
use crate::model::authorization::{Standing, State};
use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table};

/// A column, and the terminal's width from which it's shown.
struct Column {
    title: &'static str,
    from: u16,
    cell: fn(&Standing, State, &View<'_>) -> String,
}

const COLUMNS: [Column; 8] = [
    Column { title: "State", from: 0, cell: |_, state, _| format!("{} {}", sign(state), state.word()) },
    Column {
        title: "Days",
        from: 0,
        cell: |it, _, view| it.record.days_left(view.now).map_or_else(String::new, |days| days.to_string()),
    },
    Column { title: "Location", from: 0, cell: |it, _, _| it.record.key.license.to_string() },
    Column {
        title: "Store",
        from: 0,
        cell: |it, _, _| it.record.name.as_ref().map_or_else(String::new, ToString::to_string),
    },
    Column { title: "Expiration Date", from: 70, cell: |it, _, view| expiry(it, view) },
    Column {
        title: "Admin user",
        from: 110,
        cell: |it, _, _| it.record.granted_by.clone().unwrap_or_else(|| it.record.username.to_string()),
    },
    Column { title: "UBI", from: 130, cell: |it, _, _| it.record.key.ubi.to_string() },
    Column { title: "Attention", from: 0, cell: attention },
];

fn expiry(it: &Standing, view: &View<'_>) -> String {
    let Some(at) = it.record.expires_at.filter(|_| it.record.deactivated_at.is_none()) else {
        return String::new();
    };
    format!("{}{}", if it.record.expires_estimated { "~" } else { "" }, view.when(at))
}

fn attention(it: &Standing, _: State, view: &View<'_>) -> String {
    it.conditions(view.now).iter().map(|one| one.word()).collect::<Vec<_>>().join(", ")
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
pub fn table(standings: &[Standing], view: &View<'_>) -> String {
    let mut sorted: Vec<&Standing> = standings.iter().collect();
    let order = |it: &Standing| {
        let record = &it.record;
        (record.deactivated_at.is_some(), record.expires_at.is_none(), record.expires_at)
    };
    sorted.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.record.key.cmp(&b.record.key)));

    let width = view.width.unwrap_or(u16::MAX);
    let any_attention = standings.iter().any(|it| !it.conditions(view.now).is_empty());
    let any_name = standings.iter().any(|it| it.record.name.is_some());
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| column.from <= width)
        .filter(|column| match column.title {
            "Attention" => any_attention,
            "Store" => any_name,
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
    let mut counts = std::collections::BTreeMap::<State, usize>::new();
    for it in sorted {
        let state = it.record.state(view.now, view.window(), &view.provider.zone);
        *counts.entry(state).or_default() += 1;
        table.add_row(columns.iter().map(|column| {
            let cell = Cell::new((column.cell)(it, state, view));
            match column.title {
                "State" if view.colour => cell.fg(colour(state)),
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
    let counted: Vec<_> = counts.iter().map(|(state, count)| format!("{count} {}", state.word())).collect();
    text.push_str(&format!(
        "\n{} in profile {}: {}\n",
        standings.len(),
        view.provider.profile,
        counted.join(", ")
    ));
    text
}
