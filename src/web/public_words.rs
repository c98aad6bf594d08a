//! What an error means on a page that anybody may be shown. Each sentence stands here whole: no path, host, command or value
//! of ours can get into one.

use crate::error::{CustodyError, Error, HandoffError, LedgerError, ProviderError};

/// What a page is to say of an answer that brought no grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PublicOutcome {
    /// It's kept, and will be finished without anybody's doing.
    BeingFinished,
    /// It couldn't be taken for the moment; the same address, loaded again, may be.
    NotNow,
    /// It had come before.
    Already,
    /// Whether there is a grant, nobody knows.
    Uncertain(&'static str),
    /// There is none, and why.
    Failed(&'static str),
}

/// Whether what came is kept all the same: the code, which is as good as before, or the grant, sealed. Nobody has to consent again.
pub(super) fn is_kept(e: &Error) -> bool {
    matches!(e, Error::Ledger(LedgerError::NotKept { .. })) || e.unused_code().is_some()
}

/// How a flow ended whose answer came.
pub(super) fn end_of(e: &Error) -> PublicOutcome {
    use PublicOutcome::{Already, BeingFinished, Failed, NotNow, Uncertain};
    match e {
        e if is_kept(e) => BeingFinished,
        Error::Ledger(_) | Error::Vault(_) | Error::Custody(CustodyError::OtherMove) => NotNow,
        // A full disk, or a file of ours that can't be read: the answer is as good as before.
        Error::File { .. } | Error::System { .. } | Error::Internal(_) => NotNow,
        Error::Custody(_) => Failed("You granted access, but we could not store it."),
        Error::Handoff(HandoffError::Used { .. }) | Error::Busy { .. } => Already,
        e if e.answer_lost() => Uncertain("BioTrack's answer was lost."),
        Error::Provider(e) => Failed(said_by_the_provider(e)),
        _ => Failed("The authorization could not be finished."),
    }
}

fn said_by_the_provider(e: &ProviderError) -> &'static str {
    match e {
        ProviderError::Refused { code, .. } => match code.as_str() {
            "access_denied" => "BioTrack reports that access was refused.",
            "server_error" | "temporarily_unavailable" => "BioTrack is not available right now.",
            _ => "BioTrack didn't accept the request.",
        },
        ProviderError::CodeLapsed { .. } => "The answer from BioTrack has expired or was already used.",
        ProviderError::Mismatch { .. } => {
            "The access that was granted differs from the request, so it was not stored."
        }
        ProviderError::Issuer { .. } | ProviderError::Redirect { .. } => {
            "This address doesn't look like one from BioTrack, so it was ignored."
        }
        _ => "BioTrack didn't accept the answer.",
    }
}

/// Why an answer is none to a link that waits; `None`: it can't be told for the moment.
pub(super) fn why_unasked(e: &Error) -> Option<&'static str> {
    Some(match e {
        Error::Handoff(HandoffError::Lapsed { .. }) => "This link has expired.",
        Error::Handoff(HandoffError::Ended { .. }) => {
            "The request had already ended without a grant when this answer arrived."
        }
        Error::Handoff(HandoffError::Replaced { .. }) => "A newer link has replaced this one.",
        Error::Handoff(HandoffError::Removed { .. }) => "This link is no longer needed.",
        Error::Handoff(HandoffError::SealedElsewhere { .. }) => {
            "This page can't accept the answer to this link."
        }
        Error::Vault(_)
        | Error::Ledger(_)
        | Error::File { .. }
        | Error::System { .. }
        | Error::Internal(_) => {
            return None;
        }
        _ => "This address doesn't belong to an open link.",
    })
}
