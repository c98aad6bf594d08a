//! What a ledger says of itself, by name.

use super::engine::{Db, DbError, values};
use super::move_state::MoveState;

pub(super) fn get(db: Db<'_>, name: &str) -> Result<Option<String>, DbError> {
    db.row("SELECT value FROM meta WHERE name = ?1", values![name], |row| row.get(0))
}

/// Says this from now on, whatever was said under the name before.
pub(super) fn put(tx: Db<'_>, name: &str, value: &str) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        values![name, value],
    )?;
    Ok(())
}

pub(super) fn remove(tx: Db<'_>, name: &str) -> Result<(), DbError> {
    tx.execute("DELETE FROM meta WHERE name = ?1", values![name])?;
    Ok(())
}

/// All names that begin with a kind's word and a blank, in their order, and what is said under each.
pub(super) fn of_kind(db: Db<'_>, word: &str) -> Result<Vec<(String, String)>, DbError> {
    // The character that comes next after the blank: what lies between begins with the word and the blank.
    let (from, to) = (format!("{word} "), format!("{word}!"));
    db.rows(
        "SELECT name, value FROM meta WHERE name >= ?1 AND name < ?2 ORDER BY name",
        values![&from, &to],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

pub(super) fn move_state(db: Db<'_>) -> Result<MoveState, DbError> {
    let mut found = MoveState::default();
    db.each("SELECT name, value FROM meta", values![], |row| {
        match row.get(0)? {
            "moved" => found.moved = Some(row.get(1)?),
            "arriving" => found.arriving = Some(row.get(1)?),
            _ => {}
        }
        Ok(true)
    })?;
    Ok(found)
}
