//! Where a ledger's records are: here, or moved, or on their way.

use crate::error::{Error, LedgerError};

/// What is said in a ledger's own table of where its records are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct MoveState {
    /// They have moved there.
    pub(super) moved: Option<String>,
    /// They come from there, and the move isn't finished.
    pub(super) arriving: Option<String>,
}

/// What keeps a ledger from being used, where anything does.
pub(super) fn elsewhere(place: &str, there: MoveState) -> Option<Error> {
    let place = place.to_owned();
    match there {
        MoveState { moved: Some(to), .. } => Some(LedgerError::Moved { place, to }.into()),
        MoveState { arriving: Some(from), .. } => Some(LedgerError::Arriving { place, from }.into()),
        _ => None,
    }
}
