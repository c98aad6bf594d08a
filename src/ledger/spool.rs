//! Room on the disk that is really there: where an answer goes when the ledger itself can't take it.

use super::owners::Mark;
use crate::edge::files;
use crate::error::{Error, Result};
use crate::model::flow::{Logged, Sealed, Stage};
use crate::model::ids::FlowId;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Room for one answer, with its padding.
const SLOT: usize = 16 * 1024;

/// This process's spool. Written and synced before the browser opens, so that later writes need no new block.
#[derive(Debug)]
pub struct Spool {
    file: File,
    path: PathBuf,
    slots: BTreeMap<FlowId, u64>,
    room: usize,
    used: bool,
    /// It was a spare, and a power cut could still give it back that name.
    renamed: bool,
}

/// What a spool holds of a question.
#[derive(Debug)]
pub struct Spooled {
    /// Which question.
    pub flow: FlowId,
    /// How far it had come.
    pub stage: Stage,
}

/// A spool that a dead process left.
#[derive(Debug)]
pub(super) struct LeftBehind {
    path: PathBuf,
    pub(super) notes: Vec<Spooled>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    flow: String,
    stage: String,
    sealed: Option<String>,
}

impl Spool {
    pub(super) fn reserve(folder: &Path, mark: &str, answers: usize) -> Result<Self> {
        files::private_folder(folder)?;
        let path = folder.join(mark);
        let _ = fs::remove_file(&path);
        if let Some(mut spool) = Self::of_spare(folder, mark) {
            spool.grow(answers)?;
            return Ok(spool);
        }
        let file = files::create_private(&path)?;
        let slots = BTreeMap::new();
        let mut spool = Self { file, path, slots, room: 0, used: false, renamed: false };
        spool.grow(answers)?;
        files::sync_folder_of(&spool.path)?;
        Ok(spool)
    }

    /// One that an earlier process didn't need: its room was written and synced then.
    fn of_spare(folder: &Path, mark: &str) -> Option<Self> {
        let path = &folder.join(mark);
        let spare = spare(folder);
        files::check_private_file(&spare).ok()?;
        // One process gets it.
        fs::rename(spare, path).ok()?;
        let read = || -> Result<(File, Vec<u8>)> {
            let mut file = files::open_private(path)?;
            let mut text = Vec::new();
            file.read_to_end(&mut text).map_err(|e| fault(path, &e))?;
            Ok((file, text))
        };
        match read() {
            Ok((file, text)) if text.len() == SLOT && text.iter().all(|byte| *byte == b'\n') => {
                let slots = BTreeMap::new();
                Some(Self { file, path: path.clone(), slots, room: 1, used: false, renamed: true })
            }
            Ok(_) => {
                // A power cut gave its name back to one that was used: what it holds is merged like any other's.
                let _ = fs::rename(path, folder.join(format!("found-{mark}")));
                None
            }
            Err(_) => {
                let _ = fs::remove_file(path);
                None
            }
        }
    }

    /// Sees that there is room for so many answers at once.
    pub fn grow(&mut self, answers: usize) -> Result<()> {
        // A slot that an answer took isn't given to another: the next run reads them all.
        let wanted = answers + self.slots.len();
        if wanted <= self.room {
            return Ok(());
        }
        let blank = [b'\n'; SLOT];
        let more = wanted - self.room;
        let mut reserve = || -> std::io::Result<()> {
            self.file.seek(SeekFrom::Start((self.room * SLOT) as u64))?;
            (0..more).try_for_each(|_| self.file.write_all(&blank))?;
            self.file.sync_all()
        };
        reserve().map_err(|e| fault(&self.path, &e))?;
        self.room = wanted;
        Ok(())
    }

    /// Keeps how far a question has come, synced.
    pub fn keep(&mut self, flow: &FlowId, stage: &Stage) -> Result<Logged<FlowId>> {
        let next = self.slots.len() as u64;
        let slot = *self.slots.entry(flow.clone()).or_insert(next);
        let (word, sealed) = super::journal::words(stage);
        let line = Line {
            flow: flow.0.clone(),
            stage: word.to_owned(),
            sealed: sealed.map(|bytes| BASE64_STANDARD.encode(bytes)),
        };
        let mut bytes = serde_json::to_vec(&line).map_err(|e| Error::Failed(e.to_string()))?;
        bytes.resize(bytes.len().next_multiple_of(SLOT), b'\n');
        let place = if bytes.len() > SLOT {
            // Larger than any slot: at the end, where there may be room.
            SeekFrom::End(0)
        } else {
            SeekFrom::Start(slot * SLOT as u64)
        };
        self.used = true;
        self.file
            .seek(place)
            .and_then(|_| self.file.write_all(&bytes))
            .and_then(|()| self.file.sync_data())
            .map_err(|e| fault(&self.path, &e))?;
        if std::mem::take(&mut self.renamed) {
            files::sync_folder_of(&self.path)?;
        }
        Ok(Logged::attested_by_the_ledger(flow.clone()))
    }

    /// Reads the spools of dead processes.
    pub(super) fn left_behind(folder: &Path, owners: &Path) -> Result<Vec<LeftBehind>> {
        let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let Some(mark) = path.file_name() else { continue };
            if Mark::locked(&owners.join(mark)) {
                continue;
            }
            // Its process may only just have ended, and removed it.
            if let Some(notes) = read(&path)? {
                found.push(LeftBehind { notes, path });
            }
        }
        Ok(found)
    }

    /// How far a dead process had come with a question, where only its spool could take that.
    pub(super) fn last_stage(folder: &Path, mark: &str, flow: &FlowId) -> Result<Option<Stage>> {
        let notes = read(&folder.join(mark))?.unwrap_or_default();
        Ok(notes.into_iter().rfind(|note| note.flow == *flow).map(|note| note.stage))
    }
}

/// What a spool holds; `None` where there is none.
fn read(path: &Path) -> Result<Option<Vec<Spooled>>> {
    files::check_private_file(path)?;
    let mut text = Vec::new();
    match files::open_to_look(path).and_then(|mut file| file.read_to_end(&mut text)) {
        Ok(_) => Ok(Some(notes(&text))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(fault(path, &e)),
    }
}

/// Each readable line; a torn one is skipped, for the ledger still has the intent.
#[doc(hidden)]
pub fn notes(text: &[u8]) -> Vec<Spooled> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .filter_map(|line| {
            let line: Line = serde_json::from_slice(line).ok()?;
            let sealed = match line.sealed {
                Some(text) => Some(Sealed(BASE64_STANDARD.decode(text).ok()?)),
                None => None,
            };
            Some(Spooled { flow: FlowId(line.flow), stage: super::journal::stage(&line.stage, sealed)? })
        })
        .collect()
}

impl LeftBehind {
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What was spooled waits for the next run to merge it.
        if self.used {
            return;
        }
        let spare = self.path.parent().map(spare).filter(|_| self.room == 1);
        if spare.is_none_or(|spare| fs::rename(&self.path, spare).is_err()) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where an unused spool waits for the next process: beside the folder, in which every name is a process's.
fn spare(folder: &Path) -> PathBuf {
    folder.with_extension("spare")
}

fn fault(path: &Path, e: &std::io::Error) -> Error {
    Error::File { path: path.display().to_string(), reason: e.to_string() }
}
