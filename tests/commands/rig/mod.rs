//! The rig: commands run in this process, over a real ledger in a home of its own, with a scripted provider, browser,
//! person and keyring, and a clock that stands until it's moved. Nothing here needs more than Rust and loopback.
//!
//! What a run printed is compared whole: in a snapshot (`snapshot!`), or word by word ([`Done::is`]). Output that a test
//! doesn't mention fails it.

#![allow(dead_code, reason = "a rig has what the next test needs")]

mod browser;
mod clock;
mod keyring;
mod moments;
pub mod oracle;
mod person;
mod provider;
mod successor;
mod transcript;
mod world;

pub use browser::Visit;
pub use keyring::FakeKeyring;
#[allow(unused_imports, reason = "as above")]
pub use moments::Moment;
pub use person::Person;
#[allow(unused_imports, reason = "as above")]
pub use provider::{Reply, ScriptedProvider, URL};
pub use transcript::Done;
#[allow(unused_imports, reason = "as above")]
pub use world::World;

use biotrack_auth::cli;
use biotrack_auth::config::Config;
use biotrack_auth::custody::Custody;
use biotrack_auth::edge::{Env, KeyringThread, LazyRuntime, Paths, Surroundings, Terminal, Variables, Who};
use biotrack_auth::ledger::Ledger;
use biotrack_auth::model::authorization::Standing;
use biotrack_auth::model::flow::Place;
use biotrack_auth::model::ids::{Key, License, Ubi};
use biotrack_auth::model::provider::Provider;
use biotrack_auth::model::vault_kind::VaultKind;
use biotrack_auth::vault::{IdentityFile, Vault};
use browser::ScriptedBrowser;
use jiff::{SignedDuration, Timestamp};
use provider::Wire;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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

/// A home with all that commands meet outside of it.
pub struct Rig {
    world: World,
    /// The stand-in for BioTrack, and what it was asked.
    pub provider: Arc<ScriptedProvider>,
    browser: Arc<ScriptedBrowser>,
    /// The OS keyring's stand-in.
    pub keyring: Arc<FakeKeyring>,
    successor: Arc<RecordedSuccessor>,
    next: RefCell<Person>,
    variables: RefCell<Vec<(String, String)>>,
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

    fn configured(vault: &str) -> Self {
        let rig = Self::bare();
        let init = ["config", "init", "--preset", "local-sandbox", "--url", provider::URL, "--vault", vault];
        rig.run_words(&init).exits(0);
        rig
    }

    /// Nothing is configured.
    pub fn bare() -> Self {
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
            next: RefCell::default(),
            variables: RefCell::default(),
        }
    }

    /// What commands at this terminal share with those at others. Moments of it can be [watched](World::watch).
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The next run's person, and standard input.
    pub fn with(&self, person: Person) -> &Self {
        *self.next.borrow_mut() = person;
        self
    }

    /// A variable of every further run's environment.
    pub fn sets(&self, name: &str, value: &str) {
        self.variables.borrow_mut().push((name.into(), value.into()));
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

    /// Runs a command line, as a shell would split it, without the program's name.
    #[must_use = "what a test doesn't mention must be empty"]
    pub fn run(&self, line: &str) -> Done {
        let words = shlex::split(line).unwrap();
        self.run_words(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The same of words.
    #[must_use = "what a test doesn't mention must be empty"]
    pub fn run_words(&self, words: &[&str]) -> Done {
        let person = self.next.take();
        let (out, err) = (Captured::default(), Captured::default());
        let mut env = self.env();
        env.terminal = person.terminal(&out, &err);
        let arguments: Vec<_> = std::iter::once(&"biotrack-auth").chain(words).map(Into::into).collect();
        let code = cli::run(&arguments, env);
        self.browser.wait();
        person.said_all();
        Done { code, out: self.shown(&out.text()), err: self.shown(&err.text()), ran: self.successor.taken() }
    }

    /// Text without what differs from run to run: the home's path, and ports of this machine.
    fn shown(&self, text: &str) -> String {
        let text = text.replace(&self.world.home().display().to_string(), "[HOME]");
        transcript::without_ports(&text)
    }

    /// The machine as the commands see it, with nobody at it and whatever it prints thrown away.
    pub fn env(&self) -> Env {
        Env {
            clock: self.world.clock.clone(),
            random: self.world.random.clone(),
            browser: self.browser.clone(),
            network: Arc::new(Wire(self.provider.clone())),
            keyring: Arc::new(KeyringThread::over(self.keyring.clone(), PATIENCE)),
            successor: self.successor.clone(),
            variables: Variables::new(self.variables.borrow().iter().cloned()),
            paths: Paths::within(self.world.home()),
            terminal: Terminal::captured(Box::new(std::io::sink()), Box::new(std::io::sink())),
            // A desk with a screen, wherever the tests run.
            surroundings: Some(Surroundings { ssh: false, wsl: false, container: false, display: true }),
            who: Who { user: "sam".into(), host: "desk".into() },
            runtime: LazyRuntime::default(),
        }
    }

    /// A file in the home.
    pub fn file(&self, name: &str) -> PathBuf {
        self.world.home().join(name)
    }

    /// The home's folder.
    pub fn home(&self) -> &Path {
        self.world.home()
    }

    /// Writes a file into the home and gives its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.file(name);
        std::fs::write(&path, text).unwrap();
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
        biotrack_auth::edge::Clock::now(self.world.clock.as_ref())
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
        Ledger::open(&env, &place).unwrap()
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
        let kind = Config::load(&env.paths).unwrap().vault_kind();
        Custody::new(env, profile, self.vault(kind), self.ledger())
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
    pub fn vault_of(&self, place: &Place) -> Vault {
        self.vault(match place {
            Place::Item(_) => VaultKind::Keyring,
            Place::Blob(_) => VaultKind::Sealed,
        })
    }

    /// A license as the ledger has it.
    pub fn standing(&self, license: &str) -> Standing {
        self.ledger().standing(PROFILE, &key(license)).unwrap().unwrap()
    }
}

/// The command line that registers a license through a browser, unattended.
pub fn register(license: &str) -> String {
    format!("register --ubi {UBI} --license {license} --username {ADMIN} --browser scripted")
}

/// A license's key.
pub fn key(license: &str) -> Key {
    Key { ubi: Ubi::parse(UBI).unwrap(), license: License::parse(license).unwrap() }
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
