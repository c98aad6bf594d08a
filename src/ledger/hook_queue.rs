//! The queue of hooks: an event that somebody wants to hear of waits there, in the commit that made it.

use super::engine::{Db, DbError, values};
use crate::model::history::{Happened, Link};
use crate::model::reminder::Occasion;

/// Which occasion an event is, where it is one.
pub(super) fn occasion(happened: Happened) -> Option<Occasion> {
    match happened {
        Happened::Granted | Happened::Renewed => Some(Occasion::Granted),
        Happened::Failed | Happened::Uncertain | Happened::Invalid => Some(Occasion::Failed),
        Happened::Deactivated => Some(Occasion::Deactivated),
        Happened::Asked
        | Happened::Held
        | Happened::Revoked
        | Happened::Prolonged
        | Happened::Shortened
        | Happened::Exported
        | Happened::Imported
        | Happened::Adopted
        | Happened::Edited
        | Happened::Removed => None,
    }
}

/// Queues the hook of an event in the event's own commit.
pub(super) fn queue(tx: Db<'_>, event: &Link, occasion: Occasion) -> Result<(), DbError> {
    tx.execute(
        "INSERT INTO hook_queue (seq, profile, occasion) VALUES (?1, ?2, ?3)",
        values![event.seq, &event.profile, occasion.word()],
    )?;
    Ok(())
}
