//! The whole ledger, from a file to a server or back: copied in one transaction of the one it goes to while the one it comes
//! from lets nobody write, compared, and only then marked as moved. Killed anywhere, the same command goes on.

use super::catalog::{self, Table};
use super::engine::{Cell, Db, DbError, Engine, LedgerFile, Session, Value, checkpoint_truncate, values};
use super::move_state::MoveState;
use super::{Ledger, history, meta};
use crate::error::{Error, LedgerError, Result};
use crate::model::history::Chore;
use crate::model::server::LedgerPlace;
use crate::system::{Env, Paths, Step};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveSummary {
    /// Licenses' records.
    pub records: usize,
    /// Links of the history.
    pub links: usize,
}

/// The one row of the history's head. On a server it is there before there is a link.
const HEAD: &str = "history_head";

impl Ledger {
    /// Carries everything to another place, where it keeps its name. What was carried; where that had been done before,
    /// what is there now.
    ///
    /// # Errors
    /// Where the other place has records of its own, or the move isn't allowed there: nothing is changed.
    pub fn carry(env: &Env, from: &LedgerPlace, to: &LedgerPlace, now: Timestamp) -> Result<MoveSummary> {
        let source = Self::as_it_is(env, from)?;
        let is = |named: &Option<String>, ledger: &str| named.as_deref() == Some(ledger);
        let there = source.move_state()?;
        let mut target = match (&there.moved, room(env, to)?) {
            (None, true) => Self::as_it_is(env, to)?,
            (None, false) => source.replaced(env, to)?,
            (Some(moved), _) if *moved == place_of(env, to) => Self::as_it_is(env, to)?,
            (Some(moved), _) => {
                return Err(LedgerError::Moved { place: source.path.clone(), to: moved.clone() }.into());
            }
        };
        if there.moved.is_none() {
            env.steps.reached(Step::BeforeCommit);
            source.copy_to(&target)?;
            env.steps.reached(Step::AfterCommit);
        }
        target.id.clone_from(&source.id);
        let from = source.path.clone();
        if is(&target.move_state()?.arriving, &from) {
            let context = target.write_context();
            let done = target.engine.transaction(|tx| {
                meta::remove(tx, "arriving")?;
                history::append_chore(tx, Chore::LedgerMoved, now, &format!("from {from}"), &context)
            });
            done.map_err(|e| target.fault("finish the move", e))?;
            env.steps.reached(Step::AfterCommit);
        }
        let count = |table: &str| -> Result<usize> {
            let counted = target.engine.db().number(&format!("SELECT count(*) FROM {table}"), values![]);
            Ok(usize::try_from(counted.map_err(|e| target.fault("be read", e))?).unwrap_or_default())
        };
        Ok(MoveSummary { records: count("authorization")?, links: count("history")? })
    }

    /// Opened whether or not its records are elsewhere.
    fn as_it_is(env: &Env, place: &LedgerPlace) -> Result<Self> {
        Ok(match place {
            LedgerPlace::File => {
                Self::of_file(LedgerFile::as_it_is(&env.paths, env.random.as_ref(), env.steps.as_ref())?, env)
            }
            LedgerPlace::Server(server) => {
                Self::of_server(Session::as_it_is(server, env.random.as_ref())?, env)
            }
        })
    }

    pub(super) fn move_state(&self) -> Result<MoveState> {
        meta::move_state(self.engine.db()).map_err(|e| self.fault("be read", e))
    }

    /// Makes room at a place that is empty, or once held these very records: they moved away from there, or a move to it was
    /// cut short.
    fn replaced(&self, env: &Env, to: &LedgerPlace) -> Result<Self> {
        let old = Self::as_it_is(env, to)?;
        let there = old.move_state()?;
        let ours = old.id == self.id && (there.moved.is_some() || there.arriving.is_some());
        if there == MoveState::default() && old.is_empty()? {
            return Ok(old);
        }
        if !ours {
            return Err(LedgerError::Occupied { place: old.path.clone() }.into());
        }
        if let Engine::Postgres(session) = &old.engine {
            session.makes_room(env.random.as_ref())?;
            return Ok(old);
        }
        drop(old);
        set_aside(&env.paths)?;
        Self::as_it_is(env, to)
    }

    /// Whether nothing was kept in it yet.
    fn is_empty(&self) -> Result<bool> {
        let count = || -> Result<i64, DbError> {
            let db = self.engine.db();
            let counts = catalog::tables(db)?.into_iter().map(|table| {
                db.number(
                    &format!("SELECT count(*) FROM {} {}", quoted(&table.name), rows_of(&table)),
                    values![],
                )
            });
            counts.sum()
        };
        Ok(count().map_err(|e| self.fault("be read", e))? == 0)
    }

    fn copy_to(&self, target: &Self) -> Result<()> {
        let moved = self.engine.undisturbed(|from| {
            let done = target.engine.transaction(|to| {
                copy_all(from, to)?;
                to.execute("UPDATE meta SET value = ?1 WHERE name = 'id'", values![&self.id])?;
                to.execute("INSERT INTO meta (name, value) VALUES ('arriving', ?1)", values![&self.path])?;
                Ok(())
            });
            done.map_err(|e| target.fault("take what is moved", e))?;
            // From here on nobody writes here any more, however they had opened it.
            from.execute("INSERT INTO meta (name, value) VALUES ('moved', ?1)", values![&target.path])?;
            Ok(())
        });
        moved.map_err(|e| self.fault("be moved", e))
    }
}

/// The name of a place in messages and in a ledger that moved there.
fn place_of(env: &Env, place: &LedgerPlace) -> String {
    match place {
        LedgerPlace::File => env.paths.ledger().display().to_string(),
        LedgerPlace::Server(server) => server.address.clone(),
    }
}

/// Whether nothing was ever there.
fn room(env: &Env, place: &LedgerPlace) -> Result<bool> {
    match place {
        LedgerPlace::File => Ok(!env.paths.ledger().exists()),
        LedgerPlace::Server(server) => Ok(Session::is_new(server)?),
    }
}

/// The file from which the ledger once moved is kept, under another name.
fn set_aside(paths: &Paths) -> Result<()> {
    let file = paths.ledger();
    let fault = |e: std::io::Error| Error::File { path: file.display().to_string(), reason: e.to_string() };
    checkpoint_truncate(&file)?;
    for beside in paths.beside_ledger() {
        let _ = fs::remove_file(beside);
    }
    fs::rename(&file, paths.data.join("ledger.db.moved")).map_err(fault)
}

/// Copies every table that the schema has, and compares them cell by cell.
fn copy_all(from: Db<'_>, to: Db<'_>) -> Result<(), DbError> {
    let differs = |table: &str| {
        DbError::from(LedgerError::Io {
            what: "be moved",
            reason: format!("{table} isn't there what it is here"),
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

/// Asks for a table's rows in the order of its key.
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
        let values: Vec<_> = cells.into_iter().map(Value::from).collect();
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
            let kind = |column: &catalog::Column| -> String {
                let asked = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2";
                db.query_row(asked, [&table.name, &column.name], |row| row.get(0)).unwrap()
            };
            let has_place = ["secret", "profile_secret"].contains(&table.name.as_str());
            for nth in [1, 2] {
                let value = |column: &catalog::Column| match (column.name.as_str(), kind(column).as_str()) {
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
            assert!(refused.to_string().contains("isn't there what it is here"), "{refused}");
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
        assert!(refused.to_string().contains("run isn't there what it is here"), "{refused}");
    }
}
