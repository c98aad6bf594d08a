//! Tokens out of a backup become this ledger's own.

use super::export_records::require_idle;
use crate::custody::writer::{Custody, event};
use crate::error::Result;
use crate::model::authorization::Authorization;
use crate::model::flow::{RecordCommit, SecretRole};
use crate::model::history::HistoryEventKind;
use crate::model::ids::LicenseId;

impl Custody<'_> {
    /// Tokens out of a backup that are here but not in use are this ledger's own from now on. Which they were.
    pub fn activate_backup_tokens(
        &mut self,
        wanted: impl Fn(&Authorization) -> bool,
    ) -> Result<Vec<LicenseId>> {
        let now = self.env.clock.now();
        let changes = self.commit_all(None, |custody| {
            let mut changes = Vec::new();
            for profile in custody.ledger.profiles()? {
                let doubted = custody.ledger.possibly_spent(&profile)?;
                for standing in custody.ledger.standings(&profile)? {
                    let record = &standing.record;
                    if !wanted(record) {
                        continue;
                    }
                    let detail = if doubted.contains(&record.key) {
                        "used though the ledger went back"
                    } else if record.held_elsewhere
                        && !custody.ledger.secrets(&profile, &record.key, SecretRole::Live)?.is_empty()
                    {
                        require_idle(&standing)?;
                        "this is its home now"
                    } else {
                        continue;
                    };
                    let after = Authorization { held_elsewhere: false, ..record.clone() };
                    changes.push(RecordCommit {
                        moves: Vec::new(),
                        ends: None,
                        events: vec![event(&after, HistoryEventKind::Adopted, detail, now)],
                        record: after,
                    });
                }
            }
            Ok(changes)
        })?;
        self.ledger.trust_tokens(changes.iter().map(|it| &it.record))?;
        Ok(changes.into_iter().map(|it| it.record.key).collect())
    }
}
