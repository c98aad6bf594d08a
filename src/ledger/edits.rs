//! What an operator changes by hand: records that are edited, and those that are taken out of the ledger.

use super::engine::{Db, DbError, SqlValue, values};
use super::journal::{self, CloseReason};
use super::records::{self, COLUMNS, changed};
use super::store::Ledger;
use super::{cells, doubts, history_chain};
use crate::error::Result;
use crate::model::authorization::Authorization;
use crate::model::flow::{RecordCommit, SecretPlace};
use crate::model::history::HistoryEvent;
use crate::model::ids::LicenseId;

#[derive(Debug, Default)]
pub struct RemovedRecord {
    /// Its open flows' memos, for the vault to forget.
    pub memos: Vec<SecretPlace>,
    /// How many of its events waited for their hooks, which aren't run any more.
    pub hooks: usize,
}

impl Ledger {
    /// Commits edits, one synced commit: all of them, or none where others have written any record since it was read. Where
    /// an edit names another admin, what was asked of the former one, and isn't answered, asks the new one from now on: a
    /// grant is compared with the record as it is when it arrives.
    pub fn commit_edits(&mut self, edits: &[RecordCommit]) -> Result<()> {
        let context = self.write_context();
        self.transaction("commit", |tx| {
            for edit in edits {
                let record = &edit.record;
                let before = record_now(tx, record)?;
                if !records::apply(tx, edit, &context)? {
                    return Err(changed(&record.key).into());
                }
                if let Some(before) = before {
                    journal::ask_instead(tx, record, &before.username)?;
                    edit_in_runs(tx, record, &before)?;
                }
            }
            Ok(())
        })
    }

    /// Takes a record out of the ledger, one synced commit, with what hangs on it; the history stays, and the record's number of
    /// secrets is remembered. Flows that wait for whoever brings their answer are closed.
    ///
    /// # Errors
    /// [`crate::error::LedgerError::Changed`] where others have written the record since it was read, or a secret of it is
    /// there; [`crate::error::Error::Busy`] where somebody is at it, or a process that has ended left a consent or refresh of it unfinished.
    pub fn remove(&mut self, record: &Authorization, event: &HistoryEvent) -> Result<RemovedRecord> {
        let context = self.write_context();
        let at_work = self.at_work();
        let (profile, key) = (&record.profile, &record.key);
        self.transaction("remove the record", |tx| {
            let mut removed = RemovedRecord::default();
            for flow in at_work.waiting_flows(tx, record)? {
                journal::close(tx, &flow.id, CloseReason::Ended)?;
                removed.memos.extend(flow.memo);
            }
            if !records::remove(tx, record)? {
                return Err(changed(key).into());
            }
            removed.hooks = forget_what_hangs_on(tx, profile, key)?;
            history_chain::append(event, &context);
            context.written.borrow_mut().changes(profile, key, record.generation.0, 0);
            Ok(removed)
        })
    }
}

fn record_now(tx: Db<'_>, record: &Authorization) -> Result<Option<Authorization>, DbError> {
    let Authorization { profile, key, .. } = record;
    tx.row(
        &format!("SELECT {COLUMNS} FROM authorization WHERE profile = ?1 AND ubi = ?2 AND license = ?3"),
        values![profile, key.ubi.as_str(), key.license.as_str()],
        records::read,
    )
}

/// What runs have still to do goes by the edit, too: who is asked, where that was the former admin, and each field that changed.
fn edit_in_runs(tx: Db<'_>, record: &Authorization, before: &Authorization) -> Result<(), DbError> {
    let Authorization { profile, key, .. } = record;
    let put = |column: &str, value: SqlValue<'_>, only: &str| {
        tx.execute(
            &format!(
                "UPDATE run_item SET {column} = ?4 WHERE ubi = ?2 AND license = ?3 AND (?5 = '' OR username = ?5)
                     AND run IN (SELECT seq FROM run WHERE profile = ?1)"
            ),
            values![profile, key.ubi.as_str(), key.license.as_str(), value, only],
        )
    };
    if record.username != before.username {
        put("username", SqlValue::Text(record.username.as_str()), before.username.as_str())?;
    }
    if record.name != before.name {
        put("name", or_null(record.name.as_ref().map(|it| it.as_str())), "")?;
    }
    if record.ocm_license != before.ocm_license {
        put("ocm_license", or_null(record.ocm_license.as_ref().map(|it| it.as_str())), "")?;
    }
    if record.contact != before.contact {
        put("contact", or_null(record.contact.as_ref().map(|it| it.as_str())), "")?;
    }
    if record.tags != before.tags {
        put("tags", SqlValue::Text(&cells::lines(&record.tags)), "")?;
    }
    Ok(())
}

fn or_null(text: Option<&str>) -> SqlValue<'_> {
    text.map_or(SqlValue::Null, SqlValue::Text)
}

/// Forgets reminders, doubts, waiting hooks and turns in runs of a license whose record is gone; how many hooks that were.
fn forget_what_hangs_on(tx: Db<'_>, profile: &str, key: &LicenseId) -> Result<usize, DbError> {
    let of_it = values![profile, key.ubi.as_str(), key.license.as_str()];
    let hooks = tx.execute(
        "DELETE FROM hook_queue WHERE seq IN
             (SELECT seq FROM history WHERE profile = ?1 AND ubi = ?2 AND license = ?3)",
        of_it,
    )?;
    tx.execute("DELETE FROM reminded WHERE profile = ?1 AND ubi = ?2 AND license = ?3", of_it)?;
    tx.execute(
        "DELETE FROM run_item WHERE ubi = ?2 AND license = ?3 AND run IN (SELECT seq FROM run WHERE profile = ?1)",
        of_it,
    )?;
    doubts::remove(tx, profile, key)?;
    Ok(hooks)
}
