//! What keeps the vault from working.

/// What keeps the keyring or the sealed vault from working. Never carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no keyring to talk to.
    #[error("no keyring is reachable: {reason}")]
    NoKeyring {
        /// The platform's word.
        reason: String,
    },
    /// The keyring is there, but locked.
    #[error("the keyring is locked")]
    Locked,
    /// The keyring took too long to answer.
    #[error("the keyring didn't answer within {seconds} seconds while asked to {what}")]
    Silent {
        /// How long was waited.
        seconds: u64,
        /// What was asked of it.
        what: &'static str,
    },
    /// The keyring answered with something else.
    #[error("the keyring failed to {what}: {reason}")]
    Keyring {
        /// What was asked of it.
        what: &'static str,
        /// The platform's word.
        reason: String,
    },
    /// What the ledger says should be in the vault isn't.
    #[error("the vault has no entry {item}, which the ledger names")]
    Gone {
        /// The entry's name.
        item: String,
    },
    /// What was written didn't read back.
    #[error("the vault gave back something else than was written")]
    Unfaithful,
    /// There is no identity on this host, or it can't be read.
    #[error("the sealed vault's identity at {path} can't be used: {reason}")]
    Identity {
        /// Where it should be.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Sealed bytes that this host's identity can't open.
    #[error("what is sealed for {what} can't be opened here: {reason}")]
    Sealed {
        /// Whose.
        what: String,
        /// Why.
        reason: String,
    },
    /// A configured recipient that isn't one.
    #[error("\"{recipient}\" isn't an age recipient: {reason}")]
    Recipient {
        /// As configured.
        recipient: String,
        /// Why not.
        reason: String,
    },
}

impl VaultError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKeyring { .. } | Self::Silent { .. } | Self::Keyring { .. } => {
                "On a host without a keyring use the sealed vault: biotrack-auth config init --vault sealed."
            }
            Self::Locked => "Unlock it (log in to the desktop, or start gnome-keyring-daemon --unlock), then run the command again.",
            Self::Gone { .. } => "The grant can't be used here any more. Have it consented again: biotrack-auth renew.",
            Self::Unfaithful => "Don't use this vault. Check the keyring, or use the sealed vault.",
            Self::Identity { .. } => "Restore the identity file from your backup, or name it in BIOTRACK_AUTH_IDENTITY.",
            Self::Sealed { .. } => "Use the host whose identity it is sealed to, or have it consented again: biotrack-auth renew.",
            Self::Recipient { .. } => "A recipient looks like age1… and stands under [sealed] in the configuration.",
        }
        .into())
    }
}
