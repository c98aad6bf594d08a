//! The ledger in a file: private, migrated, waited for.

use super::db::Db;
use super::db_error::{DbError, of_sqlite};
use super::open_mode::OpenMode;
use super::safety_copy;
use super::transaction_kind::{LockPatience, PATIENCE, PATIENCE_OF_A_NOTE, TransactionKind};
use crate::error::{Error, LedgerError, Result};
use crate::ledger::file_system::{check_locks, no_locks};
use crate::ledger::meta;
use crate::ledger::migrations;
use crate::ledger::move_state::elsewhere;
use crate::ledger::schema::{Migration, NOTHING, SCHEMA_VERSION, fits};
use crate::system::{Paths, Random, StepObserver, WatchedStep, files};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, InterruptHandle, OpenFlags, Transaction, TransactionBehavior};
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

pub(in crate::ledger) struct LedgerFile {
    db: Connection,
    place: String,
    id: String,
    /// It's used whether or not its records have moved: by whoever moves them.
    anyway: bool,
    impatience: LockPatience,
}

impl LedgerFile {
    /// Opens it for reading; `None` where there is none.
    ///
    /// # Errors
    /// Where it has another schema than this program works with.
    pub(in crate::ledger) fn read(paths: &Paths) -> Result<Option<Self>> {
        let file = paths.ledger();
        let place = file.display().to_string();
        if has_no_file(paths) {
            return Ok(None);
        }
        files::check_private_file(&file)
            .and_then(|()| check_beside(paths))
            .map_err(|e| LedgerError::Open { path: place.clone(), reason: e.to_string() })?;
        refuse_emptied(paths, &place)?;
        refuse_without_locks(&file)?;
        let db = match prepare(&place, OpenFlags::SQLITE_OPEN_READ_ONLY) {
            // Someone was killed while making it: only who may write can roll that back.
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
                open(&place, OpenFlags::SQLITE_OPEN_READ_WRITE)?
            }
            opened => opened.map_err(|e| of_sqlite(&place, "be opened", &e))?,
        };
        let file = Self { db, place, id: String::new(), anyway: false, impatience: LockPatience::default() };
        if file.schema()? == NOTHING {
            // Another process is just making it.
            return Ok(None);
        }
        file.named().map(Some)
    }

    /// Opens it for writing; migrates it where needed, and says what that did.
    ///
    /// # Errors
    /// [`LedgerError::Missing`] where there is none and it's to be there: nothing is made.
    pub(in crate::ledger) fn open(
        paths: &Paths,
        random: &dyn Random,
        steps: &dyn StepObserver,
        mode: OpenMode,
    ) -> Result<(Self, Option<Migration>)> {
        let file = paths.ledger();
        let place = file.display().to_string();
        let missing = || Error::from(LedgerError::Missing { place: place.clone(), on_a_server: false });
        if mode == OpenMode::Existing && has_no_file(paths) {
            return Err(missing());
        }
        let unopened =
            |e: Error| Error::from(LedgerError::Open { path: place.clone(), reason: e.to_string() });
        files::ensure_folder(&paths.data).map_err(unopened)?;
        refuse_emptied(paths, &place)?;
        files::open_private(&file).map_err(unopened)?;
        // defense: S30 beside-the-ledger
        check_beside(paths).map_err(unopened)?;
        refuse_without_locks(&file)?;
        let db = open(&place, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let mut file = Self {
            db,
            place: place.clone(),
            id: String::new(),
            anyway: mode == OpenMode::AsItIs,
            impatience: LockPatience::default(),
        };
        let found = file.schema()?;
        if found == NOTHING && mode == OpenMode::Existing {
            return Err(missing());
        }
        let mut migration = None;
        if found < SCHEMA_VERSION {
            if found != NOTHING {
                file.stays()?;
            }
            steps.reached(WatchedStep::BeforeCommit);
            // Two processes that start at once must not both make it: SQLite doesn't wait while the mode changes.
            let turn = files::open_private(&paths.data.join("making.lock")).map_err(unopened)?;
            turn.lock().map_err(|e| no_locks(&paths.ledger(), &e))?;
            let id = random.name()?;
            let made = file.make_or_migrate(paths, &id);
            migration = made.map_err(|e| e.named(&place, "be made or migrated"))?;
            drop(turn);
            steps.reached(WatchedStep::AfterCommit);
        }
        let file = file.named()?;
        if named_beside(paths).is_none() {
            files::open_private(&name_beside(paths))
                .map_err(unopened)?
                .write_all(file.id.as_bytes())
                .map_err(|e| LedgerError::Open { path: place.clone(), reason: e.to_string() })?;
        }
        Ok((file, migration))
    }

    /// One transaction; whoever waited for it to begin while another did the same finds it done.
    fn make_or_migrate(&mut self, paths: &Paths, id: &str) -> Result<Option<Migration>, DbError> {
        self.db.pragma_update(None, "journal_mode", "WAL")?;
        // From here on nobody writes, so that the copy is what is migrated.
        let tx = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        let migration = match self.schema()? {
            NOTHING => {
                migrations::make(Db::Sqlite(&tx), id)?;
                None
            }
            from if from < SCHEMA_VERSION => {
                let copy = safety_copy::make(&paths.ledger(), from)?;
                migrations::migrate(Db::Sqlite(&tx), from)?;
                Some(Migration { from, to: SCHEMA_VERSION, copy: Some(copy.display().to_string()) })
            }
            from => {
                fits(&self.place, from)?;
                None
            }
        };
        tx.commit()?;
        Ok(migration)
    }

    /// The schema that it has. A database that has tables and no number is another program's.
    fn schema(&self) -> Result<i64> {
        let unread = |e| of_sqlite(&self.place, "be read", &e);
        let number = |statement: &str| -> Result<i64> {
            let mut statement = self.db.prepare_cached(statement).map_err(unread)?;
            statement.query_row([], |row| row.get(0)).map_err(unread)
        };
        let version = || number("PRAGMA user_version");
        let mut found = version()?;
        let has_tables = found == NOTHING && number("SELECT count(*) FROM sqlite_schema")? > 0;
        if has_tables {
            // Another process may have made it between the two looks: number and tables come in one commit.
            found = version()?;
        }
        if found < 0 || found == NOTHING && has_tables {
            let reason = "it's a database, but not a ledger".to_owned();
            return Err(LedgerError::Damaged { path: self.place.clone(), reason }.into());
        }
        if found > SCHEMA_VERSION {
            fits(&self.place, found)?;
        }
        Ok(found)
    }

    /// With its name, once it's sure that it can be used as it is.
    fn named(mut self) -> Result<Self> {
        let found = self.schema()?;
        self.stays()?;
        fits(&self.place, found)?;
        let id = self.db.query_row("SELECT value FROM meta WHERE name = 'id'", [], |row| row.get(0));
        self.id = id.map_err(|e| of_sqlite(&self.place, "be read", &e))?;
        Ok(self)
    }

    /// Its records haven't moved elsewhere, and aren't on their way here.
    fn stays(&self) -> Result<()> {
        let there = meta::move_state(self.db()).map_err(|e| e.named(&self.place, "be read"))?;
        elsewhere(&self.place, there).filter(|_| !self.anyway).map_or(Ok(()), Err)
    }

    /// Its own random name.
    pub(in crate::ledger) fn id(&self) -> &str {
        &self.id
    }

    /// Where it is, for messages.
    pub(in crate::ledger) fn place(&self) -> &str {
        &self.place
    }

    /// For statements that need no transaction.
    pub(super) fn db(&self) -> Db<'_> {
        let _ = self.db.busy_timeout(self.impatience.patience());
        Db::Sqlite(&self.db)
    }

    /// Others kept it locked for as long as they were waited for.
    pub(in crate::ledger) fn waited_in_vain(&self) {
        self.impatience.waited_in_vain();
    }

    /// What ends a statement of this connection, from another thread.
    pub(in crate::ledger) fn interrupt(&self) -> InterruptHandle {
        self.db.get_interrupt_handle()
    }

    /// Work inside a transaction that begins so: all of it, or nothing.
    pub(super) fn within<T>(
        &self,
        begin: TransactionKind,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let synced = |level: &str| self.db.pragma_update(None, "synchronous", level);
        let is_note = matches!(begin, TransactionKind::Plain | TransactionKind::InPassing);
        self.db.busy_timeout(match begin {
            TransactionKind::InPassing => Duration::ZERO,
            TransactionKind::Plain => self.impatience.patience().min(PATIENCE_OF_A_NOTE),
            _ => self.impatience.patience(),
        })?;
        if is_note {
            synced("NORMAL")?;
        }
        let done = self.transaction(begin, work);
        if is_note {
            synced("FULL")?;
        }
        done
    }

    fn transaction<T>(
        &self,
        begin: TransactionKind,
        work: impl FnOnce(Db<'_>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let behavior = match begin {
            TransactionKind::Snapshot => TransactionBehavior::Deferred,
            _ => TransactionBehavior::Immediate,
        };
        let tx = Transaction::new_unchecked(&self.db, behavior)?;
        fits(&self.place, self.schema()?)?;
        if begin != TransactionKind::Snapshot {
            self.stays()?;
        }
        let done = work(Db::Sqlite(&tx))?;
        tx.commit()?;
        Ok(done)
    }

    /// Takes what the log of commits has into the file, as far as nobody reads it.
    pub(super) fn checkpoint(&self) {
        let _ = self.db.pragma(None, "wal_checkpoint", "PASSIVE", |_| Ok(()));
    }
}

/// The file that names the ledger that was made. Whoever makes or migrates one locks another: where locks are mandatory, as on
/// Windows, nobody can read or write what is locked. (Version 0.2 locked this one, hence its name.)
fn name_beside(paths: &Paths) -> PathBuf {
    paths.data.join("ledger.lock")
}

/// The name of the ledger that was made here.
fn named_beside(paths: &Paths) -> Option<String> {
    let mut name = String::new();
    files::read_private(&name_beside(paths), files::FileSensitivity::Secret)
        .ok()??
        .read_to_string(&mut name)
        .ok()?;
    Some(name).filter(|name| !name.is_empty())
}

/// To SQLite a file without a byte is a new one, and its log is thrown away. Where a ledger was made already, what was in
/// it is lost, and that is said; one that somebody took away is begun anew.
fn refuse_emptied(paths: &Paths, name: &str) -> Result<()> {
    match std::fs::metadata(paths.ledger()) {
        // defense: S39 emptied-ledger-is-refused
        Ok(it) if it.len() == 0 && named_beside(paths).is_some() => {
            Err(LedgerError::Damaged { path: name.into(), reason: "it has been emptied".into() }.into())
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            if let Ok(Some(named)) = files::open_existing(&name_beside(paths)) {
                let _ = named.set_len(0);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// SQLite takes a lock that isn't given for one that somebody has, and waits for it: where that may be, it's tried before.
fn refuse_without_locks(file: &std::path::Path) -> Result<()> {
    match files::remote_file_system(file) {
        Some(_) => Ok(check_locks(file)?),
        None => Ok(()),
    }
}

fn has_no_file(paths: &Paths) -> bool {
    std::fs::symlink_metadata(paths.ledger()).is_err_and(|e| e.kind() == ErrorKind::NotFound)
}

/// What SQLite keeps beside the ledger holds what the ledger does, and it writes there without a look at whose that is.
fn check_beside(paths: &Paths) -> Result<()> {
    paths.beside_ledger().iter().try_for_each(|file| files::check_private_file(file))
}

pub(super) fn open(name: &str, flags: OpenFlags) -> Result<Connection> {
    prepare(name, flags).map_err(|e| of_sqlite(name, "be opened", &e))
}

fn prepare(name: &str, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // More than there are statements: each is parsed once.
    const STATEMENTS: usize = 128;
    let path = files::as_sqlite_takes_it(std::path::Path::new(name));
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.busy_timeout(PATIENCE)?;
    // Else the last process to close pays two more syncs.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // defense: S35 commits-are-synced
    db.pragma_update(None, "synchronous", "FULL")?;
    // On macOS a sync alone reaches the disk's cache, which a power cut empties. Elsewhere this changes nothing.
    db.pragma_update(None, "fullfsync", true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    // A container may have no folder for temporary files that can be written.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(db)
}

/// Takes what its log has into the file itself, so that the file alone is the whole.
pub(in crate::ledger) fn checkpoint_truncate(file: &std::path::Path) -> Result<()> {
    let name = file.display().to_string();
    let db = open(&name, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.pragma(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).map_err(|e| of_sqlite(&name, "be folded", &e))
}
