//! What this host has seen of a ledger, in a file of its own beside the identity: a ledger that went back in time, because a
//! standby was promoted behind, or a dump or a machine's snapshot was restored, doesn't hold it.

use super::engine::{Db, DbError, values};
use super::{Ledger, history, meta, records};
use crate::error::{Error, LedgerError, Result, first_few};
use crate::model::authorization::Authorization;
use crate::model::flow::Role;
use crate::model::history::Chore;
use crate::model::ids::{Key, License, Ubi};
use crate::system::files;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A file that has grown to so many bytes, to twice as many, and so on, is written anew, without what a later line says again.
const LONG: u64 = 256 * 1024;

/// So many licenses are named.
const NAMED: usize = 20;

/// What stands before a license's name where the ledger says that its refresh token may be spent.
const DOUBT: &str = "may be spent";

/// One look at the ledger, or one commit of this host: a line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The number of the history's newest link.
    seq: i64,
    /// Its hash.
    hash: String,
    /// The records that this host changed in that commit.
    changed: Vec<Changed>,
}

/// A record as this host left it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Changed {
    profile: String,
    ubi: String,
    license: String,
    generation: i64,
}

impl Changed {
    fn name(&self) -> String {
        name_of(&self.profile, &self.ubi, &self.license)
    }
}

/// Under which name the ledger says that a license's refresh token may be spent.
fn name_of(profile: &str, ubi: &str, license: &str) -> String {
    format!("{DOUBT} {}", serde_json::json!([profile, ubi, license]))
}

fn name_of_key(profile: &str, key: &Key) -> String {
    name_of(profile, key.ubi.as_str(), key.license.as_str())
}

/// What a transaction has written so far.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) head: Option<(i64, Vec<u8>)>,
    changed: Vec<Changed>,
}

impl Written {
    pub(super) fn changes(&mut self, profile: &str, key: &Key, generation: i64) {
        let (ubi, license) = (key.ubi.to_string(), key.license.to_string());
        self.changed.push(Changed { profile: profile.to_owned(), ubi, license, generation });
    }
}

fn key_of(ubi: &str, license: &str) -> Option<Key> {
    Some(Key { ubi: Ubi::parse(ubi).ok()?, license: License::parse(license).ok()? })
}

/// The lines of the file, oldest first: two processes may have written theirs in the other order. What isn't one, because the
/// power went, is left out.
fn read(file: &Path) -> Vec<Seen> {
    let mut text = Vec::new();
    let read = files::open_to_look(file).and_then(|mut file| file.read_to_end(&mut text));
    let mut lines: Vec<Seen> = match read {
        Ok(_) => text.split(|it| *it == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect(),
        Err(_) => Vec::new(),
    };
    lines.sort_by_key(|line| line.seq);
    lines
}

/// Writes to the file one process at a time: it's written anew now and then, and a line that is added meanwhile would be lost
/// with the file as it was.
fn in_turn<T>(file: &Path, write: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    let lock = files::open_lock(&file.with_file_name(name))?;
    lock.lock().map_err(|e| unusable(file, &e))?;
    let written = write();
    // Closing alone would leave it to a child that has just been started and still has a copy.
    let _ = lock.unlock();
    written
}

fn unusable(file: &Path, e: &std::io::Error) -> Error {
    Error::File { path: file.display().to_string(), reason: e.to_string() }
}

/// Adds a line. It isn't synced: one that a power cut takes only says less.
fn add(file: &Path, seen: &Seen) -> Result<()> {
    let fault = |e: std::io::Error| unusable(file, &e);
    let line = serde_json::to_string(seen).map_err(|e| Error::Internal(e.to_string()))? + "\n";
    in_turn(file, || {
        let mut open = files::open_private(file)?;
        let end = open.seek(SeekFrom::End(0)).map_err(fault)?;
        // One that was cut short isn't gone on with. Reading nothing means the same: then there is an empty line.
        let mut last = [0];
        let whole = end == 0
            || open.seek(SeekFrom::End(-1)).and_then(|_| open.read(&mut last)).is_ok_and(|_| last == [b'\n']);
        let line = if whole { line } else { format!("\n{line}") };
        open.seek(SeekFrom::End(0)).map_err(fault)?;
        open.write_all(line.as_bytes()).map_err(fault)?;
        drop(open);
        let long = LONG.max((end + 1).next_power_of_two());
        let is_long = end + line.len() as u64 >= long;
        if is_long { keep(file, &shortened(read(file))) } else { Ok(()) }
    })
}

/// The newest of what is said of each record, and the newest line.
fn shortened(all: Vec<Seen>) -> Vec<Seen> {
    let mut said = BTreeSet::new();
    let newest = all.len().saturating_sub(1);
    let mut kept: Vec<_> = all
        .into_iter()
        .enumerate()
        .rev()
        .filter_map(|(at, mut line)| {
            line.changed.retain(|it| said.insert(it.name()));
            (at == newest || !line.changed.is_empty()).then_some(line)
        })
        .collect();
    kept.reverse();
    kept
}

fn keep(file: &Path, lines: &[Seen]) -> Result<()> {
    let lines = lines.iter().map(serde_json::to_string).collect::<serde_json::Result<Vec<_>>>();
    let text = lines.map_err(|e| Error::Internal(e.to_string()))?.join("\n") + "\n";
    files::replace(file, text.as_bytes(), 0o600)
}

/// Whether the ledger holds what was seen: its history has that link, or was pruned behind it, and no record is older.
fn holds(db: Db<'_>, seen: &Seen) -> Result<bool, DbError> {
    let pruned = db.number("SELECT coalesce(max(seq), 0) FROM history_anchor", values![])?;
    if seen.seq > pruned {
        let hash: Option<Vec<u8>> =
            db.row("SELECT hash FROM history WHERE seq = ?1", values![seen.seq], |row| row.get(0))?;
        if hash.is_none_or(|hash| hex::encode(hash) != seen.hash) {
            return Ok(false);
        }
    }
    for it in &seen.changed {
        let Some(key) = key_of(&it.ubi, &it.license) else { continue };
        let found = records::generation(db, &it.profile, &key)?;
        // One that isn't there any more was removed, or the history doesn't hold what was seen either.
        if found.is_some_and(|found| found.0 < it.generation) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the history ends with what is noted as its last. One that doesn't wasn't taken back, somebody had his hands in it:
/// `history verify` says where.
fn is_whole(db: Db<'_>) -> Result<bool, DbError> {
    let last = "SELECT seq, hash FROM history ORDER BY seq DESC LIMIT 1";
    let last: Option<(i64, Vec<u8>)> = db.row(last, values![], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match (last, history::head(db)?) {
        (Some(last), head) => head == Some(last),
        (None, head) => {
            let pruned = db.number("SELECT coalesce(max(seq), 0) FROM history_anchor", values![])?;
            head.is_none_or(|(seq, _)| seq <= pruned)
        }
    })
}

impl Ledger {
    pub(super) fn heads(&self) -> std::path::PathBuf {
        self.paths.head_of(&self.id)
    }

    /// Sees that the ledger holds what this host has seen of it, and remembers what it sees now. One that went back in time
    /// is told of once, after it was noted in the ledger for all hosts which refresh tokens may be spent.
    ///
    /// # Errors
    /// [`LedgerError::WentBack`]: nothing else may be done in the same breath.
    pub(super) fn looks_back(&mut self, now: Timestamp) -> Result<()> {
        let file = self.heads();
        let mut lines = read(&file);
        let lost = self.lost_of(&mut lines)?;
        if lost.is_empty() {
            let head = history::head(self.engine.db()).map_err(|e| self.fault("read the history", e))?;
            let (seq, hash) = head.unwrap_or_default();
            self.seen = Seen { seq, hash: hex::encode(hash), changed: Vec::new() };
            if seq > 0 && lines.last().is_none_or(|last| last.seq < seq) {
                self.remember(&self.seen.clone());
            }
            return Ok(());
        }
        let changed: BTreeSet<_> = lost.iter().flat_map(|line| &line.changed).cloned().collect();
        let licenses = licenses_of(&lost);
        let seen = lost.iter().map(|line| line.seq).max().unwrap_or_default();
        let whose = match licenses.is_empty() {
            true => "no license".to_owned(),
            false => first_few(&licenses, NAMED),
        };
        let detail = format!("{} had seen link {seen}, and changed since: {whose}", self.who.host);
        let context = self.write_context();
        self.transaction("note that it went back in time", |tx| {
            for it in &changed {
                let Some(key) = key_of(&it.ubi, &it.license) else { continue };
                if let Some((row, _)) = records::secrets(tx, &it.profile, &key, Role::Live)?.pop() {
                    meta::put(tx, &it.name(), &row.to_string())?;
                }
            }
            history::append_chore(tx, Chore::WentBack, now, &detail, &context)
        })?;
        // What it doesn't hold is told, and from here on it's measured by what it holds.
        in_turn(&file, || {
            // Also by what others have written there meanwhile.
            let others = read(&file).into_iter().filter(|line| !lost.contains(line) && !lines.contains(line));
            let others: Vec<_> = others.collect();
            lines.extend(others);
            lines.push(self.seen.clone());
            keep(&file, &lines)
        })?;
        Err(LedgerError::WentBack { path: self.path.clone(), licenses: whose }.into())
    }

    /// What this host has seen and the ledger doesn't hold; `lines` are what it does.
    fn lost_of(&self, lines: &mut Vec<Seen>) -> Result<Vec<Seen>> {
        let mut lost = Vec::new();
        if !self.engine.snapshot(is_whole).map_err(|e| self.fault("be read", e))? {
            return Ok(lost);
        }
        while let Some(last) = lines.pop() {
            let held = self.engine.snapshot(|db| holds(db, &last)).map_err(|e| self.fault("be read", e))?;
            if held {
                lines.push(last);
                break;
            }
            lost.push(last);
        }
        Ok(lost)
    }

    /// Whether this host can remember what it sees of the ledger.
    ///
    /// # Errors
    /// Why it can't: a ledger that goes back in time isn't known by it then.
    pub fn can_remember(&self) -> Result<()> {
        let file = self.heads();
        in_turn(&file, || files::open_private(&file).map(drop))
    }

    /// The licenses whose changes by this host the ledger doesn't hold any more; for a look that changes nothing.
    pub fn went_back(&self) -> Result<Option<Vec<String>>> {
        let lost = self.lost_of(&mut read(&self.heads()))?;
        Ok((!lost.is_empty()).then(|| licenses_of(&lost)))
    }

    /// Remembers what a commit wrote, now that it's done.
    pub(super) fn remembers(&mut self) {
        let Written { head, changed } = std::mem::take(&mut *self.written.borrow_mut());
        if head.is_none() && changed.is_empty() {
            return;
        }
        if let Some((seq, hash)) = head {
            (self.seen.seq, self.seen.hash) = (seq, hex::encode(hash));
        }
        if self.seen.seq > 0 {
            self.remember(&Seen { changed, ..self.seen.clone() });
        }
    }

    fn remember(&self, seen: &Seen) {
        if let Err(e) = add(&self.heads(), seen) {
            tracing::warn!("what this host has seen of the ledger isn't remembered: {e}");
        }
    }

    /// Whether the ledger is still the one that this process, and others of its host, have seen: after its connection was lost
    /// another server may answer.
    pub(super) fn is_still_there(tx: Db<'_>, seen: &Seen, file: &Path) -> Result<bool, DbError> {
        let newest = read(file).pop();
        let seen = [Some(seen), newest.as_ref()].into_iter().flatten().filter(|it| it.seq > 0);
        seen.map(|it| holds(tx, it)).try_fold(true, |all, holds| Ok(all && holds?))
    }

    /// The licenses of a profile whose refresh tokens may be spent, because the ledger went back in time.
    pub fn doubted(&self, profile: &str) -> Result<BTreeSet<Key>> {
        let noted = meta::of_kind(self.engine.db(), DOUBT);
        let mut found = BTreeSet::new();
        for (name, row) in noted.map_err(|e| self.fault("be read", e))? {
            let named = name
                .strip_prefix(DOUBT)
                .and_then(|it| serde_json::from_str::<[String; 3]>(it.trim_start()).ok());
            let Some([of, ubi, license]) = named else { continue };
            let Some(key) = key_of(&ubi, &license).filter(|_| of == profile) else { continue };
            let lives = is_live(self.engine.db(), profile, &key, &row);
            if lives.map_err(|e| self.fault("be read", e))? {
                found.insert(key);
            }
        }
        Ok(found)
    }

    /// Whether a license's refresh token may be spent, because the ledger went back in time.
    pub fn doubts(&self, profile: &str, key: &Key) -> Result<bool> {
        is_doubted(self.engine.db(), profile, key).map_err(|e| self.fault("be read", e))
    }

    /// Somebody has said that the tokens of these are used all the same.
    pub fn trusts<'r>(&mut self, mut records: impl Iterator<Item = &'r Authorization>) -> Result<()> {
        self.transaction("note what is trusted", |tx| {
            records.try_for_each(|it| meta::remove(tx, &name_of_key(&it.profile, &it.key)))
        })
    }
}

/// The licenses that these lines say were changed, each once.
fn licenses_of(lines: &[Seen]) -> Vec<String> {
    let licenses: BTreeSet<_> = lines.iter().flat_map(|it| &it.changed).map(|it| &it.license).collect();
    licenses.into_iter().cloned().collect()
}

/// Whether the row that was noted still names the living tokens: it keeps its number where they are sealed anew or moved.
fn is_live(db: Db<'_>, profile: &str, key: &Key, row: &str) -> Result<bool, DbError> {
    let live = records::secrets(db, profile, key, Role::Live)?;
    Ok(live.iter().any(|(id, _)| id.to_string() == row))
}

/// Whether a license's refresh token is noted as one that may be spent, and no other tokens have taken its place since.
fn is_doubted(db: Db<'_>, profile: &str, key: &Key) -> Result<bool, DbError> {
    match meta::get(db, &name_of_key(profile, key))? {
        Some(noted) => is_live(db, profile, key, &noted),
        None => Ok(false),
    }
}

/// Refuses to send a refresh token that may be spent.
pub(super) fn refuse_doubted(tx: Db<'_>, profile: &str, key: &Key) -> Result<(), DbError> {
    match is_doubted(tx, profile, key)? {
        true => Err(LedgerError::MayBeSpent { license: key.license.to_string() }.into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: i64, license: &str) -> Seen {
        let changed =
            Changed { profile: "ny".into(), ubi: "604001".into(), license: license.into(), generation: seq };
        Seen { seq, hash: "00".repeat(32), changed: vec![changed] }
    }

    #[test]
    fn nothing_that_several_processes_add_at_once_is_lost_while_one_of_them_shortens_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seen");
        const EACH: i64 = 1000;
        std::thread::scope(|scope| {
            for process in 0..4 {
                let file = &file;
                scope.spawn(move || {
                    for n in 1..=EACH {
                        add(file, &line(n, &format!("L-{process}-{}", n % 100))).unwrap();
                    }
                });
            }
        });
        let size = file.metadata().unwrap().len();
        assert!(size < LONG * 2, "it was never shortened: {size} bytes");
        let mut newest = std::collections::BTreeMap::new();
        for it in read(&file).into_iter().flat_map(|line| line.changed) {
            let known = newest.entry(it.license).or_insert(0);
            *known = it.generation.max(*known);
        }
        for process in 0..4 {
            for n in EACH - 99..=EACH {
                assert_eq!(newest.get(&format!("L-{process}-{}", n % 100)), Some(&n));
            }
        }
    }
}
