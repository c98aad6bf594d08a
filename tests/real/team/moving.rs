//! The ledger moves to a server and back.

use super::Team;
use crate::crash::points::at_each_point_slowly;
use crate::crash::truth::Found;
use crate::support::old_home::{OldHome, Rows, rows};
use crate::support::team::shared;
use crate::support::{Rig, admin};
use serde_json::Value;
use std::fs;

/// Licenses in every state that a ledger can have without waiting a hundred days.
fn lived() -> Rig {
    let rig = Rig::with_file(&[]);
    for license in ["L-1", "L-2", "L-3"] {
        rig.register(license).exits(0);
    }
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    rig.run(&["deactivate", "L-2", "--yes"]).exits(0);
    let bob = format!("{} --user bob@example.com", admin());
    rig.run(&["renew", "L-3", "--browser", &bob]).exits(6);
    rig.run(&[
        "register",
        "--ubi",
        "604001",
        "--license",
        "L-4",
        "--username",
        "ann@example.com",
        "--no-wait",
    ])
    .exits(0);
    rig
}

/// What is seen of it.
fn seen(rig: &Rig) -> (Value, Value) {
    let history = rig.run(&["history", "--json"]).exits(0).json()["links"].clone();
    let own = |link: &Value| link["event"] != "ledger_moved";
    (
        rig.status()["authorizations"].clone(),
        history.as_array().unwrap().iter().filter(|it| own(it)).cloned().collect(),
    )
}

fn to_server(rig: &Rig) -> String {
    let address = shared().address(&shared().database(), "postgres");
    rig.run(&["config", "ledger", "move", &address]).exits(0).says("4 licenses");
    address
}

#[test]
fn everything_moves_to_a_server_and_back_and_the_old_one_is_used_no_more() {
    let rig = lived();
    let before = seen(&rig);
    let config = fs::read_to_string(rig.file("config.toml")).unwrap();
    let address = to_server(&rig);
    assert!(rig.run(&["config", "show"]).exits(0).out.contains(&address));
    assert_eq!(seen(&rig), before);
    rig.run(&["history", "verify"]).exits(0);
    rig.run(&["token", "L-1"]).exits(0);
    rig.run(&["renew", "L-3", "--awaiting", "--yes"]).exits(0);
    rig.run(&["config", "ledger", "move", &address]).exits(0).says("is already at");

    // Somebody's configuration still names the file.
    fs::write(rig.file("config.toml"), &config).unwrap();
    for words in [&["status"][..], &["token", "L-1"], &["renew", "L-1", "--no-wait"]] {
        rig.run(words).exits(7).says("has moved to postgres://");
    }
    rig.run(&["status", "--check"]).exits(3);
    // The same command again only names it.
    rig.run(&["config", "ledger", "move", &address]).exits(0).says("4 licenses");
    let there = seen(&rig);
    let on_server = fs::read_to_string(rig.file("config.toml")).unwrap();

    rig.run(&["config", "ledger", "move", "sqlite"]).exits(0).says("4 licenses");
    assert_eq!(seen(&rig), there);
    rig.run(&["history", "verify"]).exits(0);
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    fs::write(rig.file("config.toml"), on_server).unwrap();
    rig.run(&["status"]).exits(7).says("has moved to");
    fs::write(rig.file("config.toml"), config).unwrap();
    // And there again: what it left behind is replaced.
    rig.run(&["config", "ledger", "move", &address]).exits(0);
    assert_eq!(rig.status()["summary"]["total"], 4);
    rig.run(&[
        "register",
        "--ubi",
        "604001",
        "--license",
        "L-5",
        "--username",
        "ann@example.com",
        "--browser",
        &admin(),
    ])
    .exits(0);
    rig.run(&["history", "verify"]).exits(0);
}

/// With a license in every condition, and something in every table.
#[test]
fn every_row_of_every_table_is_the_same_after_a_move_to_a_server_and_back() {
    let home = OldHome::of("0.2.0", "file");
    home.run(&["status"]).exits(0);
    // The moves themselves are links of the history; the ledger says of itself where it is.
    let kept = |mut all: Rows| {
        all.remove("meta");
        all.remove("history_head");
        let (columns, links) = all.get_mut("history").unwrap();
        let event = columns.iter().position(|it| it == "event").unwrap();
        links.retain(|link| link[event] != "ledger_moved".to_owned().into());
        all
    };
    let before = kept(rows(&home.file("ledger.db"), None));
    let database = shared().database();
    home.run(&["config", "ledger", "move", &shared().address(&database, "postgres")]).exits(0);
    for (table, (_, rows)) in &before {
        let counted = shared().says(&database, &format!("SELECT count(*) FROM biotrack_auth.\"{table}\""));
        let moves = usize::from(table == "history");
        assert_eq!(counted, (rows.len() + moves).to_string(), "{table}");
    }
    assert_eq!(home.states(), home.expected["states"]);
    home.run(&["config", "ledger", "move", "sqlite"]).exits(0);
    assert_eq!(kept(rows(&home.file("ledger.db"), None)), before);
    assert!(home.run(&["history", "verify"]).exits(0).out.contains("intact"));
    home.run(&["complete", &home.answers("L-OUT")]).exits(0);
}

#[test]
fn a_ledger_without_a_record_moves_to_a_server_and_back_and_is_used_there() {
    let rig = Rig::with_file(&[]);
    rig.ledger();
    let address = shared().address(&shared().database(), "postgres");
    rig.run(&["config", "ledger", "move", &address]).exits(0).says("0 licenses");
    rig.register("L-1").exits(0);
    rig.run(&["history", "verify"]).exits(0);
    let other = Rig::with_file(&[]);
    let address = shared().address(&shared().database(), "postgres");
    other.shares_ledger(&address);
    other.ledger();
    other.run(&["config", "ledger", "move", "sqlite"]).exits(0).says("0 licenses");
    other.register("L-1").exits(0);
    other.run(&["history", "verify"]).exits(0);
}

/// What each column is, by the word of each database: the same names, the same that may be empty, the same keys.
#[test]
fn a_file_and_a_server_have_the_same_tables() {
    let rig = Rig::with_file(&[]);
    rig.ledger();
    let db = rusqlite::Connection::open(rig.file("ledger.db")).unwrap();
    let asked =
        "SELECT it.name || '|' || its.name || '|' || (its.\"notnull\" = 0 AND its.pk = 0) || '|' || its.pk
                 FROM sqlite_schema AS it JOIN pragma_table_xinfo(it.name) AS its WHERE it.type = 'table'";
    let mut read = db.prepare(asked).unwrap();
    let mut file: Vec<String> = read.query_map([], |row| row.get(0)).unwrap().map(|it| it.unwrap()).collect();
    let database = shared().database();
    let team = Team::on(&shared().address(&database, "postgres"), 1);
    team.ledger(0);
    let asked = "SELECT it.relname || '|' || its.attname || '|' || (NOT its.attnotnull)::int || '|' ||
                        coalesce(array_position(string_to_array(key.indkey::text, ' '), its.attnum::text), 0)
                 FROM pg_class AS it JOIN pg_attribute AS its ON attrelid = it.oid AND attnum > 0 AND NOT attisdropped
                 LEFT JOIN pg_index AS key ON indrelid = it.oid AND indisprimary
                 WHERE relnamespace = 'biotrack_auth'::regnamespace AND relkind = 'r' AND relname <> 'owner'";
    let told = shared().says(&database, asked);
    let mut server: Vec<_> = told.lines().map(str::to_owned).collect();
    file.sort();
    server.sort();
    assert!(file.len() > 80, "{file:?}");
    assert_eq!(file, server);
    // Else the same rows would come in another order, and a move would find that they differ.
    let sorted = "SELECT table_name || '.' || column_name FROM information_schema.columns
                  WHERE table_schema = 'biotrack_auth' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'";
    assert_eq!(shared().says(&database, sorted), "");
    // And who may write: each table is granted to the writer, but for what is the owner's alone.
    shared().grants_roles(&database);
    let unwritable =
        "SELECT relname FROM pg_class WHERE relnamespace = 'biotrack_auth'::regnamespace AND relkind = 'r'
                      AND NOT has_table_privilege('biotrack_auth_writer', oid, 'INSERT') ORDER BY relname";
    assert_eq!(shared().says(&database, unwritable), "history\nhistory_anchor\nhistory_head");
}

#[test]
fn it_does_not_move_over_others_records_nor_out_of_a_keyring_nor_while_somebody_is_at_work() {
    let rig = lived();
    let before = seen(&rig);
    let other = lived();
    let address = to_server(&other);
    rig.run(&["config", "ledger", "move", &address]).exits(7).says("already has records");
    assert_eq!(seen(&rig), before);
    let config = rig.file("config.toml");
    let sealed = fs::read_to_string(&config).unwrap();
    fs::write(&config, sealed.replace("vault = \"sealed\"", "vault = \"keyring\"")).unwrap();
    rig.run(&["config", "ledger", "move", &address]).exits(2).says("config vault sealed");
    fs::write(&config, sealed).unwrap();
    let fresh = shared().address(&shared().database(), "postgres");
    let gate = rig.elsewhere("go");
    let browser = format!("{} --wait {}", admin(), gate.display());
    let asked = rig.counted_asked();
    let asking = rig.start(&["renew", "L-1", "--browser", &browser]);
    rig.until(|| rig.counted_asked() == asked + 1);
    let process = format!("process {}", asking.id());
    rig.run(&["config", "ledger", "move", &fresh]).exits(1).says(&process);
    fs::write(gate, "").unwrap();
    assert!(asking.wait_with_output().unwrap().status.success());
    rig.run(&["config", "ledger", "move", &fresh]).exits(0);
    rig.run(&["config", "ledger", "move", "nonsense"])
        .exits(2)
        .says("isn't the address of a PostgreSQL database");
    rig.run(&["config", "vault", "keyring"]).exits(2).says("config ledger move sqlite");
}

#[test]
fn a_move_of_the_ledger_is_killed_everywhere_and_goes_on() {
    let rig = lived();
    let before = seen(&rig);
    let database = shared().database();
    let address = shared().address(&database, "postgres");
    for to in [address.as_str(), "sqlite"] {
        let back = if to == "sqlite" { address.as_str() } else { "sqlite" };
        let arguments = ["config", "ledger", "move", to];
        rig.run(&["config", "ledger", "move", back]).exits(0);
        let calls = rig.calls(&arguments);
        at_each_point_slowly(
            &format!("config ledger move to {}", to.split(':').next().unwrap()),
            12,
            &calls,
            |call, nth| {
                rig.run(&["config", "ledger", "move", back]).exits(0);
                rig.killed(call, nth, &arguments).then(|| {
                    // It is where it was, or where it goes to, or it's said what to do; never half of it.
                    let looked = rig.run(&["status", "--json"]);
                    let found = match looked.code {
                        0 => Found::Before,
                        7 => {
                            assert!(
                                looked.err.contains("config ledger move") || looked.err.contains("has moved"),
                                "{call} {nth}: {looked:?}"
                            );
                            Found::Uncertain
                        }
                        code => panic!("{call} {nth}: {code}"),
                    };
                    rig.run(&arguments).exits(0);
                    assert_eq!(seen(&rig), before, "{call} {nth}");
                    found
                })
            },
        );
    }
    rig.run(&["history", "verify"]).exits(0);
    rig.run(&["token", "L-1"]).exits(0);
}
