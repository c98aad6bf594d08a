//! The ledger moves to a server, or back into a file, beside everything else.

use super::jobs::{
    COMPLETE, DEACTIVATE, DISCARD, EXPORT, FIX, HAND_OFF, IMPORT, PRUNE, RECIPIENTS, REGISTER, REGISTER_LINK,
    RENEW, TAKE, TOKEN, begin_in,
};
use super::stepper::{Homes, Second, pairs};
use super::{Before, Job};
use crate::rig::Rig;

const TO_SERVER: Job = Job {
    name: "config ledger move postgres",
    line: |home| {
        let address = std::fs::read_to_string(home.rig.file("server")).unwrap();
        shlex::try_join(["config", "ledger", "move", &address]).unwrap()
    },
};
const TO_FILE: Job = Job { name: "config ledger move sqlite", line: |_| "config ledger move sqlite".into() };

fn moves(it: Job, rig: fn(&str) -> Rig) {
    let Some(server) = Rig::a_server() else { return };
    let take = |before: Before, firsts: &[Job], seconds: &[Job]| {
        let begin = || {
            let address = server();
            let rig = rig(&address);
            rig.write("server", &address);
            begin_in(rig, before)
        };
        let homes = Homes { name: &format!("{before:?}"), begin: &begin };
        pairs(homes, firsts, Second::Ends, seconds);
        pairs(homes, seconds, Second::Ends, firsts);
    };
    let others = [RENEW, DEACTIVATE, TOKEN, HAND_OFF, IMPORT, EXPORT, RECIPIENTS, PRUNE, FIX];
    take(Before::Living, &[it], &others);
    take(Before::Living, &[it], &[it]);
    take(Before::HandedOff, &[it], &[COMPLETE]);
    take(Before::Waiting, &[it], &[TAKE, DISCARD]);
    take(Before::Nothing, &[it], &[REGISTER, REGISTER_LINK]);
}

/// Where tests have a server: `BIOTRACK_TEST_LEDGER=postgres`.
#[test]
fn of_a_ledgers_move_to_a_server() {
    moves(TO_SERVER, |_| Rig::in_a_file());
}

#[test]
fn of_a_ledgers_move_into_a_file() {
    moves(TO_FILE, |address| {
        let rig = Rig::in_a_file();
        rig.shares_ledger(address);
        drop(rig.ledger());
        rig
    });
}
