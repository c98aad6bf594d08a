//! How a transaction begins, and how long it waits for others.

use std::time::Duration;

/// How long others are waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

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
