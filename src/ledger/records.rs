//! The records' rows, and their secrets' places: how they are read and written. Which columns there are, the record's own
//! declaration says.

use super::engine::{Cell, Db, Fault, Row, Value, strange, values};
use super::journal::{columns, place, text};
use super::{Hand, Ledger, history};
use crate::error::{Error, Result};
use crate::model::authorization::{Authorization, Column, Part};
use crate::model::column::{self, Kind, Source};
use crate::model::flow::{Change, Move, Place, Role};
use crate::model::ids::{Generation, Key, Tag};
use jiff::Timestamp;
use std::str::FromStr;
use std::sync::LazyLock;

/// The columns, as every statement that reads a record selects them.
pub(super) const COLUMNS: &str = Authorization::NAMES;

/// Puts a record in the place of what was known under its key.
static PUT: LazyLock<String> = LazyLock::new(|| {
    let of = |wanted: fn(&Column) -> bool, said: &dyn Fn(&str) -> String| {
        let columns = Authorization::COLUMNS.iter().filter(|column| wanted(column));
        columns.map(|column| said(column.name)).collect::<Vec<_>>().join(", ")
    };
    let places: Vec<_> = (1..=Authorization::COLUMNS.len()).map(|n| format!("?{n}")).collect();
    format!(
        "INSERT INTO authorization ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}",
        of(|_| true, &str::to_owned),
        places.join(", "),
        of(|column| column.part == Part::Key, &str::to_owned),
        of(|column| column.part != Part::Key, &|name| format!("{name} = excluded.{name}")),
    )
});

/// What a text says, where there is one.
pub(super) fn parsed<T: FromStr<Err = crate::error::Error>>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<T>, Fault> {
    row.get::<Option<&str>>(column)?.map(|text| text.parse().map_err(|e| strange(column, e))).transpose()
}

/// Tags, one a line.
pub(super) fn tags(row: &Row<'_>, column: usize) -> Result<Vec<Tag>, Fault> {
    text(row, column)?.lines().map(|tag| tag.parse().map_err(|e| strange(column, e))).collect()
}

/// Tags as the column holds them.
pub(super) fn lines(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join("\n")
}

/// A row of the [`COLUMNS`].
struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
    fault: Option<Fault>,
}

impl Source for Columns<'_> {
    fn value(&mut self, _: &'static str, _: Kind) -> Option<column::Value<'_>> {
        let at = self.next;
        self.next += 1;
        let fault = match self.row.cell(at) {
            Ok(Cell::Null) => return Some(column::Value::Nothing),
            Ok(Cell::Text(text)) => return Some(column::Value::Text(text)),
            Ok(Cell::Number(number)) => return Some(column::Value::Number(number)),
            Ok(Cell::Bytes(_)) => strange(at, "bytes"),
            Err(fault) => fault,
        };
        self.fault.get_or_insert(fault);
        None
    }

    fn refuse(&mut self, _: &'static str, why: Error) {
        self.fault.get_or_insert(strange(self.next - 1, why));
    }
}

pub(super) fn read(row: &Row<'_>) -> Result<Authorization, Fault> {
    let mut columns = Columns { row, next: 0, fault: None };
    let read = Authorization::read(&mut columns);
    read.ok_or_else(|| columns.fault.unwrap_or_else(|| strange(columns.next, "no value")))
}

impl Ledger {
    /// Notes when an access token of a license was handed out, and changes nothing else of its record. Not synced, and
    /// nobody is waited for.
    ///
    /// # Errors
    /// It couldn't be noted; where somebody else is writing, that it's busy.
    pub fn note_use(&mut self, profile: &str, key: &Key, at: Timestamp) -> Result<()> {
        let noted = self.engine.in_passing(|tx| put_use(tx, profile, key, at));
        noted.map_err(|e| self.fault("note", e))
    }
}

fn put_use(tx: Db<'_>, profile: &str, key: &Key, at: Timestamp) -> Result<(), Fault> {
    tx.execute(
        "UPDATE authorization SET last_used_at = ?4 WHERE profile = ?1 AND ubi = ?2 AND license = ?3",
        values![profile, key.ubi.as_str(), key.license.as_str(), at.as_second()],
    )?;
    Ok(())
}

/// Applies a change inside a transaction: compares the generation, writes record, secrets and history.
/// `false` where someone else changed the record.
pub(super) fn apply(tx: Db<'_>, change: &Change, hand: &Hand) -> Result<bool, Fault> {
    let record = &change.record;
    if generation(tx, &record.profile, &record.key)?.unwrap_or_default() != change.expect {
        return Ok(false);
    }
    put(tx, record)?;
    for step in &change.moves {
        turn(tx, record, step)?;
    }
    for event in &change.events {
        history::append(tx, event, hand)?;
    }
    hand.written.borrow_mut().changes(&record.profile, &record.key, record.generation.0);
    Ok(true)
}

/// A record's generation as it is now.
pub(super) fn generation(tx: Db<'_>, profile: &str, key: &Key) -> Result<Option<Generation>, Fault> {
    let found = tx.row(
        "SELECT generation FROM authorization WHERE profile = ?1 AND ubi = ?2 AND license = ?3",
        values![profile, key.ubi.as_str(), key.license.as_str()],
        |row| row.get(0),
    )?;
    Ok(found.map(Generation))
}

fn put(tx: Db<'_>, record: &Authorization) -> Result<(), Fault> {
    let columns: Vec<_> = Authorization::COLUMNS.iter().map(|column| column.value(record)).collect();
    let joined: Vec<_> = columns
        .iter()
        .map(|value| match value {
            column::Value::List(items) => items.join("\n"),
            _ => String::new(),
        })
        .collect();
    let stored: Vec<_> = columns
        .iter()
        .zip(&joined)
        .map(|(value, joined)| match value {
            column::Value::Nothing => Value::Null,
            column::Value::Text(text) => Value::Text(text),
            column::Value::List(_) => Value::Text(joined),
            column::Value::Instant(at) => Value::Number(at.as_second()),
            column::Value::Flag(flag) => Value::Flag(*flag),
            column::Value::Number(number) => Value::Number(*number),
        })
        .collect();
    tx.execute(&PUT, &stored)?;
    Ok(())
}

fn turn(tx: Db<'_>, record: &Authorization, step: &Move) -> Result<(), Fault> {
    let (profile, ubi, license) = (&record.profile, record.key.ubi.as_str(), record.key.license.as_str());
    match step {
        Move::Put(role, place) => {
            turn(tx, record, &Move::Turn(*role, Role::Superseded))?;
            let (item, blob) = columns(place);
            tx.execute(
                &format!(
                    "INSERT INTO secret (id, profile, ubi, license, role, item, blob) VALUES ({}, ?1, ?2, ?3, ?4, ?5, ?6)",
                    tx.once()
                ),
                values![profile, ubi, license, role.word(), item, blob],
            )?;
        }
        Move::Turn(from, to) => {
            tx.execute(
                "UPDATE secret SET role = ?5 WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND role = ?4",
                values![profile, ubi, license, from.word(), to.word()],
            )?;
        }
        Move::Drop(id) => {
            tx.execute(
                "DELETE FROM secret WHERE id = ?1 AND profile = ?2 AND ubi = ?3 AND license = ?4",
                values![*id, profile, ubi, license],
            )?;
        }
    }
    Ok(())
}

pub(super) fn secrets(db: Db<'_>, profile: &str, key: &Key, role: Role) -> Result<Vec<(i64, Place)>, Fault> {
    let found = db.rows(
        "SELECT id, item, blob FROM secret WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND role = ?4 ORDER BY id",
        values![profile, key.ubi.as_str(), key.license.as_str(), role.word()],
        |row| Ok((row.get(0)?, place(row, 1)?)),
    )?;
    Ok(found.into_iter().filter_map(|(id, place)| Some((id, place?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{catalog, migrations};
    use proptest::prelude::*;
    use rusqlite::Connection;
    use std::collections::BTreeSet;

    fn empty() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        migrations::make(Db::Sqlite(&db), "an-id").unwrap();
        db
    }

    fn all(db: Db<'_>) -> Vec<Authorization> {
        db.rows(&format!("SELECT {COLUMNS} FROM authorization"), values![], read).unwrap()
    }

    #[test]
    fn a_ledger_has_the_columns_that_are_declared() {
        let db = empty();
        let tables = catalog::tables(Db::Sqlite(&db)).unwrap();
        let records = tables.iter().find(|table| table.name == "authorization").unwrap();
        let found = records.columns.iter().map(|column| (column.name.as_str(), column.nullable));
        let declared = Authorization::COLUMNS.iter().map(|column| (column.name, column.optional));
        let (found, declared): (BTreeSet<_>, BTreeSet<_>) = (found.collect(), declared.collect());
        assert_eq!(found, declared, "a column has no migration, or a migration's column isn't declared");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_record_is_read_as_it_was_put(first: Authorization, then: Authorization) {
            let db = empty();
            let db = Db::Sqlite(&db);
            put(db, &first).unwrap();
            prop_assert_eq!(&all(db), std::slice::from_ref(&first));
            // Another of the same key takes its place, in every column.
            let then = Authorization { profile: first.profile.clone(), key: first.key.clone(), ..then };
            put(db, &then).unwrap();
            prop_assert_eq!(all(db), [then]);
        }

        #[test]
        fn a_use_is_noted_and_nothing_else(record: Authorization, other: Authorization, at in 0i64..9_999_999_999) {
            let db = empty();
            let db = Db::Sqlite(&db);
            put(db, &record).unwrap();
            put(db, &other).unwrap();
            let at = Timestamp::from_second(at).unwrap();
            put_use(db, &record.profile, &record.key, at).unwrap();
            let mut expected = [Authorization { last_used_at: Some(at), ..record }, other];
            expected.sort_by(|a, b| (&a.profile, &a.key).cmp(&(&b.profile, &b.key)));
            prop_assert_eq!(all(db), expected);
        }
    }

    #[test]
    fn a_column_that_holds_what_this_program_never_writes_is_named() {
        let db = empty();
        let key = "INSERT INTO authorization (profile, ubi, license, username, tags, expires_estimated, \
                   revocation_pending, held_elsewhere, generation) VALUES ('ny', '604001', 'L-1', '', '', 0, 0, 0, 0)";
        db.execute(key, []).unwrap();
        let fault = Db::Sqlite(&db).row("SELECT * FROM authorization", values![], read).unwrap_err();
        let said = fault.named("ledger.db", "read").to_string();
        assert!(said.contains("column 5 of a row holds the username is empty"), "{said}");
    }
}
