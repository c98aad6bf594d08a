//! What kinds of error there are, and the exit code of each.

use serde::Serialize;

/// Exit codes and what they mean, as `--help`, the man page and the README print them.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done, or nothing to do"),
    (1, "failed: another process holds the license, a doctor finding, a broken history, a failed hook"),
    (2, "usage or configuration"),
    (3, "some of several failed"),
    (4, "a person must grant access, and this session is not interactive"),
    (5, "nobody granted access in time, or the code had expired"),
    (6, "denied, or the answer or grant doesn't match the request"),
    (7, "vault or ledger unavailable"),
    (8, "provider or network failed: try again"),
    (9, "no such authorization"),
    (125, "`exec` itself failed; 126: CMD can't be run; 127: CMD was not found; otherwise CMD's own code"),
    (130, "interrupted"),
];

/// What kind of error it is: the `code` of the JSON error, and with it the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Wrong or missing arguments.
    Usage,
    /// The configuration can't be read, or is wrong.
    Config,
    /// No authorization matches.
    NotFound,
    /// Several authorizations match.
    Ambiguous,
    /// Another process is working on that license.
    Busy,
    /// A person must grant access, and this session is not interactive.
    NeedsPerson,
    /// Nobody granted access in time, or the code had lapsed.
    Timeout,
    /// The admin, or BioTrack, refused.
    Denied,
    /// The grant differs from the request.
    Mismatch,
    /// The vault can't be reached, read or written.
    Vault,
    /// The ledger can't be reached, read or written.
    Ledger,
    /// The provider answered with a failure.
    Provider,
    /// The provider could not be reached, or its answer was lost.
    Network,
    /// The mail server refused, or could not be reached.
    Mail,
    /// Ctrl-C, or a termination signal.
    Interrupted,
    /// Some of several failed.
    Partial,
    /// Anything else.
    Failed,
}

impl ErrorCode {
    pub const ALL: [Self; 17] = [
        Self::Usage,
        Self::Config,
        Self::NotFound,
        Self::Ambiguous,
        Self::Busy,
        Self::NeedsPerson,
        Self::Timeout,
        Self::Denied,
        Self::Mismatch,
        Self::Vault,
        Self::Ledger,
        Self::Provider,
        Self::Network,
        Self::Mail,
        Self::Interrupted,
        Self::Partial,
        Self::Failed,
    ];

    /// Its word, as JSON and the ledger have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Config => "config",
            Self::NotFound => "not_found",
            Self::Ambiguous => "ambiguous",
            Self::Busy => "busy",
            Self::NeedsPerson => "needs_person",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::Mismatch => "mismatch",
            Self::Vault => "vault",
            Self::Ledger => "ledger",
            Self::Provider => "provider",
            Self::Network => "network",
            Self::Mail => "mail",
            Self::Interrupted => "interrupted",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }

    /// The one with this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The exit code of this kind, out of [`EXIT_CODES`].
    pub fn exit(self) -> u8 {
        match self {
            Self::Busy | Self::Failed => 1,
            Self::Usage | Self::Config | Self::Ambiguous => 2,
            Self::Partial => 3,
            Self::NeedsPerson => 4,
            Self::Timeout => 5,
            Self::Denied | Self::Mismatch => 6,
            Self::Vault | Self::Ledger => 7,
            Self::Provider | Self::Network | Self::Mail => 8,
            Self::NotFound => 9,
            Self::Interrupted => 130,
        }
    }
}

/// An error as JSON: `{"code","exit","message","hint"}`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// The kind.
    pub code: ErrorCode,
    /// The exit code.
    pub exit: u8,
    /// What happened, to which license.
    pub message: String,
    /// The next command to run.
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_word_and_exits_with_a_documented_code() {
        for kind in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
            assert!(EXIT_CODES.iter().any(|(code, _)| *code == kind.exit()), "{kind:?}");
        }
    }
}
