//! A flow with the provider while it's open: the journal's row, and the stages it goes through.

use super::authorization::Authorization;
use super::history::HistoryEvent;
use super::ids::{FlowId, Generation, LicenseId, Username};
use super::vault_kind::VaultKind;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// The longest that a code should live (RFC 6749 4.1.2).
pub const CODE_LIVES: Duration = Duration::from_secs(10 * 60);

/// The purpose of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A first consent, or one after a deactivation.
    Register,
    /// A consent that replaces a valid or expired grant.
    Renew,
    /// A revocation that the operator asked for.
    Deactivate,
    /// A revocation that makes room for a new consent, of the admin whom the flow names.
    #[schemars(skip)]
    BreakFirst,
    /// A new access token inside a living grant, with nobody asked (RFC 6749 6). It stands beside the others: a refresh
    /// while a person is consenting is normal.
    #[schemars(skip)]
    Refresh,
}

impl Purpose {
    /// Whether a person is asked.
    pub fn is_consent(self) -> bool {
        matches!(self, Self::Register | Self::Renew)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Renew => "renew",
            Self::Deactivate => "deactivate",
            Self::BreakFirst => "break_first",
            Self::Refresh => "refresh",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        [Self::Register, Self::Renew, Self::Deactivate, Self::BreakFirst, Self::Refresh]
            .into_iter()
            .find(|purpose| purpose.word() == word)
    }
}

/// Bytes that only the right identity opens: an age file (age-encryption.org/v1).
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBytes(pub Vec<u8>);

impl fmt::Debug for SealedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// In the OS keyring, under this account name.
    Item(String),
    /// In the ledger's row itself, sealed.
    Blob(SealedBytes),
}

impl SecretPlace {
    /// The vault that it's a place of.
    pub fn vault(&self) -> VaultKind {
        match self {
            Self::Item(_) => VaultKind::Keyring,
            Self::Blob(_) => VaultKind::Sealed,
        }
    }
}

/// How far a flow has come in the ledger. Custody alone writes it, each stage in the file that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowStage {
    /// The intent is on disk; nothing has come back. `record_flows`; and `flow_stages`, `store_grant` or `recovery`, where a flow
    /// that brought nothing is opened again.
    Asked,
    /// A code came, and is sealed here. `flow_stages`, before it waits for its turn.
    Arrived(SealedBytes),
    /// The one POST is being sent, or was. `flow_stages` before a byte of a code leaves, `deactivate` before a revocation; a refresh
    /// is recorded so at once, by `refresh_request`.
    Sent,
    /// A refresh whose answer is lost was sent once more, and the provider called the grant dead. It may only mean the
    /// first try, which was acted on or still is: the next try decides. `refresh_request`.
    Refused,
    /// The answer is sealed here, because it couldn't be kept in its proper place. `quarantine`.
    Answered(SealedBytes),
}

impl FlowStage {
    /// How late it comes.
    pub fn order(&self) -> u8 {
        match self {
            Self::Asked => 0,
            Self::Arrived(_) => 1,
            Self::Sent | Self::Refused => 2,
            Self::Answered(_) => 3,
        }
    }
}

/// A process that works on a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowOwner {
    /// Its mark: a file that it keeps locked while it lives.
    pub mark: String,
    /// User, host and process, for whom it keeps waiting.
    pub label: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    pub id: FlowId,
    pub profile: String,
    pub key: LicenseId,
    pub purpose: Purpose,
    pub username: Username,
    pub base: Generation,
    /// The exact redirect address: the token request repeats it (RFC 6749 4.1.3).
    pub redirect_uri: String,
    pub opened: Timestamp,
    pub deadline: Timestamp,
    /// It was handed out: its answer comes from elsewhere, whenever it comes.
    pub handed_off: bool,
    /// An answer to it came, and brought nothing that was asked for.
    pub had_answer: bool,
    /// The process at it; `None` where it waits for whoever brings its answer.
    pub owner: Option<FlowOwner>,
    pub memo: Option<SecretPlace>,
    pub stage: FlowStage,
    /// What of it was sealed before seals said what they are for.
    pub old: OldSeals,
}

/// Which of a flow's seals were there before seals said what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OldSeals {
    pub memo: bool,
    pub sealed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFlow {
    pub purpose: Purpose,
    /// Who is asked to consent, or will be.
    pub username: Username,
    /// How far it has come; a sealed content isn't read.
    pub stage: FlowStage,
    pub opened: Timestamp,
    pub deadline: Timestamp,
    /// It was handed out, and waits for an answer from elsewhere.
    pub handed_off: bool,
    /// An answer to it came, and brought nothing that was asked for.
    pub had_answer: bool,
    pub abandoned: bool,
}

impl OpenFlow {
    /// Whether it's a consent that nobody has answered and no process waits for: whoever brings its answer finishes it.
    pub fn waits_for_anybody(&self) -> bool {
        self.stage == FlowStage::Asked && self.purpose.is_consent() && self.abandoned
    }

    /// Whether it's a consent that a command asked for and waits for no more, whose answer still counts.
    pub fn is_left_open(&self, now: Timestamp) -> bool {
        self.waits_for_anybody() && !self.handed_off && !self.had_answer && now < self.deadline
    }
}

/// A proof that the ledger holds the intent of what is inside: nothing is exchanged or revoked without one.
#[derive(Debug, Clone)]
pub struct Logged<T>(T);

impl<T> Logged<T> {
    /// Only the ledger attests, once the intent is on disk; the layers test holds the others to it.
    pub(crate) fn attested_by_the_ledger(it: T) -> Self {
        Self(it)
    }

    /// What was logged.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The same proof for what belongs to it.
    pub fn with<U>(self, further: U) -> Logged<(T, U)> {
        Logged((self.0, further))
    }

    /// What was logged, the proof being spent.
    pub fn spend(self) -> T {
        self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretRole {
    /// The grant in use.
    Live,
    /// Another admin's grant, set aside.
    Held,
    /// A grant that a newer one replaced: to be forgotten, and revoked where that reaches it alone.
    Superseded,
    /// A grant that nobody wants: kept until the provider has revoked it.
    Unwanted,
}

impl SecretRole {
    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Held => "held",
            Self::Superseded => "superseded",
            Self::Unwanted => "unwanted",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        [Self::Live, Self::Held, Self::Superseded, Self::Unwanted].into_iter().find(|it| it.word() == word)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// The row's number: it comes once, and stays where the secret is only sealed anew or moved.
    pub id: i64,
    pub role: SecretRole,
    pub place: SecretPlace,
    /// Its number among the license's secrets, which its seal repeats.
    pub generation: Generation,
    /// It is the very secret that was there before seals said what they are for.
    pub is_old: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileSecret {
    pub place: SecretPlace,
    /// Its number among the secrets of that name, which its seal repeats.
    pub generation: Generation,
    /// It is the very secret that was there before seals said what they are for.
    pub is_old: bool,
}

/// What happens to a license's secrets in one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretsChange {
    /// A new secret in a role, sealed as the record's new generation; one that has the role already becomes superseded.
    Put(SecretRole, SecretPlace),
    /// All secrets of the first role take the second.
    Turn(SecretRole, SecretRole),
    /// One secret is gone.
    Drop(i64),
}

/// What becomes of a flow by a change that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowEnd {
    /// It's closed.
    Closed(FlowId),
    /// It brought a grant: it's closed, and so is every other one of its license that nobody has answered.
    Granted(FlowId),
    /// A grant that waited for a yes was taken: every flow of its license that nobody has answered is closed.
    Unanswered,
    /// It brought none: it's open again, for whoever brings its next answer. One that was handed out keeps its deadline, any other
    /// lives until then at least.
    Reopened(FlowId, Timestamp),
    /// Nobody waits for its answer here any more: it's open until then, for whoever brings one.
    LeftOpen(FlowId, Timestamp),
}

impl FlowEnd {
    /// Which flow, where it's about one.
    pub fn flow(&self) -> Option<&FlowId> {
        match self {
            Self::Unanswered => None,
            Self::Closed(flow) | Self::Granted(flow) | Self::Reopened(flow, _) | Self::LeftOpen(flow, _) => {
                Some(flow)
            }
        }
    }
}

/// A change that is committed whole: record, secrets, history, and the flow that it answers.
#[derive(Debug, Clone)]
pub struct RecordCommit {
    /// The record as it shall be, with the revision that it was read with: another one in the ledger refuses the change.
    pub record: Authorization,
    pub moves: Vec<SecretsChange>,
    pub ends: Option<FlowEnd>,
    pub events: Vec<HistoryEvent>,
}
