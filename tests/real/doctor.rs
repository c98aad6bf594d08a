//! `doctor`: it finds what is wrong, says what to do, changes nothing by itself, and tells no secret.

#[cfg(target_os = "linux")]
use crate::keyring::session::{Session, accounts, clear, lock, within};
use crate::support::{Rig, Run, valid};
use serde_json::Value;
#[cfg(target_os = "linux")]
use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::fs::PermissionsExt;
#[cfg(target_os = "linux")]
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

#[test]
fn where_all_is_well_it_says_so_and_tells_no_secret() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let run = rig
        .run(&["doctor"])
        .exits(0)
        .answers("No problems found.")
        .answers("✓ provider")
        .answers("✓ history");
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

#[cfg(target_os = "linux")]
#[test]
fn the_keyring_and_the_ledger_are_compared_both_ways() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        rig.register("L-1").exits(0);
        rig.run(&["doctor"]).exits(0).answers("keyring (GNOME Keyring): an item was written");
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
        finds(&rig, &["1 leftover item of this ledger", "doctor --fix"]);
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

#[cfg(target_os = "linux")]
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
