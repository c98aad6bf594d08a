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
    /// The keyring is there, and has no place yet where secrets could be kept.
    #[error("{keeper} has no place to store secrets yet")]
    NotSetUp {
        /// Which keyring, as people call it.
        keeper: String,
    },
    /// The keyring took too long to answer.
    #[error("{keeper} did not respond within {seconds} seconds when asked to {what}")]
    Silent {
        /// Which keyring, as people call it.
        keeper: String,
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
    /// The same, where a new configuration has no vault yet.
    #[error("{0}")]
    Unchosen(Box<VaultError>),
    /// What the ledger says should be in the vault isn't.
    #[error("the ledger names the vault entry {item}, which doesn't exist")]
    Gone {
        /// The entry's name.
        item: String,
    },
    /// The vault has the entry, but not as it was written.
    #[error("the vault's entry for {what} is damaged: {reason}")]
    Broken {
        /// Whose.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The ledger names a place that is of the other kind of vault.
    #[error("the secret of {what} is in the {kept} vault, and the {used} vault is configured")]
    OtherVault {
        /// Whose.
        what: String,
        /// The kind that holds it.
        kept: &'static str,
        /// The kind in use.
        used: &'static str,
    },
    /// What was written didn't read back.
    #[error("the vault returned different data than was stored")]
    Unfaithful,
    /// There is no identity on this host, or it can't be read.
    #[error("the sealed vault's identity at {path} can't be used: {reason}")]
    Identity {
        /// Where it should be.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Others can read or change the identity, or its folder.
    #[error("the sealed vault's identity can't be used: {path}: {reason}")]
    ExposedIdentity {
        /// What they can change or read.
        path: String,
        /// Who, and how it's fixed.
        reason: String,
    },
    /// The identity is wrapped, and nobody can be asked for its passphrase.
    #[error("the sealed vault's identity at {path} has a passphrase, and this session is not interactive")]
    Passphrase {
        /// Which file.
        path: String,
    },
    /// The passphrase doesn't open it.
    #[error("the passphrase doesn't open the identity at {path}")]
    WrongPassphrase {
        /// Which file.
        path: String,
    },
    /// An identity's file would have been overwritten.
    #[error("{path} already exists, and an identity is never overwritten")]
    IdentityExists {
        /// Which file.
        path: String,
    },
    /// Sealing itself failed.
    #[error("sealing failed: {reason}")]
    Sealing {
        /// Why.
        reason: String,
    },
    /// Sealed bytes that this host's identity can't open.
    #[error("the secret of {what} can't be opened here: {reason}")]
    Sealed {
        /// Whose.
        what: String,
        /// Why.
        reason: Unopened,
    },
    /// Sealed bytes that are for other hosts alone, by the configuration.
    #[error("the secret of {what} can be opened only on a host with the identity of {}", .recipients.join(" or "))]
    Foreign {
        /// Whose.
        what: String,
        /// The configured recipients.
        recipients: Vec<String>,
    },
    /// Sealed bytes that the ledger knows another host's process to have left.
    #[error(
        "the secret of {what} can't be opened here: it is sealed to another identity, or damaged; the license was last changed on {host}"
    )]
    OtherHost {
        /// Whose.
        what: String,
        /// Where the license was last changed, as the ledger says.
        host: String,
    },
    /// It was sealed for something else than the row that it stands in.
    #[error("{what}: the secret in the ledger was sealed for {sealed}, not for {row}")]
    Elsewhere {
        /// Whose the row is.
        what: String,
        /// What it was sealed for.
        sealed: String,
        /// What the row is.
        row: String,
    },
    /// An older secret stands where a newer one was.
    #[error("{what}: the ledger holds an older secret ({sealed}) than this host stored last ({newest})")]
    PutBack {
        /// Whose.
        what: String,
        /// The number of what is there.
        sealed: i64,
        /// The number of what should be there.
        newest: i64,
    },
    /// It was sealed for the same profile at another provider, or for another client.
    #[error("{what}: the secret was sealed for {sealed}, but the profile {profile} is now {now}")]
    Moved {
        /// Whose.
        what: String,
        /// The profile.
        profile: String,
        /// What it was sealed for.
        sealed: String,
        /// What the profile is now.
        now: String,
    },
    /// This host seals it for itself, and didn't seal this.
    #[error("{what}: this host did not seal the secret in the ledger")]
    Unauthentic {
        /// Whose.
        what: String,
    },
    /// It doesn't say what it was sealed for, in a row that no older version wrote.
    #[error(
        "{what}: the secret does not say what it was sealed for, and no older version of this program wrote it"
    )]
    Unlabeled {
        /// Whose.
        what: String,
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

/// Why sealed bytes can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// No identity here opens them.
    #[error("it is sealed to another identity, or damaged")]
    OtherIdentity,
    /// A format that this program's age doesn't know.
    #[error("a newer age sealed it")]
    NewerAge,
    /// They don't decrypt.
    #[error("it is damaged")]
    Damaged,
    /// Their armor doesn't decode.
    #[error("its armor is damaged")]
    Armor,
    /// They hold something else than this program seals.
    #[error("this program didn't seal its content")]
    Content,
    /// A newer program sealed them.
    #[error("a newer biotrack-auth wrote it (format {found}; this version supports {known})")]
    NewerForm {
        /// Its form.
        found: u8,
        /// The newest form this program knows.
        known: u8,
    },
    /// They hold the tokens of another license.
    #[error("it belongs to another license")]
    OtherLicense,
}

impl VaultError {
    /// What makes a keyring work.
    fn keyring_advice(&self) -> &'static str {
        match self {
            Self::Locked => "Unlock it (sign in to the desktop), then run the command again.",
            Self::NotSetUp { .. } => {
                "Create a default one (a wallet in KWallet, a keyring in GNOME Keyring, a group that is exposed to the Secret Service in KeePassXC), then run the command again."
            }
            Self::Silent { .. } => {
                "It may be waiting for a password on the desktop: unlock it, then run the command again."
            }
            _ => "Sign in to the desktop, or start the keyring.",
        }
    }

    /// What to do about it. `selector` names the license whose secret it is, where that is known, behind a command.
    pub fn hint(&self, selector: Option<&str>) -> Option<String> {
        let renew = match selector {
            Some(selector) => format!("Ask the admin to grant access again: biotrack-auth renew {selector}"),
            None => "To see what is missing, and the command for each license: biotrack-auth doctor".into(),
        };
        Some(match self {
            Self::NoKeyring { .. } | Self::Keyring { .. } | Self::NotSetUp { .. } | Self::Silent { .. } => {
                return Some(format!("{} On a host without a desktop, use the sealed vault: biotrack-auth config vault sealed", self.keyring_advice()));
            }
            Self::Unchosen(e) => {
                return Some(format!("{} On a host without a desktop, choose the sealed vault: biotrack-auth config init --vault sealed", e.keyring_advice()));
            }
            Self::Locked => self.keyring_advice(),
            Self::Gone { .. } | Self::Broken { .. } => {
                let alone = selector.map(|selector| {
                    format!("; or deactivate it without revoking the grant: biotrack-auth deactivate --local-only {selector}")
                });
                return Some(format!("The grant can't be used any more. {renew}{}", alone.unwrap_or_default()));
            }
            Self::OtherVault { kept, used, .. } => {
                return Some(format!("To move all secrets to the {used} vault: biotrack-auth config vault {used}. Or set vault = \"{kept}\" in the configuration again."));
            }
            Self::Unfaithful => "Don't use this vault: it isn't reliable.",
            Self::Identity { .. } => "Restore the identity file from your backup, or name it in BIOTRACK_AUTH_IDENTITY.",
            Self::ExposedIdentity { .. } => "Only root, this user and its groups may read an identity. Only root and this user may change it, its folder, or a link to it.",
            Self::Passphrase { .. } => {
                "Run the command in a terminal. For a service, pass an identity without a passphrase as a systemd credential (LoadCredential=biotrack-auth-identity:…)."
            }
            Self::WrongPassphrase { .. } => "Run the command again, and retype the passphrase.",
            Self::IdentityExists { .. } => "Use it as it is, or move it away first. Don't delete it: nothing else opens the secrets that are sealed to it.",
            Self::Sealing { .. } => "To see which recipients are configured: biotrack-auth config show --origin",
            Self::Sealed { .. } => {
                return Some(format!("Run the command on a host that it is sealed to. {renew}"));
            }
            Self::OtherHost { host, .. } => {
                return Some(format!("Run the command on that host ({host}). {renew}"));
            }
            Self::Unlabeled { .. } => "It was not used, and nothing was sent. If you restored a copy of the ledger from before the last upgrade, seal its secrets again: biotrack-auth config vault sealed, or config vault keyring if they are in the keyring. Otherwise find out who changed the ledger: see docs/security.md.",
            Self::Elsewhere { .. } | Self::PutBack { .. } | Self::Unauthentic { .. } => {
                let then = match selector {
                    Some(_) => renew,
                    None => "To enter a client secret again: biotrack-auth config set-secret".into(),
                };
                return Some(format!(
                    "It was not used, and nothing was sent. Find out who changed the ledger (docs/security.md), then continue. {then}"
                ));
            }
            Self::Moved { profile, .. } => {
                return Some(format!("If you moved the profile {profile} on purpose, take over its secrets: biotrack-auth config vault sealed, or config vault keyring if they are in the keyring. Otherwise set its url, issuer and client_id back."));
            }
            Self::Foreign { .. } => "Run the command on that recipient's host: this host can seal secrets, but not open them.",
            Self::Recipient { .. } => {
                "A recipient looks like age1…. To see which are configured: biotrack-auth config show --origin"
            }
        }
        .into())
    }
}
