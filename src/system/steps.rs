//! The steps between which another process may come: nobody in the program, a test that stops there.

/// A moment at which what was read may be old a moment later, or what was written is there for others to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchedStep {
    /// The ledger is about to be written; the lock isn't held yet.
    BeforeCommit,
    /// The ledger was written, and is on the disk.
    AfterCommit,
    /// The ledger was written; a power cut may take that back.
    AfterNote,
    /// A claim that another process has is waited for.
    AwaitingClaim,
}

/// Whoever is told of each step, and goes on when this returns.
pub trait StepObserver: Send + Sync {
    fn reached(&self, step: WatchedStep);
}

/// The program's own: nobody is told.
pub struct NoObserver;

impl StepObserver for NoObserver {
    fn reached(&self, _: WatchedStep) {}
}
