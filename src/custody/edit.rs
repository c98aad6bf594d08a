//! What an operator changes of records by hand. Nobody is asked, and nothing is recovered.

use super::writer::{Custody, event, retry_if_changed};
use crate::error::Result;
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::edit::{Edit, in_words};
use crate::model::flow::RecordCommit;
use crate::model::history::HistoryEventKind;
use crate::model::ids::LicenseId;
use crate::model::transfer::FieldChange;

#[derive(Debug, Clone)]
pub struct EditedRecord {
    /// As it was.
    pub before: AuthorizationWithFlows,
    /// Field by field what was changed; empty where it is so already.
    pub changes: Vec<FieldChange>,
}

impl EditedRecord {
    pub fn key(&self) -> &LicenseId {
        &self.before.record.key
    }
}

impl Custody<'_> {
    /// Edits the records that are chosen among all of the profile: one synced commit for all of them, or none. Where others
    /// write a record in between, all of them are read, chosen and edited anew, so that nothing of theirs is written over.
    pub fn edit(
        &mut self,
        choose: impl Fn(&[AuthorizationWithFlows]) -> Result<Vec<AuthorizationWithFlows>>,
        edit: &Edit,
    ) -> Result<Vec<EditedRecord>> {
        retry_if_changed(self, |custody| {
            let now = custody.env.clock.now();
            let chosen = choose(&custody.ledger.standings(&custody.provider.profile)?)?;
            let (mut edited, mut commits) = (Vec::with_capacity(chosen.len()), Vec::new());
            for before in chosen {
                let mut record: Authorization = before.record.clone();
                let changes = edit.apply(&mut record);
                if !changes.is_empty() {
                    let events = vec![event(&record, HistoryEventKind::Edited, &in_words(&changes), now)];
                    commits.push(RecordCommit { record, moves: Vec::new(), ends: None, events });
                }
                edited.push(EditedRecord { before, changes });
            }
            if !commits.is_empty() {
                custody.ledger.commit_edits(&commits)?;
            }
            Ok(edited)
        })
    }
}
