//! The program end to end with a real keyring: whose items are where, and what becomes of a grant when it locks.

use super::session::{Session, accounts, lock, log_in_again, look_up, within};
use crate::support::proxy::Proxy;
use crate::support::stored::{PROFILE, hashed};
use crate::support::{Rig, Run, admin, register};
use biotrack_auth::sandbox::Mishap;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const UNATTENDED: [&str; 7] =
    ["register", "--ubi", "604001", "--license", "L-1", "--username", "ann@example.com"];

/// The generation of the license's one item.
#[track_caller]
fn the_one_item(rig: &Rig) -> (String, u64) {
    let ledger = rig.read_ledger().unwrap();
    let accounts = accounts();
    let [account] = &accounts[..] else { panic!("{accounts:?}") };
    let generation = account.strip_prefix(&format!("{}/{PROFILE}/604001/L-1/", ledger.id()));
    (
        account.clone(),
        generation
            .and_then(|it| it.split('-').next())
            .unwrap_or_else(|| panic!("{account}"))
            .parse()
            .unwrap(),
    )
}

/// A browser that locks the keyring before its admin consents.
fn locking_browser(rig: &Rig) -> String {
    let script = rig.elsewhere("browser");
    let lock = "dbus-send --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets \
                org.freedesktop.Secret.Service.Lock array:objpath:/org/freedesktop/secrets/collection/login";
    fs::write(&script, format!("#!/bin/sh\n{lock} >/dev/null || exit 1\nexec {} \"$@\"\n", admin())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    script.to_str().unwrap().to_owned()
}

#[test]
fn a_grant_is_one_item_all_its_life() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        rig.register("L-1").exits(0);
        let (account, first) = the_one_item(&rig);
        let issued = rig.truth().into_iter().find(|line| line["event"] == "token_issued").unwrap();
        let kept = look_up(&account);
        // Behind what it says of itself: for whom, and under which name it is kept.
        let (said, tokens) = (kept.lines().next().unwrap(), kept.splitn(3, '\n').nth(2).unwrap());
        assert!(said.contains("\"license\":\"L-1\"") && said.contains(&account), "{said}");
        let kept: serde_json::Value = serde_json::from_str(tokens).unwrap();
        assert_eq!(issued["access_sha256"], hashed(kept["access"].as_str().unwrap()));
        assert!(rig.accepts(&rig.live("L-1").unwrap()));
        rig.keeps_secrets(&[]);
        rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
        let (_, second) = the_one_item(&rig);
        assert!(second > first);
        assert!(rig.accepts(&rig.live("L-1").unwrap()));
        rig.keeps_secrets(&[]);
        rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
        assert!(accounts().is_empty());
        assert_eq!(rig.only()["state"], "deactivated");
        rig.keeps_secrets(&[]);
    });
}

#[test]
fn a_locked_keyring_is_said_before_any_browser_opens() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        lock();
        rig.register("L-1").exits(7).answers_nothing().says("the keyring is locked");
        assert!(rig.truth().is_empty());
        assert_eq!(rig.status()["summary"]["total"], 0);
    });
}

#[test]
fn without_a_bus_init_chooses_nothing_and_names_the_sealed_vault() {
    within(Session::NoBus, || {
        let rig = Rig::unconfigured(&[]);
        let url = rig.sandbox().address();
        rig.run(&["config", "init", "--preset", "local-sandbox", "--url", &url])
            .exits(7)
            .answers_nothing()
            .says("no keyring is reachable")
            .says("--vault sealed");
        assert!(!rig.file("config.toml").exists() && !rig.file("identity.txt").exists());
    });
}

#[test]
fn one_that_locks_during_the_consent_costs_no_grant() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        let browser = locking_browser(&rig);
        rig.run(&register("L-1", &["--browser", &browser]))
            .exits(7)
            .answers_nothing()
            .says("was granted, but the grant can't be stored yet");
        assert_eq!(rig.counted("token_issued"), 1);
        assert_eq!(rig.only()["conditions"], json!(["granted_not_stored"]));
        assert!(rig.only()["next_command"].as_str().unwrap().starts_with("biotrack-auth register "));
        rig.keeps_secrets(&[]);
        // Still locked: it waits on.
        rig.run(&UNATTENDED).exits(7).says("the keyring is locked");
        assert_eq!(rig.only()["conditions"], json!(["granted_not_stored"]));
        log_in_again();
        rig.run(&UNATTENDED).exits(0);
        assert_eq!(rig.counted("token_issued"), 1);
        assert_eq!((&rig.only()["state"], &rig.only()["conditions"]), (&json!("active"), &json!([])));
        assert!(rig.accepts(&rig.live("L-1").unwrap()));
        the_one_item(&rig);
    });
}

#[test]
fn a_wrong_grant_is_revoked_once_the_keyring_is_open_again() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[Mishap::WrongLocation]);
        let browser = locking_browser(&rig);
        rig.run(&register("L-1", &["--browser", &browser]))
            .exits(6)
            .answers_nothing()
            .says("is kept sealed in the journal");
        assert_eq!((rig.counted("token_issued"), rig.counted("token_revoked")), (1, 0));
        assert_eq!(rig.only()["conditions"], json!(["granted_not_stored"]));
        log_in_again();
        rig.sandbox().set_fail(&[]);
        rig.register("L-1").exits(0).says("Location is \"L-1-D2\", not \"L-1\"");
        assert_eq!((rig.counted("token_issued"), rig.counted("token_revoked")), (2, 1));
        the_one_item(&rig);
    });
}

#[test]
fn fifty_processes_refresh_once_and_the_rotated_tokens_are_one_item() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        rig.register("L-1").exits(0);
        crate::token::fifty(&rig);
        let ledger = rig.read_ledger().unwrap();
        let accounts = accounts();
        let [account] = &accounts[..] else { panic!("{accounts:?}") };
        assert!(account.starts_with(&format!("{}/{PROFILE}/604001/L-1/", ledger.id())), "{account}");
        // Where every home of this user looks, whatever its own folder is.
        let home = std::path::PathBuf::from(variable("HOME"));
        assert_eq!(fs::read_dir(home.join(".local/state/biotrack-auth/claims")).unwrap().count(), 0);
        rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
        the_one_item(&rig);
    });
}

#[test]
fn one_that_locks_during_a_refresh_costs_no_token() {
    within(Session::Unlocked, || {
        let rig = Rig::with_keyring(&[]);
        rig.register("L-1").exits(0);
        let config = rig.file("config.toml");
        let text = fs::read_to_string(&config).unwrap();
        let proxy = Proxy::of(&rig);
        let asking = rig.start(&["token", "L-1", "--min-valid", "60m"]);
        proxy.seen.recv().unwrap();
        lock();
        proxy.go.send(()).unwrap();
        Run::of(asking.wait_with_output().unwrap())
            .exits(7)
            .answers_nothing()
            .says("was refreshed, but its new tokens can't be stored yet");
        assert_eq!(rig.counted("token_rotated"), 1);
        assert_eq!(rig.only()["conditions"], json!(["granted_not_stored"]));
        rig.keeps_secrets(&[]);
        fs::write(&config, text).unwrap();
        rig.run(&["token", "L-1"]).exits(7).says("the keyring is locked");
        log_in_again();
        let run = rig.run(&["token", "L-1"]).exits(0);
        assert_eq!((rig.counted("token_rotated"), &rig.only()["conditions"]), (1, &json!([])));
        assert_eq!(run.out, format!("{}\n", rig.live("L-1").unwrap().access.expose()));
        assert!(rig.accepts(&rig.live("L-1").unwrap()));
        assert_eq!(accounts().len(), 1);
    });
}

fn variable(name: &str) -> std::ffi::OsString {
    #[expect(clippy::disallowed_methods, reason = "a test has no Env")]
    std::env::var_os(name).unwrap()
}
