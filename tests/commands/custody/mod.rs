//! The rules of custody: storing, superseding, holding, refreshing, revoking, recovering; hand-offs, moves and bundles.
//! Where a rule is custody's own a test drives it step by step, through [`Process`], which alone knows the names of its
//! methods; where the order of a command matters, the command is run.

mod answering_again;
mod bundles;
mod doubting;
mod handing_off;
mod holding;
mod looking_up;
mod moving;
mod process;
mod proving;
mod queuing;
mod recovering;
mod refreshing;
mod refusing;
mod revoking;
mod sealing;
mod storing;
mod superseding;
mod sweeps;

use crate::rig::oracle::Books;
use crate::rig::{Moment, PROFILE, Reply, Rig, key};
use biotrack_auth::custody::{CachedToken, FoundFlow, RecoveryOutcome, Revocation, StoreOutcome};
use biotrack_auth::error::{Error, Result};
use biotrack_auth::model::authorization::{Authorization, State};
use biotrack_auth::model::flow::{Flow, Purpose, SecretRole};
use biotrack_auth::model::granted::Granted;
use biotrack_auth::model::ids::FlowId;
use biotrack_auth::model::provider::Provider;
use jiff::SignedDuration;
use process::{Link, Process, is_claimed, offline, offline_with, process, process_with};
use std::sync::Arc;

/// The open questions of a license.
fn flows(rig: &Rig, license: &str) -> Vec<Flow> {
    let mut flows = rig.ledger().all_flows().unwrap();
    flows.retain(|flow| flow.key == key(license));
    flows
}

/// The words of a license's history.
fn history(rig: &Rig, license: &str) -> Vec<String> {
    let lines = rig.ledger().last_lines(PROFILE, &key(license), 100).unwrap();
    lines.into_iter().map(|line| line.event).collect()
}

/// The last line of a license's history, with its details.
fn last_line(rig: &Rig, license: &str) -> String {
    let line = rig.ledger().last_lines(PROFILE, &key(license), 1).unwrap().pop().unwrap();
    format!("{} {}", line.event, line.detail)
}

/// A license's token sets, as roles and the provider's numbers of their grants.
fn kept(rig: &Rig, license: &str) -> Vec<(SecretRole, usize)> {
    Books::read(rig).of(license)
}

/// A license as `status` shows it: state, conditions and next command, in words.
fn shown(rig: &Rig, license: &str) -> (State, Vec<&'static str>, Option<String>) {
    let record = Books::read(rig).records.remove(license).unwrap();
    let conditions = record.conditions.into_iter().map(|condition| condition.word());
    (record.state, conditions.collect(), record.next)
}

/// The record itself.
fn record(rig: &Rig, license: &str) -> Authorization {
    rig.standing(license).record
}

/// The provider answers the next revocation with nothing that says that it was done. (An outage would be waited for.)
fn revocation_fails(rig: &Rig) {
    rig.provider.replies(REVOKE, [Reply::Status(400, String::new())]);
}

/// How often the provider did so.
fn times(rig: &Rig, what: &str) -> usize {
    rig.provider.log().iter().filter(|line| line.starts_with(what)).count()
}

/// Does this at the first moment of its kind, once.
fn at(rig: &Rig, moment: Moment, work: impl FnOnce() + Send + 'static) {
    let mut work = Some(work);
    rig.world().watch(move |now| {
        if *now == moment
            && let Some(work) = work.take()
        {
            // A command there waits for the network's runtime of its own.
            std::thread::scope(|scope| scope.spawn(work).join().unwrap());
        }
    });
}

/// A request to this path has come to the provider.
fn arrives(path: &str) -> Moment {
    Moment::Arrives(path.into())
}

/// The provider has acted on a request to this path.
fn answered(path: &str) -> Moment {
    Moment::Answered(path.into())
}

const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";
const INTROSPECT: &str = "/oauth/introspect";
/// The admin who is nobody's own.
const BOB: &str = "bob@example.com";
