//! `sandbox demo`: the whole program at work in a home of its own, which is gone afterwards.

use crate::command::Invocation;
use crate::error::{Error, Result, shell};
use crate::sandbox::{Options, Sandbox, visitor};
use crate::system::{Browser, BrowserChoice, Clock, Env, LaunchOutcome, Paths, SystemBrowser, Variables};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Show the whole program at work in a temporary home: three stores, a renewal, a deactivation
///
/// In a terminal with a display it opens the real pages for you to click (password: sandbox); elsewhere it fills in the
/// same pages' forms itself. Nothing of it stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth sandbox demo
  biotrack-auth sandbox demo --auto")]
pub struct Args {
    /// Fill in the pages' forms itself, even where a person could
    #[arg(long)]
    auto: bool,
}

/// The days that pass between the registrations and the renewal.
const DAYS: i64 = 90;

const STORES: [(&str, &str, &str); 3] = [
    ("101-X0007-D1", "Hudson Street", "ann@hudson.example"),
    ("101-X0008-D1", "Canal Street", "ann@hudson.example"),
    ("204-X0031-D1", "Buffalo Grove", "carl@buffalo.example"),
];

/// How the demo runs a command line.
type RunWords = fn(&[&str], &Invocation<'_>) -> Result<u8>;

pub(super) fn run(args: &Args, call: &Invocation<'_>, run_words: RunWords) -> Result<u8> {
    let machine = call.env;
    let home = tempfile::Builder::new()
        .prefix("biotrack-auth-demo-")
        .tempdir()
        .map_err(|e| Error::File { path: "the temporary folder".into(), reason: e.to_string() })?;
    let time = Arc::new(MovedClock { real: machine.clock.clone(), ahead: Mutex::new(SignedDuration::ZERO) });
    let sandbox = {
        let real = machine.clock.clone();
        Sandbox::start(Options::default(), Arc::new(move || real.now()))
            .map_err(|e| Error::Sandbox { reason: e.to_string() })?
    };
    let a_person = !args.auto && machine.terminal.interactive() && has_display(&machine.variables);
    let browser: Arc<dyn Browser> = match a_person {
        true => Arc::new(SystemBrowser),
        false => Arc::new(Visitor(machine.net()?)),
    };
    let env = machine.within(Paths::within(home.path()), time.clone(), browser);
    let demo = Demo { env, a_person, tree: call.tree, run_words };
    machine.terminal.info(&format!(
        "A stand-in BioTrack runs at {}. This demo uses a temporary home, which is deleted afterwards.",
        sandbox.address()
    ));
    machine.terminal.info(match a_person {
        true => "Each Grant Access page opens in your browser: check the facts, enter the password \"sandbox\", and click Grant Access.",
        false => "The demo fills in each Grant Access page automatically.",
    });

    demo.heading("1. Point the program at the stand-in BioTrack")?;
    demo.step(&[
        "config",
        "init",
        "--preset",
        "local-sandbox",
        "--url",
        &sandbox.address(),
        "--vault",
        "sealed",
    ])?;
    demo.heading("2. Register three stores")?;
    for (license, name, username) in STORES {
        demo.consent(&[
            "register",
            "--ubi",
            "604001234",
            "--license",
            license,
            "--username",
            username,
            "--name",
            name,
        ])?;
    }
    demo.heading("3. Show all authorizations")?;
    demo.step(&["status"])?;
    demo.heading(&format!("4. {DAYS} days later"))?;
    time.advance(SignedDuration::from_hours(DAYS * 24));
    sandbox.set_now(time.now());
    demo.step(&["status"])?;
    demo.heading("5. Renew one, and deactivate one")?;
    demo.consent(&["renew", STORES[0].0])?;
    demo.step(&["deactivate", STORES[2].0, "--yes", "--reason", "store closed"])?;
    demo.heading("6. Show the result")?;
    demo.step(&["status"])?;
    sandbox.stop();
    machine
        .terminal
        .info("The demo is finished, and nothing of it stays. To set up your own: biotrack-auth config init");
    Ok(0)
}

/// The demo's commands run as a user's would, in the demo's Env.
struct Demo {
    env: Env,
    a_person: bool,
    tree: fn() -> clap::Command,
    run_words: RunWords,
}

impl Demo {
    fn heading(&self, text: &str) -> Result<()> {
        let (bold, plain) = if self.env.terminal.color_out() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.env.terminal.answer(&format!("\n{bold}{text}{plain}\n"))
    }

    /// Runs one command, shown as it would be typed; the demo ends with it if it fails.
    fn step(&self, words: &[&str]) -> Result<()> {
        self.show(words)?;
        self.run(words)
    }

    /// A command that waits for a person; where there is none, the demo's own visitor opens the page, whatever
    /// `--browser` names.
    fn consent(&self, words: &[&str]) -> Result<()> {
        self.show(words)?;
        let visitor: &[&str] = if self.a_person { &[] } else { &["--browser", "visitor"] };
        self.run(&[words, visitor].concat())
    }

    fn show(&self, words: &[&str]) -> Result<()> {
        let shown = shell(words.iter().copied());
        self.env.terminal.answer(&format!("\n$ biotrack-auth {shown}\n"))
    }

    fn run(&self, words: &[&str]) -> Result<()> {
        let call = Invocation {
            env: &self.env,
            // Whatever BIOTRACK_AUTH_PROFILE names outside.
            profile: Some("local-sandbox".to_owned()),
            json: false,
            quiet: false,
            config_given: false,
            words: Vec::new(),
            tree: self.tree,
        };
        match (self.run_words)(words, &call)? {
            0 => Ok(()),
            code => Err(Error::Demo { code }),
        }
    }
}

/// The machine's clock, moved ahead.
struct MovedClock {
    real: Arc<dyn Clock>,
    ahead: Mutex<SignedDuration>,
}

impl MovedClock {
    fn advance(&self, by: SignedDuration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        self.real.now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }
}

/// Fills in the forms where nobody can.
struct Visitor(Handle);

impl Browser for Visitor {
    fn open(&self, address: &str, _: &BrowserChoice, _: &Variables) -> LaunchOutcome {
        let address = address.to_owned();
        self.0.spawn(async move {
            if let Err(e) = visitor::grant(&address).await {
                tracing::warn!("the demo's visitor could not grant access: {e}");
            }
        });
        LaunchOutcome::Started
    }
}

/// Whether a browser window could open.
fn has_display(variables: &Variables) -> bool {
    cfg!(any(target_os = "macos", windows))
        || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| variables.get(name).is_some())
}
