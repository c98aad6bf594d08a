//! S36 S37: fifty processes at a time that register, renew, refresh, read and give up twenty licenses of one home, at a
//! provider that rotates refresh tokens and takes none twice. CI runs some hundred commands; BIOTRACK_TEST_ALL=1 runs
//! minutes of them. The same seed draws the same commands.

mod serving;
mod verdict;

use crate::keyring::session::{Session, within};
use crate::support::crowd::{Crowd, Dice, Will};
use crate::support::{Rig, Run, register};
use biotrack_auth::sandbox::{Mishap, MishapRule};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use verdict::{Verdict, judge};

/// How many processes at once.
const MANY: usize = 50;

/// And at a keyring in CI's cut, where fifty mostly wait for each other's items.
const FEWER: usize = 12;

/// On a machine that is busy with other things a ledger may stay locked for longer than ten seconds, a keyring for longer
/// than five: what couldn't be stored then waits sealed, `status --check` warns of it, and the next command stores it.
const BUSY: [i32; 2] = [7, 1];

/// How many licenses they are about.
const LICENSES: usize = 20;

/// How often what failed so is run again before and after a storm.
const ROUNDS: usize = 3;

const SEED: u64 = 20_261_123;

fn takes_all() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    std::env::var_os("BIOTRACK_TEST_ALL").is_some()
}

fn commands() -> usize {
    if takes_all() { 6_000 } else { 350 }
}

/// The licenses' names: none is the beginning of another.
fn license(at: usize) -> String {
    format!("L-{at:02}")
}

/// A command, and the exit codes that it may have while others are at the same license.
struct Deed {
    arguments: Vec<String>,
    may: &'static [i32],
}

impl Deed {
    fn of(arguments: &[&str], may: &'static [i32]) -> Self {
        Self { arguments: arguments.iter().map(|&word| word.to_owned()).collect(), may }
    }

    /// Any of what people and scripts do, and how it may end: done; busy (1); the wrong command for what the license
    /// is by now (2); a person must consent (4; 125 from `exec`). A check warns of nothing here.
    fn drawn(dice: &mut Dice, browser: &str) -> Self {
        let license = license(dice.roll(LICENSES));
        let license = license.as_str();
        match dice.roll(20) {
            0..=2 => Self::of(&register(license, &["--browser", browser]), &[0, 1, 2]),
            3..=5 => Self::of(&["renew", license, "--browser", browser], &[0, 1, 2]),
            6..=8 => Self::of(&["token", license, "--min-valid", "60m"], &[0, 4]),
            9..=11 => Self::of(&["token", license], &[0, 4]),
            12 => Self::of(&["exec", license, "--", "true"], &[0, 125]),
            13 | 14 => Self::of(&["deactivate", license, "--yes"], &[0, 1]),
            15 => Self::of(&["status", "--json"], &[0]),
            16 => Self::of(&["status", license], &[0]),
            17 => Self::of(&["status", "--online"], &[0]),
            18 => Self::of(&["status", "--check"], &[0]),
            _ => Self::of(&["history", "verify"], &[0]),
        }
    }
}

/// What happened: how often each command ended so.
type Tally = BTreeMap<(String, i32), usize>;

/// Each of many workers takes one command after the other, until so many have been run.
fn storm(rig: &Rig, browser: &str, many: usize, commands: usize, also: &[i32]) -> Tally {
    let (left, tally) = (AtomicUsize::new(commands), Mutex::new(Tally::new()));
    let unexpected = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..many {
            let (left, tally, unexpected) = (&left, &tally, &unexpected);
            scope.spawn(move || {
                let mut dice = Dice::of(SEED + u64::try_from(worker).unwrap());
                let take = |left: usize| left.checked_sub(1);
                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
                    let deed = Deed::drawn(&mut dice, browser);
                    let words: Vec<_> = deed.arguments.iter().map(String::as_str).collect();
                    let run = rig.run(&words);
                    let told = (words[0].to_owned(), run.code);
                    *tally.lock().unwrap().entry(told).or_default() += 1;
                    let fits = deed.may.contains(&run.code) || also.contains(&run.code);
                    if !fits || run.err.contains("panicked") {
                        unexpected.lock().unwrap().push((words.join(" "), run));
                    }
                }
            });
        }
    });
    let unexpected = unexpected.into_inner().unwrap();
    let tally = tally.into_inner().unwrap();
    if !unexpected.is_empty() {
        // Why a grant is invalid or in doubt, by both sides.
        let history = rig.run(&["history"]).out;
        let told = history.lines().filter(|line| line.contains("invalid") || line.contains("uncertain"));
        let told: Vec<_> = told.map(str::to_owned).collect();
        let mut truth = rig.truth();
        truth.retain(|line| line["why"].is_string() && line["why"] != "asked");
        panic!(
            "{} ended as they shouldn't: {unexpected:#?}\n{tally:?}\n{told:#?}\n{truth:#?}",
            unexpected.len()
        );
    }
    tally
}

/// All licenses, granted by a crowd; few at once, for this is before the storm. What ledger or vault fail on a busy machine
/// (`also`) is run again, as its message says.
fn granted(rig: &Rig, browser: &str, also: &[i32]) {
    let licenses: Vec<_> = (0..LICENSES).map(license).collect();
    let registrations: Vec<_> = licenses.iter().map(|it| register(it, &["--browser", browser])).collect();
    for few in registrations.chunks(4) {
        let children: Vec<_> = few.iter().map(|words| rig.start(words)).collect();
        for (words, child) in few.iter().zip(children) {
            let mut run = Run::of(child.wait_with_output().unwrap());
            for _ in 1..ROUNDS {
                if also.contains(&run.code) {
                    run = rig.run(words);
                }
            }
            run.exits(0);
        }
    }
}

/// What the ledger, the history and the doctor say of themselves afterwards.
fn is_sound(rig: &Rig) {
    rig.run(&["history", "verify"]).exits(0);
    rig.is_whole();
    rig.run(&["doctor"]).exits(0);
    rig.keeps_secrets(&[]);
}

/// A number for whoever reads the log.
fn say(what: &str, tally: &Tally, verdict: &Verdict) {
    #[expect(clippy::disallowed_macros, reason = "a test has no Env")]
    {
        println!("{what}: {} commands fired: {tally:?}; {verdict:?}", tally.values().sum::<usize>());
    }
}

/// Where a record says that something is open, the command that it names settles it.
fn settle(rig: &Rig, browser: &str, also: &[i32]) {
    for _ in 0..ROUNDS {
        let status = rig.status();
        let all = status["authorizations"].as_array().unwrap().iter();
        let open: Vec<_> = all.filter(|it| it["conditions"] != serde_json::json!([])).collect();
        for it in open {
            let mut words = shlex::split(it["next_command"].as_str().unwrap()).unwrap().split_off(1);
            match words[0].as_str() {
                "renew" if words.iter().any(|it| it == "--awaiting") => words.push("--yes".into()),
                "register" | "renew" => words.extend(["--browser".into(), browser.into()]),
                "deactivate" => words.push("--yes".into()),
                _ => {}
            }
            let run = rig.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
            assert!([0, 4, 125].contains(&run.code) || also.contains(&run.code), "{words:?}: {run:?}");
        }
    }
}

/// Nothing fails but for the processes themselves, which are in each other's way; `also` is how ledger and vault may fail
/// them.
fn in_good_weather(rig: &Rig, what: &str, many: usize, also: &[i32]) {
    let crowd = Crowd::of(SEED, |_| Will::Grant);
    let browser = crowd.browser();
    granted(rig, &browser, also);
    let tally = storm(rig, &browser, many, commands(), also);
    settle(rig, &browser, also);
    rig.run(&["doctor", "--fix"]);
    is_sound(rig);
    let verdict = judge(rig, &(0..LICENSES).map(license).collect::<Vec<_>>());
    say(what, &tally, &verdict);
    // The test of the client has a code that can't be right.
    let refused = verdict.refused.iter().filter(|why| *why != "invalid_grant: unknown code").count();
    assert!(refused == 0 && verdict.replayed == 0, "a token was sent twice: {verdict:?}");
    assert!(verdict.in_doubt.is_empty(), "{verdict:?}");
    assert!(verdict.rotated > 0 && verdict.issued > LICENSES && verdict.revoked > 0, "{verdict:?}");
}

#[test]
fn fifty_processes_on_twenty_licenses_lose_no_grant() {
    in_good_weather(&Rig::new(), "sealed", MANY, &BUSY);
}

/// Whoever reads a question just before it's answered, and looks for its process just after that has ended, must not call
/// it uncertain: monitoring would wake somebody.
#[test]
fn who_looks_while_others_refresh_sees_nothing_uncertain() {
    let rig = Rig::new();
    let crowd = Crowd::of(SEED, |_| Will::Grant);
    granted(&rig, &crowd.browser(), &[]);
    let (left, alarms) = (AtomicUsize::new(commands()), Mutex::new(Vec::new()));
    let take = |left: usize| left.checked_sub(1);
    std::thread::scope(|scope| {
        for at in 0..8 {
            let (left, rig) = (&left, &rig);
            scope.spawn(move || {
                while left.load(Ordering::SeqCst) > 0 {
                    rig.run(&["token", &license(at), "--min-valid", "60m"]).exits(0);
                }
            });
        }
        for _ in 0..8 {
            scope.spawn(|| {
                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
                    let run = rig.run(&["status", "--check"]);
                    if run.code != 0 {
                        alarms.lock().unwrap().push(run.out);
                    }
                }
            });
        }
    });
    assert!(alarms.lock().unwrap().is_empty(), "{alarms:?}");
}

/// A keyring does one thing after the other: on a busy machine some of fifty wait longer than the five seconds that
/// each is willing to, and end with 7. What they couldn't store waits sealed, and the next command stores it.
#[test]
fn many_processes_on_twenty_licenses_lose_no_item_of_the_keyring() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        in_good_weather(&rig, "keyring", if takes_all() { MANY } else { FEWER }, &BUSY);
        // An item for each living grant, one for the client's secret, and no more.
        let living: BTreeSet<_> = crate::keyring::session::accounts()
            .into_iter()
            .filter(|account| account.contains("/604001/"))
            .collect();
        let active = rig.status()["summary"]["active"].as_u64().unwrap();
        assert_eq!(u64::try_from(living.len()).unwrap(), active, "{living:?}");
    });
}

/// Where answers get lost, a grant may end: the provider takes a lost token's predecessor for stolen. Then the record
/// says so, and a loser's refusal ends no winner's grant.
#[test]
fn where_answers_get_lost_every_grant_lives_or_is_named() {
    let lost = MishapRule { mishap: Mishap::Lost, percent: 15 };
    let rig = Rig::with_shares(SEED, &[]);
    let crowd = Crowd::of(SEED, |_| Will::Grant);
    let browser = crowd.browser();
    granted(&rig, &browser, &[]);
    rig.sandbox().set_fail_shares(&[lost]);
    let mut allowed = vec![1, 2, 4, 8, 125];
    if crate::support::team::wanted() {
        // A busy server may not answer in time, which is 7, and 3 of `status --check`: nothing is lost by that.
        allowed.extend([3, 7]);
    }
    let tally = storm(&rig, &browser, MANY, commands() / 2, &allowed);
    rig.sandbox().set_fail_shares(&[]);
    is_sound(&rig);
    let licenses: Vec<_> = (0..LICENSES).map(license).collect();
    let verdict = judge(&rig, &licenses);
    say("answers lost", &tally, &verdict);
    assert!(rig.counted("answer_spoilt") > 0 && verdict.replayed <= verdict.lost, "{verdict:?}");
    // The next command on each settles what is open: its token, or a person.
    rig.adds_to_profile("timeout = \"2s\"");
    for license in &licenses {
        // As long as an access token lives, nobody asks again.
        if rig.live(license).is_some() {
            rig.age(license);
        }
        let mut run = rig.run(&["token", license]);
        // A refusal behind a lost answer is believed once it's said again.
        if run.code == 8 {
            run = rig.run(&["token", license]);
        }
        assert!([0, 4].contains(&run.code), "{run:?}");
    }
    let settled = judge(&rig, &licenses);
    for license in &settled.in_doubt {
        let document = rig.run(&["status", license, "--json"]).exits(0).json();
        let next = document["authorizations"][0]["next_command"].as_str().unwrap().to_owned();
        assert!(next.contains("register") || next.contains("renew") || next.contains("deactivate"), "{next}");
    }
}
