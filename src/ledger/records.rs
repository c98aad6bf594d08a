//! The records' rows, and their secrets' places: how they are read and written. Which columns there are, the record's own
//! declaration says.

use super::cells::{columns, is_old, place};
use super::engine::{Cell, Db, DbError, SqlRow, SqlValue, unexpected_value, values};
use super::history_chain;
use super::write_context::WriteContext;
use crate::error::{Error, LedgerError};
use crate::model::authorization::{Authorization, Column, ColumnScope};
use crate::model::column::{self, ColumnKind, ColumnReader};
use crate::model::flow::{RecordCommit, SecretRole, SecretsChange, StoredSecret};
use crate::model::ids::{Generation, LicenseId, Revision};
use jiff::Timestamp;
use std::sync::LazyLock;

/// The columns, as every statement that reads a record selects them.
pub(super) const COLUMNS: &str = Authorization::NAMES;

/// The column that the ledger itself counts.
const REVISION: &str = "revision";

/// What a writer says of a record: all but its revision.
fn written_columns() -> impl Iterator<Item = &'static Column> {
    Authorization::COLUMNS.iter().filter(|column| column.name != REVISION)
}

/// Adds a record where nothing is known under its key. Values: what is [`said`].
static ADD: LazyLock<String> = LazyLock::new(|| {
    let names: Vec<_> = written_columns().map(|column| column.name).collect();
    let places: Vec<_> = (1..=names.len()).map(|n| format!("?{n}")).collect();
    format!(
        "INSERT INTO authorization ({}, {REVISION}) VALUES ({}, 1) ON CONFLICT DO NOTHING",
        names.join(", "),
        places.join(", ")
    )
});

/// Puts a record in the place of the one that was read. Values: what is [`said`], and the revision that was read.
static PUT: LazyLock<String> = LazyLock::new(|| {
    let set = |part: fn(&Column) -> bool, between: &str| {
        let told = written_columns().zip(1..).filter(|(column, _)| part(column));
        told.map(|(column, n)| format!("{} = ?{n}", column.name)).collect::<Vec<_>>().join(between)
    };
    format!(
        "UPDATE authorization SET {}, {REVISION} = {REVISION} + 1 WHERE {} AND {REVISION} = ?{}",
        set(|column| column.part != ColumnScope::Key, ", "),
        set(|column| column.part == ColumnScope::Key, " AND "),
        Authorization::COLUMNS.len(),
    )
});

struct Columns<'r> {
    row: &'r SqlRow<'r>,
    next: usize,
    fault: Option<DbError>,
}

impl ColumnReader for Columns<'_> {
    fn value(&mut self, _: &'static str, _: ColumnKind) -> Option<column::ColumnValue<'_>> {
        let at = self.next;
        self.next += 1;
        let fault = match self.row.cell(at) {
            Ok(Cell::Null) => return Some(column::ColumnValue::Nothing),
            Ok(Cell::Text(text)) => return Some(column::ColumnValue::Text(text)),
            Ok(Cell::Number(number)) => return Some(column::ColumnValue::Number(number)),
            Ok(Cell::Bytes(_)) => unexpected_value(at, "bytes"),
            Err(fault) => fault,
        };
        self.fault.get_or_insert(fault);
        None
    }

    fn refuse(&mut self, _: &'static str, why: Error) {
        self.fault.get_or_insert(unexpected_value(self.next - 1, why));
    }
}

pub(super) fn read(row: &SqlRow<'_>) -> Result<Authorization, DbError> {
    let mut columns = Columns { row, next: 0, fault: None };
    let read = Authorization::read(&mut columns);
    read.ok_or_else(|| columns.fault.unwrap_or_else(|| unexpected_value(columns.next, "no value")))
}

pub(super) fn put_use(tx: Db<'_>, profile: &str, key: &LicenseId, at: Timestamp) -> Result<(), DbError> {
    tx.execute(
        "UPDATE authorization SET last_used_at = ?4, revision = revision + 1
         WHERE profile = ?1 AND ubi = ?2 AND license = ?3",
        values![profile, key.ubi.as_str(), key.license.as_str(), at.as_second()],
    )?;
    Ok(())
}

/// Notes inside a transaction that something of a record was changed beside its columns: whoever read it before decides anew.
pub(super) fn touch(tx: Db<'_>, profile: &str, key: &LicenseId) -> Result<(), DbError> {
    tx.execute(
        "UPDATE authorization SET revision = revision + 1 WHERE profile = ?1 AND ubi = ?2 AND license = ?3",
        values![profile, key.ubi.as_str(), key.license.as_str()],
    )?;
    Ok(())
}

/// Applies a change inside a transaction: writes record, secrets and history.
/// `false`, and nothing is written, where someone else has written the record since it was read.
pub(super) fn apply(tx: Db<'_>, change: &RecordCommit, context: &WriteContext) -> Result<bool, DbError> {
    let record = &change.record;
    refuse_damaged_counters(record)?;
    if !put(tx, record)? {
        return Ok(false);
    }
    for step in &change.moves {
        turn(tx, record, step)?;
    }
    for event in &change.events {
        history_chain::append(event, context);
    }
    let is_live = change.moves.iter().any(|step| matches!(step, SecretsChange::Put(SecretRole::Live, _)));
    let live = if is_live { record.generation.0 } else { 0 };
    context.written.borrow_mut().changes(&record.profile, &record.key, record.generation.0, live);
    Ok(true)
}

/// Refuses to count on where no host has counted to: what comes of it couldn't be stored.
///
/// # Errors
/// [`LedgerError::DamagedCounter`].
pub(super) fn refuse_damaged_counters(record: &Authorization) -> Result<(), Error> {
    match record.generation.is_sound() && Generation(record.revision.0).is_sound() {
        true => Ok(()),
        false => Err(damaged_counter(&record.key)),
    }
}

pub(super) fn damaged_counter(key: &LicenseId) -> Error {
    LedgerError::DamagedCounter { license: key.license.to_string() }.into()
}

pub(super) fn generation(tx: Db<'_>, profile: &str, key: &LicenseId) -> Result<Option<Generation>, DbError> {
    let found = tx.row(
        "SELECT generation FROM authorization WHERE profile = ?1 AND ubi = ?2 AND license = ?3",
        values![profile, key.ubi.as_str(), key.license.as_str()],
        |row| row.get(0),
    )?;
    Ok(found.map(Generation))
}

/// `false` where the record isn't there any more what it was read as.
fn put(tx: Db<'_>, record: &Authorization) -> Result<bool, DbError> {
    let columns: Vec<_> = written_columns().map(|column| column.value(record)).collect();
    let joined: Vec<_> = columns
        .iter()
        .map(|value| match value {
            column::ColumnValue::List(items) => items.join("\n"),
            _ => String::new(),
        })
        .collect();
    let mut stored: Vec<_> = columns
        .iter()
        .zip(&joined)
        .map(|(value, joined)| match value {
            column::ColumnValue::Nothing => SqlValue::Null,
            column::ColumnValue::Text(text) => SqlValue::Text(text),
            column::ColumnValue::List(_) => SqlValue::Text(joined),
            column::ColumnValue::Instant(at) => SqlValue::Number(at.as_second()),
            column::ColumnValue::Flag(flag) => SqlValue::Flag(*flag),
            column::ColumnValue::Number(number) => SqlValue::Number(*number),
        })
        .collect();
    if record.revision == Revision::default() {
        return Ok(tx.execute(&ADD, &stored)? == 1);
    }
    stored.push(SqlValue::Number(record.revision.0));
    Ok(tx.execute(&PUT, &stored)? == 1)
}

/// Takes a record out, which the ledger then remembers by its generation. `false` where it isn't there anymore what it was read
/// as, or any secret of it is there.
pub(super) fn remove(tx: Db<'_>, record: &Authorization) -> Result<bool, DbError> {
    let (profile, ubi, license) = (&record.profile, record.key.ubi.as_str(), record.key.license.as_str());
    let removed = tx.execute(
        "DELETE FROM authorization WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND revision = ?4
             AND NOT EXISTS (SELECT 1 FROM secret WHERE profile = ?1 AND ubi = ?2 AND license = ?3)",
        values![profile, ubi, license, record.revision.0],
    )?;
    Ok(removed == 1)
}

fn turn(tx: Db<'_>, record: &Authorization, step: &SecretsChange) -> Result<(), DbError> {
    let (profile, ubi, license) = (&record.profile, record.key.ubi.as_str(), record.key.license.as_str());
    match step {
        SecretsChange::Put(role, place) => {
            turn(tx, record, &SecretsChange::Turn(*role, SecretRole::Superseded))?;
            let (item, blob) = columns(place);
            tx.execute(
                &format!(
                    "INSERT INTO secret (id, profile, ubi, license, role, item, blob, generation)
                     VALUES ({}, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    tx.once()
                ),
                values![profile, ubi, license, role.word(), item, blob, record.generation.0],
            )?;
        }
        SecretsChange::Turn(from, to) => {
            tx.execute(
                "UPDATE secret SET role = ?5 WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND role = ?4",
                values![profile, ubi, license, from.word(), to.word()],
            )?;
        }
        SecretsChange::Drop(id) => {
            tx.execute(
                "DELETE FROM secret WHERE id = ?1 AND profile = ?2 AND ubi = ?3 AND license = ?4",
                values![*id, profile, ubi, license],
            )?;
        }
    }
    Ok(())
}

pub(super) fn secrets(
    db: Db<'_>,
    profile: &str,
    key: &LicenseId,
    role: SecretRole,
) -> Result<Vec<StoredSecret>, DbError> {
    let found = db.rows(
        "SELECT id, item, blob, generation, old_seal FROM secret
         WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND role = ?4 ORDER BY id",
        values![profile, key.ubi.as_str(), key.license.as_str(), role.word()],
        |row| {
            let Some(place) = place(row, 1)? else { return Ok(None) };
            let is_old = is_old(row.get(4)?, &place);
            Ok(Some(StoredSecret {
                id: row.get(0)?,
                role,
                generation: Generation(row.get(3)?),
                is_old,
                place,
            }))
        },
    )?;
    Ok(found.into_iter().flatten().collect())
}

/// The generation that a license's record had when it was removed: one that comes back goes on counting.
pub(super) fn generation_when_removed(
    db: Db<'_>,
    profile: &str,
    key: &LicenseId,
) -> Result<Option<Generation>, DbError> {
    let found = db.row(
        "SELECT generation FROM removed_record WHERE profile = ?1 AND ubi = ?2 AND license = ?3",
        values![profile, key.ubi.as_str(), key.license.as_str()],
        |row| row.get(0),
    )?;
    Ok(found.map(Generation))
}

/// Others have written a license's record since it was read.
pub(crate) fn changed(key: &LicenseId) -> Error {
    LedgerError::Changed { license: key.license.to_string() }.into()
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

    /// The same as somebody has it who found nothing there.
    fn new(record: &Authorization) -> Authorization {
        Authorization { revision: Revision::default(), ..record.clone() }
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
            prop_assert!(put(db, &new(&first)).unwrap());
            let first = Authorization { revision: Revision(1), ..first };
            prop_assert_eq!(&all(db), std::slice::from_ref(&first));
            // Another of the same key takes its place, in every column.
            let then = Authorization {
                profile: first.profile.clone(), key: first.key.clone(), revision: first.revision, ..then
            };
            prop_assert!(put(db, &then).unwrap());
            prop_assert_eq!(all(db), [Authorization { revision: Revision(2), ..then }]);
        }

        #[test]
        fn whatever_others_have_written_since_it_was_read_is_not_written_over(
            first: Authorization, theirs: Authorization, ours: Authorization
        ) {
            let db = empty();
            let db = Db::Sqlite(&db);
            let of = |it: Authorization, read| Authorization {
                profile: first.profile.clone(), key: first.key.clone(), revision: Revision(read), ..it
            };
            prop_assert!(put(db, &new(&first)).unwrap());
            prop_assert!(put(db, &of(theirs.clone(), 1)).unwrap());
            let there = all(db);
            // What was read before that, and what was read when nothing was there.
            for read in [0, 1] {
                prop_assert!(!put(db, &of(ours.clone(), read)).unwrap());
            }
            prop_assert_eq!(&all(db), &there);
            put_use(db, &first.profile, &first.key, Timestamp::UNIX_EPOCH).unwrap();
            touch(db, &first.profile, &first.key).unwrap();
            for read in [2, 3] {
                prop_assert!(!put(db, &of(ours.clone(), read)).unwrap());
            }
            prop_assert!(put(db, &of(ours.clone(), 4)).unwrap());
            // One that is gone isn't put there again.
            db.execute("DELETE FROM authorization", values![]).unwrap();
            prop_assert!(!put(db, &of(ours, 5)).unwrap());
            prop_assert_eq!(all(db), []);
        }

        #[test]
        fn a_use_is_noted_and_nothing_else(record: Authorization, other: Authorization, at in 0i64..9_999_999_999) {
            let db = empty();
            let db = Db::Sqlite(&db);
            put(db, &new(&record)).unwrap();
            put(db, &new(&other)).unwrap();
            let at = Timestamp::from_second(at).unwrap();
            put_use(db, &record.profile, &record.key, at).unwrap();
            let mut expected = [
                Authorization { last_used_at: Some(at), revision: Revision(2), ..record },
                Authorization { revision: Revision(1), ..other },
            ];
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
