//! What is wrong with an answer to a hand-off.

use super::{kind::ErrorCode, shell::shell};

/// What keeps an answer that was pasted, or came to `listen`, from being used. Nothing was sent. Never holds the address.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// What was pasted isn't a redirect address.
    #[error("the pasted text {problem}")]
    Unreadable { problem: &'static str },
    /// Its state is of no flow that this ledger knows.
    #[error("this answer matches no pending request here; nothing was sent")]
    Stranger,
    /// It came before, or its flow was given up.
    #[error(
        "this answer for {license} is no longer valid: it was already used, or the license was granted or canceled since; nothing was sent"
    )]
    Used { license: String, next: String },
    /// Its flow ended without a grant before it came.
    #[error(
        "the request for {license} had ended without a grant before this answer arrived; nothing was sent"
    )]
    Ended { license: String, next: String },
    /// Its license was removed since the link was made.
    #[error(
        "this answer for {license} is no longer valid: the license was removed from this ledger; nothing was sent"
    )]
    Removed { license: String, next: String },
    /// Its flow gave way to a newer one.
    #[error(
        "this answer belongs to an old link for {license}, which a newer link has replaced; nothing was sent"
    )]
    Replaced { license: String, next: String },
    #[error("the link for {license} lapsed before this answer arrived; nothing was sent")]
    Lapsed { license: String, next: String },
    #[error("this answer is for {license} in profile {theirs}, not in {ours}; nothing was sent")]
    OtherProfile { license: String, theirs: String, ours: String },
    #[error("another command is waiting for this answer for {license} ({holder}); nothing was sent")]
    WaitedFor { license: String, holder: String },
    #[error("this answer is for {license}, which this command isn't waiting for; nothing was sent")]
    NotHere { license: String },
    /// Its link was made on another host, and its verifier isn't sealed to this one.
    #[error(
        "this host can't use the answer for {license}, because another host made its link; nothing was sent"
    )]
    SealedElsewhere { license: String, next: String },
    /// It had come before; the process that had it has ended, and whether a grant was made is uncertain.
    #[error(
        "an earlier command ended while BioTrack was answering for {license}; it is uncertain whether access was granted"
    )]
    LeftUncertain { license: String, next: String },
}

impl HandoffError {
    pub fn kind(&self) -> ErrorCode {
        match self {
            Self::Unreadable { .. } | Self::OtherProfile { .. } | Self::NotHere { .. } => ErrorCode::Usage,
            Self::Stranger
            | Self::Used { .. }
            | Self::Ended { .. }
            | Self::Removed { .. }
            | Self::Replaced { .. } => ErrorCode::Mismatch,
            Self::Lapsed { .. } => ErrorCode::Timeout,
            Self::WaitedFor { .. } => ErrorCode::Busy,
            Self::SealedElsewhere { .. } => ErrorCode::Vault,
            Self::LeftUncertain { .. } => ErrorCode::Network,
        }
    }

    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => {
                "Paste the whole address that the browser's address bar shows after Grant Access was clicked: http://127.0.0.1:…/callback?code=….".into()
            }
            Self::Stranger => {
                "Paste the whole address that the browser shows after Grant Access, on the host that made the link. To see which licenses wait for an answer: biotrack-auth status".into()
            }
            Self::Used { next, .. } => format!("To see its state and the next command: {next}"),
            Self::Replaced { next, .. } => {
                format!("Ask the admin to use the newest link, or make another one: {next}")
            }
            Self::Removed { next, .. } => {
                format!("To request a grant anyway, register the license again. To see what happened: {next}")
            }
            Self::Lapsed { next, .. } => format!("Make a new link: {next}"),
            Self::OtherProfile { theirs, .. } => {
                format!("Run the command for that profile: {}", shell(["biotrack-auth", "complete", "--profile", theirs, "-"]))
            }
            Self::WaitedFor { .. } => {
                "Paste the address at that command's prompt, or open it in a browser on its machine. Or stop that command with Ctrl-C and, within 10 minutes, run biotrack-auth complete -".into()
            }
            Self::NotHere { .. } => "In another terminal, run biotrack-auth complete -".into(),
            Self::SealedElsewhere { next, .. } => format!(
                "On the host that made the link, run biotrack-auth complete -. Or run biotrack-auth listen here once; then this host can also finish new links: {next}"
            ),
            Self::Ended { next, .. } | Self::LeftUncertain { next, .. } => format!("To ask again: {next}"),
        })
    }
}
