//! An answer that one host had and couldn't store: any host that can open it stores it, and one that can't keeps nobody out.

use super::Team;
use crate::support::register;
use crate::support::team::{Server, shared};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

/// A session that keeps the row of every license until it's told to end.
struct Holder(Child);

impl Holder {
    fn of(server: &Server, database: &str) -> Self {
        let mut psql = server.psql(database, "postgres");
        let mut session = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lock = "BEGIN; SELECT 'has it' FROM biotrack_auth.\"authorization\" FOR UPDATE;";
        writeln!(session.stdin.as_mut().unwrap(), "{lock}").unwrap();
        let mut line = String::new();
        BufReader::new(session.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "has it\n");
        Self(session)
    }

    fn ends(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// Two hosts, and a refresh of the first whose answer couldn't be stored.
fn left() -> (Team, &'static Server, String) {
    let server = shared();
    let database = server.database();
    let team = Team::on(&server.address(&database, "postgres"), 2);
    team.run(0, &register("L-1", &[])).exits(0);
    let holder = Holder::of(server, &database);
    let refused = team.run(0, &["token", "L-1", "--min-valid", "60m"]).exits(7);
    refused.says("was refreshed, but its new tokens can't be stored yet");
    holder.ends();
    assert_eq!(flows(server, &database), "answered|left");
    (team, server, database)
}

fn flows(server: &Server, database: &str) -> String {
    server.says(database, "SELECT stage, owner_mark FROM biotrack_auth.flow")
}

#[test]
fn an_answer_that_one_host_could_not_store_is_stored_by_another_that_can_open_it() {
    let (team, server, database) = left();
    let token = team.run(1, &["token", "L-1", "--min-valid", "1m"]).exits(0).out;
    assert_eq!(team.run(0, &["token", "L-1"]).exits(0).out, token);
    assert_eq!(flows(server, &database), "");
    assert_eq!(team.rig.counted("token_rotated"), 1);
}

#[test]
fn a_host_that_cannot_open_an_answer_keeps_nobody_out() {
    let (team, server, database) = left();
    let config = team.home(1).join("config.toml");
    let known = std::fs::read_to_string(&config).unwrap();
    // The other host's identity is lost, and it has a new one, which nothing was sealed to.
    let identity = team.home(1).join("identity.txt");
    std::fs::remove_file(&identity).unwrap();
    biotrack_auth::vault::create_identity(&identity).unwrap();
    for words in [&["token", "L-1"][..], &["exec", "L-1", "--", "true"], &["deactivate", "L-1", "--yes"]] {
        let failed = team.run(1, words);
        assert_ne!(failed.code, 0, "{words:?}: {}", failed.err);
        assert_eq!(flows(server, &database), "answered|left", "{words:?}");
    }
    std::fs::write(&config, known).unwrap();
    assert_eq!(server.says(&database, "SELECT count(*) FROM biotrack_auth.owner"), "0");
    team.run(0, &["token", "L-1"]).exits(0);
    assert_eq!(flows(server, &database), "");
}

#[test]
fn a_refresh_whose_answer_is_lost_is_gone_on_with_by_another_host() {
    let (team, server, database) = left();
    let sent = "UPDATE biotrack_auth.flow SET stage = 'sent', sealed = NULL, deadline = 1;
                UPDATE biotrack_auth.\"authorization\" SET revision = revision + 1";
    server.says(&database, sent);
    // The living token is handed out, and the mark is as it was.
    team.run(1, &["token", "L-1"]).exits(0);
    let again = team.run(1, &["token", "L-1", "--min-valid", "60m"]);
    assert!(!again.err.contains("another identity"), "{}", again.err);
    assert_eq!(flows(server, &database), "sent|left");
    team.run(0, &["token", "L-1"]).exits(0);
}
