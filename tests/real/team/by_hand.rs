//! What somebody who may write does to the ledger by hand: nothing that stops the others, and nothing in another's name.

use super::Team;
use crate::support::team::{Server, shared};
use crate::support::{admin, register};
use biotrack_auth::model::ids::{License, LicenseId, Ubi};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

/// A ledger that the superuser owns, two who may write to it, and the host of one of them.
struct Shared {
    server: &'static Server,
    database: String,
    team: Team,
    eve: String,
}

impl Shared {
    fn made() -> Self {
        let server = shared();
        let database = server.database();
        let owner = Team::on(&server.address(&database, "postgres"), 1);
        owner.run(0, &register("L-0", &["--no-wait"])).exits(0);
        server.grants_roles(&database);
        let [ann, eve] = ["ann", "eve"].map(|name| server.role(&database, name, &["biotrack_auth_writer"]));
        let team = Team::on(&server.address(&database, &ann), 1);
        // The owner's host was another one.
        server.says(&database, "DELETE FROM biotrack_auth.recipient");
        team.run(0, &register("L-1", &[])).exits(0);
        Self { server, database, team, eve }
    }

    /// What the server says to Eve's statements; `Err` where it refuses them.
    fn eve_says(&self, statements: &str) -> Result<String, String> {
        let mut psql = self.server.psql(&self.database, &self.eve);
        psql.args(["-v", "ON_ERROR_STOP=1", "-c", statements]);
        let done = psql.output().unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if done.status.success() { Ok(said(&done.stdout)) } else { Err(said(&done.stderr)) }
    }

    /// Everything that a team does goes on.
    fn goes_on(&self, license: &str) {
        self.team.run(0, &["status"]).exits(0);
        self.team.run(0, &register(license, &[])).exits(0);
        self.team.run(0, &["token", license, "--min-valid", "2h"]).exits(0);
        self.team.run(0, &["remind"]).exits(0);
    }
}

#[test]
fn whatever_a_writer_puts_there_by_hand_is_refused_where_it_would_stop_the_others() {
    let shared = Shared::made();
    const KEY: &str = "'local-sandbox', '604001', 'L-9'";
    let record = |columns: &str, values: &str| {
        format!(
            "INSERT INTO biotrack_auth.\"authorization\" (profile, ubi, license, expires_estimated, revocation_pending,
                 held_elsewhere, tags, generation, username {columns})
             VALUES ({KEY}, false, false, false, '', 1, 'eve@example.com' {values})"
        )
    };
    let changed = |what: &str| format!("UPDATE biotrack_auth.\"authorization\" SET {what}");
    let flow = |id: &str, purpose: &str, opened: &str, mark: &str, stage: &str| {
        format!(
            "INSERT INTO biotrack_auth.flow (id, profile, ubi, license, purpose, username, base, redirect_uri, opened, deadline,
                 owner_mark, stage)
             VALUES ('{id}', {KEY}, '{purpose}', 'eve@example.com', 1, '', {opened}, 1, {mark}, '{stage}')"
        )
    };
    let event = |at: &str, detail: &str| {
        format!("SELECT biotrack_auth.append_to_history({at}, {KEY}, 'granted', 'root', 'boss', {detail})")
    };
    // A flow that is what it should be is taken, and so is a record: it's the values that are refused.
    shared.eve_says(&flow("fine", "renew", "1", "NULL", "asked")).unwrap();
    shared.eve_says("DELETE FROM biotrack_auth.flow WHERE id = 'fine'").unwrap();
    shared.eve_says(&record("", "")).unwrap();
    let absurd = [
        "INSERT INTO biotrack_auth.history SELECT seq + 1, at, profile, ubi, license, event, \"user\", host, detail, hash
         FROM biotrack_auth.history"
            .to_owned(),
        "UPDATE biotrack_auth.history_head SET seq = seq + 1".into(),
        "UPDATE biotrack_auth.history_head SET \"only\" = 1".into(),
        "DELETE FROM biotrack_auth.history_head".into(),
        event("'yesterday'", "''"),
        event("'2026-13-01T00:00:00Z'", "''"),
        event("'2026-12-01T00:00:00.5Z'", "''"),
        event("'infinity'", "''"),
        event("NULL", "''"),
        event("'2026-12-01T00:00:00Z'", "NULL"),
        event("'2026-12-01T00:00:00Z'", "repeat('x', 70000)"),
        changed("username = ''"),
        changed("username = E'\\u00a0\\u3000'"),
        changed("license = E'L-\\x1b[2J'"),
        changed("license = E'L-\\u202e'"),
        changed("license = repeat('L', 65)"),
        changed("contact = repeat('c', 255)"),
        changed("tags = E'one\\n\\ntwo'"),
        changed("expires_at = 9223372036854775807"),
        changed("created_at = -9223372036854775808"),
        changed("generation = 9223372036854775807"),
        changed("revision = 9223372036854775807"),
        changed("generation = 4611686018427387904"),
        changed("revision = 4611686018427387904"),
        changed("granted_by = repeat('x', 70000)"),
        event("'10000-01-01T00:00:00Z'", "''"),
        "SELECT biotrack_auth.append_to_history('2026-12-01T00:00:00Z', 'local-sandbox', '', '', 'granted', 'u', 'h', 'd')".into(),
        "SELECT biotrack_auth.append_to_history('2026-12-01T00:00:00Z', 'local-sandbox', '604001', E'\\u001b', 'x', 'u', 'h', 'd')".into(),
        "INSERT INTO biotrack_auth.hook_queue SELECT max(seq), 'elsewhere', 'granted' FROM biotrack_auth.history".into(),
        format!("INSERT INTO biotrack_auth.removed_record VALUES ({KEY}, 9223372036854775807)"),
        format!("INSERT INTO biotrack_auth.removed_record VALUES ({KEY}, -5)"),
        "INSERT INTO biotrack_auth.profile_secret (profile, name, blob, generation) VALUES ('p', 'n', '', 9223372036854775807)".into(),
        "UPDATE biotrack_auth.secret SET generation = 9223372036854775807".into(),
        "UPDATE biotrack_auth.secret SET generation = -5".into(),
        flow("../../etc/passwd", "renew", "1", "NULL", "asked"),
        flow("x", "renew", "1", "'../../etc/passwd'", "asked"),
        flow("x", "renew", "9223372036854775807", "NULL", "asked"),
        flow("x", "nonsense", "1", "NULL", "asked"),
        flow("x", "renew", "1", "NULL", "arrived"),
        "INSERT INTO biotrack_auth.owner VALUES ('forever', 'eve', 9999999999)".into(),
        "INSERT INTO biotrack_auth.owner VALUES ('a/b', 'eve', 1)".into(),
        "INSERT INTO biotrack_auth.hook_queue SELECT max(seq), 'local-sandbox', 'nonsense' FROM biotrack_auth.history".into(),
        format!("INSERT INTO biotrack_auth.reminded VALUES ({KEY}, 1, -1, 1)"),
        "INSERT INTO biotrack_auth.spent_state VALUES ('', 'local-sandbox', '', 'L-9', false, 1)".into(),
        "INSERT INTO biotrack_auth.run VALUES (1, 'local-sandbox', 9223372036854775807, 'x', 'x')".into(),
        "WITH new AS (INSERT INTO biotrack_auth.run VALUES (2, 'local-sandbox', 1, 'x', 'x'))
         INSERT INTO biotrack_auth.run_item VALUES (2, 0, '604001', 'L-9', 'a', 'renew', NULL, NULL, NULL, '', 1, '', 'nonsense')".into(),
        "INSERT INTO biotrack_auth.host VALUES ('nonsense', 'eve', 1, 1)".into(),
        "INSERT INTO biotrack_auth.host VALUES ('age1x', 'eve', 1, 9223372036854775807)".into(),
        "INSERT INTO biotrack_auth.recipient VALUES ('nonsense', 'eve', 1)".into(),
        "INSERT INTO biotrack_auth.meta VALUES ('export x', repeat('x', 17000000))".into(),
        "INSERT INTO biotrack_auth.meta VALUES ('schema', '99')".into(),
        "CREATE FUNCTION biotrack_auth.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'".into(),
        "CREATE TRIGGER eves BEFORE UPDATE ON biotrack_auth.history_head EXECUTE FUNCTION biotrack_auth.head_is_the_last()".into(),
        "CREATE OR REPLACE FUNCTION biotrack_auth.unixepoch() RETURNS bigint LANGUAGE sql AS 'SELECT 0'".into(),
    ];
    for statement in absurd {
        let said = shared.eve_says(&statement).expect_err(&statement);
        assert!(!said.contains("syntax error") && !said.contains("does not exist"), "{statement}: {said}");
    }
    // Rows ahead of the numbers that come next would be in everybody's way; they get the next ones, and keep theirs.
    let ahead = "INSERT INTO biotrack_auth.secret (id, profile, ubi, license, role, blob)
                 SELECT n, 'local-sandbox', '604001', 'L-9', 'unwanted', '' FROM generate_series(1, 100) AS n;
                 INSERT INTO biotrack_auth.run SELECT n, 'elsewhere', 1, 'x', 'x' FROM generate_series(1, 100) AS n";
    shared.eve_says(ahead).unwrap();
    for taken in
        ["UPDATE biotrack_auth.secret SET id = id + 1000", "UPDATE biotrack_auth.run SET seq = seq + 1000"]
    {
        assert!(shared.eve_says(taken).unwrap_err().contains("keeps its number"));
    }
    shared.goes_on("L-2");
    shared.team.run(0, &["renew", "--all", "--tabs", "3", "--browser", &admin()]).exits(0);
    shared.team.run(0, &["history", "verify"]).exits(0);
}

#[test]
fn an_event_that_somebody_appends_by_hand_is_chained_and_told_under_their_role() {
    let shared = Shared::made();
    // What a session has of its own in the place of the server's words is nothing to the owner's function.
    let temporary = format!("GRANT TEMPORARY ON DATABASE {} TO {}", shared.database, shared.eve);
    shared.server.says(&shared.database, &temporary);
    let own = "CREATE TEMP TABLE history (LIKE biotrack_auth.history); CREATE TEMP TABLE history_head (LIKE biotrack_auth.history_head);
               CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1';
               CREATE FUNCTION pg_temp.to_json(text) RETURNS json LANGUAGE sql AS 'SELECT NULL::json';
               SET search_path = pg_temp, biotrack_auth, pg_catalog; ";
    let odd = "E'\\u0001 \\u001f \\b\\f\\n\\r\\t \"\\\\/ \\u007f\\u2028 Zoë 店 😀'";
    for (path, detail) in [("", "'all is well'"), (own, "'again'"), ("", odd)] {
        let said = shared.eve_says(&format!(
            "{path}SELECT seq > 1 FROM biotrack_auth.append_to_history(
                 '2026-12-01T00:00:00Z', 'local-sandbox', '604001', 'L-1', 'granted', 'root', 'boss', {detail})"
        ));
        assert_eq!(said.unwrap(), "t");
    }
    shared.team.run(0, &["history", "verify"]).exits(0).answers("intact");
    let told = shared.team.run(0, &["history", "L-1", "--json"]).exits(0).json();
    let links = told["links"].as_array().unwrap();
    let of = |detail: &str| links.iter().find(|it| it["detail"] == detail).unwrap();
    for detail in ["all is well", "again"] {
        assert_eq!(of(detail)["database_role"], json!(shared.eve));
    }
    assert_eq!(links[0]["database_role"], json!(shared.team_role()));
    let table = shared.team.run(0, &["history", "L-1"]).exits(0).out;
    assert!(table.contains(&format!("root@boss (role {})", shared.eve)), "{table}");
    shared.goes_on("L-2");
}

impl Shared {
    fn team_role(&self) -> String {
        self.eve.replacen("eve", "ann", 1)
    }
}

/// Before schema 12 a writer could; who owns the ledger still can.
#[test]
fn rows_that_were_put_into_the_history_by_hand_stop_nobody_and_verify_names_the_first() {
    let shared = Shared::made();
    let head = "SELECT seq FROM biotrack_auth.history_head";
    let last: i64 = shared.server.says(&shared.database, head).parse().unwrap();
    for number in [last + 1, last + 2, last + 4, i64::MAX] {
        shared.server.says(
            &shared.database,
            &format!(
                "INSERT INTO biotrack_auth.history VALUES ({number}, '2026-12-01T00:00:00Z', 'local-sandbox', '604001', 'L-1',
                     'granted', 'root', 'boss', 'by hand', '\\x00')"
            ),
        );
    }
    shared.goes_on("L-2");
    let found = shared.team.run(0, &["history", "verify", "--json"]).exits(1).json();
    assert_eq!(found["broken"]["number"], json!(last + 1));
    shared.team.run(0, &["history"]).exits(0);
}

/// What schema 15 took from a writer is there still after the migration.
#[test]
fn rows_of_before_that_nobody_can_read_stop_nobody_and_the_owner_or_a_writer_removes_them() {
    let shared = Shared::made();
    let config = shared.team.home(0).join("config.toml");
    let hooks = std::fs::read_to_string(&config).unwrap() + "\n[hooks]\ngranted = \"true\"\n";
    std::fs::write(&config, hooks).unwrap();
    let rows = "INSERT INTO biotrack_auth.hook_queue (seq, profile, occasion)
                SELECT seq, 'local-sandbox', 'granted'
                FROM biotrack_auth.append_to_history('2026-12-01T00:00:00Z', '', '', '', 'granted', 'u', 'h', 'd')";
    shared.server.says(&shared.database, rows);
    shared.goes_on("L-2");
    shared.team.run(0, &["renew", "L-1", "--no-wait"]).exits(0);
    let found = shared.team.run(0, &["doctor"]).exits(1).out;
    assert!(found.contains("the waiting hook of history entry") && found.contains("doctor --fix"), "{found}");
    let fixed = shared.team.run(0, &["doctor", "--fix"]).exits(0).out;
    assert!(fixed.contains("removed 1 row that can't be read"), "{fixed}");
}

impl Shared {
    /// Eve's session, once it has what it's told to lock.
    fn eve_locks(&self, lock: &str) -> (Child, ChildStdin) {
        let mut psql = self.server.psql(&self.database, &self.eve);
        let mut eve = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut says = eve.stdin.take().unwrap();
        writeln!(says, "BEGIN; {lock}; SELECT 'has it';").unwrap();
        let mut answers = BufReader::new(eve.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("has it") {
            assert!(answers.read_line(&mut line).unwrap() > 0, "{line}");
        }
        (eve, says)
    }
}

#[test]
fn who_keeps_the_ledger_locked_is_named() {
    let shared = Shared::made();
    for lock in [
        "SELECT FROM biotrack_auth.history_head FOR UPDATE",
        "LOCK TABLE biotrack_auth.history_head",
        "SELECT FROM biotrack_auth.\"authorization\" FOR UPDATE",
        "LOCK TABLE biotrack_auth.\"authorization\"",
        "LOCK TABLE biotrack_auth.flow",
        "LOCK TABLE biotrack_auth.meta",
    ] {
        let (mut eve, says) = shared.eve_locks(lock);
        let refused = shared.team.run(0, &["renew", "L-1", "--no-wait"]).exits(7);
        let named = format!("a session of the role {} holds it", shared.eve);
        assert!(refused.err.contains(&named), "{lock}: {}", refused.err);
        refused.says("pg_terminate_backend");
        drop(says);
        eve.wait().unwrap();
    }
    shared.goes_on("L-2");
}

#[test]
fn a_session_of_another_program_that_has_the_lock_of_a_refresh_is_named_and_not_waited_for_as_long() {
    let shared = Shared::made();
    let ledger = shared.team.ledger(0);
    let key = LicenseId { ubi: Ubi::parse("604001").unwrap(), license: License::parse("L-1").unwrap() };
    let claims = |wait| ledger.claim(("issuer", "client"), &key, false, Duration::from_secs(wait));
    let claim = claims(1).unwrap();
    let number = "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
                  WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let number = shared.server.says(&shared.database, number);
    drop(claim);
    let (mut eve, says) = shared.eve_locks(&format!("SELECT pg_advisory_lock({number})"));
    let Err(refused) = claims(3600) else { panic!("two have it") };
    assert!(
        refused.to_string().contains(&format!("a session of the role {} holds it", shared.eve)),
        "{refused}"
    );
    drop(says);
    eve.wait().unwrap();
    claims(1).unwrap();
}
