//! What happened: one event for everything that changes.

use super::ids::Key;
use jiff::Timestamp;

/// What happened to a licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// A consent was asked for.
    Asked,
    /// A first grant was stored.
    Granted,
    /// A new grant took an old one's place.
    Renewed,
    /// Another admin's grant was set aside.
    Held,
    /// A question ended without a grant.
    Failed,
    /// An answer was lost.
    Uncertain,
    /// The licence was given up.
    Deactivated,
    /// The provider confirmed a revocation.
    Revoked,
    /// The provider said that the grant is dead.
    Invalid,
    /// A refresh prolonged the grant; one that only brings an access token isn't history.
    Prolonged,
}

impl Happened {
    /// The word in the ledger and the history.
    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Granted => "granted",
            Self::Renewed => "renewed",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Uncertain => "uncertain",
            Self::Deactivated => "deactivated",
            Self::Revoked => "revoked",
            Self::Invalid => "invalid",
            Self::Prolonged => "prolonged",
        }
    }
}

/// One line of the history, before the ledger numbers and chains it.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// In which profile.
    pub profile: String,
    /// To which licence.
    pub key: Key,
    /// What.
    pub happened: Happened,
    /// More, in words; no secrets.
    pub detail: String,
}

/// A line of the history, as a card shows it.
#[derive(Debug, Clone)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What: one of [`Happened`]'s words.
    pub event: String,
    /// Which OS user did it.
    pub user: String,
    /// On which host.
    pub host: String,
    /// More, in words.
    pub detail: String,
}
