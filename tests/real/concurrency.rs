//! Many processes at once: they wait for each other, and lose nothing.

use crate::support::proxy::Proxy;
use crate::support::stored::{PROFILE, key};
use crate::support::{Rig, Run, admin, register};
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::{RecordCommit, SecretRole, SecretsChange};
use biotrack_auth::model::secret::Secret;
use std::process::Child;

/// How many at once.
const MANY: usize = 20;

fn end(child: Child) -> Run {
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn registering_many_licenses_at_once_on_a_fresh_home_loses_none() {
    let rig = Rig::new();
    let licenses: Vec<_> = (0..MANY).map(|n| format!("L-{n:02}-{}", "x".repeat(n))).collect();
    let mut children: Vec<_> = licenses.iter().map(|license| rig.start(&register(license, &[]))).collect();
    // Whoever looks meanwhile is never refused.
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        rig.status();
    }
    for child in children {
        end(child).exits(0);
    }
    let status = rig.status();
    assert_eq!((&status["summary"]["active"], &status["summary"]["total"]), (&MANY.into(), &MANY.into()));
    assert_eq!(rig.counted("token_issued"), MANY);
    for license in &licenses {
        assert!(rig.accepts(&rig.live(license).unwrap()), "{license}");
    }
    rig.is_whole();
    assert!(rig.left_beside().is_empty(), "{:?}", rig.left_beside());
}

#[test]
fn of_many_that_renew_one_license_one_wins_and_the_others_are_told_who() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let gate = rig.file("go");
    let browser = format!("{} --wait {}", admin(), gate.display());
    let mut waiting: Vec<_> = (0..8).map(|_| rig.start(&["renew", "L-1", "--browser", &browser])).collect();
    // The winner's admin waits until all others have given up.
    let mut refused = Vec::new();
    rig.until(|| {
        let ended = waiting.iter_mut().position(|child| child.try_wait().unwrap().is_some());
        match ended {
            Some(at) => refused.push(end(waiting.remove(at)).exits(1)),
            None => drop(rig.status()),
        }
        waiting.len() == 1
    });
    let winner = waiting.pop().unwrap();
    let who = format!("process {}", winner.id());
    std::fs::write(&gate, "").unwrap();
    end(winner).exits(0);
    assert_eq!(refused.len(), 7);
    for run in refused {
        run.answers_nothing().says("is busy: ").says(&who);
    }
    assert_eq!(rig.counted("token_issued"), 2);
    assert!(rig.accepts(&rig.live("L-1").unwrap()));
    rig.is_whole();
}

#[test]
fn a_change_of_what_someone_else_changed_meanwhile_is_refused() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let mut ledgers = [rig.ledger(), rig.ledger()];
    let read = ledgers[0].standing(PROFILE, &key("L-1")).unwrap().unwrap().record;
    let record = Authorization { name: Some("Hudson".parse().unwrap()), ..read };
    let change = RecordCommit { moves: Vec::new(), ends: None, events: Vec::new(), record };
    let mut outcomes =
        ledgers.iter_mut().map(|ledger| ledger.commit(std::slice::from_ref(&change)).unwrap().pop().unwrap());
    assert!(outcomes.next().unwrap().is_ok());
    let refused = outcomes.next().unwrap().unwrap_err();
    assert!(refused.to_string().contains("another process changed L-1"), "{refused}");
}

/// S36: the provider calls the token dead that a process has read, while another grant takes its place.
#[test]
fn a_losers_invalid_grant_ends_no_winners_grant() {
    for scope in ["token", "grant"] {
        let rig = Rig::new();
        let config = rig.file("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let text = format!("{text}\nrevocation_scope = \"{scope}\"\n");
        std::fs::write(&config, &text).unwrap();
        rig.register("L-1").exits(0);
        rig.remake("L-1", |granted| granted.refresh = Some(Secret::new("not-a-token-of-theirs")));
        let proxy = Proxy::of(&rig);
        let asking = rig.start(&["token", "L-1", "--min-valid", "60m"]);
        assert!(proxy.seen.recv().unwrap().answer.contains("invalid_grant"));
        // The answer is on its way; a person consents, past the proxy.
        std::fs::write(&config, &text).unwrap();
        rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
        proxy.go.send(()).unwrap();
        let run = end(asking).exits(0);
        let live = rig.live("L-1").unwrap();
        assert_eq!(run.out, format!("{}\n", live.access.expose()));
        assert!(rig.accepts(&live));
        assert_eq!(
            (&rig.only()["state"], &rig.only()["conditions"]),
            (&"active".into(), &serde_json::json!([]))
        );
    }
}

/// A process that is slow to clear away what it had read long ago, and another that stored a grant meanwhile.
#[test]
fn what_was_cleared_away_twice_is_nobody_elses_token() {
    for later in ["L-2", "L-1"] {
        let rig = Rig::new();
        rig.register("L-1").exits(0);
        let mut slow = rig.ledger();
        let id = slow.secrets(PROFILE, &key("L-1"), SecretRole::Live).unwrap().pop().unwrap().id;
        rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
        rig.register(later).exits(0);
        let record = slow.standing(PROFILE, &key("L-1")).unwrap().unwrap().record;
        let moves = vec![SecretsChange::Drop(id)];
        let change = RecordCommit { record, moves, ends: None, events: Vec::new() };
        slow.commit(&[change]).unwrap().pop().unwrap().unwrap();
        let live = rig.live(later).expect("the tokens of a living grant are gone");
        assert!(rig.accepts(&live));
    }
}
