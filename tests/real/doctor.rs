//! `doctor`: it finds what is wrong, says what to do, changes nothing by itself, and tells no secret.

use crate::keyring::session::{Session, accounts, clear, lock, within};
use crate::support::leaks::files;
use crate::support::{Rig, Run, valid};
use rusqlite::Connection;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// The problems that it finds, as `check: found → fix`.
#[track_caller]
fn problems(document: &Value) -> Vec<String> {
    valid("doctor", document);
    let all = document["findings"].as_array().unwrap();
    let told = |it: &Value| {
        let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {} → {}", text("check"), text("found"), text("fix"))
    };
    all.iter().filter(|it| it["health"] == "problem").map(told).collect()
}

#[track_caller]
fn finds(rig: &Rig, words: &[&str]) {
    let found = problems(&rig.run(&["doctor", "--json"]).exits(1).json());
    let all = found.iter().any(|it| words.iter().all(|word| it.contains(word)));
    assert!(all, "{words:?} not in {found:#?}");
}

/// Makes a file as old as one that nobody is about to lock.
fn aged(path: &Path) {
    let status = Command::new("touch").args(["-d", "2020-01-01"]).arg(path).status().unwrap();
    assert!(status.success());
}

#[test]
fn where_all_is_well_it_says_so_and_tells_no_secret() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let run =
        rig.run(&["doctor"]).exits(0).answers("Nothing is wrong.").answers("✓ provider").answers("✓ history");
    assert!(!run.out.contains("ann@example.com"), "{}", run.out);
    let document = rig.run(&["doctor", "--json"]).exits(0).json();
    assert_eq!(problems(&document), Vec::<String>::new());
    for check in
        ["config", "provider", "clock", "network", "redirect", "files", "disk", "ledger", "history", "vault"]
    {
        let there = document["findings"].as_array().unwrap().iter().any(|it| it["check"] == check);
        assert!(there, "{check}: {document}");
    }
    let mut command = rig.command(&["doctor"]);
    let run = Run::of(command.env("HOME", rig.home()).env("SHELL", "/bin/zsh").output().unwrap()).exits(0);
    assert!(
        run.out.contains("~/config.toml") && !run.out.contains(rig.home().to_str().unwrap()),
        "{}",
        run.out
    );
    run.answers("completions zsh");
}

#[test]
fn it_works_where_nothing_is_configured_yet() {
    let rig = Rig::unconfigured(&[]);
    finds(&rig, &["config", "config init"]);
    assert!(files(rig.home()).is_empty());
}

#[test]
fn what_keeps_a_consent_from_working_is_found() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let config = rig.file("config.toml");
    let sound = fs::read_to_string(&config).unwrap();
    let url = rig.sandbox().address();
    fs::write(&config, sound.replace(&url, "http://127.0.0.1:9")).unwrap();
    finds(&rig, &["provider"]);
    fs::write(&config, sound.clone() + "\npkce = \"off\"\n").unwrap();
    rig.run(&["doctor"]).exits(0).answers("pkce = \"off\"");
    fs::write(&config, sound.clone() + "\nno_such_key = 1\n").unwrap();
    finds(&rig, &["config", "no_such_key"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    fs::write(&config, sound.clone() + &format!("\nredirect = {{ port = {port} }}\n")).unwrap();
    finds(&rig, &["redirect", &port.to_string()]);
    fs::write(&config, &sound).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    finds(&rig, &["chmod 600"]);
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(rig.file("identity.txt"), rig.elsewhere("identity")).unwrap();
    finds(&rig, &["vault", "identity"]);
    // Another identity opens nothing.
    biotrack_auth::vault::create_identity(&rig.file("identity.txt")).unwrap();
    let found = rig.run(&["doctor"]).out;
    assert!(found.contains("opens only where the identity of"), "{found}");
}

#[test]
fn a_ledger_that_is_not_sound_is_found() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let db = Connection::open(rig.file("ledger.db")).unwrap();
    db.execute_batch("DROP TRIGGER history_is_not_rewritten; UPDATE history SET detail = 'x' WHERE seq = 1")
        .unwrap();
    finds(&rig, &["history", "link 1", "history verify"]);
    db.execute("UPDATE secret SET blob = x'00'", []).unwrap();
    finds(&rig, &["L-1", "renew 604001/L-1"]);
    db.execute("DELETE FROM secret", []).unwrap();
    finds(&rig, &["1 granted record has no secret here", "renew"]);
    drop(db);
    rig.spoil_the_ledger();
    finds(&rig, &["ledger", "damaged"]);
}

#[test]
fn only_fix_changes_anything() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    for folder in ["owners", "spool"] {
        fs::write(rig.file(folder).join("dead"), "\n").unwrap();
        fs::set_permissions(rig.file(folder).join("dead"), fs::Permissions::from_mode(0o600)).unwrap();
        aged(&rig.file(folder).join("dead"));
    }
    // One that is just being made.
    fs::write(rig.file("owners").join("young"), "").unwrap();
    fs::set_permissions(rig.home(), fs::Permissions::from_mode(0o755)).unwrap();
    let kept = || -> Vec<_> {
        let all = files(rig.home()).into_iter().filter(|it| !it.ends_with("ledger.db-shm"));
        all.map(|it| (fs::read(&it).unwrap(), it)).collect()
    };
    let before = kept();
    finds(&rig, &["leftovers", "doctor --fix"]);
    finds(&rig, &["files", "chmod 700"]);
    assert_eq!(kept(), before);
    assert_eq!(fs::metadata(rig.home()).unwrap().permissions().mode() & 0o777, 0o755);
    rig.run(&["doctor", "--fix"]).exits(0).answers("* leftovers").answers("* files");
    assert!(!rig.file("owners").join("dead").exists() && !rig.file("spool").join("dead").exists());
    assert!(rig.file("owners").join("young").exists());
    assert_eq!(fs::metadata(rig.home()).unwrap().permissions().mode() & 0o777, 0o700);
    rig.run(&["doctor"]).exits(0);
}

#[test]
fn the_keyring_and_the_ledger_are_compared_both_ways() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        rig.register("L-1").exits(0);
        rig.run(&["doctor"]).exits(0).answers("keyring: an item was written");
        let id = rig.read_ledger().unwrap().id().to_owned();
        let store = |account: &str| {
            let mut command = Command::new("sh");
            let line =
                format!("printf x | secret-tool store --label=x service biotrack-auth username '{account}'");
            assert!(command.args(["-c", &line]).status().unwrap().success());
        };
        let orphan = format!("{id}/local-sandbox/604001/L-9/1");
        store(&orphan);
        store("another-ledger/local-sandbox/604001/L-9/1");
        finds(&rig, &["1 items of this ledger", "doctor --fix"]);
        assert_eq!(accounts().len(), 3);
        rig.run(&["doctor", "--fix"]).exits(0).answers("* vault");
        let left = accounts();
        assert_eq!(left.len(), 2, "another ledger's stays: {left:?}");
        assert!(!left.contains(&orphan));
        clear(left.iter().find(|it| it.starts_with(&id)).unwrap());
        finds(&rig, &["the secret of L-1 is missing", "biotrack-auth renew 604001/L-1"]);
        lock();
        finds(&rig, &["vault", "the keyring is locked"]);
    });
}

#[test]
fn without_a_keyring_it_says_so_in_time() {
    within(Session::NoBus, || {
        let rig = Rig::unconfigured(&[]);
        let url = rig.sandbox().address();
        let text = format!(
            "vault = \"keyring\"\n[profiles.local-sandbox]\npreset = \"local-sandbox\"\nurl = \"{url}\"\n"
        );
        fs::write(rig.file("config.toml"), text).unwrap();
        fs::set_permissions(rig.file("config.toml"), fs::Permissions::from_mode(0o600)).unwrap();
        finds(&rig, &["vault", "no keyring is reachable"]);
    });
}
