//! What an error means on a page that anybody may be shown. Each sentence stands here whole: no path, host, command or value
//! of ours can get into one.

use crate::error::{CustodyError, Error, HandoffError, LedgerError, ProviderError};

/// What a page is to say of an answer that brought no grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PublicEnd {
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

/// How a question ended whose answer came.
pub(super) fn end_of(e: &Error) -> PublicEnd {
    use PublicEnd::{Already, BeingFinished, Failed, NotNow, Uncertain};
    match e {
        e if is_kept(e) => BeingFinished,
        Error::Ledger(_) | Error::Vault(_) | Error::Custody(CustodyError::OtherMove) => NotNow,
        // A full disk, or a file of ours that can't be read: the answer is as good as before.
        Error::File { .. } | Error::System { .. } | Error::Internal(_) => NotNow,
        Error::Custody(_) => Failed("Access was granted, but it couldn't be kept here."),
        Error::Handoff(HandoffError::Used { .. }) | Error::Busy { .. } => Already,
        e if e.answer_lost() => Uncertain("BioTrack's answer was lost on its way."),
        Error::Provider(e) => Failed(said_by_the_provider(e)),
        _ => Failed("It couldn't be finished."),
    }
}

fn said_by_the_provider(e: &ProviderError) -> &'static str {
    match e {
        ProviderError::Refused { code, .. } => match code.as_str() {
            "access_denied" => "BioTrack says that access was refused.",
            "server_error" | "temporarily_unavailable" => "BioTrack couldn't do it just now.",
            _ => "BioTrack didn't accept the request.",
        },
        ProviderError::CodeLapsed { .. } => "What BioTrack sent back had run out, or was used already.",
        ProviderError::Mismatch { .. } => {
            "Something else was granted than this link asks for, so it wasn't kept."
        }
        ProviderError::Issuer { .. } | ProviderError::Redirect { .. } => {
            "This address isn't as BioTrack sends it, so it was ignored."
        }
        _ => "BioTrack didn't accept it.",
    }
}

/// Why an answer is none to a link that waits; `None`: it can't be told for the moment.
pub(super) fn why_unasked(e: &Error) -> Option<&'static str> {
    Some(match e {
        Error::Handoff(HandoffError::Lapsed { .. }) => "The time of this link is over.",
        Error::Handoff(HandoffError::Replaced { .. }) => "A newer link was sent in the place of this one.",
        Error::Handoff(HandoffError::Removed { .. }) => "Nobody waits for the answer to this link any more.",
        Error::Handoff(HandoffError::OtherHost { .. }) => {
            "This link was made where its answer can't be taken by this page."
        }
        Error::Vault(_)
        | Error::Ledger(_)
        | Error::File { .. }
        | Error::System { .. }
        | Error::Internal(_) => {
            return None;
        }
        _ => "This address doesn't belong to a link that waits for its answer.",
    })
}
