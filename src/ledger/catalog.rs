//! The tables of a ledger, as its own database names them: what is copied as a whole is copied by this, and by no list.

use super::engine::{Db, DbError, values};
use crate::error::Error;
use std::collections::BTreeSet;

/// Tables about the place and not about what is kept there: its name and number, and which hosts are at work there.
const OF_THE_PLACE: [&str; 2] = ["meta", "owner"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<SchemaColumn>,
    /// The tables that its rows refer to.
    refers_to: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SchemaColumn {
    pub(super) name: String,
    pub(super) nullable: bool,
    /// Its place in the primary key, from 1.
    pub(super) in_key: Option<u32>,
    /// The engine gives its numbers, which have to go on behind those that were put there.
    pub(super) numbered: bool,
}

impl Table {
    /// The columns of its primary key, in the key's order.
    pub(super) fn key(&self) -> Vec<&str> {
        let mut key: Vec<_> = self.columns.iter().filter(|it| it.in_key.is_some()).collect();
        key.sort_by_key(|column| column.in_key);
        key.into_iter().map(|column| column.name.as_str()).collect()
    }
}

/// Every table of what is kept, in an order in which each refers to those before it.
pub(super) fn tables(db: Db<'_>) -> Result<Vec<Table>, DbError> {
    let mut tables: Vec<Table> = Vec::new();
    db.each(columns_of(db), values![], |row| {
        let name: &str = row.get(0)?;
        if OF_THE_PLACE.contains(&name) {
            return Ok(true);
        }
        if tables.last().is_none_or(|table| table.name != name) {
            tables.push(Table { name: name.to_owned(), columns: Vec::new(), refers_to: BTreeSet::new() });
        }
        let in_key = Some(row.get(3)?).filter(|place| *place > 0);
        let column = SchemaColumn {
            name: row.get(1)?,
            nullable: !row.get::<bool>(2)? && in_key.is_none(),
            in_key,
            numbered: row.get(4)?,
        };
        if let Some(table) = tables.last_mut() {
            table.columns.push(column);
        }
        Ok(true)
    })?;
    db.each(references_of(db), values![], |row| {
        let (from, to): (&str, String) = (row.get(0)?, row.get(1)?);
        if let Some(table) = tables.iter_mut().find(|table| table.name == from && to != from) {
            table.refers_to.insert(to);
        }
        Ok(true)
    })?;
    in_order(tables)
}

fn in_order(mut rest: Vec<Table>) -> Result<Vec<Table>, DbError> {
    let mut ordered: Vec<Table> = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let is_next =
            |table: &Table| table.refers_to.iter().all(|name| ordered.iter().any(|it| it.name == *name));
        let Some(next) = rest.iter().position(is_next) else {
            let all: Vec<_> = rest.iter().map(|table| table.name.as_str()).collect();
            return Err(Error::Internal(format!("the tables {} refer to each other", all.join(", "))).into());
        };
        ordered.push(rest.remove(next));
    }
    Ok(ordered)
}

/// Asks for each column's table, name, whether it must hold something, its place in the key (or 0), and whether it is numbered.
fn columns_of(db: Db<'_>) -> &'static str {
    match db {
        Db::Sqlite(_) => {
            "SELECT it.name, its.name, its.\"notnull\", its.pk, 0
             FROM sqlite_schema AS it JOIN pragma_table_xinfo(it.name) AS its
             WHERE it.type = 'table' AND it.name NOT LIKE 'sqlite%' AND its.hidden = 0 ORDER BY it.name, its.cid"
        }
        Db::Postgres(_) => {
            "SELECT it.relname::text, its.attname::text, its.attnotnull,
                    coalesce(array_position(string_to_array(key.indkey::text, ' '), its.attnum::text), 0),
                    its.attidentity <> ''
             FROM pg_class AS it
             JOIN pg_attribute AS its ON its.attrelid = it.oid AND its.attnum > 0 AND NOT its.attisdropped
             LEFT JOIN pg_index AS key ON key.indrelid = it.oid AND key.indisprimary
             WHERE it.relnamespace = 'biotrack_auth'::regnamespace AND it.relkind = 'r'
             ORDER BY it.relname COLLATE \"C\", its.attnum"
        }
    }
}

/// Asks which table refers to which.
fn references_of(db: Db<'_>) -> &'static str {
    match db {
        Db::Sqlite(_) => {
            "SELECT it.name, its.\"table\" FROM sqlite_schema AS it JOIN pragma_foreign_key_list(it.name) AS its
             WHERE it.type = 'table'"
        }
        Db::Postgres(_) => {
            "SELECT it.relname::text, its.relname::text FROM pg_constraint
             JOIN pg_class AS it ON it.oid = conrelid JOIN pg_class AS its ON its.oid = confrelid
             WHERE contype = 'f' AND it.relnamespace = 'biotrack_auth'::regnamespace"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Table, in_order, tables};
    use crate::ledger::engine::Db;
    use crate::ledger::migrations;
    use rusqlite::Connection;
    use std::collections::{BTreeMap, BTreeSet};

    /// The tables that PostgreSQL's scripts make, in SQLite's words: `CREATE TABLE` and `ALTER TABLE` are much the same there.
    fn as_on_a_server() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        for script in migrations::scripts_for_a_server() {
            let statements = script.split_inclusive(";\n").map(|it| {
                let begins = |word: &str| it.find(&format!("\n{word} TABLE "));
                begins("CREATE").or_else(|| begins("ALTER")).map(|at| &it[at..])
            });
            // What a server holds a row to has no counterpart in a file.
            for statement in statements.flatten().filter(|it| !it.contains(" ADD CONSTRAINT ")) {
                let statement = statement
                    .replace(" COLLATE \"C\"", "")
                    .replace("BIGINT GENERATED BY DEFAULT AS IDENTITY", "INTEGER");
                db.execute_batch(&statement).unwrap_or_else(|e| panic!("{e}\n{statement}"));
            }
        }
        db
    }

    fn in_a_file() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        migrations::make(Db::Sqlite(&db), "an-id").unwrap();
        db
    }

    /// What a column holds, whatever an engine calls it.
    fn kinds(db: &Connection) -> BTreeMap<(String, String), &'static str> {
        let asked = "SELECT it.name, its.name, its.type FROM sqlite_schema AS it JOIN pragma_table_xinfo(it.name) AS its
                     WHERE it.type = 'table' AND it.name <> 'owner'";
        let mut read = db.prepare(asked).unwrap();
        let kind = |row: &rusqlite::Row<'_>| {
            let kind = match row.get_unwrap::<_, String>(2).as_str() {
                "INTEGER" | "BIGINT" | "BOOLEAN" => "number",
                "TEXT" => "text",
                "BLOB" | "BYTEA" => "bytes",
                other => panic!("{other}"),
            };
            Ok(((row.get(0)?, row.get(1)?), kind))
        };
        read.query_map([], kind).unwrap().map(|it| it.unwrap()).collect()
    }

    fn by_name(all: Vec<Table>) -> BTreeMap<String, Table> {
        let sorted = all.into_iter().map(|mut table| {
            table.columns.sort_by(|one, other| one.name.cmp(&other.name));
            (table.name.clone(), table)
        });
        sorted.collect()
    }

    #[test]
    fn both_dialects_make_the_same_tables() {
        let (file, server) = (in_a_file(), as_on_a_server());
        let of = |db: &Connection| by_name(tables(Db::Sqlite(db)).unwrap());
        let (file_has, server_has) = (of(&file), of(&server));
        assert!(file_has.len() > 10, "{file_has:#?}");
        assert_eq!(file_has, server_has);
        assert_eq!(kinds(&file), kinds(&server));
    }

    #[test]
    fn each_table_stands_behind_those_that_it_refers_to() {
        let table = |name: &str, to: &[&str]| Table {
            name: name.into(),
            columns: Vec::new(),
            refers_to: to.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>(),
        };
        let ordered = in_order(vec![table("a", &["c"]), table("b", &[]), table("c", &["b"])]).unwrap();
        assert_eq!(ordered.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["b", "c", "a"]);
        in_order(vec![table("a", &["b"]), table("b", &["a"])]).unwrap_err();
    }

    #[test]
    fn a_key_is_in_its_own_order() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE t (b TEXT, a TEXT, c TEXT, PRIMARY KEY (c, b))").unwrap();
        let found = tables(Db::Sqlite(&db)).unwrap();
        assert_eq!(found[0].key(), ["c", "b"]);
        let nullable: Vec<_> = found[0].columns.iter().map(|it| (it.name.as_str(), it.nullable)).collect();
        assert_eq!(nullable, [("b", false), ("a", true), ("c", false)]);
    }
}
