//! `docs/team.md`, done as it says, from an empty server: by an administrator who is no superuser, the ledger's owner, and two hosts.

use crate::support::team::{PASSWORD, ROLES, Server, shared};
use crate::support::{Rig, Run, admin, register};
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/team.md");

/// The document's statements, with the tests' password in their gaps.
fn statements() -> String {
    let text = fs::read_to_string(DOCUMENT).unwrap();
    let (_, rest) = text.split_once("```sql\n").unwrap();
    let (statements, _) = rest.split_once("```").unwrap();
    assert!(statements.contains("CREATE DATABASE ledger OWNER ledger_owner"), "{statements}");
    statements.replace('…', PASSWORD)
}

/// The ledger's address for a role.
fn address(server: &Server, role: &str) -> String {
    server.address("ledger", role)
}

/// A host with a configuration of its own, as `config init` makes it.
fn host(rig: &Rig, name: &str) -> PathBuf {
    let home = rig.elsewhere(name);
    let url = rig.sandbox().address();
    run(rig, &home, &["config", "init", "--preset", "local-sandbox", "--url", &url, "--vault", "sealed"])
        .exits(0);
    home
}

fn run(rig: &Rig, home: &Path, words: &[&str]) -> Run {
    Run::of(rig.command(words).env("BIOTRACK_AUTH_HOME", home).output().unwrap())
}

fn is_at(home: &Path, address: &str) {
    let config = home.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let rest: String =
        text.lines().filter(|line| !line.starts_with("ledger =")).map(|line| format!("{line}\n")).collect();
    fs::write(&config, format!("ledger = \"{address}\"\n{rest}")).unwrap();
}

fn own_recipient(rig: &Rig, home: &Path) -> String {
    let listed = run(rig, home, &["config", "recipients", "list"]).exits(0).out;
    listed
        .lines()
        .find(|line| line.contains("this host"))
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned()
}

/// psql with a file of statements; its exit code and what it said.
fn psql(server: &Server, database: &str, role: &str, file: &Path) -> (Option<i32>, String) {
    let done = server.psql(database, role).arg("-f").arg(file).output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

#[test]
fn a_team_is_set_up_as_the_document_says_and_no_host_loses_a_token() {
    let server = Server::start();
    server.says("postgres", &format!("CREATE ROLE dba LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'"));
    let rig = Rig::unconfigured(&[]);
    let first = host(&rig, "first");
    run(&rig, &first, &register("L-1", &[])).exits(0);

    // Somebody was quicker with the roles' file: it says what is missing, does nothing, and psql's end says so.
    let file = rig.elsewhere("statements.sql");
    let (code, said) = psql(&server, "postgres", "dba", Path::new(ROLES));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("there is no ledger of this version here"), "{said}");
    assert_eq!(
        server.says("postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'biotrack_auth_%'"),
        "0"
    );

    fs::write(&file, format!("\\set ON_ERROR_STOP on\n{}", statements())).unwrap();
    let (code, said) = psql(&server, "postgres", "dba", &file);
    assert_eq!(code, Some(0), "{said}");
    run(&rig, &first, &["config", "ledger", "move", &address(&server, "ledger_owner")]).exits(0);
    for _ in 0..2 {
        let (code, said) = psql(&server, "ledger", "ledger_owner", Path::new(ROLES));
        assert_eq!(code, Some(0), "{said}");
    }
    // Whoever is no role of the team has no business in the database.
    server.says("postgres", &format!("CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'"));
    let stranger = server.psql("ledger", "stranger").args(["-c", "SELECT 1"]).output().unwrap();
    assert!(String::from_utf8_lossy(&stranger.stderr).contains("permission denied for database"));

    // The first host goes on as a writer; a second one joins.
    is_at(&first, &address(&server, "ann"));
    let renew = ["renew", "L-1", "--browser", &admin()];
    run(&rig, &first, &renew).exits(0);
    let second = host(&rig, "second");
    is_at(&second, &address(&server, "ann"));
    let (ours, theirs) = (own_recipient(&rig, &first), own_recipient(&rig, &second));
    // Before it is let in, it seals nothing, and so takes no token away.
    let issued = rig.counted("token_issued");
    let refused = run(&rig, &second, &renew).exits(2);
    refused.says("recipients differ from the ledger's list").says(&format!("config recipients add {theirs}"));
    assert_eq!(rig.counted("token_issued"), issued);
    run(&rig, &second, &["config", "recipients", "add", &ours]).exits(7);
    let token = run(&rig, &first, &["token", "L-1"]).exits(0).out;

    run(&rig, &first, &["config", "recipients", "add", &theirs]).exits(0);
    let refused = run(&rig, &second, &renew).exits(2);
    refused.says(&format!("config recipients add {ours}"));
    let told = run(&rig, &second, &["doctor"]).exits(1).out;
    assert!(told.contains("recipients differ from the ledger's list"), "{told}");
    run(&rig, &second, &["config", "recipients", "add", &ours]).exits(0).says("0 token sets");
    assert_eq!(run(&rig, &second, &["token", "L-1"]).exits(0).out, token);
    run(&rig, &second, &renew).exits(0);
    let renewed = run(&rig, &first, &["token", "L-1"]).exits(0).out;
    assert_ne!(renewed, token);
    // A refresh on either is the other's, too.
    let refreshed = run(&rig, &second, &["token", "L-1", "--min-valid", "2h"]).exits(0).out;
    assert_eq!(run(&rig, &first, &["token", "L-1"]).exits(0).out, refreshed);

    // One that is let go is known as such by the others, and seals nothing more.
    run(&rig, &first, &["config", "recipients", "remove", &theirs]).exits(0);
    let refused = run(&rig, &second, &renew).exits(2);
    refused.says(&format!("config recipients remove {theirs}"));
    run(&rig, &first, &["token", "L-1", "--min-valid", "2h"]).exits(0);
    run(&rig, &first, &["history", "verify"]).exits(0);
}

#[test]
fn each_role_of_the_document_does_what_it_is_for() {
    let server = Server::start();
    let rig = Rig::unconfigured(&[]);
    let file = rig.elsewhere("statements.sql");
    fs::write(&file, format!("\\set ON_ERROR_STOP on\n{}", statements())).unwrap();
    let (code, said) = psql(&server, "postgres", "postgres", &file);
    assert_eq!(code, Some(0), "{said}");
    let home = host(&rig, "first");
    is_at(&home, &address(&server, "ledger_owner"));
    run(&rig, &home, &register("L-1", &[])).exits(0);
    assert_eq!(psql(&server, "ledger", "ledger_owner", Path::new(ROLES)).0, Some(0));
    let config = home.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let told = rig.elsewhere("told");
    fs::write(&config, format!("{text}\n[hooks]\ndue = \"tee {}\"\ndays = [365]\n", told.display())).unwrap();

    is_at(&home, &address(&server, "dashboard"));
    for words in [
        &["status"][..],
        &["status", "--check"],
        &["history"],
        &["history", "verify"],
        &["remind", "--dry-run"],
    ] {
        run(&rig, &home, words).exits(0);
    }
    // Before anything happens.
    run(&rig, &home, &["remind", "--all-profiles"]).exits(7).says("permission denied").says("docs/team.md");
    assert!(!told.exists());
    // The two lines of the crontab.
    is_at(&home, &address(&server, "cron"));
    run(&rig, &home, &["status", "--all-profiles", "--due", "--quiet"]).exits(0);
    run(&rig, &home, &["remind", "--all-profiles"]).exits(0);
    assert!(fs::read_to_string(&told).unwrap().contains("L-1"));
}

#[test]
fn a_first_ledger_is_made_by_config_init_where_the_configuration_names_nothing_but_its_place() {
    let rig = Rig::unconfigured(&[]);
    let server = shared();
    let home = host(&rig, "new");
    let ledger = format!("ledger = \"{}\"\n", server.address(&server.database(), "postgres"));
    let url = rig.sandbox().address();
    for vault in [&[][..], &["--vault", "sealed"]] {
        fs::write(home.join("config.toml"), &ledger).unwrap();
        let init = ["config", "init", "--preset", "local-sandbox", "--url", &url];
        run(&rig, &home, &[&init[..], &["--vault", "keyring"]].concat()).exits(2).says("--vault sealed");
        run(&rig, &home, &[&init[..], vault].concat()).exits(0);
        run(&rig, &home, &["status"]).exits(0);
        let written = fs::read_to_string(home.join("config.toml")).unwrap();
        assert!(written.contains("vault = \"sealed\""), "{written}");
        // Another host has another identity.
        fs::remove_file(home.join("identity.txt")).unwrap();
    }
}
