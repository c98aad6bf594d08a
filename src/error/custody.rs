//! What keeps grants from being stored, and secrets from being moved.

/// What keeps grants from being stored, and secrets from being moved. Its sentences say what to do. Never carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// A grant arrived, and could be stored nowhere.
    #[error(
        "{license} was granted, but the grant could not be stored in the vault, the ledger or the spool ({why}; {spool}): the admin must grant access again"
    )]
    GrantLost {
        license: String,
        /// Why vault or ledger couldn't keep it.
        why: String,
        /// Why the journal or the spool couldn't.
        spool: String,
    },
    /// Refreshed tokens arrived, and could be stored nowhere.
    #[error(
        "{license} was refreshed, but its new tokens could not be stored in the vault, the ledger or the spool ({why}; {spool}): the admin may have to grant access again"
    )]
    TokensLost {
        license: String,
        /// Why vault or ledger couldn't keep them.
        why: String,
        /// Why the journal or the spool couldn't.
        spool: String,
    },
    #[error("another process is moving or cleaning up secrets: run the command again when it has finished")]
    OtherMove,
    /// A license's consent or refresh was left half done.
    #[error(
        "{license} has a consent or refresh that isn't finished: finish it first with the next command that biotrack-auth status shows"
    )]
    HalfDone { license: String },
    #[error("other processes keep changing secrets: run the command again when they have finished")]
    SecretsKeepChanging,
}
