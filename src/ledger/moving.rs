//! The whole ledger, from a file to a server or back: copied in one transaction of the one it goes to while the one it comes
//! from lets nobody write, compared, and only then marked as moved. Killed anywhere, the same command goes on.

use super::engine::sqlite::{self, LedgerFile};
use super::engine::{Cell, Db, Engine, Fault, Value, postgres, values};
use super::{Ledger, history};
use crate::edge::{Env, Paths};
use crate::error::{Error, LedgerError, Result};
use crate::model::history::Chore;
use crate::model::server::LedgerPlace;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::fs;

/// What is said in a ledger's own table of where its records are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Whereabouts {
    /// They have moved there.
    pub(super) moved: Option<String>,
    /// They come from there, and the move isn't finished.
    pub(super) arriving: Option<String>,
}

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Licences' records.
    pub records: usize,
    /// Links of the history.
    pub links: usize,
}

/// A table: its columns, the key by which its rows are ordered, and whether a number of its own has to go on behind them.
struct Table {
    name: &'static str,
    columns: &'static str,
    key: &'static str,
    numbered: Option<&'static str>,
}

/// In an order in which each refers to those before it.
const TABLES: [Table; 13] = [
    Table {
        name: "authorization",
        columns: super::records::COLUMNS,
        key: "profile, ubi, license",
        numbered: None,
    },
    table("secret", "id, profile, ubi, license, role, item, blob", "id", Some("id")),
    table("profile_secret", "profile, name, item, blob", "profile, name", None),
    table(
        "flow",
        "id, profile, ubi, license, purpose, username, base, redirect_uri, opened, deadline, owner_mark, owner_label, \
         memo_item, memo_blob, stage, sealed, state_hash",
        "id",
        None,
    ),
    table("spent_state", "state_hash, profile, ubi, license, replaced, at", "state_hash", None),
    table("history", "seq, at, profile, ubi, license, event, user, host, detail, hash", "seq", None),
    table("history_anchor", "seq, hash, last, at, user, host", "seq", None),
    table("history_head", "only, seq, hash", "only", None),
    table(
        "reminded",
        "profile, ubi, license, expires_at, days, at",
        "profile, ubi, license, expires_at, days",
        None,
    ),
    table("hook_queue", "seq, profile, occasion", "seq", None),
    table("run", "seq, profile, started, owner_mark, owner_label", "seq", Some("seq")),
    table(
        "run_item",
        "run, place, ubi, license, username, purpose, name, ocm_license, contact, tags, base, why, progress",
        "run, place",
        None,
    ),
    table("left_item", "item", "item", None),
];

const fn table(
    name: &'static str,
    columns: &'static str,
    key: &'static str,
    numbered: Option<&'static str>,
) -> Table {
    Table { name, columns, key, numbered }
}

impl Ledger {
    /// Carries everything to another place, where it keeps its name. What was carried; where that had been done before,
    /// what is there now.
    ///
    /// # Errors
    /// Where the other place has records of its own, or the move isn't allowed there: nothing is changed.
    pub fn carry(env: &Env, from: &LedgerPlace, to: &LedgerPlace, now: Timestamp) -> Result<Carried> {
        let source = Self::as_it_is(env, from)?;
        let is = |named: &Option<String>, ledger: &str| named.as_deref() == Some(ledger);
        let there = source.whereabouts()?;
        let mut target = match (&there.moved, room(env, to)?) {
            (None, true) => Self::as_it_is(env, to)?,
            (None, false) => source.replaced(env, to)?,
            (Some(moved), _) if *moved == place_of(env, to) => Self::as_it_is(env, to)?,
            (Some(moved), _) => {
                return Err(LedgerError::Moved { place: source.path.clone(), to: moved.clone() }.into());
            }
        };
        if there.moved.is_none() {
            source.copy_to(&target)?;
        }
        target.id.clone_from(&source.id);
        let from = source.path.clone();
        if is(&target.whereabouts()?.arriving, &from) {
            let hand = target.hand();
            let done = target.engine.transaction(|tx| {
                tx.execute("DELETE FROM meta WHERE name = 'arriving'", values![])?;
                history::append_chore(tx, Chore::LedgerMoved, now, &format!("from {from}"), &hand)
            });
            done.map_err(|e| target.fault("finish the move", e))?;
        }
        let count = |table: &str| -> Result<usize> {
            let counted = target.engine.db().number(&format!("SELECT count(*) FROM {table}"), values![]);
            Ok(usize::try_from(counted.map_err(|e| target.fault("be read", e))?).unwrap_or_default())
        };
        Ok(Carried { records: count("authorization")?, links: count("history")? })
    }

    /// Opened whether or not its records are elsewhere.
    fn as_it_is(env: &Env, place: &LedgerPlace) -> Result<Self> {
        Ok(match place {
            LedgerPlace::File => Self::of_file(LedgerFile::as_it_is(&env.paths, env.random.as_ref())?, env),
            LedgerPlace::Server(server) => {
                Self::of_server(postgres::Session::as_it_is(server, env.random.as_ref())?, env)
            }
        })
    }

    pub(super) fn whereabouts(&self) -> Result<Whereabouts> {
        whereabouts(self.engine.db()).map_err(|e| self.fault("be read", e))
    }

    /// Makes room at a place that is empty, or once held these very records: they moved away from there, or a move to it was
    /// cut short.
    fn replaced(&self, env: &Env, to: &LedgerPlace) -> Result<Self> {
        let old = Self::as_it_is(env, to)?;
        let there = old.whereabouts()?;
        let ours = old.id == self.id && (there.moved.is_some() || there.arriving.is_some());
        let nothing = "SELECT (SELECT count(*) FROM authorization) + (SELECT count(*) FROM secret)
                            + (SELECT count(*) FROM profile_secret) + (SELECT count(*) FROM flow)
                            + (SELECT count(*) FROM history)";
        if there == Whereabouts::default()
            && old.engine.db().number(nothing, values![]).map_err(|e| old.fault("be read", e))? == 0
        {
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

    fn copy_to(&self, target: &Self) -> Result<()> {
        let moved = self.engine.undisturbed(|from| {
            let done = target.engine.transaction(|to| {
                to.execute("DELETE FROM history_head", values![])?;
                for table in &TABLES {
                    copy(from, to, table)?;
                }
                to.execute("UPDATE meta SET value = ?1 WHERE name = 'id'", values![&self.id])?;
                to.execute("INSERT INTO meta (name, value) VALUES ('arriving', ?1)", values![&self.path])?;
                for table in &TABLES {
                    if digest(from, table)? != digest(to, table)? {
                        let reason = format!("{} isn't there what it is here", table.name);
                        return Err(LedgerError::Io { what: "be moved", reason }.into());
                    }
                }
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

pub(super) fn whereabouts(db: Db<'_>) -> Result<Whereabouts, Fault> {
    let mut found = Whereabouts::default();
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

/// What keeps a ledger from being used, where anything does.
pub(super) fn elsewhere(place: &str, there: Whereabouts) -> Option<Error> {
    let place = place.to_owned();
    match there {
        Whereabouts { moved: Some(to), .. } => Some(LedgerError::Moved { place, to }.into()),
        Whereabouts { arriving: Some(from), .. } => Some(LedgerError::Arriving { place, from }.into()),
        _ => None,
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
        LedgerPlace::Server(server) => Ok(postgres::Session::is_new(server)?),
    }
}

/// The file from which the ledger once moved is kept, under another name.
fn set_aside(paths: &Paths) -> Result<()> {
    let file = paths.ledger();
    let fault = |e: std::io::Error| Error::File { path: file.display().to_string(), reason: e.to_string() };
    sqlite::fold_its_log(&file)?;
    for beside in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(paths.data.join(beside));
    }
    fs::rename(&file, paths.data.join("ledger.db.moved")).map_err(fault)
}

fn copy(from: Db<'_>, to: Db<'_>, table: &Table) -> Result<(), Fault> {
    let Table { name, columns, key, .. } = table;
    let count = columns.split(',').count();
    let places: Vec<_> = (1..=count).map(|n| format!("?{n}")).collect();
    let insert = format!("INSERT INTO {name} ({columns}) VALUES ({})", places.join(", "));
    from.each(&format!("SELECT {columns} FROM {name} ORDER BY {key}"), values![], |row| {
        let cells = (0..count).map(|at| row.cell(at)).collect::<Result<Vec<_>, _>>()?;
        let values: Vec<_> = cells.into_iter().map(Value::from).collect();
        to.execute(&insert, &values)?;
        Ok(true)
    })?;
    if let Some(number) = table.numbered {
        to.goes_on_behind(name, number)?;
    }
    Ok(())
}

/// SHA-256 over every cell of a table, with its kind and its length.
fn digest(db: Db<'_>, table: &Table) -> Result<[u8; 32], Fault> {
    let Table { name, columns, key, .. } = table;
    let count = columns.split(',').count();
    let mut hash = Sha256::new();
    // A server's history has a head before it has a link.
    let rows = if *name == "history_head" { "WHERE seq > 0" } else { "" };
    db.each(&format!("SELECT {columns} FROM {name} {rows} ORDER BY {key}"), values![], |row| {
        for at in 0..count {
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
