//! A PostgreSQL server: one connection, polled on a thread of its own, and asked from the thread that waits for it.
//!
//! Every transaction that writes begins by locking the history's head, so that there is one writer at a time, as with a
//! file; and sees there that the schema is the one that this program knows. A lost connection is made anew for the next
//! transaction. Sources: PostgreSQL's manual, 34.19 (TLS), 13.3.2 (row locks), 9.28.10 (advisory locks).

use super::connect::ConnectFailure;
use super::database_check;
use super::heartbeat::Heartbeat;
use super::line::{ConnectionAttempt, LockHolder, PendingReply, SilenceCause, answered};
use super::messages::rows;
use super::values::spelled;
use crate::error::{Error, LedgerError, Result};
use crate::ledger::engine::db_error::DbError;
use crate::ledger::engine::transaction_kind::{LockPatience, PATIENCE, TransactionKind};
use crate::ledger::engine::value::SqlValue;
use crate::ledger::move_state::{MoveState, elsewhere};
use crate::ledger::schema::fits;
use crate::model::server::DatabaseServer;
use futures_core::Stream;
use std::cell::{Cell as Mutable, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

/// The ledger's schema before what anybody may have put elsewhere, patience, and each look by its index (schema 7): where many
/// share a profile, the server would rather read all records than count in one. To it a table without an index that fits looks endless
/// then, and it would compile each statement that reads one: 0.2 s for the single row of the history's head.
const SETTINGS: &str = "SET search_path = biotrack_auth, pg_temp; SET lock_timeout = '10s'; SET statement_timeout = '50s'; \
                        SET idle_in_transaction_session_timeout = '20s'; SET standard_conforming_strings = on; \
                        SET enable_seqscan = off; SET jit = off";

/// A database, connected.
pub(in crate::ledger) struct ServerSession {
    pub(super) runtime: Handle,
    /// What the connections run on. It's left behind, and not waited for: a look-up of a name has no end of its own.
    threads: Option<Runtime>,
    pub(super) server: DatabaseServer,
    pub(super) random_id: String,
    reads_only: bool,
    /// It's used whether or not its records have moved: by whoever moves them.
    anyway: bool,
    connection: RefCell<Option<Connection>>,
    /// The server's process for it, once that is known.
    process: RefCell<Option<String>>,
    /// The next one, as long as there is none.
    attempt: RefCell<ConnectionAttempt>,
    connections: Mutable<u64>,
    pub(super) heartbeat: RefCell<Option<Heartbeat>>,
    /// The lock that is waited for at the moment has no time limit of the session's.
    pub(super) patience: Mutable<Duration>,
    /// An answer never came: nothing more goes by this connection.
    pub(super) hangs: Mutable<bool>,
    impatience: LockPatience,
    /// Who was found to keep this session waiting.
    pub(super) blocker: RefCell<Option<LockHolder>>,
    within: Mutable<TransactionState>,
}

/// Whether a transaction is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TransactionState {
    Nothing,
    Transaction,
    /// One in which a statement failed: it can only be undone.
    Failed,
}

pub(super) struct LedgerIdentity {
    pub(super) schema: i64,
    pub(super) id: Option<String>,
    move_state: MoveState,
}

struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl ServerSession {
    pub(super) fn connect(server: &DatabaseServer, reads_only: bool) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|e| Error::System { what: "no thread can be started", reason: e.to_string() })?;
        let session = Self {
            runtime: runtime.handle().clone(),
            threads: Some(runtime),
            server: server.clone(),
            random_id: String::new(),
            reads_only,
            anyway: false,
            connection: RefCell::new(None),
            process: RefCell::default(),
            attempt: RefCell::default(),
            connections: Mutable::new(0),
            heartbeat: RefCell::new(None),
            patience: Mutable::new(PATIENCE),
            hangs: Mutable::new(false),
            impatience: LockPatience::default(),
            blocker: RefCell::default(),
            within: Mutable::new(TransactionState::Nothing),
        };
        session.connected()?;
        Ok(session)
    }

    /// The same, used whether or not its records have moved.
    pub(super) fn anyway(mut self) -> Self {
        self.anyway = true;
        self
    }

    /// What a failover may lose: `None` where nothing is replicated, or a commit waits for a standby that has it.
    pub(in crate::ledger) fn failover_risk(&self) -> Result<Option<&'static str>> {
        let asked = self.simple(
            "SELECT (SELECT count(*) FROM pg_stat_replication), current_setting('synchronous_standby_names'), \
             current_setting('synchronous_commit')",
        );
        let asked = asked.map_err(|e| self.fault("be read", e))?;
        let Some(row) = rows(&asked).next() else { return Ok(None) };
        let has_standbys = self.server.hosts.len() > 1 || row.get(0).is_some_and(|count| count != "0");
        Ok(match (has_standbys, row.get(1), row.get(2)) {
            (false, ..) => None,
            (_, Some(""), _) => Some("synchronous_standby_names is empty"),
            (_, _, Some("off" | "local")) => Some("synchronous_commit waits for no standby"),
            _ => None,
        })
    }

    pub(in crate::ledger) fn connections(&self) -> u64 {
        self.connections.get()
    }

    /// Its own random name.
    pub(in crate::ledger) fn id(&self) -> &str {
        &self.random_id
    }

    /// Takes the ledger's name, once it's sure that it can be used as it is; `None` where there is no ledger.
    pub(super) fn look(&mut self) -> Result<Option<()>> {
        let Some(meta) = self.meta()? else { return Ok(None) };
        self.stays(&meta)?;
        self.fits(&meta)?;
        self.random_id = meta.id.ok_or_else(|| self.damaged("it has no name"))?;
        Ok(Some(()))
    }

    /// What the ledger says of itself; `None` where there is none.
    pub(super) fn meta(&self) -> Result<Option<LedgerIdentity>> {
        let read = |statement: &str| self.simple(statement).map_err(|e| self.fault("be read", e));
        // Read as a row: a look-up of the name would remember, in the transaction that waits to make it, that it wasn't there.
        let made = "SELECT FROM pg_tables WHERE schemaname = 'biotrack_auth' AND tablename = 'meta'";
        if rows(&read(made)?).next().is_none() {
            return Ok(None);
        }
        self.said(&read(META)?).map(Some)
    }

    pub(super) fn said(&self, answer: &[SimpleQueryMessage]) -> Result<LedgerIdentity> {
        let row = rows(answer).last();
        let cell = |column| row.and_then(|row| row.get(column)).map(crate::error::clean);
        let schema = cell(0).and_then(|it| it.parse().ok());
        Ok(LedgerIdentity {
            schema: schema.ok_or_else(|| self.damaged("it doesn't say which schema it has"))?,
            id: cell(1),
            move_state: MoveState { moved: cell(2), arriving: cell(3) },
        })
    }

    pub(super) fn fits(&self, meta: &LedgerIdentity) -> Result<(), LedgerError> {
        fits(&self.server.address, meta.schema)
    }

    pub(super) fn stays(&self, meta: &LedgerIdentity) -> Result<()> {
        elsewhere(&self.place(), meta.move_state.clone()).filter(|_| !self.anyway).map_or(Ok(()), Err)
    }

    /// What is asked goes by this session's connection, made anew where it was lost; but never within a transaction: the rest
    /// of it would be a half that stands alone.
    pub(super) fn connected(&self) -> Result<()> {
        let there = self.connection.borrow().as_ref().is_some_and(|it| !it.client.is_closed());
        match (there && !self.hangs.get(), self.within.get()) {
            (true, _) => return Ok(()),
            (false, TransactionState::Nothing) => {}
            (false, _) => return Err(self.away("the connection was lost".to_owned())),
        }
        self.hangs.set(false);
        (*self.connection.borrow_mut(), *self.process.borrow_mut()) = (None, None);
        let client = self.attempt.borrow_mut().client(&self.runtime, &self.server);
        let client = client.map_err(|e| self.away(e))?;
        let reads_only = if self.reads_only { "; SET default_transaction_read_only = on" } else { "" };
        *self.connection.borrow_mut() = Some(Connection { client, statements: HashMap::new() });
        self.connections.set(self.connections.get() + 1);
        let opened =
            self.opened(&format!("{SETTINGS}{reads_only}; SELECT pg_backend_pid(); {}", database_check::ASK));
        if opened.is_err() {
            // It's looked at again before anything goes by it.
            self.hangs.set(true);
        }
        opened
    }

    /// Nothing in the ledger's schema is touched before it's sure whose that is.
    fn opened(&self, statements: &str) -> Result<()> {
        let answer = self.simple(statements).map_err(|e| self.fault("be opened", e))?;
        let process = rows(&answer).next().and_then(|row| row.get(0)).map(str::to_owned);
        *self.process.borrow_mut() = process;
        Ok(database_check::refuse(&self.server.address, &answer)?)
    }

    pub(in crate::ledger::engine) fn simple(
        &self,
        statements: &str,
    ) -> Result<Vec<SimpleQueryMessage>, DbError> {
        let connection = self.connection.borrow();
        let Some(Connection { client, .. }) = connection.as_ref() else { return Err(self.lost()) };
        self.wait(client.simple_query(statements))
    }

    /// Work inside a transaction that begins so: all of it, or nothing.
    pub(in crate::ledger::engine) fn within<T>(
        &self,
        begin: TransactionKind,
        work: impl FnOnce() -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.transaction(|| self.begin(begin), work)
    }

    pub(super) fn transaction<T>(
        &self,
        begin: impl FnOnce() -> Result<(), DbError>,
        work: impl FnOnce() -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.connected()?;
        self.within.set(TransactionState::Transaction);
        let done = begin().and_then(|()| work());
        let failed = self.within.replace(TransactionState::Nothing) == TransactionState::Failed;
        match done {
            // The server would take its end for a wish to undo it all, and say that it's done.
            Ok(_) if failed => Err(self.lost()),
            Ok(done) => self.simple("COMMIT").map(|_| done),
            Err(e) => {
                // Where the connection is lost, the server does it.
                let _ = self.simple("ROLLBACK");
                Err(self.naming_the_holder(e))
            }
        }
    }

    /// A lock that was waited for in vain is told with the session that has it, where that can be seen.
    fn naming_the_holder(&self, e: DbError) -> DbError {
        match &e {
            DbError::Postgres(said) if said.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                self.impatience.waited_in_vain();
            }
            DbError::Ours(Error::Ledger(LedgerError::Held { .. })) => {
                self.impatience.waited_in_vain();
                return e;
            }
            _ => return e,
        }
        if let Some(held) = self.held(PATIENCE) {
            return held.into();
        }
        let Ok(found) = self.simple(&holder()) else { return e };
        let Some(row) = rows(&found).next() else { return e };
        let (seconds, role) = (PATIENCE.as_secs(), row.get(0).map(crate::error::clean));
        let process = row.get(1).map(crate::error::clean).unwrap_or_default();
        LedgerError::Held { place: self.place(), seconds, role, process }.into()
    }

    /// The session that was seen to have the lock which was waited for.
    pub(super) fn held(&self, waited: Duration) -> Option<LedgerError> {
        let LockHolder { role, process, .. } = self.blocker.borrow().clone().filter(LockHolder::is_recent)?;
        Some(LedgerError::Held { place: self.place(), seconds: waited.as_secs(), role, process })
    }

    /// The same in words, where it was seen a moment ago.
    pub(in crate::ledger) fn lock_holder(&self) -> Option<String> {
        let LockHolder { role, process, .. } = self.blocker.borrow().clone().filter(LockHolder::is_recent)?;
        let role = role.map_or_else(String::new, |role| format!("role {role}, "));
        Some(format!("{role}server process {process}"))
    }

    /// The same of a statement, also one outside of a transaction.
    fn or_held(&self, e: DbError) -> DbError {
        match &e {
            DbError::Postgres(said) if said.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                self.held(PATIENCE).map_or(e, DbError::from)
            }
            _ => e,
        }
    }

    /// What the ledger says of itself is asked behind what was waited for: a statement that waits sees what was before.
    pub(super) fn begin(&self, how: TransactionKind) -> Result<(), DbError> {
        let begun = self.simple(&match how {
            TransactionKind::Alone => {
                let milliseconds = self.impatience.patience().as_millis();
                format!(
                    "BEGIN; SET LOCAL lock_timeout = {milliseconds}; SELECT FROM history_head FOR UPDATE; {META} FROM history_head"
                )
            }
            TransactionKind::Undisturbed => format!("{}; {META}", undisturbed()),
            TransactionKind::Plain => format!("BEGIN; SELECT pg_advisory_xact_lock_shared({MAKING}); {META}"),
            TransactionKind::InPassing => format!(
                "BEGIN; SET LOCAL lock_timeout = '10ms'; SET LOCAL synchronous_commit = off; \
                 SELECT pg_advisory_xact_lock_shared({MAKING}); {META}"
            ),
            TransactionKind::Snapshot => format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {META}"),
        })?;
        let meta = self.said(&begun)?;
        self.fits(&meta)?;
        if how != TransactionKind::Snapshot {
            self.stays(&meta)?;
        }
        Ok(())
    }

    pub(in crate::ledger::engine) fn execute(
        &self,
        statement: &str,
        values: &[SqlValue<'_>],
    ) -> Result<usize, DbError> {
        let prepared = self.prepared(statement)?;
        let connection = self.connection.borrow();
        let Some(Connection { client, .. }) = connection.as_ref() else { return Err(self.lost()) };
        let changed = self.wait(client.execute_raw(&prepared, values.iter().map(|it| it as &dyn ToSql)));
        let changed = changed.map_err(|e| self.or_held(e))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(in crate::ledger::engine) fn query(
        &self,
        statement: &str,
        values: &[SqlValue<'_>],
    ) -> Result<Vec<Row>, DbError> {
        let prepared = self.prepared(statement)?;
        let connection = self.connection.borrow();
        let Some(Connection { client, .. }) = connection.as_ref() else { return Err(self.lost()) };
        let heard = Mutable::new(Instant::now());
        let asked = async {
            let mut rows = pin!(client.query_raw(&prepared, values.iter().map(|it| it as &dyn ToSql)).await?);
            let mut all = Vec::new();
            while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
                heard.set(Instant::now());
                all.push(row?);
            }
            Ok(all)
        };
        self.wait_for_parts(&heard, asked).map_err(|e| self.or_held(e))
    }

    /// Each statement is parsed once by the server, for each connection.
    pub(super) fn prepared(&self, statement: &str) -> Result<Statement, DbError> {
        self.connected()?;
        let mut connection = self.connection.borrow_mut();
        let Some(Connection { client, statements }) = connection.as_mut() else { return Err(self.lost()) };
        if let Some(known) = statements.get(statement) {
            return Ok(known.clone());
        }
        let prepared = self.wait(client.prepare(&spelled(statement))).map_err(|e| self.or_held(e))?;
        statements.insert(statement.to_owned(), prepared.clone());
        Ok(prepared)
    }

    pub(super) fn wait<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, DbError> {
        self.wait_for_parts(&Mutable::new(Instant::now()), asked)
    }

    /// The same for what comes in parts: `heard` says when the last of them came.
    fn wait_for_parts<T>(
        &self,
        heard: &Mutable<Instant>,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, DbError> {
        let heartbeat = self.heartbeat.borrow();
        let process = self.process.borrow();
        let watched = PendingReply {
            server: &self.server,
            process: process.as_deref(),
            second: heartbeat.as_ref().map(Heartbeat::second),
            patience: self.patience.get(),
            blocker: &self.blocker,
        };
        // Whatever is asked of a connection that hangs would wait behind that.
        let answer = match self.hangs.get() {
            true => Err(self.lost()),
            false => match self.runtime.block_on(answered(watched, heard, asked)) {
                Ok(answer) => answer.map_err(DbError::from),
                Err(silence) => {
                    match silence {
                        SilenceCause::OfTheConnection => self.hangs.set(true),
                        SilenceCause::OfTheServer => self.nothing_answers(),
                    }
                    Err(self.lost())
                }
            },
        };
        if answer.is_err() && self.within.get() == TransactionState::Transaction {
            self.within.set(TransactionState::Failed);
        }
        answer
    }

    /// The server was waited for in vain: that is done once, and not again for whatever else is asked of it now.
    pub(super) fn nothing_answers(&self) {
        self.hangs.set(true);
        self.attempt.borrow_mut().is_away();
    }

    /// The server's address, for messages.
    pub(in crate::ledger) fn place(&self) -> String {
        self.server.address.clone()
    }

    pub(super) fn fault(&self, what: &'static str, e: DbError) -> Error {
        self.or_held(e).named(&self.server.address, what)
    }

    pub(super) fn lost(&self) -> DbError {
        DbError::Ours(self.away("the connection was lost".to_owned()))
    }

    pub(super) fn away(&self, reason: impl Into<ConnectFailure>) -> Error {
        let place = self.place();
        match reason.into() {
            ConnectFailure::Away(reason) => LedgerError::Away { place, reason }.into(),
            ConnectFailure::Refused(reason) => LedgerError::Refused { place, reason }.into(),
        }
    }

    pub(super) fn damaged(&self, reason: &str) -> Error {
        LedgerError::Damaged { path: self.place(), reason: reason.into() }.into()
    }
}

impl Drop for ServerSession {
    fn drop(&mut self) {
        self.threads.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// An advisory lock's number that no claim has: claims' are hashes. Whoever makes, migrates or moves the ledger has it alone; notes
/// are made by many at once.
pub(super) const MAKING: i64 = 0x0062_6961_7574_6800;

/// Nobody writes or notes anything any more, and whoever waits to do so sees afterwards what was done: also a program of 0.2.0,
/// which looks at the ledger's schema in the very statement that waits for the head's row, and so has to wait for its table.
pub(super) fn undisturbed() -> String {
    format!(
        "BEGIN; SELECT pg_advisory_xact_lock({MAKING}); LOCK TABLE biotrack_auth.history_head IN EXCLUSIVE MODE"
    )
}

/// Asks who keeps others from writing: a session that has the history's head or the lock of [`MAKING`], and waits for nobody itself.
fn holder() -> String {
    format!(
        "SELECT usename, pid FROM pg_locks AS its JOIN pg_stat_activity USING (pid)
         WHERE its.granted AND pid <> pg_backend_pid()
             AND (relation = 'biotrack_auth.history_head'::regclass
                 OR locktype = 'advisory' AND (classid::bigint << 32 | objid::bigint) = {MAKING} AND mode = 'ExclusiveLock')
             AND NOT EXISTS (SELECT FROM pg_locks AS waits WHERE waits.pid = its.pid AND NOT waits.granted)
         LIMIT 1"
    )
}

/// Asks what the ledger says of itself.
const META: &str = "SELECT (SELECT value FROM biotrack_auth.meta WHERE name = 'schema'), \
                    (SELECT value FROM biotrack_auth.meta WHERE name = 'id'), \
                    (SELECT value FROM biotrack_auth.meta WHERE name = 'moved'), \
                    (SELECT value FROM biotrack_auth.meta WHERE name = 'arriving')";
