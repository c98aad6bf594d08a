//! Eight engineers at one bulk run, and a server that dies under them: CI takes a few hundred licenses, and
//! BIOTRACK_TEST_ALL=1 two thousand.

use super::Team;
use crate::support::crowd::{Crowd, Will};
use crate::support::seed::{seed, store};
use crate::support::team::Server;
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::ids::{License, LicenseId, Ubi, Username};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::fs::File;
use std::process::Child;

const WORKERS: usize = 8;
const SEED: u64 = 20_261_124;

fn many() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    if std::env::var_os("BIOTRACK_TEST_ALL").is_some() { 2_000 } else { 240 }
}

fn key(at: usize) -> LicenseId {
    LicenseId {
        ubi: Ubi::parse(&format!("604{:06}", at / 5)).unwrap(),
        license: License::parse(&format!("101-X{at:06}-D1")).unwrap(),
    }
}

#[test]
fn eight_workers_share_a_bulk_run_while_the_server_is_killed_twice() {
    let (many, server) = (many(), Server::start());
    let team = Team::of(&server, WORKERS);
    seeded(&team, many);
    let crowd = Crowd::of(SEED, |_| Will::Grant);
    let browser = crowd.browser();
    let mut rounds = 0;
    let granted = |team: &Team| team.rig.counted("token_issued");
    for kill_at in [Some(many / 4), Some(many / 2), None] {
        let words = ["renew", "--due", "--tabs", "16", "--browser", &browser, "--format", "jsonl"];
        let workers: Vec<_> = (0..WORKERS).map(|host| worker(&team, host, rounds, &words)).collect();
        if let Some(mark) = kill_at {
            team.rig.until(|| granted(&team) >= mark);
            server.kill();
            server.up();
        }
        for (mut child, told) in workers {
            let code = child.wait().unwrap().code();
            let told = std::fs::read_to_string(told).unwrap();
            // All done, or some of it, or the server was away; never a crash.
            assert!(matches!(code, Some(0 | 1 | 3 | 7)), "{code:?}\n{told}");
            assert!(!told.contains("panicked"), "{told}");
            assert!(kill_at.is_some() || code == Some(0), "{code:?}\n{told}");
        }
        rounds += 1;
        if kill_at.is_some() {
            // Each host stores what it kept while the server was away, and gives the rest back.
            for host in 0..WORKERS {
                let words = ["renew", "--resume", "--tabs", "16", "--browser", &browser, "--format", "jsonl"];
                let (mut child, told) = worker(&team, host, rounds, &words);
                let code = child.wait().unwrap().code();
                assert!(
                    matches!(code, Some(0 | 1 | 3)),
                    "{code:?}\n{}",
                    std::fs::read_to_string(told).unwrap()
                );
            }
            rounds += 1;
        }
    }
    agrees(&team, many);
}

fn worker(team: &Team, host: usize, round: usize, words: &[&str]) -> (Child, std::path::PathBuf) {
    let told = team.rig.elsewhere(&format!("told-{host}-{round}"));
    let out = File::create(team.rig.elsewhere(&format!("out-{host}-{round}"))).unwrap();
    let child = team.command(host, words).stdout(out).stderr(File::create(&told).unwrap()).spawn().unwrap();
    (child, told)
}

/// Licenses that lapse in some days, and so are renewed once.
fn seeded(team: &Team, many: usize) {
    let now = team.rig.env().clock.now();
    let records: Vec<_> = (0..many)
        .map(|at| {
            let username = format!("admin{}@store.example", at / 5);
            Authorization {
                key: key(at),
                granted_by: Some(username.clone()),
                username: Username::parse(&username).unwrap(),
                ..store("L-1", &(now + SignedDuration::from_hours(5 * 24)).to_string())
            }
        })
        .collect();
    seed(&mut team.ledger(0), &records);
}

/// Every license is live with the newest grant that the sandbox issued for it, and none was issued that nobody knows of.
fn agrees(team: &Team, many: usize) {
    let status = team.run(0, &["status", "--json"]).exits(0).json();
    assert_eq!((&status["summary"]["active"], &status["summary"]["total"]), (&many.into(), &many.into()));
    assert_eq!(status["summary"]["attention"], 0, "{status}");
    let mut issued: BTreeMap<String, usize> = BTreeMap::new();
    for line in team.rig.truth().iter().filter(|line| line["event"] == "token_issued") {
        *issued.entry(line["license"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let history = team.run(0, &["history", "--json"]).exits(0).json();
    let mut renewed: BTreeMap<String, usize> = BTreeMap::new();
    for link in history["links"].as_array().unwrap().iter().filter(|link| link["event"] == "renewed") {
        *renewed.entry(link["license"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let differ: Vec<_> =
        issued.iter().filter(|(license, times)| renewed.get(*license) != Some(*times)).collect();
    assert!(differ.is_empty(), "issued, and not in the ledger: {differ:?}");
    let again: Vec<_> = issued.iter().filter(|(_, times)| **times != 1).collect();
    assert!(again.is_empty(), "consented twice: {again:?}");
    assert_eq!((issued.len(), renewed.len()), (many, many));
    team.run(0, &["history", "verify"]).exits(0);
    let ledger = team.ledger(0);
    assert!(ledger.all_flows().unwrap().is_empty());
    for host in 0..WORKERS {
        let left = std::fs::read_dir(team.home(host)).unwrap().map(|it| it.unwrap().path());
        let spools = left.filter(|it| it.is_dir() && it.to_str().unwrap().contains("spool-"));
        assert_eq!(spools.flat_map(|it| std::fs::read_dir(it).unwrap()).count(), 0, "host {host}");
    }
}
