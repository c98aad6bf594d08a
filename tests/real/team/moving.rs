//! The ledger moves to a server and back.

use crate::crash::points::at_each_point_slowly;
use crate::crash::truth::Found;
use crate::support::team::shared;
use crate::support::{Rig, admin};
use serde_json::Value;
use std::fs;

/// Licences in every state that a ledger can have without waiting a hundred days.
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
    rig.run(&["renew", "L-3", "--any-user"]).exits(0);
    rig.run(&["config", "ledger", "move", &address]).exits(0).says("there already");

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

#[test]
fn it_does_not_move_over_others_records_nor_out_of_a_keyring_nor_while_somebody_is_at_work() {
    let rig = lived();
    let before = seen(&rig);
    let other = lived();
    let address = to_server(&other);
    rig.run(&["config", "ledger", "move", &address]).exits(7).says("has records of its own");
    assert_eq!(seen(&rig), before);
    let config = rig.file("config.toml");
    let sealed = fs::read_to_string(&config).unwrap();
    fs::write(&config, sealed.replace("vault = \"sealed\"", "vault = \"keyring\"")).unwrap();
    rig.run(&["config", "ledger", "move", &address]).exits(2).says("config vault sealed");
    fs::write(&config, sealed).unwrap();
    let fresh = shared().address(&shared().database(), "postgres");
    let gate = rig.elsewhere("go");
    let browser = format!("{} --wait {}", admin(), gate.display());
    let asking = rig.start(&["renew", "L-1", "--browser", &browser]);
    rig.until(|| rig.counted_asked() == 2);
    let process = format!("process {}", asking.id());
    rig.run(&["config", "ledger", "move", &fresh]).exits(1).says(&process);
    fs::write(gate, "").unwrap();
    assert!(asking.wait_with_output().unwrap().status.success());
    rig.run(&["config", "ledger", "move", &fresh]).exits(0);
    rig.run(&["config", "ledger", "move", "nonsense"]).exits(2).says("no address of a PostgreSQL database");
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
