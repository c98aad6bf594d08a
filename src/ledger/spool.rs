//! Room on the disk that is really there: where an answer goes when the ledger itself can't take it.

use super::process_locks::ProcessLock;
use crate::error::{Error, Result};
use crate::model::flow::{Flow, FlowStage, Logged, OldSeals, Purpose, SealedBytes, SecretPlace};
use crate::model::ids::{FlowId, Generation, License, LicenseId, Ubi, Username};
use crate::model::secret::Fingerprint;
use crate::system::files;
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The flows whose answers may have to go here, each as a ledger would hold it.
    flows: BTreeMap<FlowId, Flow>,
    codes: BTreeMap<FlowId, Fingerprint>,
    /// Those of the slots whose flows the ledger has closed since.
    settled: BTreeSet<FlowId>,
    used: bool,
    /// It was a spare, and a power cut could still give it back that name.
    renamed: bool,
}

#[derive(Debug)]
pub struct SpooledFlow {
    pub flow: FlowId,
    pub stage: FlowStage,
    /// The code that came, or was sent: none is sent twice.
    pub code: Option<Fingerprint>,
    /// It was nobody's in the ledger when its answer came, which couldn't be told that it's somebody's now.
    pub claims: bool,
    /// The flow itself: on a server, others may have closed it meanwhile.
    pub row: Option<Flow>,
    /// What is sealed in it doesn't say what it's for: an older version spooled it.
    pub is_old: bool,
}

/// A spool that a dead process left.
#[derive(Debug)]
pub(super) struct AbandonedSpool {
    path: PathBuf,
    pub(super) notes: Vec<SpooledFlow>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    flow: String,
    stage: String,
    sealed: Option<String>,
    /// The fingerprint of the code, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    claims: bool,
    /// The flow itself.
    #[serde(default, rename = "question")]
    row: Option<SpoolRecord>,
    /// What is sealed in it says what it's for. Older versions don't write this.
    #[serde(default)]
    labeled: bool,
}

/// A flow as a line holds it; instants are seconds of Unix time.
#[derive(Serialize, Deserialize)]
struct SpoolRecord {
    profile: String,
    ubi: String,
    license: String,
    purpose: String,
    username: String,
    base: i64,
    redirect_uri: String,
    opened: i64,
    deadline: i64,
    /// Sealed, in Base64.
    sealed_memo: Option<String>,
}

impl SpoolRecord {
    /// Without what a keyring holds: its flow is on this machine's own ledger.
    fn of(flow: &Flow) -> Self {
        Self {
            profile: flow.profile.clone(),
            ubi: flow.key.ubi.to_string(),
            license: flow.key.license.to_string(),
            purpose: flow.purpose.word().into(),
            username: flow.username.to_string(),
            base: flow.base.0,
            redirect_uri: flow.redirect_uri.clone(),
            opened: flow.opened.as_second(),
            deadline: flow.deadline.as_second(),
            sealed_memo: match &flow.memo {
                Some(SecretPlace::Blob(sealed)) => Some(BASE64_STANDARD.encode(&sealed.0)),
                _ => None,
            },
        }
    }

    fn flow(self, id: FlowId, stage: FlowStage, is_old: bool) -> Option<Flow> {
        let memo = match self.sealed_memo {
            Some(text) => Some(SecretPlace::Blob(SealedBytes(BASE64_STANDARD.decode(text).ok()?))),
            None => None,
        };
        Some(Flow {
            id,
            profile: self.profile,
            key: LicenseId { ubi: Ubi::parse(&self.ubi).ok()?, license: License::parse(&self.license).ok()? },
            purpose: Purpose::of(&self.purpose)?,
            username: Username::parse(&self.username).ok()?,
            base: Generation(self.base),
            redirect_uri: self.redirect_uri,
            opened: Timestamp::from_second(self.opened).ok()?,
            deadline: Timestamp::from_second(self.deadline).ok()?,
            handed_off: false,
            had_answer: false,
            owner: None,
            memo,
            stage,
            old: OldSeals { memo: is_old, sealed: is_old },
        })
    }
}

impl Spool {
    pub(super) fn reserve(folder: &Path, mark: &str, answers: usize) -> Result<Self> {
        files::ensure_private_folder(folder)?;
        let path = folder.join(mark);
        let _ = fs::remove_file(&path);
        if let Some(mut spool) = Self::of_spare(folder, mark) {
            spool.grow(answers)?;
            return Ok(spool);
        }
        let file = files::create_private(&path)?;
        let mut spool = Self::empty(file, path, 0, false);
        spool.grow(answers)?;
        files::sync_folder_of(&spool.path)?;
        Ok(spool)
    }

    fn empty(file: File, path: PathBuf, room: usize, renamed: bool) -> Self {
        let (slots, flows, codes, settled) = Default::default();
        Self { file, path, slots, room, flows, codes, settled, used: false, renamed }
    }

    /// From now on an answer to this flow may have to go here.
    pub fn about(&mut self, flow: &Flow) {
        self.flows.insert(flow.id.clone(), flow.clone());
    }

    /// Whether it keeps a provider's answer to this flow.
    pub fn has_answer(&self, flow: &FlowId) -> bool {
        matches!(self.kept(flow), Ok(Some(SpooledFlow { stage: FlowStage::Answered(_), .. })))
    }

    /// The ledger has closed a flow: what is kept of it here isn't needed.
    pub fn settled(&mut self, flow: &FlowId) {
        // What the ledger has isn't told again by what is left here: it may be another's by then.
        self.reopened(flow);
        self.flows.remove(flow);
    }

    /// A flow is open again: what is kept of its last answer isn't needed, and its next one may have to go here.
    pub fn reopened(&mut self, flow: &FlowId) {
        if self.slots.contains_key(flow) {
            // In the place of what it holds: it would make an open flow one that was sent.
            let _ = self.keep(flow, &FlowStage::Asked, None);
            self.settled.insert(flow.clone());
        }
    }

    /// One that an earlier process didn't need: its room was written and synced then.
    fn of_spare(folder: &Path, mark: &str) -> Option<Self> {
        let path = &folder.join(mark);
        let spare = spare(folder);
        // What can't be one stays where it lies.
        files::check_private_file(&spare).ok()?;
        // One process gets it.
        fs::rename(spare, path).ok()?;
        let read = || -> Result<(File, Vec<u8>)> {
            let gone = || fault(path, &std::io::ErrorKind::NotFound.into());
            let mut file = files::open_existing(path)?.ok_or_else(gone)?;
            let mut text = Vec::new();
            file.read_to_end(&mut text).map_err(|e| fault(path, &e))?;
            Ok((file, text))
        };
        match read() {
            Ok((file, text)) if text.len() == SLOT && text.iter().all(|byte| *byte == b'\n') => {
                Some(Self::empty(file, path.clone(), 1, true))
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
            // defense: S38 spool-room-is-written
            (0..more).try_for_each(|_| self.file.write_all(&blank))?;
            // defense: S38 spool-room-is-synced
            self.file.sync_all()
        };
        reserve().map_err(|e| fault(&self.path, &e))?;
        self.room = wanted;
        Ok(())
    }

    /// Keeps how far a flow has come, synced; with the fingerprint of its code, where one came or is being sent.
    pub fn keep(
        &mut self,
        flow: &FlowId,
        stage: &FlowStage,
        code: Option<&Fingerprint>,
    ) -> Result<Logged<FlowId>> {
        self.write(flow, stage, code, false)
    }

    /// Keeps the code of a flow that is nobody's in the ledger, synced: whoever merges this takes the flow over.
    pub fn keep_claimed(&mut self, flow: &FlowId, stage: &FlowStage, code: &Fingerprint) -> Result<()> {
        self.write(flow, stage, Some(code), true).map(drop)
    }

    fn write(
        &mut self,
        flow: &FlowId,
        stage: &FlowStage,
        code: Option<&Fingerprint>,
        claims: bool,
    ) -> Result<Logged<FlowId>> {
        self.settled.remove(flow);
        if let Some(code) = code {
            self.codes.insert(flow.clone(), *code);
        }
        let next = self.slots.len() as u64;
        let slot = *self.slots.entry(flow.clone()).or_insert(next);
        let (word, sealed) = super::cells::words(stage);
        let line = Line {
            flow: flow.0.clone(),
            stage: word.to_owned(),
            sealed: sealed.map(|bytes| BASE64_STANDARD.encode(bytes)),
            code: self.codes.get(flow).map(hex::encode),
            claims,
            row: self.flows.get(flow).map(SpoolRecord::of),
            // Of a flow whose memo is an older version's, whatever is sealed from now on says what it's for.
            labeled: self.flows.get(flow).is_none_or(|flow| !flow.old.memo),
        };
        let mut bytes = serde_json::to_vec(&line).map_err(|e| Error::Internal(e.to_string()))?;
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
    pub(super) fn left_behind(folder: &Path, owners: &Path) -> Result<Vec<AbandonedSpool>> {
        let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let Some(mark) = path.file_name() else { continue };
            if ProcessLock::locked(&owners.join(mark)) {
                continue;
            }
            // Its process may only just have ended, and removed it.
            if let Some(notes) = read(&path)? {
                found.push(AbandonedSpool { notes, path });
            }
        }
        Ok(found)
    }

    /// What this process keeps here of a flow that the ledger hasn't closed.
    pub(super) fn kept(&self, flow: &FlowId) -> Result<Option<SpooledFlow>> {
        if !self.slots.contains_key(flow) || self.settled.contains(flow) {
            return Ok(None);
        }
        Ok(read(&self.path)?.unwrap_or_default().into_iter().rfind(|note| note.flow == *flow))
    }

    /// How far a process had come with a flow, where only its spool could take that.
    pub(super) fn last_stage(folder: &Path, mark: &str, flow: &FlowId) -> Result<Option<FlowStage>> {
        let notes = read(&folder.join(mark))?.unwrap_or_default();
        Ok(notes.into_iter().rfind(|note| note.flow == *flow).map(|note| note.stage))
    }
}

/// What a spool holds; `None` where there is none.
fn read(path: &Path) -> Result<Option<Vec<SpooledFlow>>> {
    let Some(mut file) = files::read_private(path, files::FileSensitivity::Secret)? else { return Ok(None) };
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(|e| fault(path, &e))?;
    Ok(Some(notes(&text)))
}

/// Each readable line; a torn one is skipped, for the ledger still has the intent.
#[doc(hidden)]
pub fn notes(text: &[u8]) -> Vec<SpooledFlow> {
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .filter_map(|line| {
            // defense: S35 torn-line-stands-alone
            let line: Line = serde_json::from_slice(line).ok()?;
            let sealed = match line.sealed {
                Some(text) => Some(SealedBytes(BASE64_STANDARD.decode(text).ok()?)),
                None => None,
            };
            let (flow, stage) = (FlowId(line.flow), super::cells::stage(&line.stage, sealed)?);
            let is_old = !line.labeled;
            let row = line.row.and_then(|it| it.flow(flow.clone(), stage.clone(), is_old));
            let code = line.code.and_then(|code| hex::decode(code).ok()?.try_into().ok());
            Some(SpooledFlow { flow, stage, code, claims: line.claims, row, is_old })
        })
        .collect()
}

impl AbandonedSpool {
    /// The mark of the process whose it was.
    pub(super) fn mark(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What was spooled waits for the next run to merge it.
        if self.used && self.slots.keys().any(|flow| !self.settled.contains(flow)) {
            return;
        }
        if self.used {
            let _ = fs::remove_file(&self.path);
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
