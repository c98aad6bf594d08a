//! How a transaction begins, and how long it waits for others.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long others are waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The same for a note, which a spool takes as well: a browser waits for it.
pub(super) const PATIENCE_OF_A_NOTE: Duration = Duration::from_secs(3);
/// The same where they were waited for in vain a moment ago.
const IMPATIENCE: Duration = Duration::from_millis(500);
const A_MOMENT: Duration = Duration::from_secs(5);

/// Whoever was waited for in vain isn't waited for as long again at once: a backup that locks the ledger for a minute would else hold
/// up each step of a process that goes on, and every browser that waits for it.
#[derive(Debug, Default)]
pub(super) struct LockPatience(Cell<Option<Instant>>);

impl LockPatience {
    /// Others were waited for, and didn't end.
    pub(super) fn waited_in_vain(&self) {
        self.0.set(Some(Instant::now()));
    }

    /// How long others are waited for now.
    pub(super) fn patience(&self) -> Duration {
        match self.0.get().is_some_and(|at| at.elapsed() < A_MOMENT) {
            true => IMPATIENCE,
            false => PATIENCE,
        }
    }
}

/// How a transaction begins. In each the ledger is looked at again: others may have migrated or moved it since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionKind {
    /// It writes, and nobody else does meanwhile.
    Alone,
    /// The same; on a server nobody notes anything either, and whoever waits for its end sees what it did.
    Undisturbed,
    /// It notes something of this process's own. On a server it waits for nobody else who writes.
    Plain,
    /// The same, and it waits for nobody at all.
    InPassing,
    /// It reads, and all that it reads is of one moment.
    Snapshot,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_waited_for_in_vain_is_waited_for_shortly_and_after_a_moment_as_ever() {
        let it = LockPatience::default();
        assert_eq!(it.patience(), PATIENCE);
        it.waited_in_vain();
        assert_eq!(it.patience(), IMPATIENCE);
        it.0.set(Instant::now().checked_sub(A_MOMENT));
        assert_eq!(it.patience(), PATIENCE);
    }
}
