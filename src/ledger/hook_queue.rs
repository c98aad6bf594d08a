//! The queue of hooks: an event that somebody wants to hear of waits there, in the commit that made it.

use super::engine::{Db, DbError, values};
use crate::error::ErrorCode;
use crate::model::history::{ChainLink, HistoryEventKind};
use crate::model::reminder::HookEventKind;

pub(super) fn occasion(happened: HistoryEventKind) -> Option<HookEventKind> {
    match happened {
        HistoryEventKind::Granted | HistoryEventKind::Renewed => Some(HookEventKind::Granted),
        HistoryEventKind::Failed | HistoryEventKind::Uncertain | HistoryEventKind::Invalid => {
            Some(HookEventKind::Failed)
        }
        HistoryEventKind::Deactivated => Some(HookEventKind::Deactivated),
        HistoryEventKind::Asked
        | HistoryEventKind::Held
        | HistoryEventKind::Revoked
        | HistoryEventKind::NotRevoked
        | HistoryEventKind::Prolonged
        | HistoryEventKind::Shortened
        | HistoryEventKind::Exported
        | HistoryEventKind::Imported
        | HistoryEventKind::Adopted
        | HistoryEventKind::Edited
        | HistoryEventKind::Removed => None,
    }
}

/// Queues the hook of an event in the event's own commit; a failure's is told which kind it was.
pub(super) fn queue(
    tx: Db<'_>,
    event: &ChainLink,
    (occasion, failure): (HookEventKind, Option<ErrorCode>),
) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO hook_queue (seq, profile, occasion, failure) VALUES (?1, ?2, ?3, ?4)",
        values![event.seq, &event.profile, occasion.word(), failure.map(ErrorCode::word)],
    )?;
    Ok(())
}
