//! The commands, a step each time that the other process may come between: a transaction, a note, a request.

use super::world::{At, Flow, Job, Ledger, Owner, Purpose, Record, Secret, Stage, Token, World};

/// What the ledger holds commands to. `false` is what 0.2.0 did.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A question of an earlier start of the machine counts as sent, whatever was noted of it.
    pub what_an_earlier_start_left_may_be_sent: bool,
    /// A waiting grant is approved under the claim, and only the one that was read.
    pub approves_what_it_read: bool,
    /// Tokens leave only while no question of their license is open.
    pub leaves_only_when_quiet: bool,
    /// A refresh's tokens take the place of the row that was read, wherever it was moved meanwhile.
    pub refresh_knows_its_row: bool,
    /// A record is written only over the revision that was read.
    pub writes_over_what_it_read: bool,
    /// What is uncertain stays so where a waiting grant is approved.
    pub approval_settles_nothing: bool,
    /// A deactivation says that a grant may still stand whose answer was lost.
    pub deactivation_tells_the_uncertain: bool,
    /// A record stays as long as a question of it may have been answered.
    pub removal_waits_for_what_may_be_answered: bool,
}

pub const TODAY: Rules = Rules {
    what_an_earlier_start_left_may_be_sent: true,
    approves_what_it_read: true,
    leaves_only_when_quiet: true,
    refresh_knows_its_row: true,
    writes_over_what_it_read: true,
    approval_settles_nothing: true,
    deactivation_tells_the_uncertain: true,
    removal_waits_for_what_may_be_answered: true,
};

/// One step of a terminal's command; `false` where it has to wait for the other. `lost`: the answer of this step's request.
pub fn step(world: &mut World, rules: Rules, terminal: usize, lost: bool) -> bool {
    let me = world.owner(terminal);
    let running = &world.terminals[terminal];
    let next = match (running.jobs[running.turn], running.at.clone()) {
        (Job::Refresh | Job::Deactivate, At::Start) => match claim(world, terminal) {
            true => At::Claimed,
            false => return false,
        },
        (Job::Approve, At::Start) => match !rules.approves_what_it_read || claim(world, terminal) {
            true => At::Claimed,
            false => return false,
        },

        // A consent.
        (Job::Renew, At::Start) => match busy(world) || world.read().record.removed {
            true => At::Over,
            false => {
                recover(world, rules);
                let (mut flow, mut at) = (0, None);
                world.synced(|ledger| {
                    // What a process that ended has left of a consent is finished instead.
                    if let Some(left) = ledger.flows.iter_mut().find(|it| it.purpose == Purpose::Consent) {
                        left.owner = me;
                        at = Some(At::Arrived { flow: left.id });
                    } else {
                        flow = ledger.number();
                        let purpose = Purpose::Consent;
                        ledger.flows.push(Flow { id: flow, purpose, stage: Stage::Asked, owner: me });
                    }
                });
                at.unwrap_or(At::Asked { flow, read: Vec::new() })
            }
        },
        (Job::Renew, At::Asked { flow, .. }) => match note(world, flow, Stage::Arrived, me) {
            true => At::Arrived { flow },
            false => At::Over,
        },
        (Job::Renew, At::Arrived { flow }) => match note(world, flow, Stage::Sent, me) {
            true => At::Sent { flow, read: Vec::new() },
            false => At::Over,
        },
        (Job::Renew, At::Sent { flow, .. }) => {
            let token = world.provider.grant();
            match lost {
                true => At::Lost { flow },
                false => At::Answered { flow, read: Vec::new(), token },
            }
        }
        (Job::Renew, At::Lost { flow }) => {
            world.synced(|ledger| {
                ledger.close(flow);
                uncertain(&mut ledger.record);
            });
            At::Over
        }
        (Job::Renew, At::Answered { flow, token, .. }) => {
            waive(world, Some(token));
            world.synced(|ledger| {
                ledger.leaving.extend(ledger.waiting.take());
                let new = ledger.secret(token);
                lives(ledger, new);
                ledger.close(flow);
            });
            At::Clearing
        }
        (_, At::Clearing) => {
            let leaving = world.read().leaving.clone();
            // Where one consent ends the grant before it, what was replaced is only forgotten.
            if !world.provider.one_grant_a_license {
                leaving.iter().for_each(|it| world.provider.revoke(it.token));
            }
            At::Cleared(leaving)
        }
        (_, At::Cleared(gone)) => {
            world.synced(|ledger| ledger.leaving.retain(|it| !gone.contains(it)));
            At::Over
        }

        // A refresh.
        (Job::Refresh, At::Claimed) => {
            let ledger = world.read();
            let record = ledger.record;
            let unsettled = ledger.flows.iter().any(|it| it.purpose == Purpose::Refresh);
            let ended = record.deactivated || record.exported || record.invalid;
            match ledger.live {
                Some(live) if !ended && !unsettled => At::Read(record, vec![live]),
                _ => At::Over,
            }
        }
        (Job::Refresh, At::Read(record, read)) => {
            let ledger = world.read();
            let same_tokens = !rules.refresh_knows_its_row || ledger.live == read.first().copied();
            if ledger.record.generation != record.generation || !same_tokens {
                world.terminals[terminal].at = At::Claimed;
                return true;
            }
            let mut flow = 0;
            world.synced(|ledger| {
                flow = ledger.number();
                let purpose = Purpose::Refresh;
                ledger.flows.push(Flow { id: flow, purpose, stage: Stage::Sent, owner: me });
            });
            At::Sent { flow, read }
        }
        (Job::Refresh, At::Sent { flow, read }) => {
            let Some(secret) = read.first().copied() else { return false };
            match world.provider.refresh(secret.token) {
                // The question stays open, which is what says that it's uncertain.
                _ if lost => At::Over,
                Some(token) => At::Answered { flow, read, token },
                None => {
                    world.synced(|ledger| {
                        ledger.close(flow);
                        if ledger.live.is_some_and(|it| it.row == secret.row) {
                            ledger.record.invalid = true;
                            ledger.record.revision += 1;
                        }
                    });
                    At::Over
                }
            }
        }
        (Job::Refresh, At::Answered { flow, read, token }) => {
            let was = read.first().copied();
            world.synced(|ledger| {
                ledger.close(flow);
                let new = ledger.secret(token);
                let same = |now: Secret, was: Secret| match rules.refresh_knows_its_row {
                    true => now.row == was.row,
                    false => now.row == was.row && now.place == was.place,
                };
                match ledger.live.zip(was) {
                    Some((now, was)) if same(now, was) => {
                        ledger.live = Some(new);
                        ledger.record.generation += 1;
                    }
                    _ => ledger.leaving.push(new),
                }
                ledger.record.revision += 1;
            });
            world.claim = None;
            At::Clearing
        }

        // A deactivation.
        (Job::Deactivate, At::Claimed) => match busy(world) || world.read().record.removed {
            true => At::Over,
            false => {
                recover(world, rules);
                let read = world.read().secrets();
                let mut flow = 0;
                world.synced(|ledger| {
                    flow = ledger.number();
                    let purpose = Purpose::Deactivation;
                    ledger.flows.push(Flow { id: flow, purpose, stage: Stage::Asked, owner: me });
                });
                At::Asked { flow, read }
            }
        },
        (Job::Deactivate, At::Asked { flow, read }) => match note(world, flow, Stage::Sent, me) {
            true => At::Sent { flow, read },
            false => At::Over,
        },
        (Job::Deactivate, At::Sent { flow, read }) => {
            read.iter().for_each(|it| world.provider.revoke(it.token));
            if lost && rules.deactivation_tells_the_uncertain {
                waive(world, None);
            }
            match lost {
                true => {
                    world.synced(|ledger| {
                        ledger.leaving = ledger.secrets();
                        (ledger.live, ledger.waiting) = (None, None);
                        ledger.record.revocation_pending = true;
                        gives_up(ledger, flow);
                    });
                    At::Over
                }
                false => At::Revoked { flow, read },
            }
        }
        (Job::Deactivate, At::Revoked { flow, read }) => {
            if rules.deactivation_tells_the_uncertain {
                waive(world, None);
            }
            world.synced(|ledger| {
                let gone = |it: &Secret| read.iter().any(|read| read.row == it.row);
                ledger.live = ledger.live.filter(|it| !gone(it));
                ledger.waiting = ledger.waiting.filter(|it| !gone(it));
                ledger.leaving.retain(|it| !gone(it));
                gives_up(ledger, flow);
            });
            At::Over
        }

        // A grant that awaits approval.
        (Job::Approve, At::Claimed) => match world.read().waiting {
            Some(waiting) => At::Read(world.read().record, vec![waiting]),
            None => At::Over,
        },
        (Job::Approve, At::Read(_, read)) => {
            let waiting = world.read().waiting;
            if rules.approves_what_it_read && waiting != read.first().copied() {
                world.over(terminal);
                return true;
            }
            if !rules.approval_settles_nothing {
                waive(world, None);
            }
            world.synced(|ledger| match ledger.waiting.take() {
                Some(waiting) => {
                    let uncertain = ledger.record.uncertain && rules.approval_settles_nothing;
                    lives(ledger, waiting);
                    ledger.record.uncertain = uncertain;
                }
                None => {
                    let live = ledger.live.take();
                    ledger.leaving.extend(live);
                }
            });
            At::Clearing
        }

        // What leaves, what moves, what comes in.
        (Job::Export, At::Start) => {
            let ledger = world.read();
            match ledger.live {
                Some(live)
                    if ledger.flows.is_empty() && !ledger.record.deactivated && !ledger.record.exported =>
                {
                    At::Read(ledger.record, vec![live])
                }
                _ => At::Over,
            }
        }
        (Job::Export, At::Read(record, read)) => {
            let ledger = world.read();
            let quiet = ledger.flows.is_empty();
            if ledger.record.generation == record.generation && (quiet || !rules.leaves_only_when_quiet) {
                world.bundles.extend(read.first().map(|it| it.token));
                world.synced(|ledger| {
                    ledger.live = None;
                    ledger.record.exported = true;
                    ledger.record.generation += 1;
                    ledger.record.revision += 1;
                });
            }
            At::Over
        }
        (Job::MoveSecrets, At::Start) => match world.read().flows.iter().any(|it| world.is_worked_on(it)) {
            true => At::Over,
            false => At::Read(world.read().record, world.read().secrets()),
        },
        (Job::MoveSecrets, At::Read(_, read)) => {
            if world.read().secrets() != read {
                world.terminals[terminal].at = At::Start;
                return true;
            }
            world.synced(|ledger| {
                let all = ledger.live.iter_mut().chain(&mut ledger.waiting).chain(&mut ledger.leaving);
                all.for_each(|it| it.place = 1);
            });
            At::Over
        }
        (Job::Import | Job::Edit, At::Start) if world.read().record.removed => At::Over,
        (Job::Import | Job::Edit, At::Start) => At::Read(world.read().record, Vec::new()),
        (Job::Import | Job::Edit, At::Read(read, _)) => {
            let now = world.read().record;
            let same = now.removed == read.removed
                && match rules.writes_over_what_it_read {
                    true => now.revision == read.revision,
                    false => now.generation == read.generation,
                };
            if !same {
                world.terminals[terminal].at = At::Start;
                return true;
            }
            world.synced(|ledger| ledger.record = Record { revision: now.revision + 1, ..read });
            At::Over
        }

        // What is taken out of the ledger.
        (Job::Remove, At::Start) => {
            let Ledger { record, flows, .. } = world.read();
            let has_ended = record.deactivated && !record.revocation_pending;
            let left_over = flows.iter().any(|it| it.stage != Stage::Asked && !world.is_worked_on(it));
            match has_ended && world.read().secrets().is_empty() && !left_over {
                true => At::Read(*record, Vec::new()),
                false => At::Over,
            }
        }
        (Job::Remove, At::Read(read, _)) => {
            let ledger = world.read();
            let waits = |flow: &Flow| {
                let noted_all =
                    flow.owner.boot == world.boot || !rules.removal_waits_for_what_may_be_answered;
                flow.purpose == Purpose::Consent && flow.stage == Stage::Asked && noted_all
            };
            if ledger.flows.iter().any(|flow| !waits(flow) || world.is_worked_on(flow)) {
                world.over(terminal);
                return true;
            }
            if ledger.record.revision != read.revision || !ledger.secrets().is_empty() {
                world.terminals[terminal].at = At::Start;
                return true;
            }
            // Whoever removes it hears that a grant of it may still stand, where that is uncertain.
            waive(world, None);
            world.synced(|ledger| {
                ledger.flows.clear();
                let Record { generation, .. } = ledger.record;
                ledger.record = Record { removed: true, generation, ..Record::default() };
            });
            At::Over
        }
        (job, at) => unreachable!("{job:?} is never {at:?}"),
    };
    match next {
        At::Over => world.over(terminal),
        next => world.terminals[terminal].at = next,
    }
    true
}

fn claim(world: &mut World, terminal: usize) -> bool {
    let free = world.claim.is_none();
    if free {
        world.claim = Some(terminal);
    }
    free
}

/// Whether somebody is at a consent or a deactivation.
fn busy(world: &World) -> bool {
    world.read().flows.iter().any(|flow| flow.purpose != Purpose::Refresh && world.is_worked_on(flow))
}

/// Notes how far a question has come, if it's still this process's own.
fn note(world: &mut World, flow: u8, stage: Stage, me: Owner) -> bool {
    let mut own = false;
    world.noted(|ledger| {
        if let Some(flow) = ledger.flow(flow).filter(|flow| flow.owner == me) {
            (flow.stage, own) = (stage, true);
        }
    });
    own
}

/// What processes that ended have left: dropped where nothing was sent, told where it may have been. A code that waits
/// is left for a renewal.
fn recover(world: &mut World, rules: Rules) {
    let left = world.read().flows.iter().filter(|flow| flow.purpose != Purpose::Refresh);
    let left: Vec<_> = left.filter(|flow| !world.is_worked_on(flow)).copied().collect();
    let boot = world.boot;
    world.synced(|ledger| {
        for flow in left {
            let earlier = flow.owner.boot != boot;
            let may_be_sent = earlier && rules.what_an_earlier_start_left_may_be_sent;
            match flow.stage {
                Stage::Arrived if !may_be_sent => continue,
                Stage::Asked if !may_be_sent => {}
                Stage::Asked | Stage::Arrived | Stage::Sent => uncertain(&mut ledger.record),
            }
            ledger.close(flow.id);
        }
    });
}

fn uncertain(record: &mut Record) {
    record.uncertain = true;
    record.revision += 1;
}

/// A grant is the living one from now on.
fn lives(ledger: &mut Ledger, new: Secret) {
    let old = ledger.live.replace(new);
    ledger.leaving.extend(old);
    let Record { generation, revision, .. } = ledger.record;
    ledger.record = Record { generation: generation + 1, revision: revision + 1, ..Record::default() };
}

fn gives_up(ledger: &mut Ledger, flow: u8) {
    ledger.close(flow);
    ledger.flows.retain(|it| it.purpose != Purpose::Refresh);
    let record = &mut ledger.record;
    record.deactivated = true;
    (record.uncertain, record.exported) = (false, false);
    record.generation += 1;
    record.revision += 1;
}

/// Whoever consents anew, or gives the license up, hears that a grant of before may still stand, where that is uncertain.
fn waive(world: &mut World, new: Option<Token>) {
    let ledger = world.read();
    if ledger.record.uncertain || ledger.flows.iter().any(|flow| flow.purpose == Purpose::Refresh) {
        let grants = world.provider.grants.iter_mut().enumerate();
        let other = grants.filter(|(at, _)| new.is_none_or(|new| new.grant != *at));
        other.for_each(|(_, grant)| grant.waived = true);
    }
}
