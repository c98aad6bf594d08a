//! S35: what is durable when, from a trace of the program's own calls. It shows the order in which syncs are asked for,
//! which is what a process's crash can't upset; a power loss isn't tried here.

use super::truth::LICENSE;
use crate::support::{Rig, admin, register};

/// The calls that write, sync, start a browser and talk.
const CALLS: &[&str] = &["pwrite64", "write", "writev", "fsync", "fdatasync", "sendto", "sendmsg", "execve"];

/// A run's calls, in the order in which they began.
struct Trace(Vec<String>);

impl Trace {
    fn of(rig: &Rig, arguments: &[&str]) -> Self {
        // A child that isn't let go of is traced too: its exec is when the browser opens.
        Self(rig.trace(CALLS, arguments).into_iter().map(|(_, line)| line).collect())
    }

    /// The first call from here on that holds all of these.
    #[track_caller]
    fn next(&self, from: usize, words: &[&str]) -> usize {
        let found = self.0[from..].iter().position(|line| words.iter().all(|word| line.contains(word)));
        from + found.unwrap_or_else(|| panic!("no {words:?} from {from} on in\n{}", self.0.join("\n")))
    }

    /// The ledger is written and synced between these calls.
    #[track_caller]
    fn commits_between(&self, from: usize, to: usize) {
        let written = self.next(from, &["pwrite64(", "ledger.db-wal"]);
        let synced = self.next(written, &["sync(", "ledger.db-wal"]);
        assert!(synced < to, "no commit before {}:\n{}", self.0[to], self.0[from..=to].join("\n"));
    }

    /// The last that was written to the ledger between these calls was synced before the second.
    #[track_caller]
    fn is_durable_between(&self, from: usize, to: usize) {
        self.commits_between(from, to);
        let last = |end: &str| {
            self.0[from..to].iter().rposition(|it| it.contains(end) && it.contains("ledger.db-wal"))
        };
        assert!(last("pwrite64(") < last("sync("), "not synced before {}", self.0[to]);
    }
}

#[test]
fn a_consents_intent_and_room_are_durable_before_its_page_opens_and_its_grant_before_the_browser_is_told() {
    let rig = Rig::new();
    for arguments in [register(LICENSE, &[]), vec!["renew", LICENSE, "--browser", &admin()]] {
        // Else its room is there already, and was synced when it was made.
        let _ = std::fs::remove_file(rig.file("spool.spare"));
        let trace = Trace::of(&rig, &arguments);
        let opened = trace.next(1, &["execve(", "admin.py"]);
        trace.is_durable_between(0, opened);
        let room = trace.next(0, &["write(", "/spool/"]);
        assert!(
            trace.next(room, &["sync(", "/spool/"]) < opened,
            "the room isn't reserved before the browser"
        );
        let sent = trace.next(opened, &["POST /oauth/token"]);
        let told = trace.next(sent, &["HTTP/1.1 200"]);
        trace.is_durable_between(sent, told);
    }
}

#[test]
fn the_intent_of_a_refresh_is_durable_before_its_token_is_sent_and_the_new_one_before_it_is_printed() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let trace = Trace::of(&rig, &["token", LICENSE, "--min-valid", "60m"]);
    let sent = trace.next(0, &["POST /oauth/token"]);
    trace.is_durable_between(0, sent);
    let printed = trace.next(sent, &["write(1<", "sandbox-access-"]);
    trace.is_durable_between(sent, printed);
}

#[test]
fn a_revocations_intent_is_durable_before_it_is_sent_and_its_end_before_it_is_told() {
    let rig = Rig::new();
    rig.register(LICENSE).exits(0);
    let trace = Trace::of(&rig, &["deactivate", LICENSE, "--yes"]);
    let sent = trace.next(0, &["POST /oauth/revoke"]);
    // A note that it's being sent follows, unsynced: the intent says enough.
    trace.commits_between(0, sent);
    let told = trace.next(sent, &["write(1<"]);
    trace.is_durable_between(sent, told);
}
