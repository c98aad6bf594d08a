//! What this host has seen of a ledger, in a file of its own beside the identity: a ledger that went back in time, because a
//! standby was promoted behind, or a dump or a machine's snapshot was restored, doesn't hold it.

use super::write_context::ChangedRecord;
use crate::error::{Error, Result};
use crate::system::files;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A file that has grown to so many bytes, to twice as many, and so on, is written anew, without what a later line says again.
const LONG: u64 = 256 * 1024;

/// So much of its end is read where only the newest line is asked for: two processes may have written theirs in the other order.
const TAIL: u64 = 16 * 1024;

/// One look at the ledger, or one commit of this host: a line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct SeenHead {
    /// The number of the history's newest link.
    pub(super) seq: i64,
    pub(super) hash: String,
    /// The records that this host changed in that commit.
    pub(super) changed: Vec<ChangedRecord>,
}

/// The lines of the file, oldest first: two processes may have written theirs in the other order. What isn't one, because the
/// power went, is left out.
pub(super) fn read(file: &Path) -> Vec<SeenHead> {
    let mut text = Vec::new();
    let read = files::read_private(file, files::FileSensitivity::Secret)
        .map(|file| file.map(|mut file| file.read_to_end(&mut text)));
    let mut lines: Vec<SeenHead> = match read {
        Ok(Some(Ok(_))) => {
            text.split(|it| *it == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
        }
        _ => Vec::new(),
    };
    lines.sort_by_key(|line| line.seq);
    lines
}

/// What was seen since the newest link: the lines that name it.
pub(super) fn newest(file: &Path) -> Vec<SeenHead> {
    tail(file).unwrap_or_else(|| of_newest_link(read(file)))
}

/// The same out of the end of the file, where that has them all.
fn tail(file: &Path) -> Option<Vec<SeenHead>> {
    let mut open = files::read_private(file, files::FileSensitivity::Secret).ok()??;
    let end = open.seek(SeekFrom::End(0)).ok()?;
    let from = end.saturating_sub(TAIL);
    open.seek(SeekFrom::Start(from)).ok()?;
    let mut text = Vec::new();
    open.take(TAIL).read_to_end(&mut text).ok()?;
    // The first one is cut, but at the beginning of the file.
    let lines = text.split(|it| *it == b'\n').skip(usize::from(from > 0));
    let lines: Vec<SeenHead> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let (all, newest) = (lines.len(), of_newest_link(lines));
    (from == 0 || (!newest.is_empty() && newest.len() < all)).then_some(newest)
}

fn of_newest_link(mut lines: Vec<SeenHead>) -> Vec<SeenHead> {
    let newest = lines.iter().map(|line| line.seq).max();
    lines.retain(|line| Some(line.seq) == newest);
    lines
}

/// Writes to the file one process at a time: it's written anew now and then, and a line that is added meanwhile would be lost
/// with the file as it was.
pub(super) fn in_turn<T>(file: &Path, write: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    let lock = files::open_private(&file.with_file_name(name))?;
    lock.lock()
        .map_err(|e| Error::File { path: file.display().to_string(), reason: files::unlockable(file, &e) })?;
    let written = write();
    // Closing alone would leave it to a child that has just been started and still has a copy.
    let _ = lock.unlock();
    written
}

fn unusable(file: &Path, e: &std::io::Error) -> Error {
    Error::File { path: file.display().to_string(), reason: e.to_string() }
}

/// Adds a line. It isn't synced: one that a power cut takes only says less.
pub(super) fn add(file: &Path, seen: &SeenHead) -> Result<()> {
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

/// The number of the newest token set that this host made live of each record, by profile, UBI and license.
pub(super) type NewestGenerations = BTreeMap<(String, String, String), i64>;

pub(super) fn newest_live<'l>(lines: impl IntoIterator<Item = &'l SeenHead>) -> NewestGenerations {
    let mut newest = NewestGenerations::new();
    for it in lines.into_iter().flat_map(|line| &line.changed).filter(|it| it.live > 0) {
        let known = newest.entry((it.profile.clone(), it.ubi.clone(), it.license.clone())).or_default();
        *known = it.live.max(*known);
    }
    newest
}

/// The newest of what is said of each record, and the newest line.
fn shortened(all: Vec<SeenHead>) -> Vec<SeenHead> {
    let live = newest_live(&all);
    let mut said = BTreeSet::new();
    let newest = all.len().saturating_sub(1);
    let mut kept: Vec<_> = all
        .into_iter()
        .enumerate()
        .rev()
        .filter_map(|(at, mut line)| {
            line.changed.retain_mut(|it| {
                let record = (it.profile.clone(), it.ubi.clone(), it.license.clone());
                it.live = live.get(&record).copied().unwrap_or_default();
                said.insert(record)
            });
            (at == newest || !line.changed.is_empty()).then_some(line)
        })
        .collect();
    kept.reverse();
    kept
}

pub(super) fn keep(file: &Path, lines: &[SeenHead]) -> Result<()> {
    let lines = lines.iter().map(serde_json::to_string).collect::<serde_json::Result<Vec<_>>>();
    let text = lines.map_err(|e| Error::Internal(e.to_string()))?.join("\n") + "\n";
    files::replace_private(file, text.as_bytes())
}

/// The licenses that these lines say were changed, each once.
pub(super) fn licenses_of(lines: &[SeenHead]) -> Vec<String> {
    let licenses: BTreeSet<_> = lines.iter().flat_map(|it| &it.changed).map(|it| &it.license).collect();
    licenses.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: i64, license: &str) -> SeenHead {
        let changed = ChangedRecord {
            profile: "ny".into(),
            ubi: "604001".into(),
            license: license.into(),
            generation: seq,
            live: seq,
        };
        SeenHead { seq, hash: "00".repeat(32), changed: vec![changed] }
    }

    #[test]
    fn the_newest_is_at_the_end_whatever_was_cut_and_however_long_the_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seen");
        assert_eq!(newest(&file), []);
        let lines: Vec<_> = (1..=2000).map(|n| line(n, &format!("L-{n}"))).collect();
        keep(&file, &lines).unwrap();
        assert!(file.metadata().unwrap().len() > 4 * TAIL);
        assert_eq!(newest(&file), lines[1999..]);
        // Two processes wrote theirs in the other order, and a power cut tore the last one.
        keep(&file, &[line(1, "L-1"), line(3, "L-3"), line(2, "L-2")]).unwrap();
        let mut text = std::fs::read(&file).unwrap();
        text.extend(b"{\"seq\":4,\"ha");
        std::fs::write(&file, text).unwrap();
        assert_eq!(newest(&file), [line(3, "L-3")]);
    }

    #[test]
    fn all_that_was_seen_since_the_newest_link_is_newest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seen");
        // A refresh adds no link: as many as there are licenses may follow one.
        for refreshed in [2, 2000] {
            let since: Vec<_> = (0..refreshed).map(|n| line(2, &format!("L-{n}"))).collect();
            keep(&file, &[&[line(1, "L-1")], &since[..]].concat()).unwrap();
            assert_eq!(newest(&file), since);
        }
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
