//! The list of steps, and what they do to a ledger in a file. On a server they are tried with a real one.

use super::{SCHEMA_VERSION, STEPS};
use crate::error::{Error, LedgerError, Result};
use crate::ledger::Ledger;
use crate::ledger::engine::{LedgerFile, OpenMode};
use crate::ledger::history_chain::append_chore;
use crate::model::history::LedgerEventKind;
use crate::model::server::LedgerPlace;
use crate::system::{Env, NoObserver, OsRandom, Paths, Random};
use jiff::Timestamp;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A home in which a ledger was left by the program whose newest schema was this.
struct Home {
    folder: TempDir,
}

impl Home {
    fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn with_schema(number: i64) -> Self {
        let home = Self::empty();
        crate::system::files::create_private(&home.ledger()).unwrap();
        let db = home.db();
        db.pragma_update(None, "journal_mode", "WAL").unwrap();
        STEPS
            .iter()
            .take(usize::try_from(number).unwrap())
            .for_each(|step| db.execute_batch(step.sqlite).unwrap());
        db.execute_batch(
            "INSERT INTO meta (name, value) VALUES ('id', 'an-older-ledger');
             INSERT INTO authorization (profile, ubi, license, username, tags, created_at, expires_at, expires_estimated,
                 revocation_pending, held_elsewhere, generation)
             VALUES ('ny', '604001', 'L-1', 'ann@example.com', 'one', 1000000000, 1008640000, 0, 0, 0, 1)",
        )
        .unwrap();
        db.pragma_update(None, "user_version", number).unwrap();
        home
    }

    fn paths(&self) -> Paths {
        Paths::within(self.folder.path())
    }

    fn env(&self) -> Env {
        let machine = Env::system().unwrap();
        machine.within(self.paths(), machine.clock.clone(), machine.browser.clone())
    }

    fn ledger(&self) -> PathBuf {
        self.paths().ledger()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn db(&self) -> Connection {
        Connection::open(self.ledger()).unwrap()
    }

    /// Takes what the log of commits holds into the file, so that all of it is there.
    fn settled(&self) -> Vec<u8> {
        let db = self.db();
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(db);
        fs::read(self.ledger()).unwrap()
    }

    fn open(&self) -> Result<Ledger> {
        Ledger::open_or_make(&self.env(), &LedgerPlace::File)
    }

    fn read(&self) -> Result<Option<Ledger>> {
        Ledger::read(&self.env(), &LedgerPlace::File)
    }

    fn copies(&self) -> BTreeSet<String> {
        let all = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap());
        all.filter(|name| {
            !["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.lock", "making.lock"]
                .contains(&name.as_str())
        })
        .collect()
    }
}

fn names(copies: &[&str]) -> BTreeSet<String> {
    copies.iter().map(|it| (*it).to_owned()).collect()
}

fn schema(file: &Path) -> i64 {
    Connection::open(file).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// Names of records that a file holds.
fn records(file: &Path) -> Vec<String> {
    let db = Connection::open(file).unwrap();
    let mut read = db.prepare("SELECT license FROM authorization ORDER BY license").unwrap();
    read.query_map([], |row| row.get(0)).unwrap().map(|it| it.unwrap()).collect()
}

/// What makes up a database: the text of each table, index and trigger.
fn made_of(file: &Path) -> Vec<(String, Option<String>)> {
    let db = Connection::open(file).unwrap();
    let mut read = db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
    read.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(|it| it.unwrap()).collect()
}

#[test]
fn every_script_is_a_step_under_its_own_number() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger/schema");
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (number, dialect) = name.split_once('.').unwrap();
        let step = &STEPS[number.parse::<usize>().unwrap() - 1];
        match dialect {
            "sqlite.sql" => assert_eq!(step.sqlite, text, "{name}"),
            "postgres.sql" => assert_eq!(step.postgres, Some(text.as_str()), "{name}"),
            _ => panic!("{name}"),
        }
        there.insert(name);
    }
    let listed = STEPS.iter().map(|step| 1 + usize::from(step.postgres.is_some())).sum::<usize>();
    assert_eq!(there.len(), listed, "{there:?}");
}

#[test]
fn every_older_schema_becomes_what_a_new_ledger_has_and_is_kept_as_it_was() {
    let new = Home::empty();
    new.open().unwrap();
    assert_eq!(
        (schema(&new.ledger()), new.copies()),
        (SCHEMA_VERSION, names(&[])),
        "nothing is there to be copied"
    );
    for number in 1..SCHEMA_VERSION {
        for open in [|home: &Home| home.open().map(drop), |home: &Home| home.read().map(drop)] {
            let home = Home::with_schema(number);
            let before = made_of(&home.ledger());
            open(&home).unwrap();
            let copy = format!("ledger.db.schema-{number}");
            assert_eq!((schema(&home.ledger()), home.copies()), (SCHEMA_VERSION, names(&[&copy])));
            assert_eq!(made_of(&home.ledger()), made_of(&new.ledger()), "from schema {number}");
            assert_eq!(records(&home.ledger()), ["L-1"]);
            let copy = home.file(&copy);
            assert_eq!(
                (schema(&copy), made_of(&copy), records(&copy)),
                (number, before, vec!["L-1".to_owned()])
            );
            assert_eq!(home.open().unwrap().id(), "an-older-ledger");
            assert!(home.read().unwrap().unwrap().verify_history().unwrap().broken.is_none());
        }
    }
}

/// Before schema 4 the newest link was noted nowhere.
#[test]
fn a_history_of_before_its_head_was_noted_is_whole_and_goes_on() {
    let newer = Home::empty();
    let happens = |ledger: &mut Ledger| {
        let context = ledger.write_context();
        let noted = ledger.transaction("note it", |tx| {
            append_chore(tx, LedgerEventKind::Moved, Timestamp::UNIX_EPOCH, "one more", &context)
        });
        noted.unwrap();
    };
    let mut ledger = newer.open().unwrap();
    (0..3).for_each(|_| happens(&mut ledger));
    for number in 1..4 {
        let home = Home::with_schema(number);
        let db = home.db();
        db.execute("ATTACH ?1 AS newer", [newer.ledger().to_str().unwrap()]).unwrap();
        let columns = "seq, at, profile, ubi, license, event, user, host, detail, hash";
        let copied = format!("INSERT INTO main.history ({columns}) SELECT {columns} FROM newer.history");
        db.execute(&copied, []).unwrap();
        let mut ledger = home.open().unwrap();
        happens(&mut ledger);
        let chain = ledger.verify_history().unwrap();
        assert_eq!((chain.links, chain.broken), (4, None), "schema {number}");
    }
}

#[cfg(unix)]
#[test]
fn the_copy_is_private_holds_what_was_in_the_log_and_serves_the_older_program_again() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::with_schema(7);
    home.settled();
    let at_work = home.db();
    at_work.execute("UPDATE authorization SET license = 'L-2'", []).unwrap();
    assert!(fs::metadata(home.file("ledger.db-wal")).unwrap().len() > 0);
    let migrated = Ledger::migrate(&home.env(), &LedgerPlace::File).unwrap().unwrap();
    let copy = home.file("ledger.db.schema-7");
    assert_eq!(
        (migrated.from, migrated.to, migrated.copy),
        (7, SCHEMA_VERSION, Some(copy.display().to_string()))
    );
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((schema(&copy), records(&copy)), (7, vec!["L-2".to_owned()]));
    let mode: String =
        Connection::open(&copy).unwrap().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert!(Ledger::migrate(&home.env(), &LedgerPlace::File).unwrap().is_none(), "it is up to date");
    drop(at_work);
    // Put back in its place, it is a ledger like any other.
    for beside in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(home.file(beside));
    }
    fs::copy(&copy, home.ledger()).unwrap();
    home.open().unwrap();
    assert_eq!((schema(&home.ledger()), records(&home.ledger())), (SCHEMA_VERSION, vec!["L-2".to_owned()]));
}

#[test]
fn a_copy_that_holds_anything_else_is_never_overwritten() {
    let home = Home::with_schema(7);
    home.open().unwrap();
    let first = fs::read(home.file("ledger.db.schema-7")).unwrap();
    let later = Home::with_schema(7);
    later.db().execute("UPDATE authorization SET license = 'L-2'", []).unwrap();
    fs::write(later.file("ledger.db.schema-7"), &first).unwrap();
    later.open().unwrap();
    assert_eq!(later.copies(), names(&["ledger.db.schema-7", "ledger.db.schema-7.2"]));
    assert!(fs::read(later.file("ledger.db.schema-7")).unwrap() == first);
    assert_eq!(records(&later.file("ledger.db.schema-7.2")), ["L-2"]);
}

#[test]
fn a_step_that_fails_leaves_the_ledger_as_it_was_and_one_copy_however_often_it_is_tried() {
    let home = Home::with_schema(7);
    // Somebody has tried by hand.
    home.db().execute_batch("ALTER TABLE authorization ADD COLUMN last_used_at INTEGER").unwrap();
    let before = made_of(&home.ledger());
    for _ in 0..3 {
        let refused = home.open().map(drop).unwrap_err();
        assert!(refused.to_string().contains("duplicate column name"), "{refused}");
        assert_eq!((schema(&home.ledger()), made_of(&home.ledger())), (7, before.clone()));
        assert_eq!(home.copies(), names(&["ledger.db.schema-7"]));
    }
}

#[test]
fn without_a_copy_nothing_is_migrated_and_it_is_said_why() {
    let home = Home::with_schema(7);
    let before = home.settled();
    fs::create_dir(home.file("ledger.db.copy")).unwrap();
    let refused = home.open().map(drop).unwrap_err();
    assert!(refused.to_string().contains("can't be copied before it's migrated"), "{refused}");
    let refused = home.read().map(drop).unwrap_err();
    assert_eq!(refused.exit(), 7);
    let said = refused.to_string();
    assert!(said.contains("schema 7") && said.contains(&format!("schema {SCHEMA_VERSION}")), "{said}");
    assert!(said.contains("ledger.db.copy"), "{said}");
    assert!(fs::read(home.ledger()).unwrap() == before);
}

#[test]
fn a_look_that_must_change_nothing_names_an_older_schema() {
    let home = Home::with_schema(6);
    let before = home.settled();
    let refused = Ledger::read_current(&home.env(), &LedgerPlace::File).map(drop).unwrap_err();
    assert!(
        matches!(refused, Error::Ledger(LedgerError::Older { found: 6, known: SCHEMA_VERSION, .. })),
        "{refused:?}"
    );
    assert!(fs::read(home.ledger()).unwrap() == before);
    assert_eq!(home.copies(), names(&[]));
}

#[test]
fn a_newer_schema_is_refused_by_name_however_it_is_opened_and_nothing_is_written() {
    let home = Home::with_schema(SCHEMA_VERSION);
    home.db().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    let before = home.settled();
    for refused in [
        home.open().map(drop),
        home.read().map(drop),
        Ledger::read_current(&home.env(), &LedgerPlace::File).map(drop),
        Ledger::migrate(&home.env(), &LedgerPlace::File).map(drop),
    ] {
        let refused = refused.unwrap_err();
        let said = refused.to_string();
        assert!(
            said.contains("ledger.db") && said.contains(&format!("schema {}", SCHEMA_VERSION + 1)),
            "{said}"
        );
        assert!(said.contains(&format!("supports {SCHEMA_VERSION}")), "{said}");
        assert!(refused.hint().unwrap().contains("Install the newer version"), "{refused:?}");
        assert_eq!(refused.exit(), 7);
    }
    assert!(fs::read(home.ledger()).unwrap() == before);
    assert_eq!(home.copies(), names(&[]));
}

#[test]
fn who_has_it_open_while_a_newer_program_migrates_it_neither_writes_nor_reads_any_more() {
    let home = Home::empty();
    let mut ledger = home.open().unwrap();
    let reader = home.read().unwrap().unwrap();
    home.db().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    let before = home.settled();
    let newer = |refused: Error| {
        assert!(matches!(refused, Error::Ledger(LedgerError::Newer { .. })), "{refused:?}");
    };
    newer(ledger.items_forgotten(&["item".into()]).unwrap_err());
    newer(ledger.release_own(&crate::model::ids::FlowId("flow".into())).unwrap_err());
    newer(ledger.check_usable().unwrap_err());
    newer(reader.standings("ny").unwrap_err());
    newer(reader.verify_history().unwrap_err());
    assert!(home.settled() == before);
}

#[test]
fn another_programs_database_is_no_ledger() {
    let home = Home::empty();
    crate::system::files::create_private(&home.ledger()).unwrap();
    home.db().execute_batch("CREATE TABLE customer (name TEXT)").unwrap();
    let before = home.settled();
    for refused in [home.open().map(drop), home.read().map(drop)] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::Ledger(LedgerError::Damaged { .. })), "{refused:?}");
    }
    assert!(fs::read(home.ledger()).unwrap() == before);
}

#[test]
fn several_at_the_same_moment_migrate_it_once() {
    let home = Home::with_schema(1);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                LedgerFile::open(&home.paths(), &OsRandom as &dyn Random, &NoObserver, OpenMode::OrMade)
                    .map(drop)
                    .unwrap()
            });
        }
    });
    assert_eq!((schema(&home.ledger()), home.copies()), (SCHEMA_VERSION, names(&["ledger.db.schema-1"])));
    assert_eq!(records(&home.ledger()), ["L-1"]);
}
