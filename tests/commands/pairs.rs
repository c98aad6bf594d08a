//! Two commands on one license: the first is stopped at each of its steps in turn (before and after each commit, each
//! request, each call of the keyring), the second runs to its end, the first goes on. Whatever comes of it, nothing is
//! lost and nothing wrong is said: what the provider has is compared with what we have and what we tell.
//!
//! `BIOTRACK_TEST_ALL=1` steps through all of them; else a stride of them that differs from pair to pair.

use crate::rig::{Gate, News, PROFILE, Rig, Visit, Watching, key};
use biotrack_auth::cli;
use biotrack_auth::model::flow::Role;
use serde_json::Value;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub const LICENSE: &str = "101-X0007-D1";

/// What there is of the license when both begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// A living grant, whose access token has lapsed.
    Living,
    /// The same, and another admin's grant that waits for approval.
    Waiting,
    /// The same, and a link that is out.
    HandedOff,
}

/// A command: its name for messages, and its line in a home.
#[derive(Clone, Copy)]
pub struct Job {
    pub name: &'static str,
    line: fn(&Home) -> String,
}

/// A home that is ready for both.
pub struct Home {
    pub rig: Rig,
    /// What the admin of the link that is out was sent back to.
    pub answer: String,
}

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

pub const RENEW: Job = Job { name: "renew", line: |_| format!("renew {LICENSE} --browser scripted") };
pub const TAKE: Job =
    Job { name: "renew --any-user", line: |_| format!("renew {LICENSE} --any-user --browser scripted") };
const HAND_OFF: Job = Job { name: "renew --no-wait", line: |_| format!("renew {LICENSE} --no-wait") };
pub const DEACTIVATE: Job = Job { name: "deactivate", line: |_| format!("deactivate {LICENSE} --yes") };
pub const TOKEN: Job = Job { name: "token", line: |_| format!("token {LICENSE}") };
pub const COMPLETE: Job =
    Job { name: "complete", line: |home| shlex::try_join(["complete", &home.answer]).unwrap() };
const IMPORT: Job = Job {
    name: "import",
    line: |home| {
        let text = format!("ubi,license,username,name\n604001,{LICENSE},ann@example.com,Hudson Street\n");
        format!("import --yes {}", home.rig.write("rows.csv", &text))
    },
};
const EXPORT: Job = Job {
    name: "export --with-secrets",
    line: |home| {
        let own = home.rig.env().paths.identity;
        let own = biotrack_auth::vault::recipient_of(&own).unwrap_or_else(|_| RECIPIENT.into());
        let to = home.rig.file("moved.age");
        format!("export {LICENSE} --with-secrets --recipient {own} --output {}", to.display())
    },
};
const RECIPIENTS: Job =
    Job { name: "config recipients add", line: |_| format!("config recipients add {RECIPIENT}") };
const TO_SEALED: Job = Job { name: "config vault sealed", line: |_| "config vault sealed".into() };
const TO_KEYRING: Job = Job { name: "config vault keyring", line: |_| "config vault keyring".into() };
const PRUNE: Job = Job { name: "history prune", line: |_| "history prune --before 0d --yes".into() };
const FIX: Job = Job { name: "doctor --fix", line: |_| "doctor --fix".into() };

const OF_ONE: [Job; 4] = [RENEW, HAND_OFF, DEACTIVATE, TOKEN];

pub fn begin(before: Before, keyring: bool) -> Home {
    let rig = if keyring { Rig::with_keyring() } else { Rig::new() };
    rig.grant(LICENSE);
    if before == Before::Waiting {
        rig.visits([Visit::GrantsAs("max@example.com".into())]);
        rig.run(&format!("renew {LICENSE} --browser scripted")).exits(6);
    }
    let answer = match before {
        Before::HandedOff => {
            let handed = rig.run(&format!("renew {LICENSE} --no-wait --json")).exits(0).json();
            rig.provider.answer_to(handed["results"][0]["authorize_url"].as_str().unwrap())
        }
        _ => String::new(),
    };
    // The access token has lapsed: a token is had by a refresh alone.
    rig.minutes_pass(61);
    Home { rig, answer }
}

/// Starts a command behind a gate that stops it at a step.
fn start(home: &Home, job: Job, stop_at: Option<usize>) -> (Arc<Gate>, Receiver<News>) {
    start_watched(home, job, stop_at, Box::new(|_| ()))
}

/// The same, with somebody who sees each step.
pub fn start_watched(
    home: &Home,
    job: Job,
    stop_at: Option<usize>,
    watch: Watching,
) -> (Arc<Gate>, Receiver<News>) {
    let (sender, news) = channel();
    let gate = Gate::watched(stop_at, sender, watch);
    let env = home.rig.env_through(&gate);
    let line = (job.line)(home);
    let words = shlex::split(&line).unwrap();
    let arguments: Vec<_> =
        std::iter::once("biotrack-auth".into()).chain(words.into_iter().map(Into::into)).collect();
    let at = gate.clone();
    std::thread::spawn(move || {
        let code = cli::run(&arguments, env);
        at.tell(News::Ended(code));
    });
    (gate, news)
}

#[track_caller]
fn next(news: &Receiver<News>, what: &str) -> News {
    news.recv_timeout(Duration::from_secs(120)).unwrap_or_else(|_| panic!("{what}: nothing was heard of it"))
}

#[track_caller]
pub fn end(news: &Receiver<News>, what: &str) -> u8 {
    loop {
        if let News::Ended(code) = next(news, what) {
            return code;
        }
    }
}

/// Where one of a pair ended, or where it was stopped.
pub enum Halt {
    At(&'static str),
    End(u8),
    /// It waits for a claim that the other has.
    Waits,
}

/// Runs a command that was started until it stops at its gate, ends, or (`waits`) waits for the other's claim.
#[track_caller]
pub fn halt(news: &Receiver<News>, what: &str, waits: bool) -> Halt {
    loop {
        match next(news, what) {
            News::Stopped(step) => return Halt::At(step),
            News::Ended(code) => return Halt::End(code),
            News::AwaitsClaim if waits => return Halt::Waits,
            News::AwaitsClaim => {}
        }
    }
}

/// What came of one try.
enum Try {
    /// The first ended before the step at which it was to stop.
    FirstEnded,
    /// The second ended, or waited for the first, before the step at which it was to stop.
    SecondEnded,
    /// Both were where they should be, and this came of it.
    Done(Result<(), String>),
}

/// Stops the first at one step; runs the second to its end, or to a step of its own; lets the first end, and then the
/// second.
fn step(
    before: Before,
    keyring: bool,
    (first, at): (Job, usize),
    (second, until): (Job, Option<usize>),
) -> Try {
    let home = begin(before, keyring);
    let (gate, of_first) = start(&home, first, Some(at));
    let Halt::At(stopped) = halt(&of_first, first.name, false) else { return Try::FirstEnded };
    let (other_gate, of_second) = start(&home, second, until);
    let reached = halt(&of_second, second.name, true);
    gate.open();
    let first_code = end(&of_first, first.name);
    other_gate.open();
    let (also, second_code) = match reached {
        Halt::End(_) if until.is_some() => return Try::SecondEnded,
        Halt::End(code) => (String::new(), code),
        Halt::At(step) => (format!(" stopped at {step}"), end(&of_second, second.name)),
        Halt::Waits if until.is_some() => {
            end(&of_second, second.name);
            return Try::SecondEnded;
        }
        Halt::Waits => (" waiting".into(), end(&of_second, second.name)),
    };
    Try::Done(judge(&home).map_err(|why| {
        format!(
            "{} stopped at step {at} ({stopped}) beside {}{also}, which ended with {first_code} and {second_code}: {why}\n  \
             provider: {:#?}",
            first.name,
            second.name,
            home.rig.provider.log()
        )
    }))
}

/// Whether what we have and tell is what the provider has.
pub fn judge(home: &Home) -> Result<(), String> {
    let rig = &home.rig;
    let told = rig.run("status --json").exits(0).json();
    let record = told["authorizations"][0].clone();
    let conditions: Vec<_> =
        record["conditions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let state = record["state"].as_str().unwrap();
    let has = |condition: &str| conditions.contains(&condition);
    if rig.run("history verify").code != 0 {
        return Err("the history isn't whole".into());
    }
    if has("held_elsewhere") {
        return moved(home);
    }
    let token = rig.run(&format!("token {LICENSE}"));
    let ours = token.out.trim().to_owned();
    let open = ["uncertain", "revocation_pending", "handoff_lapsed"].into_iter().any(has);
    if ["active", "due"].contains(&state) && !open {
        if token.code != 0 {
            return Err(format!("{state} {conditions:?}, but no token is to be had: {}", token.err));
        }
        if !rig.provider.honors(&ours) {
            return Err(format!("{state} {conditions:?}, but its token is dead"));
        }
    } else if token.code == 0 && !rig.provider.honors(&ours) {
        return Err(format!("{state} {conditions:?}, and a dead token is handed out"));
    }
    let others: Vec<_> = rig.provider.living().into_iter().filter(|(_, access)| *access != ours).collect();
    // A grant that awaits approval lives, and is told; so is what an answer that was lost may have made.
    // And so does what was handed over to another home before this one had a new grant.
    let bundled = usize::from(rig.file("moved.age").exists());
    // What a newer grant replaced is kept until the next command on the license has revoked it.
    let ledger = rig.ledger();
    let replaced = ledger.secrets(PROFILE, &key(LICENSE), Role::Superseded).unwrap().len();
    let explained = bundled + replaced + usize::from(has("held")) + if open { usize::MAX / 2 } else { 0 };
    if others.len() > explained {
        return Err(format!("{state} {conditions:?}, and nobody tells of {others:?}"));
    }
    Ok(())
}

/// The tokens live in another home: those in the bundle, which must be good there.
fn moved(home: &Home) -> Result<(), String> {
    let rig = &home.rig;
    let other = rig.another_home();
    let bundle = rig.file("moved.age");
    let taken = other.run(&format!(
        "import --yes {} --identity {}",
        bundle.display(),
        rig.file("identity.txt").display()
    ));
    if taken.code != 0 {
        return Err(format!("the bundle can't be taken in: {}", taken.err));
    }
    let token = other.run(&format!("token {LICENSE}"));
    match token.code == 0 && rig.provider.honors(token.out.trim()) {
        true => Ok(()),
        false => Err(format!("the moved grant is dead in both homes: {}", token.err)),
    }
}

/// Every step of each first beside each second; what went wrong.
fn all(before: Before, keyring: bool, firsts: &[Job], seconds: &[Job]) {
    let mut tally = Tally::default();
    for (row, first) in firsts.iter().enumerate() {
        for (column, second) in seconds.iter().enumerate() {
            let (begin, stride) = tally.stride(row + column, 5);
            for at in (begin..).step_by(stride) {
                match step(before, keyring, (*first, at), (*second, None)) {
                    Try::Done(done) => tally.count(done),
                    Try::FirstEnded | Try::SecondEnded => break,
                }
            }
        }
    }
    tally.end();
}

/// Every step of each first beside every step of each second: both have begun before either ends.
fn crossed(before: Before, keyring: bool, firsts: &[Job], seconds: &[Job]) {
    let mut tally = Tally::default();
    for (row, first) in firsts.iter().enumerate() {
        for (column, second) in seconds.iter().enumerate() {
            let (begin, stride) = tally.stride(row + column, 7);
            for at in (begin..).step_by(stride) {
                let mut tries = (begin..).step_by(stride);
                let ended = tries.find_map(|until| {
                    match step(before, keyring, (*first, at), (*second, Some(until))) {
                        Try::Done(done) => {
                            tally.count(done);
                            None
                        }
                        ended => Some(ended),
                    }
                });
                if let Some(Try::FirstEnded) = ended {
                    break;
                }
            }
        }
    }
    tally.end();
}

/// What was tried, and what went wrong.
#[derive(Default)]
pub struct Tally {
    tried: usize,
    wrong: Vec<String>,
}

impl Tally {
    /// Where to begin, and how many steps to leave out.
    pub fn stride(&self, offset: usize, usual: usize) -> (usize, usize) {
        #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
        let whole = std::env::var_os("BIOTRACK_TEST_ALL").is_some();
        if whole { (0, 1) } else { (offset % usual, usual) }
    }

    pub fn count(&mut self, done: Result<(), String>) {
        self.tried += 1;
        self.wrong.extend(done.err());
    }

    #[expect(clippy::disallowed_macros, reason = "the figures of a whole run")]
    pub fn end(self) {
        println!("{} tried, {} wrong", self.tried, self.wrong.len());
        assert!(self.wrong.is_empty(), "{} of {}:\n{}", self.wrong.len(), self.tried, self.wrong.join("\n"));
    }
}

#[test]
fn of_a_living_grant() {
    all(Before::Living, false, &OF_ONE, &OF_ONE);
}

#[test]
fn of_a_living_grant_in_the_keyring() {
    all(Before::Living, true, &OF_ONE, &OF_ONE);
}

#[test]
fn of_a_grant_that_awaits_approval() {
    all(Before::Waiting, false, &[TAKE, RENEW, DEACTIVATE], &[TAKE, RENEW, DEACTIVATE, TOKEN]);
}

#[test]
fn of_a_link_that_is_out() {
    all(
        Before::HandedOff,
        false,
        &[COMPLETE, RENEW, DEACTIVATE],
        &[COMPLETE, RENEW, DEACTIVATE, TOKEN, HAND_OFF],
    );
}

#[test]
fn of_jobs_that_change_all_beside_those_of_one() {
    all(Before::Living, false, &[IMPORT, EXPORT, RECIPIENTS, TO_KEYRING, PRUNE, FIX], &OF_ONE);
    all(Before::Living, true, &[TO_SEALED, FIX], &OF_ONE);
}

#[test]
fn of_one_beside_jobs_that_change_all() {
    all(Before::Living, false, &OF_ONE, &[IMPORT, EXPORT, RECIPIENTS, TO_KEYRING, PRUNE, FIX]);
    all(Before::Living, true, &OF_ONE, &[TO_SEALED, FIX]);
}

#[test]
fn of_jobs_that_change_all_across_those_of_one() {
    crossed(Before::Living, false, &[IMPORT, EXPORT, RECIPIENTS, TO_KEYRING], &[TOKEN, RENEW]);
    crossed(Before::Living, true, &[TO_SEALED], &[TOKEN, RENEW]);
}

#[test]
fn of_jobs_that_change_all_across_giving_up() {
    crossed(Before::Living, false, &[IMPORT, RECIPIENTS, TO_KEYRING], &[DEACTIVATE]);
    crossed(Before::Living, true, &[TO_SEALED], &[DEACTIVATE]);
}

#[test]
fn of_jobs_that_change_all_beside_a_link_that_is_out() {
    all(Before::HandedOff, false, &[IMPORT, EXPORT, RECIPIENTS], &[COMPLETE, HAND_OFF]);
    all(Before::HandedOff, false, &[COMPLETE, HAND_OFF], &[IMPORT, EXPORT, RECIPIENTS]);
}

#[test]
fn of_two_jobs_of_one_across_each_other() {
    crossed(Before::Living, false, &[TOKEN, DEACTIVATE], &[RENEW]);
    crossed(Before::Waiting, false, &[TAKE], &[TAKE, RENEW, DEACTIVATE]);
}
