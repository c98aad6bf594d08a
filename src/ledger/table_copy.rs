//! Every table of a ledger, copied into another one and compared cell by cell.

use super::catalog::{self, Table};
use super::engine::{Cell, Db, DbError, SqlValue, values};
use super::meta;
use crate::error::LedgerError;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The one row of the history's head. On a server it is there before there is a link.
const HEAD: &str = "history_head";

/// Copies every table that the schema has, and compares them cell by cell.
pub(super) fn copy_all(from: Db<'_>, to: Db<'_>) -> Result<(), DbError> {
    let differs = |table: &str| {
        DbError::from(LedgerError::Io {
            what: "be moved",
            reason: format!("the table {table} differs there"),
        })
    };
    let (here, there) = (catalog::tables(from)?, catalog::tables(to)?);
    if let Some(table) = here.iter().find(|it| !there.iter().any(|other| other.name == it.name)) {
        return Err(differs(&table.name));
    }
    for table in &there {
        let same = here.iter().find(|it| it.name == table.name && names(it) == names(table));
        same.ok_or_else(|| differs(&table.name))?;
        copy(from, to, table)?;
    }
    for table in &there {
        if digest(from, table)? != digest(to, table)? {
            return Err(differs(&table.name));
        }
    }
    copy_what_is_said(from, to)
}

/// What a ledger says of itself goes along, but for what it says of the place where it is.
fn copy_what_is_said(from: Db<'_>, to: Db<'_>) -> Result<(), DbError> {
    let said = "SELECT name, value FROM meta WHERE name NOT IN ('id', 'schema', 'moved', 'arriving')";
    from.each(said, values![], |row| {
        meta::put(to, row.get(0)?, row.get(1)?)?;
        Ok(true)
    })
}

fn names(table: &Table) -> BTreeSet<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

/// A name that the database itself gave, whatever words an engine keeps for itself.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// Which of a table's rows are copied: a server's head of a history without a link isn't.
fn rows_of(table: &Table) -> &'static str {
    if table.name == HEAD { "WHERE seq > 0" } else { "" }
}

fn rows_in_order(table: &Table) -> String {
    let columns = list(table.columns.iter().map(|column| column.name.as_str()));
    format!("SELECT {columns} FROM {} {} ORDER BY {}", quoted(&table.name), rows_of(table), list(table.key()))
}

fn copy(from: Db<'_>, to: Db<'_>, table: &Table) -> Result<(), DbError> {
    let Table { name, columns, .. } = table;
    let places: Vec<_> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
    let into = list(columns.iter().map(|column| column.name.as_str()));
    let insert = format!("INSERT INTO {} ({into}) VALUES ({})", quoted(name), places.join(", "));
    from.each(&rows_in_order(table), values![], |row| {
        if name == HEAD {
            to.execute("DELETE FROM history_head", values![])?;
        }
        let cells = (0..columns.len()).map(|at| row.cell(at)).collect::<Result<Vec<_>, _>>()?;
        let values: Vec<_> = cells.into_iter().map(SqlValue::from).collect();
        to.execute(&insert, &values)?;
        Ok(true)
    })?;
    for column in columns.iter().filter(|column| column.numbered) {
        to.bump_sequence(name, &column.name)?;
    }
    Ok(())
}

/// SHA-256 over every cell of a table, with its kind and its length.
fn digest(db: Db<'_>, table: &Table) -> Result<[u8; 32], DbError> {
    let mut hash = Sha256::new();
    db.each(&rows_in_order(table), values![], |row| {
        for at in 0..table.columns.len() {
            let (kind, bytes): (u8, &[u8]) = match row.cell(at)? {
                Cell::Null => (0, &[]),
                Cell::Number(number) => {
                    hash.update([1]);
                    hash.update(number.to_le_bytes());
                    continue;
                }
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Bytes(bytes) => (3, bytes),
            };
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        Ok(true)
    })?;
    Ok(hash.finalize().into())
}

/// Whether nothing is kept in any table.
pub(super) fn is_empty(db: Db<'_>) -> Result<bool, DbError> {
    for table in catalog::tables(db)? {
        let count = format!("SELECT count(*) FROM {} {}", quoted(&table.name), rows_of(&table));
        if db.number(&count, values![])? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::{HEAD, copy_all, list};
    use crate::ledger::catalog;
    use crate::ledger::engine::Db;
    use crate::ledger::migrations;
    use rusqlite::Connection;
    use rusqlite::types::Value;

    /// A ledger, and a table that only a later schema has.
    fn made(further: &str) -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "foreign_keys", true).unwrap();
        migrations::make(Db::Sqlite(&db), "an-id").unwrap();
        db.execute_batch(further).unwrap();
        db
    }

    const LATER: &str = "CREATE TABLE later (number INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (seq), note TEXT)";

    /// Every table's name by the word of the database, and how many rows it has.
    fn counted(db: &Connection) -> Vec<(String, i64)> {
        let mut read =
            db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
        let names: Vec<String> =
            read.query_map([], |row| row.get(0)).unwrap().map(|it| it.unwrap()).collect();
        let count = |name: &String| {
            db.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0)).unwrap()
        };
        names.iter().map(|name| (name.clone(), count(name))).collect()
    }

    /// Two rows in each table: every column holds something in the first, and what may be empty is so in the second.
    fn filled(db: &Connection) {
        for table in catalog::tables(Db::Sqlite(db)).unwrap() {
            let kind = |column: &catalog::SchemaColumn| -> String {
                let asked = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2";
                db.query_row(asked, [&table.name, &column.name], |row| row.get(0)).unwrap()
            };
            let has_place = ["secret", "profile_secret"].contains(&table.name.as_str());
            for nth in [1, 2] {
                let value =
                    |column: &catalog::SchemaColumn| match (column.name.as_str(), kind(column).as_str()) {
                        ("role", _) => Value::Text("superseded".into()),
                        ("stage", _) => Value::Text("asked".into()),
                        // A secret has one place of two.
                        ("item", _) if has_place && nth == 1 => Value::Null,
                        ("item", _) if has_place => Value::Text("an item".into()),
                        _ if column.nullable && nth == 2 => Value::Null,
                        (_, "INTEGER") => Value::Integer(nth),
                        (_, "TEXT") => Value::Text(format!("text {nth} \u{fc}")),
                        (_, "BLOB") => Value::Blob(vec![0, 255, nth.try_into().unwrap()]),
                        (_, other) => panic!("{other}"),
                    };
                let values: Vec<_> = table.columns.iter().map(value).collect();
                let columns = list(table.columns.iter().map(|it| it.name.as_str()));
                let places = vec!["?"; values.len()].join(", ");
                let insert = format!("INSERT INTO \"{}\" ({columns}) VALUES ({places})", table.name);
                // The history has one head.
                if table.name != HEAD || nth == 1 {
                    let done = db.execute(&insert, rusqlite::params_from_iter(values));
                    done.unwrap_or_else(|e| panic!("{}: {e}", table.name));
                }
            }
        }
    }

    #[test]
    fn every_row_of_every_table_is_copied_also_of_one_that_nobody_has_thought_of() {
        let (from, to) = (made(LATER), made(LATER));
        filled(&from);
        copy_all(Db::Sqlite(&from), Db::Sqlite(&to)).unwrap();
        let there = counted(&to);
        assert_eq!(counted(&from), there);
        let filled = |name: &str| if [HEAD, "meta"].contains(&name) { 1 } else { 2 };
        assert!(there.iter().all(|(name, rows)| *rows == filled(name)), "{there:?}");
        assert!(there.iter().any(|(name, _)| name == "later"));
    }

    #[test]
    fn what_a_ledger_says_of_itself_goes_along_and_what_it_says_of_its_place_does_not() {
        let (from, to) = (made(""), made(""));
        from.execute_batch(
            "UPDATE meta SET value = 'another id'; INSERT INTO meta VALUES ('vault', 'sealed'), ('moved', 'away')",
        )
        .unwrap();
        copy_all(Db::Sqlite(&from), Db::Sqlite(&to)).unwrap();
        let mut read = to.prepare("SELECT name || ' ' || value FROM meta ORDER BY name").unwrap();
        let said: Vec<String> = read.query_map([], |row| row.get(0)).unwrap().map(|it| it.unwrap()).collect();
        assert_eq!(said, ["id an-id", "vault sealed"]);
    }

    #[test]
    fn what_the_other_place_has_no_room_for_is_not_left_behind_silently() {
        for further in [LATER, "ALTER TABLE run ADD COLUMN later TEXT"] {
            let (from, to) = (made(further), made(""));
            filled(&from);
            let refused =
                copy_all(Db::Sqlite(&from), Db::Sqlite(&to)).unwrap_err().named("there", "be moved");
            assert!(refused.to_string().contains("differs there"), "{refused}");
        }
    }

    #[test]
    fn a_cell_that_differs_is_seen() {
        let (from, to) = (made(""), made(""));
        filled(&from);
        to.execute_batch(
            "CREATE TRIGGER t AFTER INSERT ON run BEGIN UPDATE run SET started = 7 WHERE seq = NEW.seq; END",
        )
        .unwrap();
        let refused = copy_all(Db::Sqlite(&from), Db::Sqlite(&to)).unwrap_err().named("there", "be moved");
        assert!(refused.to_string().contains("the table run differs there"), "{refused}");
    }
}
