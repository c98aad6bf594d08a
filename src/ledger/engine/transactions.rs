//! The engine that holds a ledger, and the kinds of transaction that it has.

use super::db::Db;
use super::db_error::DbError;
use super::postgres::ServerSession;
use super::sqlite::LedgerFile;
use super::transaction_kind::TransactionKind;
use std::rc::Rc;

pub(in crate::ledger) enum LedgerEngine {
    Sqlite(LedgerFile),
    /// A server that several hosts share.
    Postgres(Rc<ServerSession>),
}

impl LedgerEngine {
    /// For statements that need no transaction.
    pub(in crate::ledger) fn db(&self) -> Db<'_> {
        match self {
            Self::Sqlite(file) => file.db(),
            Self::Postgres(session) => Db::Postgres(session),
        }
    }

    /// By which connection it's reached: another number after it was lost and made anew.
    pub(in crate::ledger) fn connection(&self) -> u64 {
        match self {
            Self::Sqlite(_) => 0,
            Self::Postgres(session) => session.connections(),
        }
    }

    /// One synced transaction; others wait for it, and it for them.
    pub(in crate::ledger) fn transaction<T>(
        &self,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::Alone, work)
    }

    /// The same for what others must not go on behind as if it hadn't happened.
    pub(in crate::ledger) fn undisturbed<T>(
        &self,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::Undisturbed, work)
    }

    /// The same as [`Self::transaction`], which survives this process's end at once, and a power cut once something synced follows it.
    pub(in crate::ledger) fn relaxed<T>(
        &self,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::Plain, work)
    }

    /// The same for what isn't worth waiting for: where another process is writing, nothing is done.
    pub(in crate::ledger) fn in_passing<T>(
        &self,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::InPassing, work)
    }

    /// Reads that all see the same.
    pub(in crate::ledger) fn snapshot<T>(
        &self,
        read: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.within(TransactionKind::Snapshot, read)
    }

    fn within<T>(
        &self,
        begin: TransactionKind,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        match self {
            Self::Sqlite(file) => file.within(begin, work),
            Self::Postgres(session) => session.within(begin, || work(Db::Postgres(session))),
        }
    }

    /// Now, and not after a redirect: the next commit pays whatever a log costs that is begun anew.
    pub(in crate::ledger) fn checkpoint(&self) {
        if let Self::Sqlite(file) = self {
            file.checkpoint();
        }
    }
}
