//! Runs one command up to a step, another to its end or to a step of its own, and then both to their ends.

use super::jobs::{Home, Job};
use super::judge::judge;
use super::tally::Tally;
use crate::rig::{Gate, News, Watching};
use biotrack_auth::cli;
use biotrack_auth::system::Env;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Homes that are alike, in which pairs are tried.
#[derive(Clone, Copy)]
pub struct Homes<'a> {
    /// Their name, which is unlike that of all others.
    pub name: &'a str,
    /// Makes one.
    pub begin: &'a dyn Fn() -> Home,
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
    start_in(|gate| home.rig.env_through(gate), &(job.line)(home), stop_at, watch)
}

/// The same of any machine that leads through the gate.
pub fn start_in(
    env: impl FnOnce(&Arc<Gate>) -> Env,
    line: &str,
    stop_at: Option<usize>,
    watch: Watching,
) -> (Arc<Gate>, Receiver<News>) {
    let (sender, news) = channel();
    let gate = Gate::watched(stop_at, sender, watch);
    let env = env(&gate);
    let words = crate::rig::words(line);
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
pub fn end(news: &Receiver<News>, what: &str) -> u32 {
    loop {
        if let News::Ended(code) = next(news, what) {
            return code;
        }
    }
}

/// Where one of a pair ended, or where it was stopped.
pub enum Halt {
    At(&'static str),
    End(u32),
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
fn step(homes: Homes<'_>, (first, at): (Job, usize), (second, until): (Job, Option<usize>)) -> Try {
    let home = (homes.begin)();
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
            "{}: {} stopped at step {at} ({stopped}) beside {}{also}, which ended with {first_code} and {second_code}: \
             {why}\n  provider: {:#?}",
            homes.name,
            first.name,
            second.name,
            home.rig.provider.log()
        )
    }))
}

/// How far the second of a pair goes while the first stands at a step.
#[derive(Clone, Copy)]
pub enum Second {
    /// To its end.
    Ends,
    /// To each of its own steps in turn: both have begun before either ends.
    Stops,
}

/// Every step of each first beside each second; what went wrong.
pub fn pairs(homes: Homes<'_>, firsts: &[Job], how: Second, seconds: &[Job]) {
    let mut tally = Tally::default();
    for first in firsts {
        for second in seconds {
            let (first, second, of) = (*first, *second, homes.name);
            match how {
                Second::Ends => {
                    let name = format!("{of}: {} beside {}", first.name, second.name);
                    let stride = tally.stride(&name, 27);
                    tally.pair(&name, |tally| beside(homes, first, second, tally, stride));
                }
                Second::Stops => {
                    let name = format!("{of}: {} across {}", first.name, second.name);
                    let stride = tally.stride(&name, 33);
                    tally.pair(&name, |tally| across(homes, first, second, tally, stride));
                }
            }
        }
    }
    tally.end();
}

fn beside(homes: Homes<'_>, first: Job, second: Job, tally: &mut Tally, (begin, stride): (usize, usize)) {
    for at in (begin..).step_by(stride) {
        match step(homes, (first, at), (second, None)) {
            Try::Done(done) => tally.count(done),
            Try::FirstEnded | Try::SecondEnded => break,
        }
    }
}

fn across(homes: Homes<'_>, first: Job, second: Job, tally: &mut Tally, (begin, stride): (usize, usize)) {
    for at in (begin..).step_by(stride) {
        let mut tries = (begin..).step_by(stride);
        let ended = tries.find_map(|until| match step(homes, (first, at), (second, Some(until))) {
            Try::Done(done) => {
                tally.count(done);
                None
            }
            ended => Some(ended),
        });
        if let Some(Try::FirstEnded) = ended {
            break;
        }
    }
}
