//! What keeps the ledger from working.

use super::ErrorCode;

/// What keeps the ledger from working.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger {path} can't be opened: {reason}")]
    Open { path: String, reason: String },
    /// There is none where it was looked for. A lost ledger must not look like one in which nothing has happened.
    #[error("there is no ledger at {place}")]
    Missing {
        /// Where it was looked for: a path, or a server's address.
        place: String,
        on_a_server: bool,
    },
    #[error("the ledger {path} is damaged: {reason}")]
    Damaged { path: String, reason: String },
    /// A newer program wrote it.
    #[error(
        "the ledger {path} was written by a newer biotrack-auth (schema {found}; this version supports {known})"
    )]
    Newer {
        path: String,
        found: i64,
        /// The newest schema this program knows.
        known: i64,
    },
    /// It's older than this program, which changes nothing of it here.
    #[error("the ledger {path} has schema {found}, and this biotrack-auth needs schema {known}")]
    Older { path: String, found: i64, known: i64 },
    /// It's older than this program, and belongs to another role.
    #[error(
        "the ledger {place} has schema {found}; its owner, the role {owner}, must migrate it to schema {known}"
    )]
    NotItsOwner { place: String, owner: String, found: i64, known: i64 },
    /// It's older than this program, and its file can't be migrated.
    #[error(
        "the ledger {path} has schema {found}, and can't be migrated to schema {known}, which this version of biotrack-auth needs: {reason}"
    )]
    NotMigrated { path: String, found: i64, known: i64, reason: String },
    #[error("the ledger {path} stayed busy{}", seconds.map_or_else(String::new, |seconds| format!(" for {seconds} seconds")))]
    Busy {
        path: String,
        /// How long was waited, where that is known.
        seconds: Option<u64>,
    },
    /// Another session of the server kept it locked for too long.
    #[error(
        "the ledger {place} stayed busy for {seconds} seconds: a session{} holds it (server process {process})",
        of_the_role(role.as_deref())
    )]
    Held {
        place: String,
        seconds: u64,
        /// `None` where this role may not see that.
        role: Option<String>,
        /// The server's process for it.
        process: String,
    },
    #[error("the ledger {place} can't be reached: {reason}")]
    Away {
        place: String,
        /// The server's, or the system's, word.
        reason: String,
    },
    /// The server, or its certificate, refuses.
    #[error("the ledger {place} can't be used: {reason}")]
    Refused { place: String, reason: String },
    #[error("the ledger {place} is behind a connection pooler in transaction mode, which is not supported")]
    Pooled { place: String },
    #[error("the ledger {place} can't use this database: its encoding is {encoding}, not UTF8")]
    NotUtf8 {
        place: String,
        /// The database's encoding, as the server names it.
        encoding: String,
    },
    /// The schema that a ledger is in was made by a role to which nobody entrusted it.
    #[error(
        "the ledger {place} isn't safe to use: the role {owner} created the schema biotrack_auth or an object in it, and doesn't own the database"
    )]
    ForeignSchema { place: String, owner: String, database: String },
    /// The file system under it lacks what it needs.
    #[error("the ledger can't be kept at {path}: {on} doesn't support {lacks} ({reason})")]
    FileSystem {
        /// What can't be locked or mapped: the ledger, or a file beside it.
        path: String,
        /// Which file system, as part of a sentence.
        on: String,
        lacks: &'static str,
        /// The system's, or SQLite's, word.
        reason: String,
    },
    #[error("the ledger {place} has moved to {to}")]
    Moved { place: String, to: String },
    #[error("the move of the ledger from {from} to {place} isn't finished")]
    Arriving { place: String, from: String },
    #[error("the ledger {place} already has records")]
    Occupied { place: String },
    /// Others took a flow over, because this process wasn't heard of for too long.
    #[error("another process took this request over, because this one did not respond in time")]
    TakenOver,
    #[error("the ledger can't {what}: {reason}")]
    Io {
        what: &'static str,
        /// SQLite's, or the system's, word.
        reason: String,
    },
    /// A server failed at a write or read.
    #[error("the ledger can't {what}: {reason}")]
    ServerFailed { what: &'static str, reason: String },
    #[error("another process changed {license} in the meantime")]
    Changed { license: String },
    /// Somebody wrote a count by hand that no host has counted to, and from which none can count on.
    #[error("a counter of {license} in the ledger is damaged: no host counted that far")]
    DamagedCounter { license: String },
    #[error("a secret was changed in the meantime")]
    SecretMoved,
    #[error("the secrets were moved to the {moved} vault while this command was using the {kind} vault")]
    OtherVault {
        /// Where they are.
        moved: String,
        /// The vault that the command began with.
        kind: &'static str,
    },
    #[error("the history's chain is broken; nothing was removed")]
    BrokenHistory,
    #[error("{license} was granted, but the grant can't be stored yet: {reason}")]
    NotKept { license: String, reason: String },
    /// It lacks what this host had seen of it.
    #[error(
        "the ledger {path} went back in time: it lacks changes that this host made; since then this host changed {licenses}"
    )]
    WentBack {
        path: String,
        /// What this host changed since.
        licenses: String,
    },
    /// The refresh token may be spent.
    #[error(
        "{license} was not refreshed: the ledger went back in time, and the refresh token may already be used"
    )]
    MayBeSpent { license: String },
    #[error("{license} was refreshed, but its new tokens can't be stored yet: {reason}")]
    NotRefreshed { license: String, reason: String },
}

fn of_the_role(role: Option<&str>) -> String {
    role.map_or_else(String::new, |role| format!(" of the role {role}"))
}

impl LedgerError {
    /// Its kind: a record that someone else changed is `busy`, all else is the ledger's.
    pub fn kind(&self) -> ErrorCode {
        match self {
            Self::Changed { .. } | Self::SecretMoved | Self::TakenOver | Self::OtherVault { .. } => {
                ErrorCode::Busy
            }
            Self::BrokenHistory => ErrorCode::Failed,
            _ => ErrorCode::Ledger,
        }
    }

    /// Whether the ledger can't be asked, for the moment or until somebody mends that: what it would say isn't known.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Away { .. }
                | Self::Refused { .. }
                | Self::Busy { .. }
                | Self::Held { .. }
                | Self::Open { .. }
                | Self::Io { .. }
                | Self::ServerFailed { .. }
        )
    }

    /// What to do about it. `selector` names the license that it's about, where that is known, behind a command.
    pub fn hint(&self, selector: Option<&str>) -> Option<String> {
        Some(match self {
            Self::Open { .. } if cfg!(windows) => "Check who may use the folder (biotrack-auth doctor), and the disk.",
            Self::Open { .. } => "Check the folder's owner and mode (0700, yours), and the disk.",
            Self::FileSystem { .. } => "Keep it on a local disk: set XDG_DATA_HOME, or BIOTRACK_AUTH_HOME for everything, to a folder there, also for cron and systemd. To share a ledger among hosts, use PostgreSQL (docs/team.md).",
            Self::Missing { on_a_server: false, .. } => "Check that its folder is mounted, and that BIOTRACK_AUTH_HOME or XDG_DATA_HOME is the same as when the ledger was created. To create a first ledger, run biotrack-auth config init, register or import.",
            Self::Missing { on_a_server: true, .. } => "Check the host and the database that the configuration names (ledger = \"…\"). To create a first ledger, run biotrack-auth config init, register or import.",
            Self::Damaged { .. } => "Keep the file, restore the last backup next to it (with its -wal file), and compare the two.",
            Self::Newer { .. } => "Install the newer version on this host. This version changes nothing.",
            Self::Older { .. } => "Migrate it as the role that owns it: biotrack-auth doctor --fix. Until then the older version works with it.",
            Self::NotItsOwner { owner, .. } => return Some(format!("Run biotrack-auth doctor --fix as {owner}: with postgres://{owner}@… as the ledger's address.")),
            Self::NotMigrated { .. } => "Make the file and its folder writable, with room for a copy of the file, then migrate it: biotrack-auth doctor --fix",
            Self::Busy { .. } => "Wait until the other process has finished, then run the command again.",
            Self::Held { process, .. } => {
                return Some(format!("Run the command again when that session has ended. If it hangs, an administrator can end it: SELECT pg_terminate_backend({process});"));
            }
            Self::Away { .. } => "Check that the server is running and that this host can reach it (biotrack-auth doctor), then run the command again. Grants that arrive meanwhile are kept here, sealed.",
            Self::Refused { .. } => "Check the role, its privileges, its password file and the certificates (docs/team.md), then run the command again.",
            Self::NotUtf8 { .. } => "Create a database for it: CREATE DATABASE ledger TEMPLATE template0 ENCODING 'UTF8' OWNER ledger_owner;",
            Self::ForeignSchema { owner, database, .. } => {
                return Some(format!("Code that this role put there would run with the rights of everyone who uses the ledger. If the role should own the ledger, the database's owner or an administrator runs: ALTER DATABASE \"{database}\" OWNER TO \"{owner}\". Otherwise remove the schema: DROP SCHEMA biotrack_auth."));
            }
            Self::Pooled { .. } => "Use the server's own address in the configuration, or put the pooler in session mode (pgbouncer: pool_mode = session).",
            Self::Moved { .. } => "Set its new place in the configuration: ledger = \"…\"; \"sqlite\" is the file of the host that it moved to.",
            Self::Arriving { .. } => "Run the same biotrack-auth config ledger move again on the host where it began: it continues.",
            Self::Occupied { .. } => "Choose a place without records, such as an empty database. To merge two ledgers, export the records from one and import them into the other.",
            Self::TakenOver => "To see the current state: biotrack-auth status",
            Self::ServerFailed { .. } => "Check the server's log and its free disk space, then run the command again.",
            Self::Io { .. } => "Check the disk's space and health, then run the command again.",
            Self::Changed { .. } => "Check its state (biotrack-auth status), then run the command again if it's still needed.",
            Self::DamagedCounter { .. } => "To repair it: biotrack-auth doctor --fix",
            Self::SecretMoved => "Run the command again when the other process has finished.",
            Self::OtherVault { moved, .. } => {
                return Some(format!("Run the command again. If it fails in the same way: biotrack-auth config vault {moved}"));
            }
            Self::BrokenHistory => "To find the break: biotrack-auth history verify. Keep the file, and compare it with a backup.",
            Self::WentBack { .. } => "Nothing was done. Run the command again: it hands out valid access tokens. Until you run biotrack-auth import --adopt, it sends no refresh token that may already be used. Register missing licenses again.",
            Self::MayBeSpent { .. } => {
                let renew = selector.map_or("see biotrack-auth status".into(), |it| format!("biotrack-auth renew {it}"));
                return Some(format!("Ask the admin to grant access again: {renew}; or try the token, which ends the grant if it was already used: biotrack-auth import --adopt"));
            }
            Self::NotRefreshed { .. } => "The tokens are kept, sealed. Fix the cause, then run the same command: it stores them without asking BioTrack again.",
            Self::NotKept { .. } => "The grant is safe: it is kept encrypted. Fix the cause, then run the same command: it stores the grant without asking the admin again.",
        }
        .into())
    }
}
