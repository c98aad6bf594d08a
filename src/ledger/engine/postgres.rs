//! A PostgreSQL server: one connection, polled on a thread of its own, and asked from the thread that waits for it.
//!
//! Every transaction that writes begins by locking the history's head, so that there is one writer at a time, as with a
//! file; and sees there that the schema is the one that this program knows. A lost connection is made anew for the next
//! transaction. Sources: PostgreSQL's manual, 34.19 (TLS), 13.3.2 (row locks), 9.28.10 (advisory locks).

use super::{Cell, Fault, Value, strange};
use crate::edge::Random;
use crate::error::{Error, LedgerError, Result};
use crate::ledger::moving::{Whereabouts, elsewhere};
use crate::model::server::{Encryption, Server};
use bytes::BytesMut;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::cell::{Cell as Mutable, RefCell};
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The newest schema that this program knows, and what makes it.
const SCHEMA: i64 = 7;
const MADE_BY: &str = include_str!("../schema/postgres/007.sql");

/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long others' locks are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer is waited for: past the server's own limits it isn't there any more.
const ANSWERING: Duration = Duration::from_secs(60);
/// How long a process counts as being at work after it was last heard of.
const LEASE: Duration = Duration::from_secs(90);
/// How long what a process left open is its own host's to finish: a code lives ten minutes at most (RFC 6749, 4.1.2).
const LEFT: Duration = Duration::from_secs(15 * 60);
/// How often it's heard of.
const BEAT: Duration = Duration::from_secs(15);

/// The ledger's schema before what anybody may have put elsewhere, this host's patience, and dead peers noticed.
const SETTINGS: &str = "SET search_path = biotrack_auth, pg_temp; SET lock_timeout = '10s'; SET statement_timeout = '50s'; \
                        SET idle_in_transaction_session_timeout = '60s'; SET standard_conforming_strings = on";

/// A database, connected.
pub(in crate::ledger) struct Session {
    runtime: Runtime,
    server: Server,
    random_id: String,
    reads_only: bool,
    /// It's used whether or not its records have moved: by whoever moves them.
    anyway: bool,
    connection: RefCell<Option<Connection>>,
    presence: RefCell<Option<Presence>>,
    /// The lock that is waited for at the moment has no time limit of the session's.
    patience: Mutable<Duration>,
}

struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
}

/// This process shows that it lives, on a connection of its own, until it's dropped.
struct Presence {
    mark: String,
    /// When it was last noted.
    heard: Arc<Mutex<Instant>>,
    task: tokio::task::JoinHandle<()>,
}

/// A row of an answer.
pub(in crate::ledger) type Row = tokio_postgres::Row;

impl Session {
    /// Connects, and makes the ledger where there is none yet.
    pub(in crate::ledger) fn write(server: &Server, random: &dyn Random) -> Result<Self> {
        let mut session = Self::connect(server, false)?;
        if session.look()?.is_none() {
            session.make(random)?;
            session.look()?.ok_or_else(|| session.strange("it was made, and isn't there"))?;
        }
        Ok(session)
    }

    /// Connects for reading; `None` where there is no ledger yet.
    pub(in crate::ledger) fn read(server: &Server) -> Result<Option<Self>> {
        let mut session = Self::connect(server, true)?;
        Ok(session.look()?.map(|()| session))
    }

    /// The same for whoever moves its records.
    pub(in crate::ledger) fn as_it_is(server: &Server, random: &dyn Random) -> Result<Self> {
        let mut session = Self { anyway: true, ..Self::connect(server, false)? };
        if session.look()?.is_none() {
            session.make(random)?;
            session.look()?.ok_or_else(|| session.strange("it was made, and isn't there"))?;
        }
        Ok(session)
    }

    /// Whether there is no ledger yet.
    pub(in crate::ledger) fn is_new(server: &Server) -> Result<bool> {
        let mut session = Self { anyway: true, ..Self::connect(server, true)? };
        Ok(session.look()?.is_none())
    }

    /// Removes a ledger that has moved away, and makes an empty one.
    pub(in crate::ledger) fn makes_room(&self, random: &dyn Random) -> Result<()> {
        self.simple("DROP SCHEMA biotrack_auth CASCADE").map_err(|e| self.fault("be replaced", e))?;
        self.make(random)
    }

    fn connect(server: &Server, reads_only: bool) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|e| Error::Failed(format!("no thread can be started: {e}")))?;
        let session = Self {
            runtime,
            server: server.clone(),
            random_id: String::new(),
            reads_only,
            anyway: false,
            connection: RefCell::new(None),
            presence: RefCell::new(None),
            patience: Mutable::new(PATIENCE),
        };
        session.connected()?;
        Ok(session)
    }

    /// Its own random name.
    pub(in crate::ledger) fn id(&self) -> &str {
        &self.random_id
    }

    /// The schema it has, which is the one that this program knows.
    pub(in crate::ledger) fn schema() -> i64 {
        SCHEMA
    }

    /// Its name, schema and whether it has moved; `None` where there is no ledger.
    fn look(&mut self) -> Result<Option<()>> {
        let there = self
            .simple("SELECT to_regclass('biotrack_auth.meta') IS NOT NULL")
            .map_err(|e| self.fault("be read", e))?;
        if first(&there) != Some("t") {
            return Ok(None);
        }
        let all = self
            .simple("SELECT name, value FROM biotrack_auth.meta")
            .map_err(|e| self.fault("be read", e))?;
        let meta: HashMap<_, _> = rows(&all).filter_map(|row| Some((row.get(0)?, row.get(1)?))).collect();
        let schema = meta.get("schema").and_then(|it| it.parse().ok());
        self.fits(schema.ok_or_else(|| self.strange("it doesn't say which schema it has"))?)?;
        self.stays(meta.get("moved").copied(), meta.get("arriving").copied())?;
        self.random_id =
            meta.get("id").map(|id| (*id).to_owned()).ok_or_else(|| self.strange("it has no name"))?;
        Ok(Some(()))
    }

    fn fits(&self, found: i64) -> Result<()> {
        match found {
            SCHEMA => Ok(()),
            _ => Err(LedgerError::Newer { path: self.place(), found, known: SCHEMA }.into()),
        }
    }

    fn stays(&self, moved: Option<&str>, arriving: Option<&str>) -> Result<()> {
        let named = |text: Option<&str>| text.map(crate::error::clean);
        let there = Whereabouts { moved: named(moved), arriving: named(arriving) };
        elsewhere(&self.place(), there).filter(|_| !self.anyway).map_or(Ok(()), Err)
    }

    fn make(&self, random: &dyn Random) -> Result<()> {
        let id = random.name()?;
        let made = self.simple(&format!(
            // Two who start at once must not both make it.
            "BEGIN; SELECT pg_advisory_xact_lock({MAKING}); {MADE_BY}
             INSERT INTO meta (name, value) VALUES ('id', '{id}'), ('schema', '{SCHEMA}'); COMMIT"
        ));
        match made {
            Ok(_) => Ok(()),
            Err(e) => {
                let _ = self.simple("ROLLBACK");
                match code(&e) {
                    // Somebody else was quicker.
                    Some(code) if *code == SqlState::DUPLICATE_SCHEMA => Ok(()),
                    _ => Err(self.fault("be made", e)),
                }
            }
        }
    }

    /// What is asked goes by this session's connection, made anew where it was lost.
    fn connected(&self) -> Result<()> {
        if self.connection.borrow().as_ref().is_some_and(|it| !it.client.is_closed()) {
            return Ok(());
        }
        let client = self.runtime.block_on(connect(&self.server)).map_err(|e| self.away(e))?;
        let reads_only = if self.reads_only { "; SET default_transaction_read_only = on" } else { "" };
        *self.connection.borrow_mut() = Some(Connection { client, statements: HashMap::new() });
        self.simple(&format!("{SETTINGS}{reads_only}")).map(drop).map_err(|e| self.fault("be opened", e))
    }

    /// Whether a transaction can be begun: by a connection that is there, or comes again.
    pub(super) fn ready(&self) -> Result<(), Fault> {
        Ok(self.connected()?)
    }

    pub(super) fn simple(&self, statements: &str) -> Result<Vec<SimpleQueryMessage>, Fault> {
        let connection = self.connection.borrow();
        let Some(Connection { client, .. }) = connection.as_ref() else { return Err(self.lost()) };
        self.wait(client.simple_query(statements))
    }

    /// Begins a transaction that writes: alone, and on the schema that this program knows.
    pub(super) fn begin(&self) -> Result<(), Fault> {
        self.ready()?;
        let begun = self.simple(
            "BEGIN; SELECT (SELECT value FROM meta WHERE name = 'schema'), (SELECT value FROM meta WHERE name = 'moved'), \
             (SELECT value FROM meta WHERE name = 'arriving') FROM history_head FOR UPDATE",
        )?;
        let row = rows(&begun).next();
        let schema = row.and_then(|row| row.get(0)).and_then(|it| it.parse().ok()).unwrap_or_default();
        self.fits(schema)?;
        self.stays(row.and_then(|row| row.get(1)), row.and_then(|row| row.get(2)))?;
        Ok(())
    }

    pub(super) fn commit(&self) -> Result<(), Fault> {
        self.simple("COMMIT").map(drop)
    }

    pub(super) fn roll_back(&self) {
        // Where the connection is lost, the server does it.
        let _ = self.simple("ROLLBACK");
    }

    pub(super) fn execute(&self, statement: &str, values: &[Value<'_>]) -> Result<usize, Fault> {
        let prepared = self.prepared(statement)?;
        let connection = self.connection.borrow();
        let Some(Connection { client, .. }) = connection.as_ref() else { return Err(self.lost()) };
        let changed = self.wait(client.execute_raw(&prepared, values.iter().map(|it| it as &dyn ToSql)))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(super) fn query(&self, statement: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Fault> {
        let prepared = self.prepared(statement)?;
        let connection = self.connection.borrow();
        let Some(Connection { client, .. }) = connection.as_ref() else { return Err(self.lost()) };
        let values: Vec<_> = values.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
        self.wait(client.query(&prepared, &values))
    }

    /// Each statement is parsed once by the server, for each connection.
    fn prepared(&self, statement: &str) -> Result<Statement, Fault> {
        self.ready()?;
        let mut connection = self.connection.borrow_mut();
        let Some(Connection { client, statements }) = connection.as_mut() else { return Err(self.lost()) };
        if let Some(known) = statements.get(statement) {
            return Ok(known.clone());
        }
        let prepared = self.wait(client.prepare(&spelled(statement)))?;
        statements.insert(statement.to_owned(), prepared.clone());
        Ok(prepared)
    }

    fn wait<T>(&self, asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Fault> {
        let limit = ANSWERING.max(self.patience.get() + Duration::from_secs(5));
        match self.runtime.block_on(async { tokio::time::timeout(limit, asked).await }) {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(self.lost()),
        }
    }

    /// Shows from now on that this process lives: others leave what it's at to it.
    pub(in crate::ledger) fn enter(&self, mark: &str, label: &str) -> Result<()> {
        let named = |e| self.fault("note who is at work", e);
        self.execute("DELETE FROM owner WHERE until < unixepoch() - 86400", &[]).map_err(named)?;
        self.execute(
            "INSERT INTO owner (mark, label, until) VALUES (?1, ?2, unixepoch() + ?3)",
            &[Value::Text(mark), Value::Text(label), Value::Number(LEASE.as_secs().cast_signed())],
        )
        .map_err(named)?;
        let second = self.runtime.block_on(connect(&self.server)).map_err(|e| self.away(e))?;
        self.refuse_a_pool(&second)?;
        let heard = Arc::new(Mutex::new(Instant::now()));
        let task = self.runtime.spawn(beat(self.server.clone(), second, mark.to_owned(), heard.clone()));
        *self.presence.borrow_mut() = Some(Presence { mark: mark.to_owned(), heard, task });
        Ok(())
    }

    /// This process is at work no longer. Whether nothing of its is left open: else that is its host's to finish for a while,
    /// because an answer may wait there which nobody else knows of.
    pub(in crate::ledger) fn leaves(&self) -> bool {
        let Some(presence) = self.presence.borrow_mut().take() else { return true };
        presence.task.abort();
        let gone =
            "DELETE FROM owner WHERE mark = ?1 AND NOT EXISTS (SELECT FROM flow WHERE owner_mark = ?1)";
        let left = "UPDATE owner SET until = unixepoch() + ?2 WHERE mark = ?1";
        let told = "UPDATE flow SET owner_label = owner_label || ?2 WHERE owner_mark = ?1";
        let mark = Value::Text(&presence.mark);
        if self.execute(gone, &[mark]).is_ok_and(|gone| gone == 1) {
            return true;
        }
        let until = Value::Number(LEFT.as_secs().cast_signed());
        let _ = self.execute(left, &[mark, until]);
        let _ = self.execute(told, &[mark, Value::Text(", which has ended: a command on its host goes on")]);
        false
    }

    /// A pool that lends a server's process for one transaction at a time gives two idle connections the same.
    fn refuse_a_pool(&self, second: &Client) -> Result<()> {
        let ask = "SELECT pg_backend_pid()";
        let ours = self.simple(ask).map_err(|e| self.fault("be read", e))?;
        let theirs = self.wait(second.simple_query(ask)).map_err(|e| self.fault("be read", e))?;
        match first(&ours) == first(&theirs) {
            true => Err(LedgerError::Pooled { place: self.place() }.into()),
            false => Ok(()),
        }
    }

    /// How long others will still take this process for one that is at work.
    pub(in crate::ledger) fn lease(&self) -> Duration {
        let presence = self.presence.borrow();
        let Some(presence) = presence.as_ref() else { return Duration::ZERO };
        let heard = *presence.heard.lock().unwrap_or_else(PoisonError::into_inner);
        LEASE.saturating_sub(heard.elapsed())
    }

    /// Whether a lock that goes with the connection was waited for; `None` where another has it for longer than that.
    fn lock(&self, number: i64, wait: Duration) -> Result<Option<bool>> {
        let what = "lock what two must not do at once";
        self.ready().map_err(|e| self.fault(what, e))?;
        let taken = self
            .simple(&format!("SELECT pg_try_advisory_lock({number})"))
            .map_err(|e| self.fault(what, e))?;
        if first(&taken) == Some("t") {
            return Ok(Some(false));
        }
        let milliseconds = wait.as_millis();
        if milliseconds == 0 {
            return Ok(None);
        }
        self.patience.set(wait);
        let waited = self.simple(&format!(
            "BEGIN; SET LOCAL lock_timeout = {milliseconds}; SET LOCAL statement_timeout = 0; SELECT pg_advisory_lock({number}); COMMIT"
        ));
        self.patience.set(PATIENCE);
        match waited {
            Ok(_) => Ok(Some(true)),
            Err(e) => {
                self.roll_back();
                match code(&e) {
                    Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => Ok(None),
                    _ => Err(self.fault(what, e)),
                }
            }
        }
    }

    /// The server's address, for messages.
    pub(in crate::ledger) fn place(&self) -> String {
        self.server.address.clone()
    }

    fn fault(&self, what: &'static str, e: Fault) -> Error {
        e.named(&self.server.address, what)
    }

    fn lost(&self) -> Fault {
        Fault::Ours(self.away("the connection was lost".to_owned()))
    }

    fn away(&self, reason: impl Into<Reason>) -> Error {
        let place = self.place();
        match reason.into() {
            Reason::Away(reason) => LedgerError::Away { place, reason }.into(),
            Reason::Refused(reason) => LedgerError::Refused { place, reason }.into(),
        }
    }

    fn strange(&self, reason: &str) -> Error {
        LedgerError::Damaged { path: self.place(), reason: reason.into() }.into()
    }
}

/// An advisory lock, until it's dropped or the connection is lost.
pub(in crate::ledger) struct ServerLock {
    session: Rc<Session>,
    number: i64,
}

impl ServerLock {
    /// Takes it, and says whether it was waited for; `None` where another has it for longer than `wait`.
    pub(in crate::ledger) fn take(
        session: &Rc<Session>,
        number: i64,
        wait: Duration,
    ) -> Result<Option<(Self, bool)>> {
        let taken = session.lock(number, wait)?;
        Ok(taken.map(|waited| (Self { session: session.clone(), number }, waited)))
    }
}

impl Drop for ServerLock {
    fn drop(&mut self) {
        let _ = self.session.simple(&format!("SELECT pg_advisory_unlock({})", self.number));
    }
}

/// An advisory lock's number that no claim has: claims' are hashes.
const MAKING: i64 = 0x0062_6961_7574_6800;

/// Why there is no connection.
enum Reason {
    Away(String),
    Refused(String),
}

impl From<String> for Reason {
    fn from(reason: String) -> Self {
        Self::Away(reason)
    }
}

async fn connect(server: &Server) -> Result<Client, Reason> {
    let mut config = tokio_postgres::Config::new();
    config
        .user(&server.user)
        .dbname(&server.database)
        .port(server.port)
        .application_name("biotrack-auth")
        .connect_timeout(CONNECTING)
        .keepalives_idle(Duration::from_secs(30))
        .keepalives_interval(Duration::from_secs(10))
        .tcp_user_timeout(ANSWERING);
    match server.is_socket() {
        #[cfg(unix)]
        true => config.host_path(&server.host),
        _ => config.host(&server.host),
    };
    if let Some(password) = &server.password {
        config.password(password.expose());
    }
    let whole = async {
        match &server.encryption {
            Encryption::Local => {
                config.ssl_mode(tokio_postgres::config::SslMode::Disable);
                let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
                tokio::spawn(connection);
                Ok(client)
            }
            Encryption::Verified { roots, client } => {
                config.ssl_mode(tokio_postgres::config::SslMode::Require);
                let tls =
                    MakeRustlsConnect::new(tls(roots.as_deref(), client.as_ref()).map_err(Reason::Refused)?);
                let (client, connection) = config.connect(tls).await.map_err(refused)?;
                tokio::spawn(connection);
                Ok(client)
            }
        }
    };
    match tokio::time::timeout(CONNECTING, whole).await {
        Ok(connected) => connected,
        Err(_) => Err(Reason::Away(format!("no answer within {} seconds", CONNECTING.as_secs()))),
    }
}

fn tls(
    roots: Option<&Path>,
    client: Option<&(std::path::PathBuf, std::path::PathBuf)>,
) -> Result<ClientConfig, String> {
    // A second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let shown = |file: &Path, e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
    let certificates = |file: &Path| -> Result<Vec<CertificateDer<'static>>, String> {
        let found = CertificateDer::pem_file_iter(file).map_err(|e| shown(file, &e))?;
        found.collect::<Result<_, _>>().map_err(|e| shown(file, &e))
    };
    let builder = ClientConfig::builder();
    let builder = match roots {
        Some(file) => {
            let mut trusted = RootCertStore::empty();
            if trusted.add_parsable_certificates(certificates(file)?).0 == 0 {
                return Err(format!("{} holds no PEM certificates", file.display()));
            }
            builder.with_root_certificates(trusted)
        }
        None => builder.with_platform_verifier().map_err(|e| e.to_string())?,
    };
    match client {
        Some((certificate, key)) => {
            let key_of = PrivateKeyDer::from_pem_file(key).map_err(|e| shown(key, &e))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, key_of)
                .map_err(|e| shown(certificate, &e))
        }
        None => Ok(builder.with_no_client_auth()),
    }
}

/// Which of a connection's failures somebody has to mend, and which may be over soon.
fn refused(e: tokio_postgres::Error) -> Reason {
    match e.code() {
        Some(code) if is_away(code) => Reason::Away(words(&e)),
        Some(_) => Reason::Refused(words(&e)),
        None if e.to_string().contains("TLS") || e.to_string().contains("password") => {
            Reason::Refused(words(&e))
        }
        None => Reason::Away(words(&e)),
    }
}

/// Starting, stopping, or too many are connected.
fn is_away(code: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(code)
}

/// What the server, or the system below, says.
fn words(e: &tokio_postgres::Error) -> String {
    let said = match e.as_db_error() {
        Some(said) => said.message().to_owned(),
        None => {
            let mut deepest: &dyn std::error::Error = e;
            while let Some(below) = deepest.source() {
                deepest = below;
            }
            deepest.to_string()
        }
    };
    crate::error::clean(&said)
}

/// What an error of the server means to an operator.
pub(super) fn fault(place: &str, what: &'static str, e: &tokio_postgres::Error) -> Error {
    let (place, reason) = (place.to_owned(), words(e));
    match e.code() {
        Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => {
            LedgerError::Busy { path: place, seconds: PATIENCE.as_secs() }
        }
        Some(code) if is_away(code) => LedgerError::Away { place, reason },
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => LedgerError::Refused { place, reason },
        Some(_) => LedgerError::Io { what, reason },
        None => LedgerError::Away { place, reason },
    }
    .into()
}

fn code(fault: &Fault) -> Option<&SqlState> {
    match fault {
        Fault::Postgres(e) => e.code(),
        _ => None,
    }
}

fn rows(messages: &[SimpleQueryMessage]) -> impl Iterator<Item = &tokio_postgres::SimpleQueryRow> {
    messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}

fn first(messages: &[SimpleQueryMessage]) -> Option<&str> {
    rows(messages).next()?.get(0)
}

/// Says again and again that a process is at work.
async fn beat(server: Server, mut client: Client, mark: String, heard: Arc<Mutex<Instant>>) {
    loop {
        tokio::time::sleep(BEAT).await;
        if client.is_closed() {
            match connect(&server).await {
                Ok(again) => client = again,
                Err(_) => continue,
            }
        }
        let asked = Instant::now();
        let lease = LEASE.as_secs();
        // A mark is of letters, digits, - and _.
        let still = format!(
            "UPDATE biotrack_auth.owner SET until = biotrack_auth.unixepoch() + {lease} WHERE mark = '{mark}'"
        );
        let noted = client.simple_query(&still);
        if tokio::time::timeout(BEAT, noted).await.is_ok_and(|noted| noted.is_ok()) {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        }
    }
}

/// A statement as PostgreSQL spells it: `$1`, and the words that it keeps for itself in quotes.
fn spelled(statement: &str) -> String {
    const KEPT: [&str; 3] = ["authorization", "only", "user"];
    let mut spelled = String::with_capacity(statement.len() + 16);
    let mut rest = statement;
    while let Some(letter) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let taken = match letter {
            '\'' => rest[1..].find('\'').map_or(rest.len(), |end| end + 2),
            _ if word > 0 => word,
            _ => letter.len_utf8(),
        };
        let (piece, after) = rest.split_at(taken);
        match piece {
            "?" => spelled.push('$'),
            word if KEPT.contains(&word) => spelled.extend(["\"", word, "\""]),
            other => spelled.push_str(other),
        }
        rest = after;
    }
    spelled
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        to: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match *self {
            Self::Null => Ok(IsNull::Yes),
            Self::Number(number) if *to == Type::BOOL => (number != 0).to_sql(to, out),
            Self::Number(number) if *to == Type::INT4 => i32::try_from(number)?.to_sql(to, out),
            Self::Number(number) => number.to_sql(to, out),
            Self::Flag(flag) => flag.to_sql(to, out),
            Self::Text(text) => text.to_sql(to, out),
            Self::Bytes(bytes) => bytes.to_sql(to, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Cell<'r> {
    fn from_sql(of: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *of {
            Type::INT8 => Self::Number(i64::from_sql(of, raw)?),
            Type::INT4 => Self::Number(i32::from_sql(of, raw)?.into()),
            Type::BOOL => Self::Number(bool::from_sql(of, raw)?.into()),
            Type::BYTEA => Self::Bytes(raw),
            _ => Self::Text(<&str>::from_sql(of, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// What stands in a row's column.
pub(super) fn cell(row: &Row, column: usize) -> Result<Cell<'_>, Fault> {
    row.try_get(column).map_err(|e| strange(column, words(&e)))
}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn a_statement_is_spelled_as_postgresql_does() {
        assert_eq!(
            spelled(
                "SELECT user, 'user ?', \"x\" FROM authorization WHERE a = ?12 AND authorization_by = ?1"
            ),
            "SELECT \"user\", 'user ?', \"x\" FROM \"authorization\" WHERE a = $12 AND authorization_by = $1"
        );
    }
}
