//! What happened: one event for everything that changes.

use super::ids::LicenseId;
use crate::error::ErrorCode;
use jiff::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryEventKind {
    /// A consent was asked for.
    Asked,
    /// A first grant was stored.
    Granted,
    /// A new grant took an old one's place.
    Renewed,
    /// Another admin's grant was set aside.
    Held,
    /// A flow ended without a grant.
    Failed,
    Uncertain,
    /// The license was given up.
    Deactivated,
    /// The provider confirmed a revocation.
    Revoked,
    /// The provider refused a revocation, or its answer was lost.
    NotRevoked,
    /// Its tokens were written to a sealed bundle.
    Exported,
    /// A file's facts were taken over.
    Imported,
    /// Tokens out of a backup are this ledger's own from now on.
    Adopted,
    /// The provider said that the grant is dead.
    Invalid,
    /// A refresh prolonged the grant; one that only brings an access token isn't history.
    Prolonged,
    /// A refresh told that the grant ends earlier than was known.
    Shortened,
    /// An operator changed by hand what is known of the license.
    Edited,
    /// Its record was taken out of the ledger.
    Removed,
}

/// What happened to the ledger as a whole: events of no license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerEventKind {
    /// Old links of the history were removed, an anchor left.
    Pruned,
    /// The secrets moved to the other vault.
    Moved,
    /// The whole ledger moved here from another place.
    LedgerMoved,
    /// The token sets were sealed to other recipients.
    Resealed,
    /// The ledger lacks what a host had seen of it.
    WentBack,
    /// A bundle's export was cut short, and finished or taken back.
    ExportCutShort,
}

impl LedgerEventKind {
    /// The word in the ledger and the history.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pruned => "pruned",
            Self::Moved => "vault_moved",
            Self::LedgerMoved => "ledger_moved",
            Self::Resealed => "resealed",
            Self::WentBack => "went_back",
            Self::ExportCutShort => "export_cut_short",
        }
    }
}

impl HistoryEventKind {
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
            Self::NotRevoked => "not_revoked",
            Self::Exported => "exported",
            Self::Imported => "imported",
            Self::Adopted => "adopted",
            Self::Invalid => "invalid",
            Self::Prolonged => "prolonged",
            Self::Shortened => "shortened",
            Self::Edited => "edited",
            Self::Removed => "removed",
        }
    }
}

/// One line of the history, before the ledger numbers and chains it.
#[derive(Debug, Clone)]
pub struct HistoryEvent {
    pub at: Timestamp,
    pub profile: String,
    pub key: LicenseId,
    pub happened: HistoryEventKind,
    /// More, in words; no secrets.
    pub detail: String,
    /// Which kind of failure it was, where that is known: the event's hook is told, and the history has the words alone.
    pub failure: Option<ErrorCode>,
}

#[derive(Debug, Clone)]
pub struct HistoryLine {
    pub at: Timestamp,
    /// What: one of [`HistoryEventKind`]'s words.
    pub event: String,
    pub host: String,
    pub detail: String,
}

/// A link of the history's chain, as it stands in the ledger; profile and license are empty where the event was of the
/// whole ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// Its number, from 1.
    pub seq: i64,
    /// When, RFC 3339 in UTC; as text, for the chain is over the text.
    pub at: String,
    pub profile: String,
    pub ubi: String,
    pub license: String,
    /// What: one of [`HistoryEventKind`]'s or [`LedgerEventKind`]'s words.
    pub event: String,
    pub user: String,
    pub host: String,
    pub detail: String,
    /// SHA-256 over the hash before it and this line.
    pub hash: Vec<u8>,
    /// As which role of a server's it was written, by the server's own word; `None` in a file, and before schema 12.
    pub database_role: Option<String>,
}

impl ChainLink {
    /// Who did it: user and host as the program said, and the server's role where that isn't the user.
    pub fn who(&self) -> String {
        let Self { user, host, database_role, .. } = self;
        match database_role.as_deref().filter(|role| role != user) {
            Some(role) => format!("{user}@{host} (role {role})"),
            None => format!("{user}@{host}"),
        }
    }

    /// When it was made; `None` where someone wrote nonsense there.
    pub fn instant(&self) -> Option<Timestamp> {
        self.at.parse().ok()
    }
}

/// What is left of links that were pruned: the rest verifies from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The number of the last link that was pruned.
    pub seq: i64,
    pub hash: Vec<u8>,
    pub last: String,
    pub at: String,
    pub user: String,
    pub host: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub links: u64,
    /// The last link's hash; of an empty history that was pruned, the anchor's; else nothing.
    pub head: Vec<u8>,
    pub anchor: Option<Anchor>,
    /// The first link that doesn't fit.
    pub broken: Option<BrokenLink>,
}

/// The first link that doesn't fit, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenLink {
    pub seq: i64,
    /// When, by its own word; `None` where the link is missing.
    pub at: Option<String>,
    pub license: Option<String>,
    pub why: &'static str,
}
