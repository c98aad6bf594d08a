//! The queue of hooks: an event that somebody wants to hear of waits there, in the commit that made it.

use super::engine::{Db, DbError, values};
use crate::error::Kind;
use crate::model::history::{Event, Happened};
use crate::model::reminder::Occasion;
use std::collections::BTreeSet;

/// Which occasion an event is, where it is one.
fn occasion(happened: Happened) -> Option<Occasion> {
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

/// Queues an event's hook in the event's own commit, where one is wanted.
pub(super) fn queue(tx: Db<'_>, event: &Event, seq: i64, wanted: &BTreeSet<Occasion>) -> Result<(), DbError> {
    if let Some(occasion) = occasion(event.happened).filter(|occasion| wanted.contains(occasion)) {
        tx.execute(
            "INSERT INTO hook_queue (seq, profile, occasion, failure) VALUES (?1, ?2, ?3, ?4)",
            values![seq, &event.profile, occasion.word(), event.failure.map(Kind::word)],
        )?;
    }
    Ok(())
}
