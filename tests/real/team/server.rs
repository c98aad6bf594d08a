//! What a server does to one host, and what it lets nobody do.

use super::Team;
use crate::support::register;
use crate::support::seed::{seed, store};
use crate::support::team::{PASSWORD, Server, shared};
use crate::support::{admin, outside};
use biotrack_auth::ledger::SCHEMA;
use jiff::SignedDuration;
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

#[test]
fn hosts_see_one_truth_and_each_can_use_every_grant() {
    let team = Team::of(shared(), 2);
    team.run(0, &register("L-1", &[])).exits(0);
    let seen =
        [0, 1].map(|host| team.run(host, &["status", "--json"]).exits(0).json()["authorizations"].clone());
    assert_eq!(seen[0], seen[1]);
    let token = team.run(1, &["token", "L-1"]).exits(0).out;
    assert_eq!(team.run(0, &["token", "L-1"]).exits(0).out, token);
    // Refreshed there, and the old one is nowhere.
    let newer = team.run(1, &["token", "L-1", "--min-valid", "60m"]).exits(0).out;
    assert_ne!(newer, token);
    assert_eq!(team.run(0, &["token", "L-1"]).exits(0).out, newer);
    assert_eq!(team.rig.counted("token_rotated"), 1);
    team.run(1, &["deactivate", "L-1", "--yes"]).exits(0);
    assert_eq!(team.run(0, &["status", "--json"]).json()["authorizations"][0]["state"], "deactivated");
    team.run(0, &["history", "verify"]).exits(0);
}

#[test]
fn two_cannot_renew_one_license_at_the_same_moment_and_the_loser_is_told_who_is_at_it() {
    let team = Team::of(shared(), 2);
    team.run(0, &register("L-1", &[])).exits(0);
    let gate = team.rig.elsewhere("go");
    let browser = format!("{} --wait {}", admin(), gate.display());
    let first = team.command(0, &["renew", "L-1", "--browser", &browser]).spawn().unwrap();
    team.rig.until(|| team.asks());
    let second = team.run(1, &["renew", "L-1", "--browser", &admin()]).exits(1);
    let process = format!("process {}", first.id());
    assert!(second.err.contains(&process), "{process}: {}", second.err);
    fs::write(gate, "").unwrap();
    assert!(first.wait_with_output().unwrap().status.success());
    assert_eq!(team.rig.counted("token_issued"), 2);
}

#[test]
fn a_refresh_locks_across_hosts_and_happens_once() {
    let team = Team::of(shared(), 4);
    team.run(0, &register("L-1", &[])).exits(0);
    let asking: Vec<_> = (0..4)
        .map(|host| team.command(host, &["token", "L-1", "--min-valid", "50m"]).spawn().unwrap())
        .collect();
    let tokens: Vec<_> = asking.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(tokens.iter().all(|it| it.status.success() && it.stdout == tokens[0].stdout), "{tokens:?}");
    assert!(team.rig.counted("token_rotated") <= 1);
}

#[test]
fn a_record_that_somebody_else_is_writing_withholds_no_token() {
    let team = Team::of(shared(), 1);
    team.run(0, &register("L-1", &[])).exits(0);
    let mut psql = outside("psql");
    psql.args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", &shared().port.to_string()]);
    psql.args(["-U", "postgres", "-d", &database(&team)]).env("PGPASSWORD", PASSWORD);
    let mut other = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut says = other.stdin.take().unwrap();
    writeln!(says, "BEGIN; SELECT 'has it' FROM biotrack_auth.\"authorization\" FOR UPDATE;").unwrap();
    let mut line = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "has it\n");
    let token = team.run(0, &["token", "L-1"]).exits(0).says_nothing().out;
    drop(says);
    other.wait().unwrap();
    let last_used = || team.run(0, &["status", "--json"]).json()["authorizations"][0]["last_used_at"].clone();
    assert_eq!(last_used(), serde_json::Value::Null);
    assert_eq!(team.run(0, &["token", "L-1"]).exits(0).out, token);
    assert!(last_used().is_string());
}

#[test]
fn a_server_that_is_away_is_exit_7_with_the_way_out_and_monitors_see_unknown() {
    let server = Server::start();
    let team = Team::of(&server, 1);
    team.run(0, &register("L-1", &[])).exits(0);
    server.kill();
    team.run(0, &["status"]).exits(7).answers_nothing().says("can't be reached").says("biotrack-auth doctor");
    let error = team.run(0, &["status", "--json"]).exits(7).json();
    assert_eq!((&error["error"]["code"], &error["error"]["exit"]), (&json!("ledger"), &json!(7)));
    team.run(0, &["status", "--check"]).exits(3).answers("UNKNOWN");
    team.run(0, &register("L-2", &[])).exits(7);
    team.run(0, &["token", "L-1"]).exits(7).answers_nothing();
    server.up();
    team.run(0, &["token", "L-1"]).exits(0);
    assert_eq!(team.rig.counted("token_issued"), 1);
}

/// The admin has clicked, and the ledger is gone: the grant waits here, sealed, and is merged.
#[test]
fn a_grant_that_comes_while_the_server_is_away_is_kept_here_and_merged_by_the_next_run() {
    for other_was_at_it in [false, true] {
        let server = Server::start();
        let team = Team::of(&server, 2);
        let gate = team.rig.elsewhere("go");
        let browser = format!("{} --wait {}", admin(), gate.display());
        let asking = team.command(0, &register("L-1", &["--browser", &browser])).spawn().unwrap();
        team.rig.until(|| team.asks());
        server.kill();
        fs::write(&gate, "").unwrap();
        let ended = crate::support::Run::of(asking.wait_with_output().unwrap()).exits(7);
        ended
            .says("L-1 was granted, but the grant can't be stored yet")
            .says("stores the grant without asking the admin again");
        assert_eq!(team.rig.counted("token_issued"), 1);
        let kept = spools(&team);
        assert_eq!(kept.len(), 1, "{kept:?}");
        let text = fs::read_to_string(&kept[0]).unwrap();
        assert!(text.contains("answered") && !text.contains("access_token"));
        server.up();
        if other_was_at_it {
            // Its lease is over, and another host has closed the question, because nothing seemed to have come of it.
            server.says(&database(&team), "UPDATE biotrack_auth.owner SET until = 0");
            team.run(1, &["deactivate", "L-1", "--yes", "--local-only"]).exits(0);
            team.run(1, &["status", "--json"]).exits(0);
        }
        team.run(0, &register("L-1", &[])).exits(0);
        assert!(spools(&team).is_empty());
        let token = team.run(1, &["token", "L-1"]).exits(0);
        assert!(!token.out.is_empty());
        if !other_was_at_it {
            assert_eq!(team.rig.counted("token_issued"), 1, "nobody consented again");
        }
        team.run(0, &["history", "verify"]).exits(0);
    }
}

fn spools(team: &Team) -> Vec<std::path::PathBuf> {
    let folders = fs::read_dir(team.home(0)).unwrap().map(|it| it.unwrap().path());
    let spools =
        folders.filter(|it| it.is_dir() && it.file_name().unwrap().to_str().unwrap().starts_with("spool-"));
    spools.flat_map(|folder| fs::read_dir(folder).unwrap().map(|it| it.unwrap().path())).collect()
}

fn database(team: &Team) -> String {
    let text = fs::read_to_string(team.home(0).join("config.toml")).unwrap();
    let address = text.split("ledger = \"").nth(1).unwrap().split('"').next().unwrap();
    address.split(['/', '?']).nth(3).unwrap().to_owned()
}

#[test]
fn another_schema_is_refused_by_who_reads_writes_or_is_at_work_already() {
    let team = Team::of(shared(), 1);
    team.run(0, &register("L-1", &[])).exits(0);
    let gate = team.rig.elsewhere("go");
    let browser = format!("{} --wait {}", admin(), gate.display());
    let asking = team.command(0, &["renew", "L-1", "--browser", &browser]).spawn().unwrap();
    team.rig.until(|| team.asks());
    let to = |schema: i64| {
        let change = format!("UPDATE biotrack_auth.meta SET value = '{schema}' WHERE name = 'schema'");
        shared().says(&database(&team), &change);
    };
    to(99);
    for words in [vec!["status"], register("L-2", &[])] {
        team.run(0, &words)
            .exits(7)
            .says(&format!("newer biotrack-auth (schema 99; this version supports {SCHEMA})"));
    }
    fs::write(gate, "").unwrap();
    let ended = crate::support::Run::of(asking.wait_with_output().unwrap()).exits(7);
    ended.says("can't be stored yet");
    to(SCHEMA);
    // What came meanwhile is stored now, by whoever is next.
    team.run(0, &["renew", "L-1", "--browser", &admin()]).exits(0);
    assert_eq!(team.rig.counted("token_issued"), 2);
}

#[test]
fn neither_reader_nor_writer_changes_the_history_and_the_reader_sees_no_secret() {
    let team = Team::of(shared(), 1);
    team.run(0, &register("L-1", &[])).exits(0);
    let asked =
        ["register", "--ubi", "604001", "--license", "L-3", "--username", "ann@example.com", "--no-wait"];
    team.run(0, &asked).exits(0);
    let database = database(&team);
    shared().grants_roles(&database);
    let [reader, writer] =
        ["reader", "writer"].map(|name| shared().role(&database, name, &[&format!("biotrack_auth_{name}")]));
    let on = |role: &str| Team::on(&shared().address(&database, role), 1);
    let reads = on(&reader);
    for words in [
        &["status"][..],
        &["status", "L-1"],
        &["status", "--check"],
        &["history"],
        &["history", "verify"],
        &["export"],
        &["remind", "--dry-run"],
    ] {
        reads.run(0, words).exits(0);
    }
    for words in [
        vec!["token", "L-1"],
        register("L-2", &[]),
        vec!["deactivate", "L-1", "--yes"],
        vec!["edit", "L-1", "--name", "Hudson St"],
        vec!["remove", "L-3"],
    ] {
        reads.run(0, &words).exits(7).says("permission denied").says("Check the role, its privileges");
    }
    let writes = on(&writer);
    // Each of these homes is a host of its own, and none lets the others in.
    shared().says(&database, "DELETE FROM biotrack_auth.recipient");
    writes.run(0, &register("L-2", &[])).exits(0);
    writes.run(0, &["token", "L-2"]).exits(0);
    writes.run(0, &["renew", "L-2", "--browser", &admin()]).exits(0);
    writes.run(0, &["deactivate", "L-2", "--yes"]).exits(0);
    writes.run(0, &["edit", "L-1", "--name", "Hudson St"]).exits(0);
    writes.run(0, &["remove", "L-3"]).exits(0);
    writes
        .run(0, &["history", "prune", "--before", "2100-01-01", "--yes"])
        .exits(7)
        .says("permission denied");
    writes.run(0, &["history", "verify"]).exits(0);

    // What a host notes for all of them is the writer's to note, and nothing else of what the ledger says of itself.
    writes.run(0, &register("L-4", &[])).exits(0);
    let (bundle, to) = (writes.rig.elsewhere("bundle.age"), writes.run(0, &["config", "recipients", "list"]));
    let to = to.exits(0).out.split_whitespace().next().unwrap().to_owned();
    let line = ["export", "L-4", "--with-secrets", "--recipient", &to, "--output", bundle.to_str().unwrap()];
    writes.run(0, &line).exits(0);
    let said = || shared().says(&database, "SELECT name || value FROM biotrack_auth.meta ORDER BY name");
    let before = said();
    let nothing = format!(
        "SET ROLE {writer}; UPDATE biotrack_auth.meta SET value = ''; DELETE FROM biotrack_auth.meta"
    );
    shared().says(&database, &nothing);
    assert_eq!(said(), before);

    let refuses = |role: &str, statement: &str| {
        let mut psql = shared().psql(&database, role);
        psql.args(["-v", "ON_ERROR_STOP=1", "-c", statement]);
        let done = psql.output().unwrap();
        assert!(!done.status.success(), "{role} may {statement}");
    };
    for role in [&reader, &writer, "postgres"] {
        for statement in [
            "UPDATE biotrack_auth.history SET detail = 'by eve'",
            "DELETE FROM biotrack_auth.history",
            "TRUNCATE biotrack_auth.history CASCADE",
            "UPDATE biotrack_auth.history_head SET seq = 1",
        ] {
            refuses(role, statement);
        }
    }
    for role in [&reader, &writer] {
        for statement in [
            "DROP TABLE biotrack_auth.history",
            "INSERT INTO biotrack_auth.history SELECT seq + 1, at, profile, ubi, license, event, \"user\", host, detail, hash FROM biotrack_auth.history",
            "INSERT INTO biotrack_auth.history_head VALUES (2, 9, '')",
            "DELETE FROM biotrack_auth.history_head",
            "INSERT INTO biotrack_auth.history_anchor VALUES (9, '', '', '', '', '')",
            "INSERT INTO biotrack_auth.meta VALUES ('moved', 'away')",
            "CREATE TABLE biotrack_auth.x (y int)",
        ] {
            refuses(role, statement);
        }
    }
    for statement in [
        "SELECT blob FROM biotrack_auth.secret",
        "SELECT count(*) FROM biotrack_auth.profile_secret",
        "SELECT memo_blob FROM biotrack_auth.flow",
        "SELECT sealed FROM biotrack_auth.flow",
        "SELECT biotrack_auth.append_to_history('2026-12-01T00:00:00Z', '', '', '', 'granted', 'ann', 'desk', '')",
        "UPDATE biotrack_auth.\"authorization\" SET username = 'eve'",
    ] {
        refuses(&reader, statement);
    }
}

#[test]
fn what_does_not_make_sure_whose_server_answers_is_refused() {
    let team = Team::of(shared(), 1);
    drop(team.ledger(0));
    team.run(0, &["status"]).exits(0);
    let config = team.home(0).join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let written = text.split("ledger = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (bare, _) = written.split_once('?').unwrap();
    let with = |address: &str| {
        fs::write(&config, text.replace(&written, address)).unwrap();
        team.run(0, &["status"])
    };
    let passwords = format!("passfile={}", shared().for_clients("passwords").display());
    // The system's authorities don't know it.
    with(&format!("{bare}?{passwords}")).exits(7).says("can't be used").says("ertificate");
    // Its certificate is for another name.
    with(&written.replace("@localhost", "@127.0.0.1")).exits(7).says("ertificate");
    for mode in ["require", "prefer", "allow", "verify-ca"] {
        with(&format!("{bare}?sslmode={mode}")).exits(2).says("doesn't verify the server's identity");
    }
    with("postgres://ann@ledger.example/db?sslmode=disable").exits(2).says("turns encryption off");
    with("postgres://ann:secret@ledger.example/db").exits(2).says("contains a password").says_not("secret@");
    with("postgres://ann@ledger.example/db?password=secret").exits(2).says("contains a password");
    with("postgres://a.example,b.example/db").exits(2).says("several hosts");
    with("mysql://a.example/db").exits(2).says("isn't the address of a PostgreSQL database");
    // Loopback may do without.
    let local = format!("{bare}?{passwords}&sslmode=disable");
    with(&local).exits(0);
    // A password that others can read isn't used.
    let loose = team.home(0).join("loose");
    fs::copy(shared().for_clients("passwords"), &loose).unwrap();
    fs::set_permissions(&loose, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    with(&format!("{bare}?sslmode=disable&passfile={}", loose.display()))
        .exits(2)
        .says("0644")
        .says("chmod 600");
    // And a wrong one is told of as such.
    fs::write(&loose, "*:*:*:*:wrong\n").unwrap();
    fs::set_permissions(&loose, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    with(&format!("{bare}?sslmode=disable&passfile={}", loose.display()))
        .exits(7)
        .says("password authentication failed");
    // The keyring is on one machine.
    let keyring = fs::read_to_string(&config).unwrap().replace("vault = \"sealed\"", "vault = \"keyring\"");
    fs::write(&config, keyring).unwrap();
    team.run(0, &["status"]).exits(2).says("needs the sealed vault");
}

#[test]
fn a_service_file_names_the_server_and_its_password() {
    let team = Team::of(shared(), 1);
    let config = team.home(0).join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let written = text.split("ledger = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    fs::write(&config, text.replace(&written, "postgres:///?service=ledger")).unwrap();
    let file = team.home(0).join("services");
    let service = format!(
        "[other]\nhost=nowhere\n[ledger]\nhost=localhost\nport={}\ndbname={}\nuser=postgres\npassword={PASSWORD}\nsslrootcert={}\n",
        shared().port,
        written.split(['/', '?']).nth(3).unwrap(),
        shared().for_clients("ca.crt").display()
    );
    fs::write(&file, service).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let run = |words: &[&str]| {
        let mut command = team.command(0, words);
        command.env("PGSERVICEFILE", &file);
        crate::support::Run::of(command.output().unwrap())
    };
    run(&register("L-1", &[])).exits(0);
    run(&["status"]).exits(0).answers("L-1");
    team.run(0, &["status"]).exits(2).says("no service file contains the service [ledger]");
    let shown = run(&["config", "show"]).exits(0).out;
    assert!(shown.contains("service=ledger") && !shown.contains("canary"), "{shown}");
}

/// PgBouncer, as Debian has it.
#[test]
fn a_pool_in_transaction_mode_is_refused_and_one_in_session_mode_serves() {
    for (mode, code) in [("transaction", 7), ("session", 0)] {
        let server = shared();
        let folder = server.file(&format!("pool-{mode}"));
        fs::create_dir(&folder).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let quoted = PASSWORD.replace('"', "\"\"");
        fs::write(folder.join("users"), format!("\"postgres\" \"{quoted}\"\n")).unwrap();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\n",
            server.port,
            folder.join("users").display()
        );
        fs::write(folder.join("pgbouncer.ini"), settings).unwrap();
        let mut pool = server.as_its_user("/usr/sbin/pgbouncer");
        let mut pool = pool.arg(folder.join("pgbouncer.ini")).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(pool.stderr.take().unwrap());
        let mut all = String::new();
        while !all.contains("process up") {
            assert!(said.read_line(&mut all).unwrap() > 0, "{all}");
        }
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let team = Team::of(server, 1);
        team.run(0, &register("L-0", &["--no-wait"])).exits(0);
        let config = team.home(0).join("config.toml");
        let text = fs::read_to_string(&config).unwrap();
        let direct = format!("localhost:{}/", server.port);
        let (before, after) = text.split_once(&direct).unwrap();
        let after = after.replacen("?sslrootcert=", "?sslmode=disable&sslrootcert=", 1);
        fs::write(&config, format!("{before}127.0.0.1:{port}/{after}")).unwrap();
        let run = team.run(0, &register("L-1", &[])).exits(code);
        if code == 7 {
            run.says("pooler in transaction mode").says("session mode");
            assert_eq!(team.rig.counted("token_issued"), 0);
            // Who only reads meets what another session has prepared on the process that was lent to it.
            let told = (0..5).map(|_| team.run(0, &["status"])).find(|run| run.code != 0).unwrap();
            told.exits(7).says("pooler in transaction mode").says("pool_mode = session").says_not("disk");
        } else {
            team.run(0, &["token", "L-1"]).exits(0);
        }
        pool.kill().unwrap();
        pool.wait().unwrap();
    }
}

/// Many licenses of which few are shown: what the server counts of the rows and pages it has read.
#[test]
fn a_look_reads_what_it_shows_and_not_what_is_stored() {
    const STORED: usize = 5_000;
    let team = Team::of(shared(), 1);
    let now = team.rig.env().clock.now();
    let records: Vec<_> = (0..STORED)
        .map(|at| {
            let days = if at < 5 { 3 } else { 60 };
            store(&format!("L-{at:05}"), &(now + SignedDuration::from_hours(days * 24)).to_string())
        })
        .collect();
    seed(&mut team.ledger(0), &records);
    let database = database(&team);
    shared().says(&database, "VACUUM ANALYZE");
    let counted = |words: &[&str]| -> u64 {
        shared().says(&database, "SELECT pg_stat_reset()");
        team.run(0, words);
        let read = "SELECT sum(seq_tup_read) + sum(idx_tup_fetch) FROM pg_stat_user_tables WHERE schemaname = 'biotrack_auth'";
        // A process tells what it read as it ends.
        shared().says(&database, "SELECT pg_stat_force_next_flush()");
        shared().says(&database, read).parse().unwrap()
    };
    for words in
        [&["status", "--due"][..], &["status", "--check"], &["status", "L-00003"], &["remind", "--dry-run"]]
    {
        let read = counted(words);
        assert!(read < 100, "{words:?} read {read} rows of {STORED}");
    }
    assert!(counted(&["status"]) >= STORED as u64);
}
