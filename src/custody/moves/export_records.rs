//! Records and tokens that leave in a sealed bundle. A grant has one home: tokens that move away aren't used here again.

use super::bundle::seal;
use super::finish_exports::{NAMED, give_its_name};
use crate::custody::writer::{Custody, event, unknown};
use crate::error::{CustodyError, Error, Result, first_few};
use crate::ledger::changed;
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::flow::{RecordCommit, SecretRole, SecretsChange, StoredSecret};
use crate::model::history::HistoryEventKind;
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// Records that are about to leave: sealed already, not yet given away.
#[derive(Debug)]
pub struct SealedExport {
    pub bytes: Vec<u8>,
    pub records: usize,
    /// Which of them brought their tokens: the record as it was read, and its tokens.
    leaving: Vec<(Authorization, Vec<StoredSecret>)>,
}

impl SealedExport {
    pub fn token_sets(&self) -> usize {
        self.leaving.len()
    }
}

impl Custody<'_> {
    /// Seals records with their live tokens. Nothing is changed yet: first the bundle must be safe in its file.
    pub fn pack(
        &self,
        standings: &[AuthorizationWithFlows],
        backup: bool,
        recipients: &[String],
        armored: bool,
    ) -> Result<SealedExport> {
        let mut leaving = Vec::new();
        let mut rows = Vec::with_capacity(standings.len());
        for standing in standings {
            let record = &standing.record;
            require_idle(standing)?;
            let mut places = self.ledger.secrets(&record.profile, &record.key, SecretRole::Live)?;
            // What lives elsewhere already isn't ours to give away.
            let tokens = match places.last() {
                Some(secret) if !record.held_elsewhere && record.deactivated_at.is_none() => {
                    Some(self.open_tokens(&record.profile, &record.key, secret)?)
                }
                _ => None,
            };
            if tokens.is_some() {
                leaving.push((record.clone(), std::mem::take(&mut places)));
            }
            rows.push((record, tokens));
        }
        let bytes = seal(&rows, backup, recipients, armored)?;
        Ok(SealedExport { bytes, records: rows.len(), leaving })
    }

    /// A bundle is about to be written whose tokens leave: noted first, so that whoever comes after a process that was killed
    /// knows of the file. The name that the file has until then.
    pub fn announce(&mut self, packed: &SealedExport, file: Option<&Path>) -> Result<Option<PathBuf>> {
        let licenses = packed.leaving.iter().map(|(record, _)| record.key.license.to_string()).collect();
        let export = self.leaving.insert(self.ledger.begin_export(file, licenses)?);
        Ok(export.unfinished())
    }

    /// The bundle that was announced is nowhere: nothing more has to be known of it.
    pub fn cancel_export(&mut self) -> Result<()> {
        self.leaving.take().map_or(Ok(()), |export| self.ledger.end_export(&export, None))
    }

    /// The tokens of the bundle that was announced have left: its file gets its name, and nothing more has to be known of it.
    pub fn complete_export(&mut self) -> Result<()> {
        let Some(export) = self.leaving.take() else { return Ok(()) };
        if let (Some(part), Some(file)) = (export.unfinished(), &export.file) {
            give_its_name(&part, file, &first_few(&export.licenses, NAMED))?;
        }
        self.ledger.end_export(&export, None)
    }

    /// The bundle is safe. Unless it's a backup its tokens are given away: they go from here, and the records say so;
    /// one commit for all, refused whole where anything was changed meanwhile that the bundle has.
    pub fn hand_over(&mut self, packed: SealedExport, backup: bool, to: &str) -> Result<()> {
        let now = self.env.clock.now();
        let detail =
            if backup { format!("backup, sealed to {to}") } else { format!("moved, sealed to {to}") };
        self.commit_all(self.leaving.clone(), |custody| custody.with_secrets(&packed, backup, &detail, now))?;
        if !backup {
            self.forget(packed.leaving.into_iter().flat_map(|(_, secrets)| secrets).map(|it| it.place));
        }
        Ok(())
    }

    /// What becomes of the records whose tokens a bundle has, as they are now.
    fn with_secrets(
        &self,
        packed: &SealedExport,
        backup: bool,
        detail: &str,
        now: Timestamp,
    ) -> Result<Vec<RecordCommit>> {
        let mut changes = Vec::with_capacity(packed.leaving.len());
        for (written, places) in &packed.leaving {
            let record = self.ledger.standing(&written.profile, &written.key)?.ok_or_else(unknown)?.record;
            let mut carried = Authorization::COLUMNS.iter().filter(|column| column.part.is_carried());
            let is_the_same = carried.all(|column| column.value(&record) == column.value(written))
                && record.generation == written.generation
                && self.ledger.secrets(&record.profile, &record.key, SecretRole::Live)? == *places;
            if !is_the_same {
                return Err(changed(&written.key));
            }
            let mut after = record.clone();
            let mut moves = Vec::new();
            if !backup {
                after.held_elsewhere = true;
                after.generation = record.generation.next();
                moves = places.iter().map(|it| SecretsChange::Drop(it.id)).collect();
            }
            changes.push(RecordCommit {
                moves,
                ends: None,
                events: vec![event(&after, HistoryEventKind::Exported, detail, now)],
                record: after,
            });
        }
        Ok(changes)
    }
}

/// Refuses a license that someone is at now, or of which a dead process left something to be finished.
pub fn require_idle(standing: &AuthorizationWithFlows) -> Result<()> {
    let license = standing.record.key.license.to_string();
    match standing.flows.iter().find(|flow| !flow.waits_for_anybody()) {
        None => Ok(()),
        Some(flow) if flow.abandoned => Err(CustodyError::HalfDone { license }.into()),
        Some(_) => Err(Error::busy(license, "another process")),
    }
}
