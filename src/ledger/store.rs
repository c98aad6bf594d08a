//! The ledger, open: its one transaction boundary.

use super::engine::{Db, DbError, LedgerEngine, LedgerFile, OpenMode, ServerSession};
use super::process_locks::{Liveness, ProcessLock};
use super::schema::Migration;
use super::seen_heads::{self, NewestGenerations, SeenHead, licenses_of, newest_live};
use super::write_context::{WriteContext, WrittenRows};
use super::{doubts, export_notes, history_chain, rollback};
use crate::error::{Error, LedgerError, Result, first_few};
use crate::model::flow::{Flow, FlowOwner};
use crate::model::history::LedgerEventKind;
use crate::model::ids::{FlowId, Generation, LicenseId};
use crate::model::reminder::HookEventKind;
use crate::model::server::LedgerPlace;
use crate::system::{Clock, Env, Invoker, Paths, Random, StepObserver, WatchedStep, files};
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// So many licenses are named.
const NAMED: usize = 20;

pub struct Ledger {
    pub(super) engine: LedgerEngine,
    pub(super) paths: Paths,
    /// Where it is, for messages.
    pub(super) path: String,
    /// Where answers go that it can't take.
    pub(super) spool: PathBuf,
    pub(super) id: String,
    who: Invoker,
    pub(super) random: Arc<dyn Random>,
    pub(super) steps: Arc<dyn StepObserver>,
    clock: Arc<dyn Clock>,
    pub(super) boot: Option<String>,
    mark: Option<ProcessLock>,
    pub(super) hooks: BTreeSet<HookEventKind>,
    /// The log of commits was taken into the file by us.
    pub(super) log_is_fresh: bool,
    /// What this process knows to be in the ledger.
    seen: SeenHead,
    /// Which token sets this host made live.
    newest_live: NewestGenerations,
    /// What the transaction that is open has written.
    written: Rc<RefCell<WrittenRows>>,
    /// The connection by which that was seen.
    connection: u64,
    /// Flows that others left and this process took over, with whose they were.
    pub(super) taken: HashMap<FlowId, FlowOwner>,
}

impl Ledger {
    /// Opens the ledger for writing. A file is migrated where it's older than this program.
    ///
    /// # Errors
    /// Where there is none ([`LedgerError::Missing`]), where a newer program migrated it, or, on a server, its owner didn't
    /// yet: nothing is changed.
    pub fn open(env: &Env, place: &LedgerPlace) -> Result<Self> {
        Self::opened(env, place, OpenMode::Existing)
    }

    /// The same, and makes it where there is none: for `config init`, and for who brings the first record.
    ///
    /// # Errors
    /// As above, but for one that is missing; and where none can be made.
    pub fn open_or_make(env: &Env, place: &LedgerPlace) -> Result<Self> {
        Self::opened(env, place, OpenMode::OrMade)
    }

    fn opened(env: &Env, place: &LedgerPlace, mode: OpenMode) -> Result<Self> {
        if let LedgerPlace::Server(_) = place {
            // Marks and spools are here all the same.
            files::ensure_folder(&env.paths.data)?;
        }
        let mut ledger = Self::connected(env, place, mode)?;
        tracing::info!("ledger {} in {}", ledger.id, ledger.path);
        ledger.connection = ledger.engine.connection();
        ledger.check_not_rolled_back(env.clock.now())?;
        Ok(ledger)
    }

    /// Not yet compared with what this host has seen of it.
    pub(super) fn connected(env: &Env, place: &LedgerPlace, mode: OpenMode) -> Result<Self> {
        let (random, steps) = (env.random.as_ref(), env.steps.as_ref());
        Ok(match place {
            LedgerPlace::File => Self::of_file(LedgerFile::open(&env.paths, random, steps, mode)?.0, env),
            LedgerPlace::Server(server) => Self::of_server(ServerSession::open(server, random, mode)?, env),
        })
    }

    /// Opens the ledger for reading; `None` where there is none yet. A file that is older than this program is migrated first:
    /// it's our own.
    ///
    /// # Errors
    /// Where a newer program migrated it, or an older one can't be migrated from here.
    pub fn read(env: &Env, place: &LedgerPlace) -> Result<Option<Self>> {
        match (Self::read_current(env, place), place) {
            (Err(Error::Ledger(LedgerError::Older { path, found, known })), LedgerPlace::File) => {
                Self::migrate(env, place).map_err(|e| match e {
                    Error::Ledger(LedgerError::Open { reason, .. } | LedgerError::Io { reason, .. }) => {
                        LedgerError::NotMigrated { path, found, known, reason }.into()
                    }
                    other => other,
                })?;
                Self::read_current(env, place)
            }
            (read, _) => read,
        }
    }

    /// Opens the ledger for reading, and changes nothing whatever its schema is; `None` where there is none yet.
    ///
    /// # Errors
    /// Where it has another schema than this program works with.
    pub fn read_current(env: &Env, place: &LedgerPlace) -> Result<Option<Self>> {
        Ok(match place {
            LedgerPlace::File => {
                tracing::info!("ledger {}, read-only", env.paths.ledger().display());
                LedgerFile::read(&env.paths)?.map(|file| Self::of_file(file, env))
            }
            LedgerPlace::Server(server) => {
                tracing::info!("ledger {}, read-only", server.address);
                ServerSession::read(server)?.map(|session| Self::of_server(session, env))
            }
        })
    }

    /// Brings the ledger up to date where it's older than this program: a file after a copy of it was put beside it, a server's as
    /// the role that owns it. What that did; `None` where it was up to date.
    ///
    /// # Errors
    /// Where a newer program migrated it, or it can't be migrated from here: nothing is changed.
    pub fn migrate(env: &Env, place: &LedgerPlace) -> Result<Option<Migration>> {
        let migration = match place {
            LedgerPlace::File => {
                LedgerFile::open(&env.paths, env.random.as_ref(), env.steps.as_ref(), OpenMode::Existing)?.1
            }
            LedgerPlace::Server(server) => ServerSession::migrate(server)?,
        };
        if let Some(Migration { from, to, copy }) = &migration {
            let copy = copy.as_deref().unwrap_or("nowhere else");
            tracing::info!("migrated the ledger from schema {from} to {to}; the old one is kept in {copy}");
        }
        Ok(migration)
    }

    fn of_file(file: LedgerFile, env: &Env) -> Self {
        let (id, place) = (file.id().to_owned(), (file.place().to_owned(), env.paths.spool()));
        Self::of(LedgerEngine::Sqlite(file), id, place, env)
    }

    fn of_server(session: ServerSession, env: &Env) -> Self {
        let id = session.id().to_owned();
        // What it couldn't take is for this very ledger, whatever others are used here.
        let place = (session.place(), env.paths.spool_of(&id));
        Self::of(LedgerEngine::Postgres(Rc::new(session)), id, place, env)
    }

    fn of(engine: LedgerEngine, id: String, (path, spool): (String, PathBuf), env: &Env) -> Self {
        Self {
            engine,
            id,
            path,
            spool,
            paths: env.paths.clone(),
            who: env.who.clone(),
            random: env.random.clone(),
            steps: env.steps.clone(),
            clock: env.clock.clone(),
            boot: env.boot.clone(),
            mark: None,
            hooks: BTreeSet::new(),
            log_is_fresh: false,
            seen: SeenHead::default(),
            newest_live: NewestGenerations::new(),
            written: Rc::default(),
            connection: 0,
            taken: HashMap::new(),
        }
    }

    /// Whether the file that is open is still the one at its place, and can be written to.
    pub fn check_usable(&mut self) -> Result<()> {
        // The file that is open is waited for in vain once, and isn't again.
        self.transaction("be written", |_| Ok(()))?;
        if let LedgerEngine::Sqlite(_) = self.engine {
            let found = LedgerFile::read(&self.paths)?.map(|file| file.id().to_owned());
            if found.as_deref() != Some(&self.id) {
                let reason = "it isn't the ledger that was opened".to_owned();
                return Err(LedgerError::Open { path: self.path.clone(), reason }.into());
            }
        }
        Ok(())
    }

    /// Whether other hosts use it too.
    pub fn is_shared(&self) -> bool {
        matches!(self.engine, LedgerEngine::Postgres(_))
    }

    /// Where it is: a path, or a server's address.
    pub fn place(&self) -> &str {
        &self.path
    }

    /// How long nobody else takes over what this process is at, though it can't be heard of: on this host always.
    pub fn lease(&self) -> Duration {
        match &self.engine {
            LedgerEngine::Sqlite(_) => Duration::MAX,
            LedgerEngine::Postgres(session) => session.lease(),
        }
    }

    /// Whether a flow was started by a process of this host, which ended here.
    pub fn is_of_this_host(&self, flow: &Flow) -> bool {
        let mark = flow.owner.as_ref().map(|owner| self.paths.owners().join(&owner.mark));
        !self.is_shared() || mark.is_some_and(|mark| mark.symlink_metadata().is_ok())
    }

    pub(super) fn living(&self) -> Liveness {
        Liveness { marks: self.paths.owners() }
    }

    /// Its own random name: the first part of every keyring account.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// This process's mark, made on first use: who else sees it knows that we live.
    pub(super) fn mark(&mut self) -> Result<&ProcessLock> {
        if self.mark.is_none() {
            let made = ProcessLock::make(
                &self.paths.owners(),
                &self.who,
                self.boot.as_deref(),
                self.random.as_ref(),
            );
            let made = made.map_err(|e| self.unusable(e))?;
            if let LedgerEngine::Postgres(session) = &self.engine {
                let FlowOwner { mark, label } = made.owner();
                session.enter(&mark, &label)?;
            }
            self.mark = Some(made);
        }
        self.mark.as_ref().ok_or_else(|| Error::Internal("the owner's mark vanished".into()))
    }

    /// From now on whoever clears away what nobody names sees that this process lives: called before the vault is given
    /// what only a later commit names.
    pub fn mark_alive(&mut self) -> Result<()> {
        self.mark().map(drop)
    }

    pub(super) fn heads(&self) -> std::path::PathBuf {
        self.paths.head_of(&self.id)
    }

    /// Sees that the ledger holds what this host has seen of it, and remembers what it sees now. One that went back in time
    /// is told of once, after it was noted in the ledger for all hosts which refresh tokens may be spent.
    ///
    /// # Errors
    /// [`LedgerError::WentBack`]: nothing else may be done in the same breath.
    fn check_not_rolled_back(&mut self, now: Timestamp) -> Result<()> {
        let file = self.heads();
        let mut lines = seen_heads::read(&file);
        let lost = rollback::lost_of(&self.engine, &mut lines).map_err(|e| self.fault("be read", e))?;
        self.newest_live = newest_live(&lines);
        if lost.is_empty() {
            let head =
                history_chain::head(self.engine.db()).map_err(|e| self.fault("read the history", e))?;
            let (seq, hash) = head.unwrap_or_default();
            self.seen = SeenHead { seq, hash: hex::encode(hash), changed: Vec::new() };
            if seq > 0 && lines.last().is_none_or(|last| last.seq < seq) {
                self.remember(&self.seen.clone());
            }
            return Ok(());
        }
        let changed: BTreeSet<_> = lost.iter().flat_map(|line| &line.changed).cloned().collect();
        let licenses = licenses_of(&lost);
        let seen = lost.iter().map(|line| line.seq).max().unwrap_or_default();
        let whose = match licenses.is_empty() {
            true => "no license".to_owned(),
            false => first_few(&licenses, NAMED),
        };
        let detail = format!("{} had seen link {seen}, and changed since: {whose}", self.who.host);
        let context = self.write_context();
        self.transaction("note that it went back in time", |tx| {
            changed.iter().try_for_each(|it| doubts::note(tx, it))?;
            history_chain::append_chore(tx, LedgerEventKind::WentBack, now, &detail, &context)
        })?;
        // What it doesn't hold is told, and from here on it's measured by what it holds.
        seen_heads::in_turn(&file, || {
            // Also by what others have written there meanwhile.
            let others = seen_heads::read(&file)
                .into_iter()
                .filter(|line| !lost.contains(line) && !lines.contains(line));
            let others: Vec<_> = others.collect();
            lines.extend(others);
            lines.push(self.seen.clone());
            seen_heads::keep(&file, &lines)
        })?;
        Err(LedgerError::WentBack { path: self.path.clone(), licenses: whose }.into())
    }

    /// Remembers what a commit wrote, now that it's done.
    fn remembers(&mut self) {
        let WrittenRows { head, changed, .. } = std::mem::take(&mut *self.written.borrow_mut());
        if head.is_none() && changed.is_empty() {
            return;
        }
        if let Some((seq, hash)) = head {
            (self.seen.seq, self.seen.hash) = (seq, hex::encode(hash));
        }
        let line = SeenHead { changed, ..self.seen.clone() };
        for (record, live) in newest_live([&line]) {
            let known = self.newest_live.entry(record).or_default();
            *known = live.max(*known);
        }
        if self.seen.seq > 0 {
            self.remember(&line);
        }
    }

    /// The number of the newest token set that this host made live of a license, where it made one.
    pub fn newest_live(&self, profile: &str, key: &LicenseId) -> Option<Generation> {
        let record = (profile.to_owned(), key.ubi.to_string(), key.license.to_string());
        self.newest_live.get(&record).copied().map(Generation)
    }

    /// The licenses, by profile and UBI, whose token sets this host has made live before.
    pub fn made_live_here(&self) -> BTreeSet<(String, String, String)> {
        let newest = match self.newest_live.is_empty() {
            // Opened for reading.
            true => newest_live(&seen_heads::read(&self.heads())),
            false => self.newest_live.clone(),
        };
        newest.into_keys().collect()
    }

    fn remember(&self, seen: &SeenHead) {
        if let Err(e) = seen_heads::add(&self.heads(), seen) {
            tracing::warn!("could not remember the state of the ledger: {e}");
        }
    }

    /// Who writes, and which hooks are wanted.
    pub(super) fn write_context(&self) -> WriteContext {
        WriteContext { who: self.who.clone(), hooks: self.hooks.clone(), written: self.written.clone() }
    }

    /// One synced transaction; others wait for it, and it for them.
    pub(super) fn transaction<T>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T> {
        self.steps.reached(WatchedStep::BeforeCommit);
        self.written.take();
        let file = self.heads();
        let (path, known, engine, seen) = (&self.path, self.connection, &self.engine, &self.seen);
        let written = &self.written;
        let mut connection = known;
        let mut went_back = false;
        let done = engine.transaction(|tx| {
            connection = engine.connection();
            went_back = connection != known && !rollback::is_still_there(tx, seen, &file)?;
            if went_back {
                let licenses = "the licenses that the next command names".to_owned();
                return Err(Error::from(LedgerError::WentBack { path: path.clone(), licenses }).into());
            }
            let done = work(tx)?;
            history_chain::append_noted(tx, written)?;
            Ok(done)
        });
        if went_back {
            // It's noted at once for all hosts, and a process that goes on, a listener, measures by what is there now.
            self.connection = connection;
            self.check_not_rolled_back(self.clock.now())?;
        }
        if done.is_ok() {
            self.connection = connection;
            self.remembers();
        }
        self.steps.reached(WatchedStep::AfterCommit);
        done.map_err(|e| self.fault(what, e))
    }

    /// The same for a note, which survives this process's end at once, and a power cut once something synced follows it.
    pub(super) fn relaxed<T>(&mut self, work: impl FnOnce(Db<'_>) -> Result<T, DbError>) -> Result<T> {
        self.steps.reached(WatchedStep::BeforeCommit);
        let done = self.engine.relaxed(work);
        self.steps.reached(WatchedStep::AfterNote);
        done.map_err(|e| self.fault("note what was done", e))
    }

    /// A folder or file beside the ledger that can't be used is the ledger's failure.
    pub(super) fn unusable(&self, e: Error) -> Error {
        match e {
            Error::File { path, reason } => LedgerError::Open { path, reason }.into(),
            other => other,
        }
    }

    /// What kept the ledger from doing `what`, as an operator is told it.
    pub(super) fn fault(&self, what: &'static str, e: DbError) -> Error {
        let named = e.named(&self.path, what);
        if let (Error::Ledger(LedgerError::Busy { .. }), LedgerEngine::Sqlite(file)) = (&named, &self.engine)
        {
            file.waited_in_vain();
        }
        named
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // Where others still take this process for one that lives, or it leaves something that this host alone can finish,
        // its mark stays: by its lock, which goes, this host knows better. What it took over and didn't finish is no such thing:
        // another host may be the one that can.
        if self.is_shared() {
            self.release_all_taken();
        }
        let Some(mark) = &mut self.mark else { return };
        let LedgerEngine::Postgres(session) = &self.engine else { return };
        let exports =
            || export_notes::of_process(self.engine.db(), &mark.owner().mark).is_ok_and(|left| left > 0);
        if !session.leaves() || exports() {
            mark.stays();
        }
    }
}
