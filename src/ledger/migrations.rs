//! How both engines take the steps of the schema that a ledger lacks.
//!
//! A ledger says which number it has. A newer one than this program knows is refused before anything is written; an older one is
//! brought up to date by every step that it lacks, in one transaction. When that happens is its engine's: a file is migrated by
//! whoever uses it, after a copy was put beside it; a server by the role that owns the ledger, when it's told to.

use super::engine::{Db, DbError, values};
use super::meta;
use super::schema::{NOTHING, SCHEMA_VERSION, STEPS};

/// Makes a ledger in a transaction where nothing is yet.
pub(super) fn make(tx: Db<'_>, id: &str) -> Result<(), DbError> {
    migrate(tx, NOTHING)?;
    tx.execute("INSERT INTO meta (name, value) VALUES ('id', ?1)", values![id])?;
    Ok(())
}

/// Takes every step that a ledger lacks which has the schema `found`, in a transaction that nobody else writes beside.
pub(super) fn migrate(tx: Db<'_>, found: i64) -> Result<(), DbError> {
    for script in missing(tx, found) {
        tx.run_script(script)?;
    }
    set_schema(tx, SCHEMA_VERSION)
}

/// Notes which schema the ledger has, in the transaction that made it.
fn set_schema(tx: Db<'_>, number: i64) -> Result<(), DbError> {
    match tx {
        Db::Sqlite(db) => Ok(db.pragma_update(None, "user_version", number)?),
        Db::Postgres(_) => meta::put(tx, "schema", &number.to_string()),
    }
}

fn missing(tx: Db<'_>, found: i64) -> impl Iterator<Item = &'static str> {
    // defense: S39 older-schema-is-migrated
    let steps = STEPS.iter().skip(usize::try_from(found).unwrap_or_default());
    steps.filter_map(move |step| match tx {
        Db::Sqlite(_) => Some(step.sqlite),
        Db::Postgres(_) => step.postgres,
    })
}

/// The scripts that make a server's ledger, in their order: for those who compare it with a file's.
#[cfg(test)]
pub(super) fn scripts_for_a_server() -> impl Iterator<Item = &'static str> {
    STEPS.iter().filter_map(|step| step.postgres)
}

#[cfg(test)]
mod tests;
