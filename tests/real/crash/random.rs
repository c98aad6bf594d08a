//! SIGKILL at a random instant of a random command, over one home that lives on; its vault changes sides as it goes.
//!
//! BIOTRACK_TEST_ALL=1 kills 10,000 times, CI sixty. BIOTRACK_TEST_SEED=N repeats what a seed drew; the instants
//! themselves are the machine's.

use super::book::Book;
use crate::keyring::session::{Session, within};
use crate::support::crowd::{Crowd, Dice, Will};
use crate::support::{Rig, Run, register};
use biotrack_auth::sandbox::visitor::{AdminChoice, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::time::{Duration, Instant};

const LICENSES: [&str; 6] = ["L-1", "L-2", "L-3", "L-4", "L-5", "L-6"];

/// So often all is looked through, and the vault changes sides.
const ROUND: usize = 50;

/// What is being killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Register,
    Renew,
    Refresh,
    Complete,
    Deactivate,
    Move,
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    std::env::var(name).ok()
}

#[test]
fn killed_at_random_instants_a_home_never_lies() {
    within(Session::Unlocked, || {
        let many = if variable("BIOTRACK_TEST_ALL").is_some() { 10_000 } else { 60 };
        let seed = match variable("BIOTRACK_TEST_SEED") {
            Some(seed) => seed.parse().unwrap(),
            None => RandomState::new().build_hasher().finish(),
        };
        Trial::of(seed).goes_through(many);
    });
}

/// One home with its licenses, and what the provider and the program said of them so far.
struct Trial {
    rig: Rig,
    crowd: Crowd,
    runtime: tokio::runtime::Runtime,
    visitor: Visitor,
    dice: Dice,
    seed: u64,
    book: Book,
    /// How long each command takes, by the last ones that came to their end.
    took: BTreeMap<What, Duration>,
    sealed: bool,
    /// Each license's state, as a fresh process told it last.
    states: BTreeMap<String, String>,
    killed: BTreeMap<What, usize>,
    survived: usize,
    /// Each command, its license, and whether it was killed.
    last: Vec<(What, String, bool)>,
}

impl Trial {
    fn of(seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let visitor = runtime.block_on(async { Visitor::new().unwrap() });
        Self {
            rig: Rig::with_keyring(&[]),
            crowd: Crowd::of(seed, |_| Will::Grant),
            runtime,
            visitor,
            dice: Dice::of(seed),
            seed,
            book: Book::default(),
            took: BTreeMap::new(),
            sealed: false,
            states: BTreeMap::new(),
            killed: BTreeMap::new(),
            survived: 0,
            last: Vec::new(),
        }
    }

    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    fn goes_through(mut self, many: usize) {
        println!("random kills fired with BIOTRACK_TEST_SEED={}", self.seed);
        let began = Instant::now();
        let mut fired = 0;
        while fired < many {
            if self.strike() {
                fired += 1;
                if fired % ROUND == 0 {
                    self.looks_through();
                    println!("{fired} random kills fired after {} s", began.elapsed().as_secs());
                }
            }
        }
        self.looks_through();
        self.ends_well();
        println!(
            "{fired} random kills fired in {} s, seed {}: {:?}; {} commands were left alone or quicker; {} uncertain; \
             {} grants issued, {} refreshed; 0 lost",
            began.elapsed().as_secs(),
            self.seed,
            self.killed,
            self.survived,
            self.book.uncertain,
            self.book.issued,
            self.book.rotated,
        );
    }

    /// Kills one command, or finds it quicker; then compares its license with the provider's log.
    fn strike(&mut self) -> bool {
        let license = LICENSES[self.dice.roll(LICENSES.len())];
        let state = self.states.get(license).map(String::as_str);
        let asks = matches!(state, None | Some("pending" | "deactivated"));
        let (what, arguments) = self.drawn(license, asks);
        let killed = self.struck(what, &arguments);
        self.last.push((what, license.to_owned(), killed));
        if killed {
            *self.killed.entry(what).or_default() += 1;
        } else {
            self.survived += 1;
        }
        let of = if what == What::Move { &LICENSES[..] } else { &[license] };
        self.is_true(of, what);
        self.is_sound("quick_check");
        killed
    }

    /// A command that this license takes.
    fn drawn(&mut self, license: &str, asks: bool) -> (What, Vec<String>) {
        let browser = self.crowd.browser();
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let what = match (self.dice.roll(100), asks) {
            (0..3, _) => What::Move,
            (3..25, _) => What::Complete,
            (_, true) => What::Register,
            (25..50, false) => What::Renew,
            (50..80, false) => What::Refresh,
            (_, false) => What::Deactivate,
        };
        let arguments = match what {
            What::Register => words(&register(license, &["--browser", &browser])),
            What::Renew => words(&["renew", license, "--browser", &browser]),
            What::Refresh => words(&["token", license, "--min-valid", "60m"]),
            What::Deactivate => words(&["deactivate", license, "--yes"]),
            What::Move => words(&["config", "vault", if self.sealed { "keyring" } else { "sealed" }]),
            What::Complete => match self.handed_out(license, asks) {
                Some(back) => words(&["complete", &back]),
                // What an earlier kill left of this license was finished instead.
                None => words(&["token", license, "--min-valid", "60m"]),
            },
        };
        (what, arguments)
    }

    /// Hands a link out, and has its admin grant: what they send back.
    fn handed_out(&mut self, license: &str, asks: bool) -> Option<String> {
        let renew = ["renew", license, "--no-wait", "-q"];
        let run = match asks {
            true => {
                self.rig.run(&[&register(license, &["--no-browser"])[..7], &["--no-wait", "-q"]].concat())
            }
            false => self.rig.run(&renew),
        };
        let address = run.out.trim_end();
        if run.code != 0 || !address.starts_with("http") {
            let calm = [0, 1, 2, 5, 6, 8].contains(&run.code);
            assert!(calm && !run.err.contains("panicked"), "seed {}: {run:?}", self.seed);
            return None;
        }
        let back = self.runtime.block_on(self.visitor.answer(address, &AdminChoice::Grant)).unwrap();
        Some(back.to_string())
    }

    /// Starts a command and kills it after a part of the time that it takes. Whether it died of that.
    fn struck(&mut self, what: What, arguments: &[String]) -> bool {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let began = Instant::now();
        let mut child = self.rig.start(&arguments);
        // One in eight is left alone, which also tells how long it takes now: those that merely outran their kill would
        // tell too little.
        let left_alone = self.dice.roll(8) == 0;
        if let (Some(&whole), false) = (self.took.get(&what), left_alone) {
            // A little longer, for it never takes the same.
            let instant = whole * u32::try_from(self.dice.roll(1100)).unwrap() / 1000;
            std::thread::sleep(instant.saturating_sub(began.elapsed()));
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let took = began.elapsed();
        let killed = output.status.signal() == Some(9);
        if !killed {
            // What ends at once for want of work is no measure.
            if output.status.success() && (left_alone || !self.took.contains_key(&what)) {
                let known = *self.took.entry(what).or_insert(took);
                self.took.insert(what, (known + took) / 2);
            }
            self.ended_well(what, output);
        }
        if what == What::Move {
            self.goes_on_moving();
        }
        killed
    }

    fn ended_well(&self, what: What, output: Output) {
        let run = Run::of(output);
        // 1, 2: another command is the right one here; 4: the provider called the grant dead; 6, 8: the question was
        // spent or its answer lost before.
        let calm = [0, 1, 2, 4, 5, 6, 8].contains(&run.code) && !run.err.contains("panicked");
        assert!(calm, "seed {}: {what:?}: {run:?}", self.seed);
    }

    /// A move that was cut short is brought to its end, unless a license must be finished first: then it's as it was.
    fn goes_on_moving(&mut self) {
        let to = if self.sealed { "keyring" } else { "sealed" };
        let run = self.rig.run(&["config", "vault", to]);
        match run.code {
            0 => self.sealed = !self.sealed,
            1 => assert!(run.err.contains("finish it first"), "seed {}: {run:?}", self.seed),
            _ => panic!("seed {}: {run:?}", self.seed),
        }
    }

    /// What a fresh process says of these licenses is what the provider knows.
    fn is_true(&mut self, licenses: &[&str], what: What) {
        self.book.catch_up(&self.rig);
        let mut records = records(&self.rig);
        for license in licenses {
            self.compares(license, records.remove(*license), what);
        }
        self.states.extend(records.into_iter().map(state));
    }

    fn compares(&mut self, license: &str, record: Option<Value>, what: What) {
        self.states.extend(record.clone().map(|record| state((license.to_owned(), record))));
        if let Err(why) = self.book.judges(&self.rig, license, record.as_ref()) {
            self.lies(license, what, why);
        }
    }

    /// What went before, for whoever is to find out why.
    fn lies(&self, license: &str, what: What, why: &str) -> ! {
        let about = |line: &String| line.contains(&format!("\"{license}\""));
        let log = std::fs::read_to_string(self.rig.elsewhere("sandbox.log")).unwrap();
        let log: Vec<_> = log.lines().map(str::to_owned).filter(about).collect();
        let history = self.rig.run(&["history", license, "--json"]).out;
        panic!(
            "seed {}: {license}: {what:?}: {why}\n{:?}\n{}\n{}\n{:?}",
            self.seed,
            records(&self.rig).get(license),
            log[log.len().saturating_sub(12)..].join("\n"),
            &history[history.len().saturating_sub(4000)..],
            self.last.iter().rev().filter(|(_, of, _)| of == license).take(12).collect::<Vec<_>>(),
        );
    }

    /// The whole home: every license, its history, SQLite's own word, and no secret in it.
    fn looks_through(&mut self) {
        self.is_true(&LICENSES, What::Move);
        self.rig.run(&["history", "verify"]).exits(0);
        self.is_sound("integrity_check");
        self.rig.keeps_secrets(&[]);
    }

    /// By SQLite's own word.
    fn is_sound(&self, check: &str) {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let Ok(db) = rusqlite::Connection::open_with_flags(self.rig.file("ledger.db"), flags) else {
            assert!(self.book.issued == 0, "seed {}: there is no ledger", self.seed);
            return;
        };
        let sound: String = db.query_row(&format!("PRAGMA {check}"), [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "seed {}", self.seed);
    }

    /// Every license can be brought back to a living grant by the commands that its record names.
    fn ends_well(&mut self) {
        let browser = self.crowd.browser();
        for license in LICENSES {
            for _ in 0..3 {
                let record = records(&self.rig).remove(license);
                let state = record.as_ref().map_or("", |it| it["state"].as_str().unwrap());
                let next = record.as_ref().and_then(|it| it["next_command"].as_str());
                let words = match (state, next) {
                    ("active", None) => break,
                    // Nobody has an answer to send back.
                    (_, Some(next)) if next.contains(" complete ") => vec!["renew".into(), license.into()],
                    (_, Some(next)) => shlex::split(next).unwrap().split_off(1),
                    _ => register(license, &["--browser", &browser]).iter().map(|&it| it.into()).collect(),
                };
                let mut words: Vec<_> = words.iter().map(String::as_str).collect();
                match words[0] {
                    "deactivate" => words.push("--yes"),
                    "renew" if words.contains(&"--awaiting") => words.push("--yes"),
                    "register" | "renew" if !words.contains(&"--browser") => {
                        words.extend(["--browser", &browser])
                    }
                    _ => {}
                }
                self.rig.run(&words);
            }
            self.is_true(&[license], What::Renew);
            assert_eq!(self.states[license], "active", "seed {}: {license}", self.seed);
            assert!(self.rig.accepts(&self.rig.live(license).unwrap()), "seed {}: {license}", self.seed);
        }
    }
}

/// Every record by its license, as a fresh process shows it.
fn records(rig: &Rig) -> BTreeMap<String, Value> {
    let status = rig.status();
    let all = status["authorizations"].as_array().unwrap().iter();
    all.map(|it| (it["license"].as_str().unwrap().to_owned(), it.clone())).collect()
}

fn state((license, record): (String, Value)) -> (String, String) {
    (license, record["state"].as_str().unwrap().to_owned())
}
