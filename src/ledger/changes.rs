//! Changes of records with all that belongs to them: one synced commit each time.

use super::engine::{Db, DbError};
use super::export_notes::{self, ExportNote};
use super::journal::{self, CloseReason};
use super::records::{self, changed};
use super::secret_locations;
use super::store::Ledger;
use crate::error::Result;
use crate::model::authorization::Authorization;
use crate::model::flow::{FlowEnd, FlowOwner, RecordCommit, SecretPlace, SecretsChange};
use crate::model::ids::LicenseId;
use jiff::Timestamp;

/// What a commit replaced: for the vault to forget.
#[derive(Debug, Default)]
pub struct CommitReceipt {
    pub memos: Vec<SecretPlace>,
}

impl Ledger {
    /// Commits changes, one synced commit for all. One whose record others have written since it was read is refused
    /// alone; the others are kept.
    pub fn commit(&mut self, changes: &[RecordCommit]) -> Result<Vec<Result<CommitReceipt>>> {
        let context = self.write_context();
        let ours = match changes.iter().any(|change| change.ends.is_some()) {
            true => Some(self.mark()?.owner()),
            false => None,
        };
        let done = self.transaction("commit", |tx| {
            let mut kept = Vec::with_capacity(changes.len());
            for change in changes {
                if let Err(damaged) = records::refuse_damaged_counters(&change.record) {
                    kept.push(Err(damaged));
                    continue;
                }
                match records::apply(tx, change, &context)? {
                    true => {
                        let memos = match (&change.ends, &ours) {
                            (Some(end), Some(ours)) => end_flow(tx, &change.record, end, ours)?,
                            _ => Vec::new(),
                        };
                        kept.push(Ok(CommitReceipt { memos }));
                    }
                    false => kept.push(Err(changed(&change.record.key))),
                }
            }
            Ok(kept)
        })?;
        for (change, _) in changes.iter().zip(&done).filter(|(_, kept)| kept.is_ok()) {
            change.ends.iter().filter_map(FlowEnd::flow).for_each(|flow| drop(self.taken.remove(flow)));
        }
        Ok(done)
    }

    /// Commits changes that belong together, one synced commit: all of them, or none where others have written any record
    /// since it was read, or somebody is at a license: what they bring belongs to what they began with. Secrets of another
    /// vault than the one that all were moved to are refused: no flow stood open that would have held up the move.
    pub fn commit_all(&mut self, changes: &[RecordCommit]) -> Result<()> {
        self.commit_export(changes, None)
    }

    /// The same for changes with which a bundle's tokens leave.
    pub fn commit_export(&mut self, changes: &[RecordCommit], export: Option<&ExportNote>) -> Result<()> {
        let context = self.write_context();
        let at_work = self.at_work();
        self.transaction("commit", |tx| {
            let put = changes.iter().flat_map(|change| &change.moves).filter_map(|step| match step {
                SecretsChange::Put(_, place) => Some(place.vault()),
                _ => None,
            });
            secret_locations::is_the_vault(tx, put)?;
            for change in changes {
                at_work.waiting_flows(tx, &change.record)?;
                if !records::apply(tx, change, &context)? {
                    return Err(changed(&change.record.key).into());
                }
            }
            export.map_or(Ok(()), |export| export_notes::leaves(tx, export))
        })
    }

    /// Notes when an access token of a license was handed out, and changes nothing else of its record. Not synced, and
    /// nobody is waited for.
    ///
    /// # Errors
    /// It couldn't be noted; where another process is writing, that it's busy.
    pub fn note_use(&mut self, profile: &str, key: &LicenseId, at: Timestamp) -> Result<()> {
        let noted = self.engine.in_passing(|tx| records::put_use(tx, profile, key, at));
        // Nobody was waited for in vain: it isn't told as such.
        noted.map_err(|e| e.named(self.place(), "note what was done"))
    }
}

/// Does with a flow what a change says, in the change's own transaction. The memos that nothing names any more.
fn end_flow(
    tx: Db<'_>,
    record: &Authorization,
    end: &FlowEnd,
    ours: &FlowOwner,
) -> std::result::Result<Vec<SecretPlace>, DbError> {
    let mut memos = Vec::new();
    match end {
        FlowEnd::Closed(flow) | FlowEnd::Granted(flow) => {
            memos.extend(journal::memo(tx, flow)?);
            journal::close(tx, flow, CloseReason::Ended)?;
        }
        FlowEnd::Unanswered => {}
        FlowEnd::Reopened(flow, until) => journal::reopen(tx, flow, *until, true, ours)?,
        FlowEnd::LeftOpen(flow, until) => journal::reopen(tx, flow, *until, false, ours)?,
    }
    if matches!(end, FlowEnd::Granted(_) | FlowEnd::Unanswered) {
        memos.extend(journal::close_unanswered(tx, &record.profile, &record.key)?);
    }
    Ok(memos)
}
