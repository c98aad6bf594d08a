//! What was begun and not ended: by a process that has died, or by this one while the ledger was away.

pub(super) mod abandoned;
pub(super) mod finish_own;
