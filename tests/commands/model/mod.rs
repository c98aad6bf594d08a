//! The order of writing as a model, checked exhaustively: two commands at one license, each stopped anywhere while the
//! other goes on, killed anywhere, the power cut anywhere, an answer lost. What the program's own tests try at many
//! moments, this tries at all of them, for a small world. With a rule of 0.2.0 in place of today's it finds the
//! grant that 0.2.0 lost.

mod jobs;
mod world;

use jobs::{Rules, TODAY, step};
use stateright::{Checker, Model, Property};
use world::{At, JOBS, Job, Mishaps, Purpose, Stage, World};

/// One way for the world to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Goes(usize),
    GoesAndTheAnswerIsLost(usize),
    IsKilled(usize),
    /// The power is cut; so many of the notes that weren't synced were on the disk.
    PowerCut(usize),
}

struct TwoProcesses {
    rules: Rules,
    lines: Vec<[Vec<Job>; 2]>,
}

impl Model for TwoProcesses {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let mut all = Vec::new();
        for line in &self.lines {
            for (waiting, one_grant) in [(false, false), (false, true), (true, false)] {
                let mishaps = Mishaps { kills: 1, cuts: 1, lost_answers: 1 };
                all.push(World::at_first(line.clone(), waiting, one_grant, mishaps));
            }
        }
        all
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        for terminal in [0, 1] {
            if !world.runs(terminal) {
                continue;
            }
            events.push(Event::Goes(terminal));
            if world.mishaps.kills > 0 {
                events.push(Event::IsKilled(terminal));
            }
            if world.mishaps.lost_answers > 0 && matches!(world.terminals[terminal].at, At::Sent { .. }) {
                events.push(Event::GoesAndTheAnswerIsLost(terminal));
            }
        }
        if world.mishaps.cuts > 0 && !world.is_quiet() {
            events.extend((0..world.ledger.len()).map(Event::PowerCut));
        }
    }

    fn next_state(&self, world: &World, event: Event) -> Option<World> {
        let mut world = world.clone();
        match event {
            Event::Goes(terminal) => step(&mut world, self.rules, terminal, false).then_some(())?,
            Event::GoesAndTheAnswerIsLost(terminal) => {
                world.mishaps.lost_answers -= 1;
                step(&mut world, self.rules, terminal, true).then_some(())?;
            }
            Event::IsKilled(terminal) => {
                world.mishaps.kills -= 1;
                world.over(terminal);
            }
            Event::PowerCut(kept) => {
                world.mishaps.cuts -= 1;
                world.ledger = vec![world.ledger[kept].clone()];
                world.boot += 1;
                for terminal in [0, 1].into_iter().filter(|it| world.runs(*it)).collect::<Vec<_>>() {
                    world.over(terminal);
                }
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no grant is lost silently", |it: &Self, world: &World| {
                !world.is_quiet() || it.every_grant_is_known(world)
            }),
            Property::always("what is shown as living lives", |it: &Self, world: &World| {
                !world.is_quiet() || it.what_is_shown_lives(world)
            }),
            Property::sometimes("a renewal replaces a grant", |_, world: &World| {
                world.is_quiet()
                    && world.provider.grants.len() > 1
                    && world.read().live.is_some_and(|it| it.token.grant > 0)
            }),
        ]
    }
}

impl TwoProcesses {
    /// Whether the ledger says that something isn't known, or isn't done: a person hears of it, and of the next command.
    fn is_told(&self, world: &World) -> bool {
        let ledger = world.read();
        let left = ledger.flows.iter().any(|flow| match (flow.purpose, flow.stage) {
            (Purpose::Refresh, _) | (_, Stage::Sent | Stage::Arrived) => true,
            (_, Stage::Asked) => {
                self.rules.what_an_earlier_start_left_may_be_sent && flow.owner.boot != world.boot
            }
        });
        left || ledger.record.uncertain || ledger.record.revocation_pending
    }

    fn every_grant_is_known(&self, world: &World) -> bool {
        let ledger = world.read();
        let known = |grant: usize| {
            ledger.secrets().iter().any(|it| it.token.grant == grant)
                || world.bundles.iter().any(|token| token.grant == grant)
        };
        let mut grants = world.provider.grants.iter().enumerate();
        grants.all(|(at, grant)| !grant.lives || grant.waived || known(at) || self.is_told(world))
    }

    fn what_is_shown_lives(&self, world: &World) -> bool {
        let ledger = world.read();
        let record = &ledger.record;
        if self.is_told(world) || record.invalid || record.removed {
            return true;
        }
        if record.exported {
            return world.bundles.last().is_some_and(|token| world.provider.is_good(*token));
        }
        record.deactivated || ledger.live.is_some_and(|it| world.provider.is_good(it.token))
    }
}

/// Every two commands one after the other at one terminal, and every one at another.
fn all() -> Vec<[Vec<Job>; 2]> {
    let two = JOBS.iter().flat_map(|first| JOBS.iter().map(|second| vec![*first, *second]));
    two.flat_map(|here| JOBS.iter().map(move |there| [here.clone(), vec![*there]])).collect()
}

/// A license that was given up and is asked about again, and its removal, after a power cut, too.
fn removal() -> [Vec<Job>; 2] {
    [vec![Job::Deactivate, Job::Renew], vec![Job::Remove, Job::Remove]]
}

/// What is found wrong, by its name, with the events that lead there.
#[expect(clippy::disallowed_macros, reason = "the figures of a check")]
fn found(rules: Rules, lines: Vec<[Vec<Job>; 2]>) -> Vec<String> {
    let model = TwoProcesses { rules, lines };
    let properties = model.properties();
    let checked = model.checker().spawn_bfs().join();
    println!(
        "{} states, {} different, {} deep",
        checked.state_count(),
        checked.unique_state_count(),
        checked.max_depth()
    );
    assert!(
        checked.discovery("a renewal replaces a grant").is_some()
            || !checked.model().lines.iter().flatten().flatten().any(|it| *it == Job::Renew)
    );
    let wrong = properties.iter().map(|it| it.name).filter(|name| !name.starts_with("a renewal"));
    wrong
        .filter_map(|name| {
            let path = checked.discovery(name)?;
            let jobs = path.last_state().terminals.clone().map(|it| it.jobs);
            let events: Vec<_> = path.into_actions();
            Some(format!("{name}: {jobs:?}, {events:?}"))
        })
        .collect()
}

#[test]
fn todays_rules_lose_nothing() {
    let lines = all().into_iter().chain([removal()]);
    let wrong = found(TODAY, lines.collect());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn without_any_one_rule_a_grant_is_lost() {
    let without: [(&str, Rules, [Job; 2]); 6] = [
        (
            "a question that a power cut left may have been sent",
            Rules { what_an_earlier_start_left_may_be_sent: false, ..TODAY },
            [Job::Renew, Job::Import],
        ),
        (
            "what is approved is what was read",
            Rules { approves_what_it_read: false, ..TODAY },
            [Job::Approve, Job::Approve],
        ),
        (
            "nothing leaves while somebody is at it",
            Rules { leaves_only_when_quiet: false, ..TODAY },
            [Job::Export, Job::Refresh],
        ),
        (
            "a refresh knows its tokens by their row",
            Rules { refresh_knows_its_row: false, ..TODAY },
            [Job::MoveSecrets, Job::Refresh],
        ),
        (
            "a record is written over what was read",
            Rules { writes_over_what_it_read: false, ..TODAY },
            [Job::Import, Job::Renew],
        ),
        (
            "a deactivation tells what is uncertain",
            Rules { deactivation_tells_the_uncertain: false, ..TODAY },
            [Job::Renew, Job::Deactivate],
        ),
    ];
    let lines = without.map(|(rule, rules, pair)| (rule, rules, pair.map(|job| vec![job])));
    let removal = (
        "a record stays as long as a question of it may have been answered",
        Rules { removal_waits_for_what_may_be_answered: false, ..TODAY },
        removal(),
    );
    for (rule, rules, line) in lines.into_iter().chain([removal]) {
        let wrong = found(rules, vec![line]);
        assert!(!wrong.is_empty(), "without the rule that {rule}, too, nothing is lost");
    }
}
