//! The rig: commands run in this process, over a real ledger in a home of its own, with a scripted provider, browser,
//! person and keyring, and a clock that stands until it's moved. Nothing here needs more than Rust and loopback.
//!
//! What a run printed is compared whole: in a snapshot (`snapshot!`), or word by word ([`Done::is`]). Output that a test
//! doesn't mention fails it.

#![allow(dead_code, reason = "a rig has what the next test needs")]

mod browser;
mod clock;
mod gate;
pub mod generated;
mod hints;
mod keyring;
mod log;
mod moments;
pub mod oracle;
mod person;
mod provider;
pub mod schema;
pub mod seed;
mod stored;
mod successor;
#[cfg(all(feature = "real-parts", target_os = "linux"))]
#[path = "../../real/support/team.rs"]
mod team;
pub mod transcript;
mod world;

#[allow(unused_imports, reason = "as above")]
pub use browser::{Visit, get, in_words};
pub use gate::{Gate, News, Watching};
pub use keyring::FakeKeyring;
#[allow(unused_imports, reason = "as above")]
pub use moments::Moment;
#[allow(unused_imports, reason = "as above")]
pub use person::{Hand, Person};
#[allow(unused_imports, reason = "as above")]
pub use provider::{HeldRequest, Reply, ScriptedProvider, URL};
#[allow(unused_imports, reason = "as above")]
pub use transcript::{Done, fits, without_home, words};
#[allow(unused_imports, reason = "as above")]
pub use world::World;

use biotrack_auth::cli;
use biotrack_auth::config::Config;
use biotrack_auth::custody::{Custody, SealLabeler};
use biotrack_auth::ledger::Ledger;
use biotrack_auth::model::authorization::{Authorization, AuthorizationWithFlows};
use biotrack_auth::model::flow::SecretPlace;
use biotrack_auth::model::ids::{License, LicenseId, Ubi, Username};
use biotrack_auth::model::provider::Provider;
use biotrack_auth::model::vault_kind::VaultKind;
use biotrack_auth::system::{
    Env, Invoker, KeyringThread, LazyRuntime, NoObserver, Paths, Surroundings, SystemNetwork, Terminal,
    Variables,
};
use biotrack_auth::vault::{IdentityFile, Vault};
use browser::ScriptedBrowser;
use gate::{GatedKeyring, GatedWire};
use jiff::{SignedDuration, Timestamp};
use provider::Wire;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use successor::RecordedSuccessor;
use transcript::Captured;

/// The profile of every rig.
pub const PROFILE: &str = "local-sandbox";
/// The company of every license, unless a test says otherwise.
pub const UBI: &str = "604001";
/// The admin of every license, unless a test says otherwise.
pub const ADMIN: &str = "ann@example.com";
/// How long a command waits for the keyring: longer than a command takes that another one has run meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);
/// The instant at which every rig begins: a Monday morning in New York.
pub const BEGIN: &str = "2026-03-02T15:00:00Z";
/// How far apart the moments are that a sweep tries. On Windows, where files cost many times what they cost on Linux, each
/// eighth stands for its neighbors; Linux tries them all.
pub const STRIDE: usize = if cfg!(windows) { 8 } else { 1 };

/// The start of the machine that every rig begins with.
pub const BOOT: &str = "000000000001";

/// A home with all that commands meet outside of it.
pub struct Rig {
    world: World,
    /// The stand-in for BioTrack, and what it was asked.
    pub provider: Arc<ScriptedProvider>,
    browser: Arc<ScriptedBrowser>,
    /// The OS keyring's stand-in.
    pub keyring: Arc<FakeKeyring>,
    successor: Arc<RecordedSuccessor>,
    next: Mutex<Person>,
    variables: Mutex<Vec<(String, String)>>,
    boot: Mutex<Option<String>>,
    surroundings: Mutex<Surroundings>,
    /// The network leads to this machine's loopback, and not to the scripted provider.
    real_network: Mutex<bool>,
    earlier: Mutex<Vec<PathBuf>>,
    user: Mutex<String>,
    /// Age recipients in the order in which they were shown: each run of a test makes others.
    recipients: Mutex<Vec<String>>,
}

impl Rig {
    /// Configured for the scripted provider, sealed to an identity of its own.
    pub fn new() -> Self {
        Self::configured("sealed")
    }

    /// The same, with its secrets in the keyring.
    pub fn with_keyring() -> Self {
        Self::configured("keyring")
    }

    /// The same, with its ledger in a file wherever those of other tests are.
    pub fn in_a_file() -> Self {
        let rig = Self::bare();
        rig.init("sealed");
        rig
    }

    /// What makes an empty database and gives its address, where this run of the tests has a server.
    #[cfg(all(feature = "real-parts", target_os = "linux"))]
    pub fn a_server() -> Option<impl Fn() -> String> {
        team::wanted().then(|| {
            let server = team::shared();
            move || server.address(&server.database(), "postgres")
        })
    }

    /// The same, with its home in a folder of this name.
    pub fn in_folder(below: &str, vault: &str) -> Self {
        log::stays_awake();
        let rig = Self::of(World::new(BEGIN.parse().unwrap()).with_home_in(below));
        rig.init(vault);
        rig
    }

    fn configured(vault: &str) -> Self {
        let rig = Self::bare();
        rig.init(vault);
        #[cfg(all(feature = "real-parts", target_os = "linux"))]
        if vault == "sealed" && team::wanted() {
            // The same outputs, with the ledger on a server.
            let server = team::shared();
            rig.shares_ledger(&server.address(&server.database(), "postgres"));
            // As `config init` would there; what is drawn for it is drawn for nothing else.
            let mut env = rig.env();
            env.random = Arc::new(biotrack_auth::system::OsRandom);
            let place = Config::load(&env.paths).unwrap().ledger_place(&env.variables, "sam").unwrap();
            drop(Ledger::open_or_make(&env, &place).unwrap());
        }
        rig
    }

    fn init(&self, vault: &str) {
        let init = ["config", "init", "--preset", "local-sandbox", "--url", provider::URL, "--vault", vault];
        self.run_words(&init).exits(0);
    }

    /// Nothing is configured.
    pub fn bare() -> Self {
        log::stays_awake();
        Self::of(World::new(BEGIN.parse().unwrap()))
    }

    /// At a terminal of this world: others may be at other terminals of it.
    pub fn of(world: World) -> Self {
        Self {
            provider: world.provider.clone(),
            keyring: world.keyring.clone(),
            browser: Arc::new(ScriptedBrowser::of(world.provider.clone())),
            world,
            successor: Arc::default(),
            next: Mutex::default(),
            variables: Mutex::default(),
            boot: Mutex::new(Some(BOOT.into())),
            // A desk with a screen, wherever the tests run.
            surroundings: Mutex::new(Surroundings {
                ssh: false,
                wsl: false,
                container: false,
                display: true,
                wine: false,
            }),
            real_network: Mutex::new(false),
            earlier: Mutex::default(),
            user: Mutex::new("sam".into()),
            recipients: Mutex::default(),
        }
    }

    /// Another home of the same integrator, sealed to an identity of its own: with this one's provider and clock.
    pub fn another_home(&self) -> Self {
        let rig = Self { browser: self.browser.clone(), ..Self::of(self.world.another_host()) };
        rig.init("sealed");
        rig
    }

    /// What is on the disk at this moment, after the machine has ended and started anew: no process of before lives, and
    /// what `boot` names as the start is another one, the same one, or one that can't be told.
    pub fn restarted(&self, boot: Option<&str>) -> Self {
        let other = Self::of(self.world.same_host());
        for entry in std::fs::read_dir(self.home()).unwrap().map(|entry| entry.unwrap()) {
            copy(&entry.path(), &other.file(entry.file_name().to_str().unwrap()));
        }
        *other.boot.lock().unwrap() = boot.map(str::to_owned);
        other
    }

    /// The start of the machine that this home's processes belong to.
    pub fn boot(&self) -> Option<String> {
        self.boot.lock().unwrap().clone()
    }

    /// Starts a command line on a thread of its own: what it prints is thrown away.
    pub fn start(&self, line: &str) -> std::thread::JoinHandle<u32> {
        let words = transcript::words(line);
        let arguments: Vec<_> =
            std::iter::once("biotrack-auth".into()).chain(words.into_iter().map(Into::into)).collect();
        let env = self.env();
        std::thread::spawn(move || cli::run(&arguments, env))
    }

    /// What commands at this terminal share with those at others. Moments of it can be [watched](World::watch).
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The next run's person, and standard input.
    pub fn with(&self, person: Person) -> &Self {
        *self.next.lock().unwrap() = person;
        self
    }

    /// A variable of every further run's environment.
    pub fn sets(&self, name: &str, value: &str) {
        self.variables.lock().unwrap().push((name.into(), value.into()));
    }

    /// Who sits there from now on.
    pub fn is_used_by(&self, user: &str) {
        *self.user.lock().unwrap() = user.into();
    }

    /// Where an earlier version had its home, from now on.
    pub fn had_its_home_in(&self, folders: &[PathBuf]) {
        *self.earlier.lock().unwrap() = folders.to_vec();
    }

    /// What kind of place it is from now on, instead of a desk with a screen.
    pub fn is_in(&self, surroundings: Surroundings) {
        *self.surroundings.lock().unwrap() = surroundings;
    }

    /// The network is the machine's from now on, for a test that has a sandbox on loopback.
    pub fn reaches_the_sandbox(&self) {
        *self.real_network.lock().unwrap() = true;
    }

    /// What the next browsers do, one after the other; after those they grant.
    pub fn visits(&self, visits: impl IntoIterator<Item = Visit>) -> &Self {
        self.browser.does(visits);
        self
    }

    /// The last page that a browser was answered with; waits until it has come.
    pub fn page(&self) -> String {
        self.shown(&self.browser.last_page())
    }

    /// The same page as its reader sees it.
    pub fn page_in_words(&self) -> String {
        browser::in_words(&self.page())
    }

    /// Every address that a browser was told to open so far.
    pub fn opened(&self) -> Vec<String> {
        self.browser.opened()
    }

    /// What the browser was told to open: what stands in its arguments.
    pub fn launched(&self) -> Vec<String> {
        self.browser.launched()
    }

    /// Runs a command line, as a shell would split it, without the program's name.
    #[must_use = "what a test doesn't mention must be empty"]
    pub fn run(&self, line: &str) -> Done {
        let words = transcript::words(line);
        self.run_words(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The same of words.
    #[must_use = "what a test doesn't mention must be empty"]
    pub fn run_words(&self, words: &[&str]) -> Done {
        self.run_by(&self.person(), words, &Captured::default(), &Captured::default())
    }

    /// Runs a command line that waits, and meanwhile, on a thread of its own, what the test does with it.
    #[must_use = "what a test doesn't mention must be empty"]
    pub fn run_while(&self, line: &str, meanwhile: impl FnOnce(&Running) + Send) -> Done {
        let words = transcript::words(line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let (person, out, err) = (self.person(), Captured::default(), Captured::default());
        let running = Running { out: out.clone(), err: err.clone(), hand: person.hand() };
        std::thread::scope(|threads| {
            let meanwhile = threads.spawn(move || meanwhile(&running));
            let done = self.run_by(&person, &words, &out, &err);
            meanwhile.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            done
        })
    }

    /// Who sits at the next run.
    fn person(&self) -> Person {
        std::mem::take(&mut self.next.lock().unwrap())
    }

    fn run_by(&self, person: &Person, words: &[&str], out: &Captured, err: &Captured) -> Done {
        let mut env = self.env();
        env.terminal = person.terminal(out, err);
        env.signals = person.hand().signals();
        self.browser.is_beside(person.hand());
        let arguments: Vec<_> = std::iter::once(&"biotrack-auth").chain(words).map(Into::into).collect();
        let code = cli::run(&arguments, env);
        self.browser.wait();
        person.said_all();
        schema::check(words, &out.text());
        self.can_run(words, hints::told(words, &out.text(), &err.text()));
        Done {
            code,
            out: self.shown(&out.text()),
            err: self.shown(&err.text()),
            ran: self.successor.taken(),
            bytes: out.bytes(),
        }
    }

    /// Text without what differs from run to run, and from release to release: the home's path, ports of this machine, age
    /// recipients, the words of the operating system, the version.
    fn shown(&self, text: &str) -> String {
        let version = concat!("biotrack-auth ", env!("CARGO_PKG_VERSION"));
        let text = transcript::without_home(text, self.world.home());
        let text = text.replace(version, "biotrack-auth [VERSION]");
        let text =
            transcript::without_ports(&transcript::without_process(&transcript::without_system_words(&text)));
        transcript::without_recipients(&text, &mut self.recipients.lock().unwrap())
    }

    /// The machine as the commands see it, with nobody at it and whatever it prints thrown away.
    pub fn env(&self) -> Env {
        let mut paths = Paths::within(self.world.home());
        paths.earlier.clone_from(&self.earlier.lock().unwrap());
        Env {
            clock: self.world.clock.clone(),
            random: self.world.random.clone(),
            browser: self.browser.clone(),
            network: match *self.real_network.lock().unwrap() {
                true => Arc::new(SystemNetwork),
                false => Arc::new(Wire(self.provider.clone())),
            },
            keyring: Arc::new(KeyringThread::over(self.keyring.clone(), PATIENCE)),
            successor: self.successor.clone(),
            variables: Variables::new(self.variables.lock().unwrap().iter().cloned()),
            paths,
            terminal: Terminal::captured(Box::new(std::io::sink()), Box::new(std::io::sink())),
            surroundings: Some(*self.surroundings.lock().unwrap()),
            boot: self.boot.lock().unwrap().clone(),
            steps: Arc::new(NoObserver),
            who: Invoker { user: self.user.lock().unwrap().clone(), host: "desk".into() },
            signals: Hand::default().signals(),
            runtime: LazyRuntime::default(),
        }
    }

    /// A program that `--browser` can name where a run looks for it before it begins: it's there, and never started.
    pub fn browser_program(&self) -> String {
        self.write("browser", "")
    }

    /// A record of a license whose grant ends in so many days; its tokens aren't here. Negative: it has lapsed.
    pub fn record(&self, license: &str, admin: &str, days: i64) -> Authorization {
        let ends = self.now() + SignedDuration::from_hours(24 * days);
        Authorization {
            created_at: Some(ends - SignedDuration::from_hours(24 * 100)),
            expires_at: Some(ends),
            granted_by: Some(admin.into()),
            ..Authorization::asked(PROFILE, key(license), Username::parse(admin).unwrap())
        }
    }

    /// The same machine, whose steps go through a gate; what commands print there is thrown away.
    pub fn env_through(&self, gate: &Arc<Gate>) -> Env {
        // A command that stands at the gate may stand there for long.
        const PATIENCE: Duration = Duration::from_secs(600);
        let keyring = GatedKeyring(self.keyring.clone(), gate.clone());
        let mut env = self.env();
        env.network = Arc::new(GatedWire(self.provider.clone(), gate.clone()));
        env.keyring = Arc::new(KeyringThread::over(Arc::new(keyring), PATIENCE));
        env.steps = gate.clone();
        env
    }

    /// The recipient of the home's own identity.
    pub fn recipient(&self) -> String {
        biotrack_auth::vault::recipient_of(IdentityFile::at(&self.env().paths.identity)).unwrap()
    }

    /// A file in the home.
    pub fn file(&self, name: &str) -> PathBuf {
        self.world.home().join(name)
    }

    /// Whether the configuration names a ledger on a server.
    pub fn is_on_a_server(&self) -> bool {
        std::fs::read_to_string(self.file("config.toml")).is_ok_and(|it| it.contains("postgres://"))
    }

    /// The home's folder.
    pub fn home(&self) -> &Path {
        self.world.home()
    }

    /// Writes a file into the home, which others may not read, and gives its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.file(name);
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path.display().to_string()
    }

    /// More lines of the profile, which stands last in the configuration.
    pub fn adds_to_profile(&self, lines: &str) {
        let text = std::fs::read_to_string(self.file("config.toml")).unwrap();
        self.write("config.toml", &format!("{text}\n{lines}\n"));
    }

    /// Lines before the profile.
    pub fn adds_to_config(&self, lines: &str) {
        let text = std::fs::read_to_string(self.file("config.toml")).unwrap();
        self.write("config.toml", &format!("{lines}\n{text}"));
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        biotrack_auth::system::Clock::now(self.world.clock.as_ref())
    }

    /// Moves the clock ahead.
    pub fn days_pass(&self, days: i64) {
        self.world.clock.advance(SignedDuration::from_hours(24 * days));
    }

    /// Moves the clock ahead by a little.
    pub fn minutes_pass(&self, minutes: i64) {
        self.world.clock.advance(SignedDuration::from_mins(minutes));
    }

    /// Registers a license through a browser that grants.
    pub fn grant(&self, license: &str) -> Done {
        self.run(&register(license)).exits(0)
    }

    /// The configured ledger, for writing.
    pub fn ledger(&self) -> Ledger {
        let env = self.env();
        let place = Config::load(&env.paths).unwrap().ledger_place(&env.variables, "sam").unwrap();
        Ledger::open_or_make(&env, &place).unwrap()
    }

    /// The profile as the commands read it.
    pub fn profile(&self) -> Provider {
        Config::load(&self.env().paths).unwrap().provider(PROFILE).unwrap()
    }

    /// Custody over the home's ledger and vault, as a command has it, in a machine that the caller keeps.
    pub fn custody<'e>(&self, env: &'e Env) -> Custody<'e> {
        self.custody_of(env, Arc::new(self.profile()))
    }

    /// The same, of another profile than the configured one.
    pub fn custody_of<'e>(&self, env: &'e Env, profile: Arc<Provider>) -> Custody<'e> {
        let kind = Config::load(&env.paths).unwrap().vault;
        Custody::new(env, profile, self.vault(kind), self.ledger())
    }

    /// What secrets are sealed for in this home.
    pub fn seals(&self) -> SealLabeler {
        SealLabeler::of(&self.ledger(), Config::load(&self.env().paths).unwrap().registrations())
    }

    /// The home's vault of a kind.
    pub fn vault(&self, kind: VaultKind) -> Vault {
        let env = self.env();
        match kind {
            VaultKind::Keyring => Vault::keyring(env.keyring),
            VaultKind::Sealed => {
                let recipients = Config::load(&env.paths).unwrap().recipients;
                Vault::sealed(IdentityFile::at(&env.paths.identity), recipients)
            }
        }
    }

    /// The vault that a secret of this place is in.
    pub fn vault_of(&self, place: &SecretPlace) -> Vault {
        self.vault(match place {
            SecretPlace::Item(_) => VaultKind::Keyring,
            SecretPlace::Blob(_) => VaultKind::Sealed,
        })
    }

    /// A license as the ledger has it.
    pub fn standing(&self, license: &str) -> AuthorizationWithFlows {
        self.ledger().standing(PROFILE, &key(license)).unwrap().unwrap()
    }
}

/// A command that waits, as the test's other thread has it.
pub struct Running {
    out: Captured,
    err: Captured,
    /// Of whoever sits at its terminal.
    pub hand: Hand,
}

impl Running {
    /// Waits until it has said this on standard error; all that it said by then.
    #[track_caller]
    pub fn says(&self, words: &str) -> String {
        self.err.until(words)
    }

    /// Waits until it has answered this on standard output; all that it answered by then.
    #[track_caller]
    pub fn answers(&self, words: &str) -> String {
        self.out.until(words)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The test has failed: nobody ends the command any more.
            (0..2).for_each(|_| self.hand.interrupts());
        }
    }
}

/// The command line that registers a license through a browser, unattended.
pub fn register(license: &str) -> String {
    format!("register --ubi {UBI} --license {license} --username {ADMIN} --browser scripted")
}

/// A license's key.
pub fn key(license: &str) -> LicenseId {
    LicenseId { ubi: Ubi::parse(UBI).unwrap(), license: License::parse(license).unwrap() }
}

/// A program that the server needs, in the machine's own environment.
#[cfg(all(feature = "real-parts", target_os = "linux"))]
fn outside(program: &str) -> std::process::Command {
    std::process::Command::new(program)
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        std::fs::set_permissions(to, from.metadata().unwrap().permissions()).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if from.is_file() {
        // What is there: a file may go while it's copied, and a socket isn't one.
        match std::fs::copy(from, to) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            copied => drop(copied.unwrap()),
        }
    }
}

/// Compares what a run printed, whole, with the snapshot named after the test. `INSTA_UPDATE=always cargo test` writes it
/// anew.
#[macro_export]
macro_rules! snapshot {
    ($done:expr) => {
        insta::assert_snapshot!($done.transcript())
    };
    ($name:expr, $done:expr) => {
        insta::assert_snapshot!($name, $done.transcript())
    };
}
