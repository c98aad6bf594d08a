//! What became of one license in a command that changes something.

use super::authorization::AuthorizationWithFlows;
use super::ids::LicenseId;
use crate::error::Error;
use serde::Serialize;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// A grant was stored.
    Granted,
    /// A grant from another admin awaits approval.
    AwaitingApproval,
    /// A link was made.
    HandedOff,
    /// Its admin was sent a link to all licenses that need their consent.
    Invited,
    /// Its grant was verified or extended without a person.
    Refreshed,
    /// The license was deactivated.
    Deactivated,
    /// Its record was changed.
    Edited,
    /// Its record was removed; the history stays.
    Removed,
    /// Its open requests were canceled.
    Canceled,
    /// It was skipped.
    Skipped,
    /// It failed.
    Failed,
    /// There was nothing to do.
    Unchanged,
}

impl OutcomeKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::AwaitingApproval => "awaiting_approval",
            Self::HandedOff => "handed_off",
            Self::Invited => "invited",
            Self::Refreshed => "refreshed",
            Self::Deactivated => "deactivated",
            Self::Edited => "edited",
            Self::Removed => "removed",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Unchanged => "unchanged",
        }
    }
}

#[derive(Debug)]
pub struct Outcome {
    pub key: LicenseId,
    pub ending: OutcomeKind,
    pub authorize_url: Option<String>,
    pub standing: Option<AuthorizationWithFlows>,
    /// What whoever asked must know of a new grant, a sentence each.
    pub remarks: Vec<String>,
    /// Why it failed, or what failed beside.
    pub error: Option<Error>,
}

impl Outcome {
    pub fn of(key: LicenseId, ending: OutcomeKind, standing: Option<AuthorizationWithFlows>) -> Self {
        Self { key, ending, authorize_url: None, standing, remarks: Vec::new(), error: None }
    }
}

/// What the whole ended with, where any of it failed; with the command that tries those again.
pub fn partial_of(outcomes: &[Outcome], again: String) -> Option<Error> {
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.error.as_ref()).collect();
    let first = failed.first()?.kind();
    let alike = (exit_of(outcomes) == first.exit()).then_some(first);
    Some(Error::Partial { failed: failed.len(), total: outcomes.len(), alike, again })
}

/// One exit code out of several: all alike gives that one, else 3.
pub fn exit_of(outcomes: &[Outcome]) -> u8 {
    let mut codes: Vec<u8> =
        outcomes.iter().map(|outcome| outcome.error.as_ref().map_or(0, Error::exit)).collect();
    codes.sort_unstable();
    codes.dedup();
    match codes[..] {
        [] => 0,
        [one] => one,
        _ => 3,
    }
}
