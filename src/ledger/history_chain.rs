//! The chain of the history: how links are added, and followed.

use super::engine::{Db, DbError, SqlRow, unexpected_value, values};
use super::hook_queue;
use super::write_context::{WriteContext, WrittenRows};
use crate::model::history::{Anchor, BrokenLink, Chain, ChainLink, HistoryEvent, LedgerEventKind};
use crate::model::instant::for_machines;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::cell::RefCell;

pub(super) const COLUMNS: &str =
    "seq, at, profile, ubi, license, event, user, host, detail, hash, database_role";

pub(super) const ANCHOR: &str = "seq, hash, last, at, user, host";

/// A link's hash: SHA-256 over the hash before it and the line as a JSON array, with the role at its end where a server stamped
/// it with one. A server makes it by itself (`append_to_history` in its schema).
fn hash_of(link: &ChainLink, before: &[u8]) -> Vec<u8> {
    let texts = texts_of(link).into_iter().chain(link.database_role.as_deref()).map(serde_json::Value::from);
    let line: serde_json::Value = std::iter::once(link.seq.into()).chain(texts).collect();
    Sha256::new().chain_update(before).chain_update(line.to_string()).finalize().to_vec()
}

/// Notes an event for the history: it's chained with the others of its transaction, once that has done all else. The head is
/// everybody's, and every call to a server lengthens the time for which they wait for it.
pub(super) fn append(event: &HistoryEvent, context: &WriteContext) {
    let HistoryEvent { profile, detail, .. } = event;
    let key = (event.key.ubi.to_string(), event.key.license.to_string());
    let link = new_link(event.at, profile, key, event.happened.word(), detail, context);
    let hook = hook_queue::occasion(event.happened).filter(|occasion| context.hooks.contains(occasion));
    context.written.borrow_mut().unchained.push((link, hook.map(|occasion| (occasion, event.failure))));
}

/// Chains an event of the whole ledger, behind what the transaction has noted so far.
pub(super) fn append_chore(
    tx: Db<'_>,
    chore: LedgerEventKind,
    at: Timestamp,
    detail: &str,
    context: &WriteContext,
) -> Result<(), DbError> {
    let link = new_link(at, "", Default::default(), chore.word(), detail, context);
    context.written.borrow_mut().unchained.push((link, None));
    append_noted(tx, &context.written)
}

fn new_link(
    at: Timestamp,
    profile: &str,
    (ubi, license): (String, String),
    event: &str,
    detail: &str,
    context: &WriteContext,
) -> ChainLink {
    ChainLink {
        seq: 0,
        at: for_machines(at),
        profile: profile.to_owned(),
        ubi,
        license,
        event: event.to_owned(),
        user: context.who.user.clone(),
        host: context.who.host.clone(),
        detail: detail.to_owned(),
        hash: Vec::new(),
        database_role: None,
    }
}

/// Chains what a transaction has noted, in that order, and queues the hooks of it.
pub(super) fn append_noted(tx: Db<'_>, written: &RefCell<WrittenRows>) -> Result<(), DbError> {
    let (mut links, hooks): (Vec<_>, Vec<_>) =
        std::mem::take(&mut written.borrow_mut().unchained).into_iter().unzip();
    if links.is_empty() {
        return Ok(());
    }
    match tx {
        Db::Sqlite(_) => chain_in_a_file(tx, &mut links)?,
        Db::Postgres(_) => chain_on_a_server(tx, &mut links)?,
    }
    for (link, hook) in links.iter().zip(hooks) {
        if let Some(hook) = hook {
            hook_queue::queue(tx, link, hook)?;
        }
    }
    written.borrow_mut().head = links.pop().map(|last| (last.seq, last.hash));
    Ok(())
}

/// What a link says, in the order in which it's hashed, and in which a server's function takes it.
fn texts_of(link: &ChainLink) -> [&str; 8] {
    let ChainLink { at, profile, ubi, license, event, user, host, detail, .. } = link;
    [at, profile, ubi, license, event, user, host, detail]
}

/// A server has its owner's function do it, which also notes the session's role: no other role can put a link there. One call
/// chains them all.
fn chain_on_a_server(tx: Db<'_>, links: &mut [ChainLink]) -> Result<(), DbError> {
    let lines: serde_json::Value =
        links.iter().map(|link| serde_json::Value::from(&texts_of(link)[..])).collect();
    let lines = lines.to_string();
    let mut chained = links.iter_mut();
    tx.each(
        "SELECT link.seq, link.hash
         FROM (SELECT line FROM json_array_elements(?1::text::json) WITH ORDINALITY AS it (line, place) ORDER BY place) AS it,
             append_to_history(line->>0, line->>1, line->>2, line->>3, line->>4, line->>5, line->>6, line->>7) AS link",
        values![&lines],
        |row| {
            let link = chained.next().ok_or_else(|| unexpected_value(0, "one link more than there were"))?;
            (link.seq, link.hash) = (row.get(0)?, row.get(1)?);
            Ok(true)
        },
    )?;
    match chained.next() {
        None => Ok(()),
        Some(_) => Err(unexpected_value(0, "no link")),
    }
}

fn chain_in_a_file(tx: Db<'_>, links: &mut [ChainLink]) -> Result<(), DbError> {
    let (mut last, mut before) = head(tx)?.unwrap_or_default();
    for link in links {
        link.seq = last + 1;
        link.hash = hash_of(link, &before);
        tx.execute(
            &format!(
                "INSERT INTO history ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL)"
            ),
            values![
                link.seq,
                &link.at,
                &link.profile,
                &link.ubi,
                &link.license,
                &link.event,
                &link.user,
                &link.host,
                &link.detail,
                &link.hash,
            ],
        )?;
        (last, before) = (link.seq, link.hash.clone());
    }
    tx.execute(
        "INSERT INTO history_head (only, seq, hash) VALUES (1, ?1, ?2)
         ON CONFLICT (only) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
        values![last, &before],
    )?;
    Ok(())
}

pub(super) fn head(db: Db<'_>) -> Result<Option<(i64, Vec<u8>)>, DbError> {
    db.row("SELECT seq, hash FROM history_head", values![], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn anchor(db: Db<'_>) -> Result<Option<Anchor>, DbError> {
    db.row(&format!("SELECT {ANCHOR} FROM history_anchor ORDER BY seq DESC LIMIT 1"), values![], |row| {
        Ok(Anchor {
            seq: row.get(0)?,
            hash: row.get(1)?,
            last: row.get(2)?,
            at: row.get(3)?,
            user: row.get(4)?,
            host: row.get(5)?,
        })
    })
}

pub(super) fn link(row: &SqlRow<'_>) -> Result<ChainLink, DbError> {
    Ok(ChainLink {
        seq: row.get(0)?,
        at: row.get(1)?,
        profile: row.get(2)?,
        ubi: row.get(3)?,
        license: row.get(4)?,
        event: row.get(5)?,
        user: row.get(6)?,
        host: row.get(7)?,
        detail: row.get(8)?,
        hash: row.get(9)?,
        database_role: row.get(10)?,
    })
}

/// Follows the chain from where it begins to the head that was noted.
pub(super) fn follow(db: Db<'_>) -> Result<Chain, DbError> {
    let anchor = anchor(db)?;
    let (mut last, mut before) = anchor.as_ref().map(|it| (it.seq, it.hash.clone())).unwrap_or_default();
    let (mut links, mut broken) = (0, None);
    db.each(&format!("SELECT {COLUMNS} FROM history ORDER BY seq"), values![], |row| {
        // A column of another type is somebody's, too.
        let found = match link(row) {
            Ok(found) => found,
            Err(_) => {
                broken = Some(BrokenLink {
                    seq: row.get(0).unwrap_or(last + 1),
                    at: row.get(1).ok(),
                    license: row.get(4).ok(),
                    why: "this program didn't write it",
                });
                return Ok(false);
            }
        };
        let why = if found.seq != last + 1 {
            // The one before it is what is missing.
            broken = Some(BrokenLink { seq: last + 1, at: None, license: None, why: "it is missing" });
            return Ok(false);
        } else if found.hash != hash_of(&found, &before) {
            "it was changed, or the entry before it was"
        } else {
            (last, before) = (found.seq, found.hash);
            links += 1;
            return Ok(true);
        };
        broken = Some(BrokenLink { seq: found.seq, at: Some(found.at), license: Some(found.license), why });
        Ok(false)
    })?;
    if broken.is_none() {
        broken = match head(db)? {
            Some((seq, _)) if seq > last => Some(BrokenLink {
                seq: last + 1,
                at: None,
                license: None,
                why: "it is missing, and so are all later entries",
            }),
            Some((seq, hash)) if seq != last || hash != before => Some(BrokenLink {
                seq: last,
                at: None,
                license: None,
                why: "it isn't the entry that was noted as the last",
            }),
            None if last > 0 => Some(BrokenLink {
                seq: last,
                at: None,
                license: None,
                why: "the note of the last entry is missing",
            }),
            _ => None,
        };
    }
    Ok(Chain { links, head: before, anchor, broken })
}
