//! A primary is killed and its standby promoted: nothing is lost where replication is synchronous, and nothing untold where it
//! isn't.

use super::Team;
use crate::support::team::Server;
use crate::support::{self, outside, register};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// A primary with a standby, and the address of both.
fn pair() -> (Server, Server, String) {
    let primary = Server::start();
    let database = primary.database();
    let standby = primary.standby();
    let (first, second) = (primary.port, standby.port);
    let roots = primary.for_clients("ca.crt");
    // The passwords of both are one file, in the primary's folder.
    let address = format!(
        "postgres://postgres@localhost:{first},localhost:{second}/{database}?target_session_attrs=read-write&sslrootcert={}&passfile={}",
        roots.display(),
        primary.for_clients("passwords").display()
    );
    (primary, standby, address)
}

fn until(server: &Server, statement: &str) {
    support::until(|| server.says("postgres", statement) == "t");
}

fn promoted(primary: &Server, standby: &Server) {
    primary.kill();
    assert_eq!(standby.says("postgres", "SELECT pg_promote()"), "t");
}

/// From here on the standby gets nothing more.
fn falls_behind(primary: &Server, standby: &Server) {
    let there = primary.says("postgres", "SELECT pg_current_wal_flush_lsn()");
    until(standby, &format!("SELECT pg_last_wal_replay_lsn() >= '{there}'"));
    standby.says("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
    standby.says("postgres", "SELECT pg_reload_conf()");
    until(standby, "SELECT count(*) = 0 FROM pg_stat_wal_receiver");
}

#[test]
fn a_standby_that_is_behind_is_told_and_no_spent_token_is_sent() {
    let (primary, standby, address) = pair();
    let team = Team::on(&address, 2);
    for license in ["L-1", "L-2"] {
        team.run(0, &register(license, &[])).exits(0);
    }
    let doctor = team.run(0, &["doctor"]);
    assert!(doctor.out.contains("replication isn't synchronous"), "{}", doctor.out);
    falls_behind(&primary, &standby);
    team.run(0, &["token", "L-1", "--min-valid", "60m"]).exits(0);
    team.run(0, &register("L-3", &[])).exits(0);
    let rotated = team.rig.counted("token_rotated");
    assert_eq!(rotated, 1);
    promoted(&primary, &standby);
    let told = team.run(0, &["token", "L-1", "--min-valid", "60m"]).exits(7);
    assert!(told.err.contains("went back in time") && told.err.contains("L-1, L-3"), "{}", told.err);
    for host in [0, 1] {
        // It isn't sent, however long the token was wished to last: the one that lives is handed out.
        let kept = team.run(host, &["token", "L-1", "--min-valid", "60m"]).exits(0);
        assert!(kept.err.contains("may already be used"), "{}", kept.err);
        // What lives is handed out, and what wasn't changed is refreshed.
        team.run(host, &["token", "L-1"]).exits(0);
        team.run(host, &["token", "L-2", "--min-valid", "60m"]).exits(0);
    }
    assert_eq!(team.rig.counted("token_rotated"), rotated + 2);
    team.run(0, &register("L-3", &[])).exits(0);
    team.run(0, &["renew", "L-1", "--browser", &crate::support::admin()]).exits(0);
    team.run(1, &["token", "L-1", "--min-valid", "60m"]).exits(0);
    team.run(0, &["history", "verify"]).exits(0);
}

#[test]
fn a_listener_tells_of_it_once_and_goes_on() {
    let (primary, standby, address) = pair();
    let team = Team::on(&address, 1);
    team.run(0, &register("L-1", &[])).exits(0);
    falls_behind(&primary, &standby);
    team.run(0, &["token", "L-1", "--min-valid", "60m"]).exits(0);
    let words = ["listen", "--public-url", "https://auth.example.com/callback", "--port", "0"];
    let mut listening = team.command(0, &words).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(listening.stderr.take().unwrap());
    lines.read_line(&mut said).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line))));
    let at = said.split(' ').nth(2).unwrap().to_owned();
    let health = || {
        let host = "Host: auth.example.com";
        let asked = outside("curl").args(["-s", "-H", host, &format!("http://{at}/healthz")]).output();
        String::from_utf8(asked.unwrap().stdout).unwrap()
    };
    assert!(health().contains("\"ok\":true"));
    promoted(&primary, &standby);
    // It may take a while until the other server is found. The public answer names no license.
    let told = std::iter::repeat_with(|| (drop(health()), told.try_recv()).1.unwrap_or_default())
        .find(|it| it.contains("went back in time"))
        .unwrap();
    assert!(told.contains("changed L-1"), "{told}");
    // It is measured by what is there now; the last word is repeated for a second.
    std::iter::repeat_with(health).find(|it| it.contains("\"ok\":true")).unwrap();
    // What was noted for all hosts holds for the commands beside it.
    let kept = team.run(0, &["token", "L-1", "--min-valid", "60m"]).exits(0);
    assert!(kept.err.contains("may already be used"), "{}", kept.err);
    listening.kill().unwrap();
    listening.wait().unwrap();
}

#[test]
fn a_synchronous_standby_loses_nothing_though_the_primary_is_killed_in_mid_commit() {
    let (primary, standby, address) = pair();
    primary.says("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary.says("postgres", "SELECT pg_reload_conf()");
    until(&primary, "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'");
    let team = Team::on(&address, 2);
    let licenses: Vec<_> = (0..6).map(|nth| format!("L-{nth}")).collect();
    for license in &licenses {
        team.run(0, &register(license, &[])).exits(0);
    }
    assert!(!team.run(0, &["doctor"]).out.contains("replication isn't synchronous"));
    let asking: Vec<_> = licenses
        .iter()
        .enumerate()
        .map(|(nth, license)| {
            team.command(nth % 2, &["token", license, "--min-valid", "60m"]).spawn().unwrap()
        })
        .collect();
    // Somewhere in the midst of them.
    team.rig.until(|| team.rig.counted("token_rotated") > 1);
    promoted(&primary, &standby);
    for child in asking {
        child.wait_with_output().unwrap();
    }
    for (nth, license) in licenses.iter().enumerate() {
        // On the host that asked: what came while nobody could take it waits there.
        let mut run = team.run(nth % 2, &["token", license]);
        assert!(!run.err.contains("went back"), "{}", run.err);
        if run.code != 0 {
            run = team.run(nth % 2, &["token", license]);
        }
        run.exits(0);
        team.run(nth % 2, &["token", license, "--min-valid", "60m"]).exits(0);
    }
    team.run(0, &["history", "verify"]).exits(0);
}
