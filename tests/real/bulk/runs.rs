//! What scripts see of a run: events, exit codes, who else is at it, and how it's gone on with.

use super::{fleet, of};
use crate::support::crowd::{Crowd, Will};
use crate::support::{Rig, Run, admin, send};
use biotrack_auth::sandbox::Mishap;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;

/// Everyone grants, but for these licenses, whose admins refuse.
fn crowd(refused: &'static [&'static str]) -> Crowd {
    Crowd::of(1, |asked| if refused.contains(&asked.license.as_str()) { Will::Refuse } else { Will::Grant })
}

/// Nobody answers.
fn nobody() -> Crowd {
    Crowd::of(1, |_| Will::Ignore)
}

fn events(run: &Run) -> Vec<Value> {
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Which licenses an event of this kind was about, sorted.
fn about(events: &[Value], kind: &str) -> Vec<String> {
    let of_kind = events.iter().filter(|event| event["event"] == kind);
    let mut found: Vec<_> =
        of_kind.map(|event| event["license"].as_str().unwrap_or_default().to_owned()).collect();
    found.sort();
    found
}

#[test]
fn each_is_granted_and_each_event_fits_the_schema() {
    let (rig, crowd) = (fleet(), crowd(&[]));
    let run = rig.run(&["renew", "--due", "--tabs", "2", "--browser", &crowd.browser(), "--format", "jsonl"]);
    let events = events(&run.exits(0));
    for kind in ["planned", "opened", "granted"] {
        assert_eq!(about(&events, kind), ["L-1", "L-2", "L-3"], "{kind}");
    }
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["counts"]["granted"]), (&"summary".into(), &3.into()));
    assert_eq!(last["exit"], 0);
    let path = format!("{}/schemas/event.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for event in &events {
        assert!(validator.is_valid(event), "{event}");
    }
    let status = rig.status();
    assert_eq!(status["summary"]["active"], 4, "{status}");
}

#[test]
fn one_failure_stops_no_other_and_is_3_and_the_command_that_tries_it_again_is_named() {
    let (rig, crowd) = (fleet(), crowd(&["L-2"]));
    let run = rig.run(&["renew", "--due", "--browser", &crowd.browser()]).exits(3);
    let run = run.answers("3 licenses: 2 granted, 1 failed.").answers("✗ 604001/L-2: the admin refused");
    run.says("1 of 3 licenses failed").says("To retry the failed ones: biotrack-auth renew 604001/L-2\n");
    assert_eq!(rig.counted("token_issued"), 2);
}

/// A run that waits; the events that it has told so far.
struct Running {
    child: Child,
    told: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(rig: &Rig, arguments: &[&str]) -> Self {
        let mut child = rig.start(&[arguments, &["--format", "jsonl"]].concat());
        let told = BufReader::new(child.stdout.take().unwrap());
        Self { child, told }
    }

    /// Waits for the first event of a kind.
    fn until(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.told.read_line(&mut line).unwrap(), 0, "it ended without \"{kind}\"");
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == kind {
                return event;
            }
        }
    }

    /// Waits for its end; what it told from here on.
    fn ended(mut self) -> Run {
        let (mut out, mut err) = (String::new(), String::new());
        self.told.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Run { code: self.child.wait().unwrap().code().unwrap_or(-1), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn interrupted_it_is_130_says_how_to_go_on_and_the_rest_is_done_then() {
    let rig = fleet();
    let nobody = nobody();
    let mut running = Running::start(&rig, &["renew", "--due", "--browser", &nobody.browser()]);
    running.until("opened");
    send("INT", &running.child);
    let run = running.ended();
    let run = run.exits(130).says("To continue: biotrack-auth renew --resume");
    let last = events(&run).pop().unwrap();
    assert_eq!((&last["counts"]["left"], &last["error"]["code"]), (&3.into(), &"interrupted".into()));
    // Nobody's word stands in the history as a failure: they were only not asked any more.
    assert_eq!(rig.status()["summary"]["attention"], 0);

    let crowd = crowd(&[]);
    let run = rig.run(&["renew", "--resume", "--browser", &crowd.browser()]).exits(0);
    run.answers("3 licenses: 3 granted.");
    rig.run(&["renew", "--resume"]).exits(0).answers_nothing();
    assert_eq!(rig.counted("token_issued"), 3);
}

#[test]
fn in_a_file_a_second_run_over_the_same_licenses_is_told_who_is_at_it() {
    let rig = fleet();
    let nobody = nobody();
    let mut running = Running::start(&rig, &["renew", "--due", "--browser", &nobody.browser()]);
    running.until("opened");
    let process = format!("process {}", running.child.id());
    for arguments in [&["renew", "--all"][..], &["renew", "--resume"]] {
        let browser = nobody.browser();
        let run = rig.run(&[arguments, &["--browser", &browser, "--json"]].concat()).exits(1);
        assert_eq!(run.json()["error"]["code"], "busy");
        run.says(&process);
    }
    // Other licenses are nobody's business.
    let crowd = crowd(&[]);
    rig.run(&["renew", "--user", "bob@example.com", "--browser", &crowd.browser()]).exits(0);
    drop(running);
    // Killed, it holds nobody up.
    rig.run(&["renew", "--due", "--browser", &crowd.browser()]).exits(0).answers("3 licenses: 3 granted.");
}

#[test]
fn what_somebody_else_renewed_meanwhile_is_left_out() {
    let rig = fleet();
    let nobody = nobody();
    let mut running = Running::start(&rig, &["renew", "--due", "--browser", &nobody.browser()]);
    running.until("opened");
    let crowd = crowd(&[]);
    // By hand, beside the run: its turn in the run hasn't come.
    rig.run(&["renew", "L-3", "--browser", &crowd.browser()]).exits(0);
    send("INT", &running.child);
    running.ended().exits(130);
    let run = rig.run(&["renew", "--resume", "--browser", &crowd.browser(), "--format", "jsonl"]).exits(0);
    let events = events(&run);
    assert_eq!(about(&events, "granted"), ["L-1", "L-2"]);
    assert_eq!(about(&events, "skipped"), ["L-3"]);
    assert_eq!(rig.counted("token_issued"), 3);
}

#[test]
fn a_provider_that_asks_for_time_gets_it_and_the_others_dont_fail() {
    let rig = Rig::with(&[Mishap::RateLimit]);
    rig.seed(&[
        of(&rig, "L-1", "ann@example.com", -3),
        of(&rig, "L-2", "ann@example.com", 2),
        of(&rig, "L-3", "ann@example.com", 5),
    ]);
    let crowd = crowd(&[]);
    let mut running = Running::start(&rig, &["renew", "--due", "--browser", &crowd.browser()]);
    // The test of the client, and the first code. It's sent again after Retry-After: 2, and nobody else is asked before.
    rig.until(|| rig.counted("refused") >= 2);
    rig.sandbox().set_fail(&[]);
    (0..3).for_each(|_| drop(running.until("granted")));
    running.ended().exits(0);
    assert_eq!(rig.counted("code_issued"), 3);
}

#[test]
fn a_provider_that_is_away_pauses_the_run_until_it_is_back() {
    let rig = Rig::with(&[]);
    rig.seed(&(0..6).map(|at| of(&rig, &format!("L-{at}"), "ann@example.com", 2)).collect::<Vec<_>>());
    let crowd = crowd(&[]);
    rig.sandbox().set_fail(&[Mishap::ServerError]);
    let mut running = Running::start(&rig, &["renew", "--due", "--browser", &crowd.browser()]);
    // Two are bad luck; with the third the run waits, at first a second at most.
    (0..3).for_each(|_| drop(running.until("failed")));
    rig.sandbox().set_fail(&[]);
    let rest = events(&running.ended().exits(3));
    // On a slow machine one more may have been tried in the meantime.
    assert!(about(&rest, "granted").len() >= 2, "{rest:?}");
}

#[test]
fn a_provider_that_stays_away_ends_an_unattended_run_and_the_rest_is_left() {
    let rig = Rig::with(&[Mishap::ServerError]);
    let fleet: Vec<_> = (0..30).map(|at| of(&rig, &format!("L-{at:02}"), "ann@example.com", 2)).collect();
    rig.seed(&fleet);
    let crowd = crowd(&[]);
    let browser = crowd.browser();
    let run = rig.run(&["renew", "--due", "--timeout", "2s", "--browser", &browser, "--format", "jsonl"]);
    let last = events(&run.exits(8).says("Resume it: biotrack-auth renew --resume")).pop().unwrap();
    let left = last["counts"]["left"].as_u64().unwrap();
    assert!(left >= 20, "most weren't asked in vain: {last}");
    rig.sandbox().set_fail(&[]);
    let run = rig.run(&["renew", "--resume", "--browser", &browser]).exits(0);
    run.answers(&format!("{left} licenses: {left} granted."));
}

#[test]
fn an_answer_that_comes_late_is_taken_all_the_same() {
    let rig = fleet();
    let arguments = ["renew", "L-1", "L-2", "--no-browser", "--timeout", "3s"];
    let mut running = Running::start(&rig, &arguments);
    let address = running.until("opened")["authorize_url"].as_str().unwrap().to_owned();
    running.until("failed");
    // Its turn is over; the next one's page is open.
    running.until("opened");
    let page = rig.elsewhere("page");
    let visit =
        std::process::Command::new(admin()).args(["--say", page.to_str().unwrap(), &address]).status();
    assert!(visit.unwrap().success());
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with("200") && page.contains("Access granted"), "{page}");
    // The other one's time was over, and nobody came.
    running.ended().exits(3);
    assert_eq!(rig.counted("token_issued"), 1);
}

#[test]
fn while_the_provider_is_away_nobody_is_sent_to_its_page() {
    let rig = fleet();
    let mut running = Running::start(&rig, &["renew", "--due", "--no-browser", "--timeout", "3s"]);
    running.until("opened");
    rig.sandbox().set_fail(&[Mishap::Down]);
    let run = running.ended().exits(3).says("Resume it: biotrack-auth renew --resume");
    let events = events(&run);
    assert_eq!(about(&events, "failed"), ["L-1"]);
    assert_eq!(about(&events, "opened"), Vec::<String>::new());
    assert_eq!(events.last().unwrap()["counts"]["left"], 2);
}

#[test]
fn a_run_whose_reader_has_gone_ends_and_is_left_for_later() {
    let rig = fleet();
    let nobody = nobody();
    let browser = nobody.browser();
    let mut child =
        rig.start(&["renew", "--due", "--browser", &browser, "--timeout", "5s", "--format", "jsonl"]);
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let crowd = crowd(&[]);
    let run = rig.run(&["renew", "--resume", "--browser", &crowd.browser()]).exits(0);
    run.answers("3 licenses: 3 granted.").says("Resuming the run started");
}
