//! What outlives a command, and what commands at several terminals share: the home, the provider, the keyring, the time.

use super::clock::{CountedRandom, StandingClock};
use super::keyring::FakeKeyring;
use super::moments::{Moment, Watch};
use super::provider::ScriptedProvider;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// A machine, and the provider that it reaches. Clones are the same machine.
#[derive(Clone)]
pub struct World {
    home: Arc<TempDir>,
    /// The home itself.
    path: PathBuf,
    pub(super) clock: Arc<StandingClock>,
    pub(super) random: Arc<CountedRandom>,
    /// The stand-in for BioTrack.
    pub provider: Arc<ScriptedProvider>,
    /// The OS keyring's stand-in.
    pub keyring: Arc<FakeKeyring>,
    watch: Arc<Watch>,
}

impl World {
    pub(super) fn new(now: Timestamp) -> Self {
        let (watch, home) = (Arc::<Watch>::default(), home());
        let clock = Arc::new(StandingClock::at(now, watch.clone()));
        Self {
            path: home.path().into(),
            home,
            random: Arc::default(),
            provider: Arc::new(ScriptedProvider::new(clock.clone(), watch.clone())),
            keyring: Arc::new(FakeKeyring::empty(watch.clone())),
            clock,
            watch,
        }
    }

    /// The home's folder.
    pub fn home(&self) -> &Path {
        &self.path
    }

    /// The same machine with its home in a folder that isn't there yet, which has this name below another.
    pub(super) fn with_home_in(self, below: &str) -> Self {
        Self { path: self.home.path().join(below), ..self }
    }

    /// Another machine, with nothing on it yet, that reaches the same provider.
    pub fn another_host(&self) -> Self {
        let (home, watch) = (home(), Arc::<Watch>::default());
        let path = home.path().into();
        Self { home, path, keyring: Arc::new(FakeKeyring::empty(watch.clone())), watch, ..self.clone() }
    }

    /// This machine once more, with nothing in its home yet.
    pub fn same_host(&self) -> Self {
        Self { keyring: self.keyring.clone(), ..self.another_host() }
    }

    /// Looks at each moment from now on. Clones of this that are kept in `look` live until [`Self::unwatch`].
    pub fn watch(&self, look: impl FnMut(&Moment) + Send + 'static) {
        self.watch.set(look);
    }

    /// Looks no more.
    pub fn unwatch(&self) {
        self.watch.end();
    }

    /// From now on the ledger can be read, and every write to it fails, as on a full disk; or it takes them again.
    pub fn ledger_refuses(&self, refuses: bool) {
        let tables: Vec<String> = self
            .ledger()
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        tables.iter().for_each(|table| self.table_refuses(table, refuses));
    }

    /// The same of one table.
    pub fn table_refuses(&self, table: &str, refuses: bool) {
        ["INSERT", "UPDATE", "DELETE"].iter().for_each(|step| self.step_refused(step, table, refuses));
    }

    /// The same of one kind of write.
    pub fn step_refused(&self, step: &str, table: &str, refuses: bool) {
        let trigger = format!("\"refuse {step} {table}\"");
        let change = match refuses {
            true => format!(
                "CREATE TRIGGER IF NOT EXISTS {trigger} BEFORE {step} ON \"{table}\" \
                 BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
            ),
            false => format!("DROP TRIGGER IF EXISTS {trigger}"),
        };
        self.ledger().execute_batch(&change).unwrap();
    }

    /// How many commits the ledger's log has, as long as it wasn't begun anew: each ends with a frame that tells the size
    /// of the whole (sqlite.org/walformat.html).
    pub fn commits(&self) -> usize {
        const HEADER: usize = 32;
        const FRAME: usize = 24;
        let log = fs::read(self.home().join("ledger.db-wal")).unwrap();
        let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
        let salt = &log[16..24];
        let frames = log[HEADER..].chunks_exact(FRAME + number(8) as usize);
        let ours = frames.take_while(|frame| frame[8..16] == *salt);
        ours.filter(|frame| frame[4..8] != [0; 4]).count()
    }

    /// The ledger as anybody may open it who has SQLite.
    pub fn ledger(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.home().join("ledger.db")).unwrap()
    }

    /// What the ledger's files hold: it differs after each write.
    pub fn written(&self) -> [u8; 32] {
        let files = ["ledger.db", "ledger.db-wal"].map(|name| fs::read(self.home().join(name)).unwrap());
        Sha256::digest(files.concat()).into()
    }

    /// All that the next process could find out: two worlds of one print are the same to it.
    pub fn print(&self) -> String {
        let mut print =
            format!("{:?}{:?}{:?}", self.provider.log(), self.provider.grants(), self.keyring.items());
        add_files(self.home(), &mut print);
        print
    }

    /// Another world that is as this one is now, and in which every process has just been killed: their files are there,
    /// and nobody holds a lock on them.
    pub fn killed_here(&self) -> Self {
        let watch = Arc::<Watch>::default();
        let clock = Arc::new(StandingClock::at(self.clock.shown(), watch.clone()));
        let copy = home();
        copied(self.home(), copy.path());
        Self {
            path: copy.path().into(),
            home: copy,
            random: Arc::new(self.random.copied()),
            provider: Arc::new(self.provider.copied(clock.clone(), watch.clone())),
            keyring: Arc::new(self.keyring.copied(watch.clone())),
            clock,
            watch,
        }
    }
}

/// A folder that is gone afterwards; in memory where the system has such a place, for every commit syncs it.
fn home() -> Arc<TempDir> {
    let memory = Path::new("/dev/shm");
    let mut folder = tempfile::Builder::new();
    folder.prefix("biotrack-auth-");
    // As the program makes it, whatever the umask is.
    #[cfg(unix)]
    folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    Arc::new(folder.tempdir_in(memory).or_else(|_| folder.tempdir()).unwrap())
}

/// Names and contents of all files, but for those that say nothing.
fn add_files(folder: &Path, print: &mut String) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            add_files(&path, print);
        } else if !path.to_string_lossy().ends_with("-shm") {
            let digest = Sha256::digest(fs::read(&path).unwrap());
            print.push_str(&format!("{} {digest:x?}\n", path.display()));
        }
    }
}

fn copied(from: &Path, to: &Path) {
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&copy).unwrap();
            copied(&path, &copy);
        } else if !path.to_string_lossy().ends_with("-shm") {
            // The index of SQLite's log is made anew from the log.
            fs::copy(&path, &copy).unwrap();
        }
    }
}
