//! The rig: a home of its own, a sandbox of its own, and the real program in a bare environment.

#[cfg(target_os = "linux")]
pub mod asked;
#[cfg(target_os = "linux")]
pub mod clock;
pub mod crowd;
#[cfg(target_os = "linux")]
pub mod kill;
pub mod leaks;
#[cfg(unix)]
pub mod line;
#[cfg(target_os = "linux")]
#[path = "../../fixtures/ledgers/home.rs"]
pub mod old_home;
pub mod proxy;
#[cfg(unix)]
pub mod screen;
pub mod scripted;
pub mod seed;
#[cfg(unix)]
pub mod snapshot;
pub mod stored;
#[cfg(target_os = "linux")]
pub mod team;

use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::server::LedgerPlace;
use biotrack_auth::sandbox::{Mishap, MishapRule, Options, Sandbox};
use jiff::Timestamp;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_biotrack-auth");

/// An admin without a screen; see its own text for what it can be told.
pub fn admin() -> String {
    format!("{}/tests/real/support/admin.py", env!("CARGO_MANIFEST_DIR"))
}

/// A home and a sandbox, both gone when dropped.
pub struct Rig {
    home: TempDir,
    elsewhere: TempDir,
    /// The program sees the session's bus.
    keyring: bool,
    /// Where the program's clock is read from, instead of the machine's.
    #[cfg(target_os = "linux")]
    clock: Option<PathBuf>,
    /// The machine has started anew since: how it names its start.
    #[cfg(target_os = "linux")]
    start: Option<PathBuf>,
    sandbox: Sandbox,
}

impl Rig {
    /// A sandbox that misbehaves in these ways, and a home configured for it, sealed.
    pub fn with(fail: &[Mishap]) -> Self {
        let rig = Self::unconfigured(fail);
        rig.configure("sealed");
        rig
    }

    /// A well-behaved sandbox, and a home configured for it, sealed.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// A sandbox, and a home configured for the keyring of the session that the test runs in.
    pub fn with_keyring(fail: &[Mishap]) -> Self {
        let rig = Self { keyring: true, ..Self::unconfigured(fail) };
        rig.configure("keyring");
        rig
    }

    /// The same, sealed, with its ledger in a file whatever the others have.
    pub fn with_file(fail: &[Mishap]) -> Self {
        let rig = Self::unconfigured(fail);
        rig.initialize("sealed");
        rig
    }

    /// A sandbox, and an empty home.
    pub fn unconfigured(fail: &[Mishap]) -> Self {
        Self::around(Options {
            fail: fail.iter().copied().map(MishapRule::from).collect(),
            ..Options::default()
        })
    }

    /// A well-behaved sandbox whose grants live this long, and a home configured for it, sealed.
    pub fn with_lifetime(lifetime: &str) -> Self {
        let lifetime = biotrack_auth::model::duration::parse("lifetime", lifetime).unwrap();
        let rig = Self::around(Options { lifetime, ..Options::default() });
        rig.configure("sealed");
        rig
    }

    /// A sandbox that misbehaves in these ways, each for its share of them, and a home configured for it, sealed.
    pub fn with_shares(seed: u64, fail: &[MishapRule]) -> Self {
        let rig = Self::around(Options { fail: fail.to_vec(), seed, ..Options::default() });
        rig.configure("sealed");
        rig
    }

    /// Configures an empty home, with its ledger in a file.
    pub fn initialize(&self, vault: &str) {
        let url = self.sandbox.address();
        self.run(&["config", "init", "--preset", "local-sandbox", "--url", &url, "--vault", vault]).exits(0);
    }

    fn configure(&self, vault: &str) {
        self.initialize(vault);
        #[cfg(target_os = "linux")]
        if vault == "sealed" && team::wanted() {
            let server = team::shared();
            self.shares_ledger(&server.address(&server.database(), "postgres"));
            // As `config init` would there.
            drop(self.ledger());
        }
    }

    /// More lines of the profile.
    pub fn adds_to_profile(&self, lines: &str) {
        let config = self.file("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{text}\n{lines}\n")).unwrap();
    }

    fn around(options: Options) -> Self {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let log = elsewhere.path().join("sandbox.log");
        let options = Options { log: Some(log), ..options };
        #[expect(clippy::disallowed_methods, reason = "the sandbox runs by the machine's clock")]
        let sandbox = Sandbox::start(options, Arc::new(Timestamp::now)).unwrap();
        Self {
            home,
            elsewhere,
            keyring: false,
            #[cfg(target_os = "linux")]
            clock: None,
            #[cfg(target_os = "linux")]
            start: None,
            sandbox,
        }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Puts these records into the ledger.
    pub fn seed(&self, records: &[Authorization]) {
        seed::seed(&mut self.ledger(), records);
    }

    /// Makes the ledger something that no one can read.
    pub fn spoil_the_ledger(&self) {
        #[cfg(target_os = "linux")]
        if let LedgerPlace::Server(server) = self.ledger_place() {
            team::shared()
                .says(&server.database, "UPDATE biotrack_auth.meta SET value = 'x' WHERE name = 'schema'");
            return;
        }
        for beside in ["ledger.db-wal", "ledger.db-shm"] {
            let _ = std::fs::remove_file(self.file(beside));
        }
        std::fs::write(self.file("ledger.db"), "no ledger at all, but a text of more than sixteen bytes")
            .unwrap();
    }

    /// A file in the home that holds nothing of the program.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file outside the home: the provider's, and the test's own.
    pub fn elsewhere(&self, name: &str) -> PathBuf {
        self.elsewhere.path().join(name)
    }

    /// The program in a bare environment, with nobody there.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program();
        command
            .args(arguments)
            .env_clear()
            .env("BIOTRACK_AUTH_HOME", self.home.path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(target_os = "linux")]
        if let Some(file) = &self.clock {
            clock::told_by(&mut command, file);
        }
        if self.keyring {
            for name in ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME"] {
                #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
                command.env(name, std::env::var_os(name).unwrap());
            }
        }
        command
    }

    /// The program itself, or as it runs at a later start of the machine.
    fn program(&self) -> Command {
        #[cfg(target_os = "linux")]
        if let Some(start) = &self.start {
            const LATER: &str = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", LATER]).arg(start).arg(PROGRAM);
            return command;
        }
        Command::new(PROGRAM)
    }

    /// The machine starts anew: whatever runs from here on belongs to another start. Needs root.
    #[cfg(target_os = "linux")]
    pub fn starts_anew(&mut self) {
        let start = self.elsewhere("start");
        std::fs::write(&start, "00000000-0000-4000-8000-000000000002\n").unwrap();
        self.start = Some(start);
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Registers a license through the admin.
    pub fn register(&self, license: &str) -> Run {
        self.run(&register(license, &[]))
    }

    /// `status --json`.
    pub fn status(&self) -> Value {
        self.run(&["status", "--json"]).exits(0).json()
    }

    /// The one authorization that there is.
    pub fn only(&self) -> Value {
        let status = self.status();
        assert_eq!(status["authorizations"].as_array().unwrap().len(), 1, "{status}");
        status["authorizations"][0].clone()
    }

    /// What the sandbox logged: the truth.
    pub fn truth(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.elsewhere("sandbox.log")).unwrap_or_default();
        // The last line may still be on its way.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many questions are open in the ledger.
    pub fn counted_asked(&self) -> i64 {
        match self.ledger_place() {
            LedgerPlace::File => open_questions(&self.file("ledger.db")),
            LedgerPlace::Server(_) => {
                let found = self.read_ledger();
                found.map_or(0, |ledger| i64::try_from(ledger.all_flows().unwrap().len()).unwrap())
            }
        }
    }

    /// Waits until something holds; a test that waits in vain is ended.
    #[track_caller]
    pub fn until(&self, holds: impl FnMut() -> bool) {
        until(holds);
    }

    /// How many events of a kind the sandbox logged.
    pub fn counted(&self, event: &str) -> usize {
        self.truth().iter().filter(|line| line["event"] == event).count()
    }
}

/// Waits until something holds; a test that waits in vain is ended. It looks again and again, and leaves the processor to what it
/// waits for.
#[track_caller]
pub fn until(mut holds: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "it never happened");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// A program that isn't ours; where it's missing, the test says what installs it.
#[track_caller]
pub fn outside(program: &str) -> Command {
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/usr/local/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists());
    Command::new(found.unwrap_or_else(|| panic!("{program} isn't installed: tests/run installs it")))
}

/// What curl gets at a listener's port, past the proxy of the tests' public address: the status and the page; 0 where nothing came.
#[track_caller]
pub fn past_the_proxy(port: u16, target: &str, options: &[&str]) -> (u16, String) {
    let address = format!("http://127.0.0.1:{port}{target}");
    let got = outside("curl")
        .args(["-s", "-w", "\n%{http_code}", "-H", "Host: auth.example.com"])
        .args(options)
        .arg(address)
        .output()
        .unwrap();
    let text = String::from_utf8(got.stdout).unwrap();
    let (page, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), page.to_owned())
}

/// The arguments that register a license through the admin, and more.
pub fn register<'a>(license: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments =
        vec!["register", "--ubi", "604001", "--license", license, "--username", "ann@example.com"];
    if !["--browser", "--no-browser", "--no-wait"].iter().any(|how| more.contains(how)) {
        arguments.extend(["--browser", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/support/admin.py")]);
    }
    arguments.extend(more);
    arguments
}

/// How many questions are open in a ledger; none in one that is just being made.
pub fn open_questions(ledger: &Path) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    rusqlite::Connection::open_with_flags(ledger, flags)
        .and_then(|db| db.query_row("SELECT count(*) FROM flow", [], |row| row.get(0)))
        .unwrap_or(0)
}

/// Sends a process a signal.
pub fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A document is what its shipped schema says.
#[track_caller]
pub fn valid(schema: &str, document: &Value) {
    let path = format!("{}/schemas/{schema}.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(document).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{document}");
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.err.contains(words), "no \"{words}\" in\n{}", self.err);
        self
    }

    #[track_caller]
    pub fn says_not(self, words: &str) -> Self {
        assert!(!self.err.contains(words), "\"{words}\" in\n{}", self.err);
        self
    }

    #[track_caller]
    pub fn answers(self, words: &str) -> Self {
        assert!(self.out.contains(words), "no \"{words}\" in\n{}", self.out);
        self
    }

    #[track_caller]
    pub fn answers_nothing(self) -> Self {
        assert_eq!(self.out, "");
        self
    }

    #[track_caller]
    pub fn says_nothing(self) -> Self {
        assert_eq!(self.err, "");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}\n{}\n{}", self.out, self.err))
    }
}
