//! What is wrong with an answer to a hand-off.

use super::{kind::Kind, text::shell};

/// What keeps an answer that was pasted, or came to `listen`, from being used. Nothing was sent. Never holds the address.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// What was pasted isn't a redirect address.
    #[error("what was pasted {problem}")]
    Unreadable {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Its state is of no question that this ledger knows.
    #[error("this answer belongs to no question under way here, and nothing was sent")]
    Stranger,
    /// It came before, or its question was given up.
    #[error(
        "this answer for {license} counts no more: it was taken, or the license was granted or given up; nothing was sent"
    )]
    Used {
        /// Which license.
        license: String,
    },
    /// Its license was removed since the link was made.
    #[error(
        "this answer for {license} counts no more: the license was removed from this ledger; nothing was sent"
    )]
    Removed {
        /// Which license.
        license: String,
    },
    /// Its question gave way to a newer one.
    #[error("the link for {license} that this answers was replaced by a newer one; nothing was sent")]
    Replaced {
        /// Which license.
        license: String,
        /// The command that makes another.
        next: String,
    },
    /// The hand-off's time is over.
    #[error("the link for {license} had lapsed before this answer came; nothing was sent")]
    Lapsed {
        /// Which license.
        license: String,
        /// The command that makes a new one.
        next: String,
    },
    /// It's the answer to a question of another profile.
    #[error("this is the answer for {license} of profile {theirs}, not of {ours}; nothing was sent")]
    OtherProfile {
        /// Which license.
        license: String,
        /// Its profile.
        theirs: String,
        /// The profile that the command acts on.
        ours: String,
    },
    /// A command waits for it, and takes it itself.
    #[error("a command waits for this answer for {license} itself ({holder}); nothing was sent")]
    WaitedFor {
        /// Which license.
        license: String,
        /// Whose command.
        holder: String,
    },
    /// It's for a license that isn't part of the run at whose prompt it was pasted.
    #[error("this answers a link for {license}, which isn't waited for here; nothing was sent")]
    NotHere {
        /// Which license.
        license: String,
    },
    /// Its link was made on another host, and its verifier isn't sealed to this one.
    #[error(
        "the answer for {license} can't be finished on this host, to which its link isn't sealed; nothing was sent"
    )]
    OtherHost {
        /// Which license.
        license: String,
        /// The command that makes a new one.
        next: String,
    },
    /// It had come before; the process that had it has ended, and whether a grant was made is uncertain.
    #[error(
        "an earlier run ended while the grant of {license} was on its way; whether it was made is uncertain"
    )]
    LeftUncertain {
        /// Which license.
        license: String,
        /// The command that asks again.
        next: String,
    },
}

impl HandoffError {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unreadable { .. } | Self::OtherProfile { .. } | Self::NotHere { .. } => Kind::Usage,
            Self::Stranger | Self::Used { .. } | Self::Removed { .. } | Self::Replaced { .. } => {
                Kind::Mismatch
            }
            Self::Lapsed { .. } => Kind::Timeout,
            Self::WaitedFor { .. } => Kind::Busy,
            Self::OtherHost { .. } => Kind::Vault,
            Self::LeftUncertain { .. } => Kind::Network,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => {
                "Paste the whole address from the browser's address bar, as it stands after Grant Access was clicked: http://127.0.0.1:…/callback?code=….".into()
            }
            Self::Stranger => {
                "Paste the whole address that the browser shows after Grant Access, on the host whose ledger has the question. Which licenses wait for an answer, and what to run: biotrack-auth status".into()
            }
            Self::Used { .. } => "See how it stands, and what to run if it needs a grant: biotrack-auth status".into(),
            Self::Replaced { next, .. } => {
                format!("Ask for the answer to the newest link, or hand out another: {next}")
            }
            Self::Removed { license } => format!(
                "See what happened: {}. To ask for a grant all the same, register the license again.",
                shell(["biotrack-auth", "history", license])
            ),
            Self::Lapsed { next, .. } => format!("Hand out a new link: {next}"),
            Self::OtherProfile { theirs, .. } => {
                format!("Run it for that profile: {}", shell(["biotrack-auth", "complete", "--profile", theirs, "-"]))
            }
            Self::WaitedFor { .. } => {
                "Paste the address at the prompt of that command, or open it in a browser on its machine. Or stop that command with Ctrl-C, and within 10 minutes: biotrack-auth complete -".into()
            }
            Self::NotHere { .. } => "Elsewhere: biotrack-auth complete -".into(),
            Self::OtherHost { next, .. } => format!(
                "Finish it on the host that made the link: biotrack-auth complete -. Once a host has listened (biotrack-auth listen), new links can be finished there, too: {next}"
            ),
            Self::LeftUncertain { next, .. } => format!("To ask again: {next}"),
        })
    }
}
