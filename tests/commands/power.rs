//! The machine ends while a command waits or sends: what was noted without a sync may be gone, and that is said.

use crate::pairs::{
    Before, COMPLETE, DEACTIVATE, DISCARD, EDIT, Halt, Home, Job, REMOVE, RENEW, TAKE, TOKEN, Tally, begin,
    end, halt, judge, start_watched,
};
use crate::rig::{BOOT, Rig, Visit};
use serde_json::Value;
use std::sync::{Arc, Mutex};

const LICENSE: &str = "101-X0007-D1";

/// What `status` tells of the license.
fn told(rig: &Rig) -> Value {
    rig.run("status --json").exits(0).json()["authorizations"][0].clone()
}

/// A home whose `renew` waits for the admin, and what was on its disk then, as a later start of the machine finds it.
fn cut_while_it_waits(boot: Option<&str>) -> Rig {
    let rig = Rig::new();
    rig.grant(LICENSE);
    rig.visits([Visit::Leaves]);
    let waiting = rig.start(&format!("renew {LICENSE} --browser scripted --timeout 2s"));
    while rig.ledger().all_flows().unwrap().is_empty() {
        std::thread::yield_now();
    }
    let restarted = rig.restarted(boot);
    assert_eq!(waiting.join().unwrap(), 5);
    restarted
}

#[test]
fn a_consent_that_was_under_way_when_the_machine_ended_is_uncertain() {
    for boot in [Some("000000000002"), None] {
        let rig = cut_while_it_waits(boot);
        let record = told(&rig);
        assert_eq!(record["conditions"], serde_json::json!(["uncertain"]), "{record}");
        assert_eq!(record["next_command"], format!("biotrack-auth renew 604001/{LICENSE}"));
        // And the next consent settles it.
        rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
        assert_eq!(told(&rig)["conditions"], serde_json::json!([]));
    }
}

#[test]
fn a_process_that_was_killed_alone_had_noted_all_it_did() {
    let rig = cut_while_it_waits(Some(BOOT));
    assert_eq!(told(&rig)["conditions"], serde_json::json!([]));
}

/// What may be on the disk when the power goes: the home as it was last synced, and as it was after each step since.
type OnDisk = Arc<Mutex<Vec<Rig>>>;

/// Stops a command at a step, cuts the power there, and judges what a later start of the machine finds where so many of the
/// notes that weren't synced were on the disk. `None` where there are fewer, or where it ended before.
fn cut(before: Before, keyring: bool, job: Job, at: usize, noted: usize) -> Option<Result<(), String>> {
    let home = Arc::new(begin(before, keyring));
    let disk = OnDisk::default();
    let (seen, kept) = (home.clone(), disk.clone());
    let watch = move |step: &str| {
        let mut kept = kept.lock().unwrap();
        if step == "after a commit" {
            kept.clear();
        }
        kept.push(seen.rig.restarted(Some("000000000002")));
    };
    let (gate, news) = start_watched(&home, job, Some(at), Box::new(watch));
    let halted = halt(&news, job.name, false);
    let left = std::mem::take(&mut *disk.lock().unwrap());
    let judged = match &halted {
        Halt::At(step) => left.into_iter().nth(noted).map(|rig| {
            let later = Home { rig, before, answer: home.answer.clone() };
            // What is found, and what is left once the next command on the license has recovered it.
            let next = || {
                drop(later.rig.run(&format!("renew {LICENSE} --no-wait")));
                judge(&later)
            };
            judge(&later).and_then(|()| next()).map_err(|why| {
                let log = later.rig.provider.log();
                format!("{} cut off at step {at} ({step}), {noted} noted: {why}\n{log:#?}", job.name)
            })
        }),
        _ => None,
    };
    gate.open();
    if let Halt::At(_) = halted {
        end(&news, job.name);
    }
    judged
}

/// The power is cut at each step of each job.
fn cuts(before: Before, keyring: bool, jobs: &[Job]) {
    let mut tally = Tally::default();
    for job in jobs {
        let (begin, stride) = tally.stride(job.name, 3);
        for at in (begin..).step_by(stride) {
            let mut noted = 0;
            while let Some(judged) = cut(before, keyring, *job, at, noted) {
                tally.count(judged);
                noted += 1;
            }
            if noted == 0 {
                break;
            }
        }
    }
    tally.end();
}

#[test]
fn a_power_cut_at_any_step_loses_nothing_silently() {
    cuts(Before::Living, false, &[RENEW, TOKEN, DEACTIVATE]);
    cuts(Before::Living, true, &[RENEW, TOKEN, DEACTIVATE]);
    cuts(Before::Waiting, false, &[TAKE, DISCARD, DEACTIVATE]);
    cuts(Before::Waiting, true, &[TAKE, DISCARD]);
    cuts(Before::HandedOff, false, &[COMPLETE, EDIT]);
    cuts(Before::HandedOffFirst, true, &[EDIT, REMOVE]);
    cuts(Before::Deactivated, false, &[REMOVE]);
}
