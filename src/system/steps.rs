//! The steps between which another process may come: nobody in the program, a test that stops there.

/// A moment at which what was read may be old a moment later, or what was written is there for others to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
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
pub trait Steps: Send + Sync {
    /// A step was reached.
    fn reached(&self, step: Step);
}

/// The program's own: nobody is told.
pub struct Unwatched;

impl Steps for Unwatched {
    fn reached(&self, _: Step) {}
}
