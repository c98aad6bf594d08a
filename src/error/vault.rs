//! What keeps the vault from working.

/// What keeps the keyring or the sealed vault from working. Never carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("no keyring is reachable: {reason}")]
    NoKeyring { reason: String },
    #[error("the keyring is locked")]
    Locked,
    #[error("{keeper} asks for permission at each access, and this session is not interactive")]
    Asks { keeper: String },
    #[error("the keyring has {count} entries named {item}, and they differ")]
    Several { item: String, count: usize },
    #[error("{keeper} has no place to store secrets yet")]
    NotSetUp { keeper: String },
    #[error("{keeper} did not respond within {seconds} seconds when asked to {what}")]
    Silent { keeper: String, seconds: u64, what: &'static str },
    /// The keyring answered with something else.
    #[error("the keyring failed to {what}: {reason}")]
    Keyring { what: &'static str, reason: String },
    /// The same, where a new configuration has no vault yet.
    #[error("{0}")]
    Unchosen(Box<VaultError>),
    /// The same, where the ledger's secrets are in it: no other vault can take its place.
    #[error("{0}")]
    Needed(Box<VaultError>),
    #[error("the ledger names the vault entry {item}, which doesn't exist")]
    Gone { item: String },
    #[error("the vault's entry for {what} is damaged: {reason}")]
    Broken { what: String, reason: String },
    /// The ledger names a place that is of the other kind of vault.
    #[error("the secret of {what} is in the {kept} vault, and the {used} vault is configured")]
    OtherVault { what: String, kept: &'static str, used: &'static str },
    #[error("the vault returned different data than was stored")]
    Unfaithful,
    #[error("the sealed vault's identity at {path} can't be used: {reason}")]
    Identity { path: String, reason: String },
    /// Others can read or change the identity, or its folder.
    #[error("the sealed vault's identity can't be used: {path}: {reason}")]
    ExposedIdentity {
        /// What they can change or read.
        path: String,
        reason: String,
    },
    #[error("the sealed vault's identity at {path} has a passphrase, and this session is not interactive")]
    Passphrase { path: String },
    #[error("the passphrase doesn't open the identity at {path}")]
    WrongPassphrase { path: String },
    #[error("{path} already exists, and an identity is never overwritten")]
    IdentityExists { path: String },
    #[error("sealing failed: {reason}")]
    Sealing { reason: String },
    /// Sealed bytes that this host's identity can't open.
    #[error("the secret of {what} can't be opened here: {reason}")]
    Sealed { what: String, reason: UnsealError },
    #[error("the secret of {what} can be opened only on a host with the identity of {}", .recipients.join(" or "))]
    Foreign { what: String, recipients: Vec<String> },
    /// Sealed bytes that the ledger knows another host's process to have left.
    #[error(
        "the secret of {what} can't be opened here: it is sealed to another identity, or damaged; the license was last changed on {host}"
    )]
    OtherHost {
        what: String,
        /// Where the license was last changed, as the ledger says.
        host: String,
    },
    #[error("{what}: the secret in the ledger was sealed for {sealed}, not for {row}")]
    Elsewhere { what: String, sealed: String, row: String },
    #[error("{what}: the ledger holds an older secret ({sealed}) than this host stored last ({newest})")]
    PutBack { what: String, sealed: i64, newest: i64 },
    #[error("{what}: the secret was sealed for {sealed}, but the profile {profile} is now {now}")]
    Moved { what: String, profile: String, sealed: String, now: String },
    #[error("{what}: this host did not seal the secret in the ledger")]
    Unauthentic { what: String },
    /// It doesn't say what it was sealed for, in a row that no older version wrote.
    #[error(
        "{what}: the secret does not say what it was sealed for, and no older version of this program wrote it"
    )]
    Unlabeled { what: String },
    #[error("\"{recipient}\" isn't an age recipient: {reason}")]
    Recipient {
        /// As configured.
        recipient: String,
        reason: String,
    },
}

/// Why sealed bytes can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// No identity here opens them.
    #[error("it is sealed to another identity, or damaged")]
    OtherIdentity,
    #[error("a newer age sealed it")]
    NewerAge,
    #[error("it is damaged")]
    Damaged,
    #[error("its armor is damaged")]
    Armor,
    /// They hold something else than this program seals.
    #[error("this program didn't seal its content")]
    Content,
    #[error("a newer biotrack-auth wrote it (format {found}; this version supports {known})")]
    NewerForm {
        found: u8,
        /// The newest form this program knows.
        known: u8,
    },
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
            Self::Needed(e) => {
                return Some(format!("{} The secrets of this ledger are in it.", e.keyring_advice()));
            }
            Self::Asks { keeper } => {
                return Some(format!("Run the command in a terminal, and allow the access. Or turn the question off in {keeper}: in KeePassXC, Secret Service Integration → \"Confirm when passwords are retrieved by clients\"."));
            }
            Self::Several { .. } => {
                return Some(format!("Delete the wrong entry in the keyring's own program (Passwords and Keys, KWalletManager, KeePassXC), then run the command again. If you can't tell which one is right, delete all of them. {renew}"));
            }
            Self::Locked => self.keyring_advice(),
            Self::Gone { .. } | Self::Broken { .. } => {
                let alone = selector.map(|selector| {
                    format!("; or deactivate it without revoking the grant: biotrack-auth deactivate --local-only {selector}")
                });
                return Some(format!("The grant can't be used anymore. {renew}{}", alone.unwrap_or_default()));
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
