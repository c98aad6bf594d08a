//! What whoever opens a ledger for writing wants of it.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum OpenMode {
    /// That it's there.
    Existing,
    /// That it's there from now on.
    OrMade,
    /// The same, whether or not its records have moved: for whoever moves them.
    AsItIs,
}
