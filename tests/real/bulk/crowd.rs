//! Runs over many licenses with a crowd of admins who answer in any order, while answers get lost and the program is
//! killed. CI takes some licenses and kills; BIOTRACK_TEST_ALL=1 takes a thousand and ten.

use super::verdict::{Client, Name, Story, Verdict, judge};
use crate::support::Rig;
use crate::support::crowd::{Crowd, Dice, Will};
use crate::support::seed::store;
use crate::support::stored::hashed;
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::SecretRole;
use biotrack_auth::model::ids::{License, LicenseId, Ubi, Username};
use biotrack_auth::sandbox::{Mishap, MishapRule};
use jiff::SignedDuration;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What draws the faults, the order of the clicks and the moments of the kills.
const SEED: u64 = 20_260_801;

/// How the provider's answers fail: each kind for one license's request in a hundred.
const FAULTS: [Mishap; 5] =
    [Mishap::ServerError, Mishap::BadJson, Mishap::Html, Mishap::Lost, Mishap::RateLimit];

/// More rounds than a run needs to come to its end, however often the provider seems away.
const ROUNDS: usize = 20;

/// A license by its number; five share an admin.
fn key(at: usize) -> LicenseId {
    LicenseId {
        ubi: Ubi::parse(&format!("604{:06}", at / 5)).unwrap(),
        license: License::parse(&format!("101-X{at:06}-D1")).unwrap(),
    }
}

fn name(key: &LicenseId) -> Name {
    (key.ubi.to_string(), key.license.to_string())
}

/// One license in twenty is refused.
fn unwilling(license: &str) -> Will {
    let number: usize = license.trim_start_matches("101-X").trim_end_matches("-D1").parse().unwrap();
    if number % 20 == 7 { Will::Refuse } else { Will::Grant }
}

/// When a run is killed: as the so-manieth of these happens in it.
#[derive(Debug, Clone, Copy)]
enum Kill {
    /// A page was opened.
    Opened(usize),
    /// An admin has clicked, and the browser is about to come back.
    Clicked(usize),
    /// A grant is stored and told of.
    Granted(usize),
}

/// What is heard while a run goes on.
enum Heard {
    Line(String),
    Clicked,
    /// The run's standard output has ended.
    Silence,
}

/// How a run ended.
struct Ended {
    /// `None` where it was killed.
    code: Option<i32>,
    /// Pages that it opened.
    opened: usize,
}

/// Licenses whose grants have lapsed or soon will, and a crowd.
struct Trial {
    rig: Rig,
    crowd: Crowd,
    will: fn(&str) -> Will,
    keys: Vec<LicenseId>,
    before: BTreeMap<Name, Value>,
    heard: Receiver<Heard>,
    ear: Sender<Heard>,
    /// How long the sandbox's log was as each run ended.
    ends: Vec<usize>,
    uncertain_in: BTreeMap<Name, BTreeSet<usize>>,
    granted_in: BTreeMap<Name, usize>,
    /// Who has come to an end.
    done: BTreeSet<Name>,
}

impl Trial {
    fn of(many: usize, faults: &[MishapRule], will: fn(&str) -> Will) -> Self {
        let rig = Rig::with_shares(SEED, faults);
        let keys: Vec<_> = (0..many).map(key).collect();
        let now = rig.env().clock.now();
        let record = |(at, key): (usize, &LicenseId)| {
            let days = if at % 2 == 0 { -3 } else { 5 };
            let ends = now + SignedDuration::from_hours(days * 24 + 12);
            let username = format!("admin{}@store.example", at / 5);
            Authorization {
                key: key.clone(),
                granted_by: Some(username.clone()),
                username: Username::parse(&username).unwrap(),
                ..store("L-1", &ends.to_string())
            }
        };
        rig.seed(&keys.iter().enumerate().map(record).collect::<Vec<_>>());
        let (ear, heard) = channel();
        let clicked = ear.clone();
        let crowd = Crowd::telling(
            SEED,
            move |asked| will(&asked.license),
            // Nobody listens any more where the test has failed.
            move |_| drop(clicked.send(Heard::Clicked)),
        );
        let before = rows(&rig);
        assert_eq!(before.len(), many);
        let (ends, uncertain_in, granted_in) = Default::default();
        let done = BTreeSet::new();
        Self { rig, crowd, will, keys, before, heard, ear, ends, uncertain_in, granted_in, done }
    }

    /// Starts a run and hears it to its end, or kills it on the way. Then the truth is what a fresh status says.
    fn run(&mut self, words: &[&str], kill: Option<Kill>) -> Ended {
        let (run, browser) = (self.ends.len(), self.crowd.browser());
        let mut arguments = words.to_vec();
        arguments.extend(["--tabs", "16", "--browser", &browser, "--format", "jsonl"]);
        let told = self.rig.elsewhere(&format!("stderr-{run}"));
        let mut command = self.rig.command(&arguments);
        let mut child = command.stderr(File::create(&told).unwrap()).spawn().unwrap();
        let (out, ear) = (child.stdout.take().unwrap(), self.ear.clone());
        let reader = std::thread::spawn(move || {
            // A killed program's last line may be cut anywhere.
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = ear.send(Heard::Line(line));
            }
            let _ = ear.send(Heard::Silence);
        });
        let (mut opened, mut clicked, mut granted) = (0, 0, 0);
        let mut killed = false;
        loop {
            match self.heard.recv().unwrap() {
                Heard::Silence => break,
                Heard::Clicked => clicked += 1,
                Heard::Line(line) => match self.note(run, &line, killed).as_deref() {
                    Some("opened") => opened += 1,
                    Some("granted") => granted += 1,
                    _ => {}
                },
            }
            let due = match kill {
                Some(Kill::Opened(nth)) => opened >= nth,
                Some(Kill::Clicked(nth)) => clicked >= nth,
                Some(Kill::Granted(nth)) => granted >= nth,
                None => false,
            };
            if due && !killed {
                child.kill().unwrap();
                killed = true;
            }
        }
        reader.join().unwrap();
        let code = child.wait().unwrap().code();
        let err = std::fs::read_to_string(&told).unwrap();
        assert!(!err.contains("panicked at"), "{err}");
        assert!(killed || code.is_some(), "run {run} died by itself\n{err}");
        self.ends.push(self.rig.truth().len());
        for (name, row) in rows(&self.rig) {
            self.note_doubt(run, &name, &row);
        }
        Ended { code, opened }
    }

    /// Takes in one event; the last line before a kill may be half of one.
    fn note(&mut self, run: usize, line: &str, killed: bool) -> Option<String> {
        let event: Value = match serde_json::from_str(line) {
            Ok(event) => event,
            Err(_) if killed => return None,
            Err(e) => panic!("{e}: {line}"),
        };
        let text = |key: &str| event[key].as_str().map(str::to_owned);
        let kind = text("event");
        if let (Some(ubi), Some(license)) = (text("ubi"), text("license")) {
            let name = (ubi, license);
            self.note_doubt(run, &name, &event["authorization"]);
            if kind.as_deref() == Some("granted") {
                self.granted_in.insert(name.clone(), run);
            }
            if matches!(kind.as_deref(), Some("granted" | "awaiting_approval" | "failed" | "skipped")) {
                self.done.insert(name);
            }
        }
        kind
    }

    fn note_doubt(&mut self, run: usize, name: &Name, row: &Value) {
        if row["conditions"].as_array().is_some_and(|all| all.contains(&"uncertain".into())) {
            self.uncertain_in.entry(name.clone()).or_default().insert(run);
        }
    }

    /// A moment that surely comes while so many kills are still to follow.
    fn moment(&self, dice: &mut Dice, kills_left: usize) -> Kill {
        let remaining = self.keys.len().saturating_sub(self.done.len());
        let nth = 1 + dice.roll(remaining / (kills_left + 1) * 3 / 4);
        match dice.roll(3) {
            0 => Kill::Opened(nth),
            1 => Kill::Clicked(nth),
            _ => Kill::Granted(nth),
        }
    }

    /// Goes on until there is nothing to do.
    fn resume_to_the_end(&mut self) {
        for _ in 0..ROUNDS {
            let ended = self.run(&["renew", "--resume"], None);
            match ended.code {
                Some(0) if ended.opened == 0 => return,
                // All, some, or those that were left failed.
                Some(0 | 3 | 6 | 8) => {}
                code => panic!("a run ended with {code:?}\n{}", self.told()),
            }
        }
        panic!("there is always something left to do\n{}", self.told());
    }

    /// Another resume asks nobody.
    #[track_caller]
    fn has_nothing_left(&self) {
        // A browser whose program was killed may still be on its way to a page.
        self.rig.until(|| self.crowd.tally().is_idle());
        let before = (self.rig.truth().len(), self.crowd.tally());
        self.rig.run(&["renew", "--resume"]).exits(0);
        assert_eq!((self.rig.truth().len(), self.crowd.tally()), before, "there was something to do");
    }

    /// What the last run said.
    fn told(&self) -> String {
        let last = self.rig.elsewhere(&format!("stderr-{}", self.ends.len() - 1));
        std::fs::read_to_string(last).unwrap_or_default()
    }

    /// Compares every license with the sandbox's log.
    #[track_caller]
    fn judged(&self) -> BTreeMap<Verdict, BTreeSet<Name>> {
        let story = Story::told(&self.rig.truth(), &self.ends);
        let now = rows(&self.rig);
        assert_eq!(self.before.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
        let (mut found, mut wrong) = (BTreeMap::<_, BTreeSet<_>>::new(), story.wrong.clone());
        let (nowhere, kept) = (BTreeSet::new(), self.rig.all_grants(&self.keys, SecretRole::Live));
        for (key, kept) in self.keys.iter().zip(kept) {
            let name = name(key);
            let client = Client {
                before: &self.before[&name],
                now: &now[&name],
                kept: kept.last().map(|it| (hashed(it.access.expose()), self.rig.accepts(it))),
                refuses: (self.will)(key.license.as_str()) == Will::Refuse,
                uncertain_in: self.uncertain_in.get(&name).unwrap_or(&nowhere),
                granted_in: self.granted_in.get(&name).copied(),
            };
            match judge(&name, &story, &client) {
                Ok(verdict) => drop(found.entry(verdict).or_default().insert(name)),
                Err(what) => wrong.push(what),
            }
        }
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), self.keys.len(), wrong.join("\n"));
        found
    }

    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    fn print(&self, what: &str, found: &BTreeMap<Verdict, BTreeSet<Name>>) {
        let counts: Vec<_> =
            found.iter().map(|(verdict, names)| format!("{} {verdict:?}", names.len())).collect();
        let events = ["code_issued", "token_issued", "answer_spoilt", "refused"];
        let events = events.map(|event| format!("{} {event}", self.rig.counted(event)));
        println!(
            "{what}: {}; the log has {}; {:?}",
            counts.join(", "),
            events.join(", "),
            self.crowd.tally()
        );
    }
}

/// What a fresh process says of each license.
fn rows(rig: &Rig) -> BTreeMap<Name, Value> {
    let status = rig.status();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let rows = status["authorizations"].as_array().unwrap().iter();
    rows.map(|row| ((text(row, "ubi"), text(row, "license")), row.clone())).collect()
}

/// How many licenses, and how many kills.
fn size() -> (usize, usize) {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    if std::env::var_os("BIOTRACK_TEST_ALL").is_some() { (1_000, 10) } else { (150, 4) }
}

#[test]
fn licenses_without_faults_are_all_granted_in_any_order() {
    let mut trial = Trial::of(60, &[], |_| Will::Grant);
    assert_eq!(trial.run(&["renew", "--all"], None).code, Some(0), "{}", trial.told());
    assert_eq!(trial.rig.counted("token_issued"), 60);
    trial.has_nothing_left();
    let found = trial.judged();
    assert_eq!(found[&Verdict::Active].len(), 60);
}

#[test]
fn a_thousand_licenses_with_faults_killed_ten_times_end_as_the_provider_says() {
    let (many, kills) = size();
    let faults = FAULTS.map(|mishap| MishapRule { mishap, percent: 1 });
    let mut trial = Trial::of(many, &faults, unwilling);
    let mut dice = Dice::of(SEED);
    for at in 0..kills {
        let moment = trial.moment(&mut dice, kills - at);
        let words: &[&str] = if at == 0 { &["renew", "--all"] } else { &["renew", "--resume"] };
        let ended = trial.run(words, Some(moment));
        assert_eq!(ended.code, None, "kill {at}, {moment:?}, never fired\n{}", trial.told());
    }
    trial.resume_to_the_end();
    trial.has_nothing_left();

    let found = trial.judged();
    trial.print(&format!("{many} licenses, {kills} kills"), &found);
    let count = |verdict| found.get(&verdict).map_or(0, BTreeSet::len);
    assert_eq!(count(Verdict::Refused), (0..many).filter(|at| at % 20 == 7).count());
    assert!(count(Verdict::UncertainByKill) <= kills * 16, "more than were open as it was killed");
    the_drawn_ones_failed(&trial, &faults);
    trial.rig.keeps_secrets(&[]);

    // The provider is well again: a new run takes those that are left, and nobody else.
    trial.rig.sandbox().set_fail(&[]);
    let (was_active, issued) = (count(Verdict::Active), trial.rig.counted("token_issued"));
    let left = many - was_active - count(Verdict::Refused);
    trial.run(&["renew", "--due"], None);
    let found = trial.judged();
    trial.print("after a run without faults", &found);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&Verdict::Active, &Verdict::Refused]);
    assert_eq!(trial.rig.counted("token_issued") - issued, left);
}

/// Each license that was drawn for a fault at its first exchange had it: else the test would show nothing.
#[track_caller]
fn the_drawn_ones_failed(trial: &Trial, faults: &[MishapRule]) {
    let story = Story::told(&trial.rig.truth(), &trial.ends);
    let mut drawn = 0;
    for key in trial.keys.iter().filter(|key| unwilling(key.license.as_str()) == Will::Grant) {
        let name = name(key);
        if faults.iter().any(|fail| fail.befalls(SEED, &name.0, &name.1, 1)) {
            drawn += 1;
            let spoiled = story.issued(&name).iter().any(|issued| issued.spoiled.is_some());
            assert!(spoiled || story.limited(&name), "{name:?} was drawn, and nothing befell it");
        }
    }
    assert!(drawn > 0, "another seed is needed");
}
