//! What keeps grants from being stored, and secrets from being moved.

/// What keeps grants from being stored, and secrets from being moved. Its sentences say what to do. Never carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// A grant arrived, and could be stored nowhere.
    #[error(
        "{license} was granted, but neither vault, ledger nor spool could keep it ({why}; {spool}): it must be consented again"
    )]
    GrantLost {
        /// Which.
        license: String,
        /// Why vault or ledger couldn't keep it.
        why: String,
        /// Why the journal or the spool couldn't.
        spool: String,
    },
    /// Refreshed tokens arrived, and could be stored nowhere.
    #[error(
        "{license} was refreshed, but neither vault, ledger nor spool could keep its new tokens ({why}; {spool}): it may have to be consented again"
    )]
    TokensLost {
        /// Which.
        license: String,
        /// Why vault or ledger couldn't keep them.
        why: String,
        /// Why the journal or the spool couldn't.
        spool: String,
    },
    /// Another process has the vault's turn.
    #[error(
        "another process is moving secrets, or clearing away what nothing names: run the command again when it has ended"
    )]
    OtherMove,
    /// A license's consent or refresh was left half done.
    #[error(
        "{license} was left half done by a process that has ended: finish it first, as biotrack-auth status says"
    )]
    HalfDone {
        /// Which.
        license: String,
    },
    /// Secrets were changed by others in each of several tries to move them.
    #[error("others keep changing secrets: run the command again when they have ended")]
    SecretsKeepChanging,
}
