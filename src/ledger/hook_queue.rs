//! The queue of hooks: an event that somebody wants to hear of waits there, in the commit that made it.

use super::engine::{Db, DbError, values};
use crate::error::Kind;
use crate::model::history::{HistoryEvent, HistoryEventKind};
use crate::model::reminder::HookEventKind;
use std::collections::BTreeSet;

/// Which occasion an event is, where it is one.
fn occasion(happened: HistoryEventKind) -> Option<HookEventKind> {
    match happened {
        HistoryEventKind::Granted | HistoryEventKind::Renewed => Some(HookEventKind::Granted),
        HistoryEventKind::Failed | HistoryEventKind::Uncertain | HistoryEventKind::Invalid => {
            Some(HookEventKind::Failed)
        }
        HistoryEventKind::Deactivated => Some(HookEventKind::Deactivated),
        HistoryEventKind::Asked
        | HistoryEventKind::Held
        | HistoryEventKind::Revoked
        | HistoryEventKind::Prolonged
        | HistoryEventKind::Shortened
        | HistoryEventKind::Exported
        | HistoryEventKind::Imported
        | HistoryEventKind::Adopted
        | HistoryEventKind::Edited
        | HistoryEventKind::Removed => None,
    }
}

/// Queues an event's hook in the event's own commit, where one is wanted.
pub(super) fn queue(
    tx: Db<'_>,
    event: &HistoryEvent,
    seq: i64,
    wanted: &BTreeSet<HookEventKind>,
) -> Result<(), DbError> {
    if let Some(occasion) = occasion(event.happened).filter(|occasion| wanted.contains(occasion)) {
        tx.execute(
            "INSERT INTO hook_queue (seq, profile, occasion, failure) VALUES (?1, ?2, ?3, ?4)",
            values![seq, &event.profile, occasion.word(), event.failure.map(Kind::word)],
        )?;
    }
    Ok(())
}
