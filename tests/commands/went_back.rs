//! A ledger that goes back in time, because a dump or a snapshot of it is restored: it's told, and no refresh token that may
//! be spent is sent before somebody says so.

use crate::rig::{Reply, Rig, Visit};
use crate::snapshot;

const LICENSE: &str = "101-X0007-D1";

/// The ledger's files as they are now.
fn saved(rig: &Rig) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let names = ["ledger.db", "ledger.db-wal"].map(|name| rig.file(name));
    names.into_iter().filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?))).collect()
}

fn restores(rig: &Rig, files: &[(std::path::PathBuf, Vec<u8>)]) {
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(rig.file(name));
    }
    for (path, content) in files {
        std::fs::write(path, content).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
}

/// A ledger that lacks a refresh, which spent the refresh token that it has.
fn behind_a_refresh() -> Rig {
    let rig = Rig::new();
    rig.grant(LICENSE).exits(0);
    rig.grant("L-2").exits(0);
    rig.minutes_pass(61);
    let before = saved(&rig);
    rig.run(&format!("token {LICENSE}")).exits(0);
    restores(&rig, &before);
    rig
}

#[test]
fn a_spent_token_is_not_sent() {
    let rig = behind_a_refresh();
    let sent = rig.provider.log().len();
    let doctor = rig.run("doctor");
    assert!(
        doctor.out.contains("went back in time") && doctor.out.contains(LICENSE),
        "{}",
        doctor.transcript()
    );
    snapshot!("it_is_told_once", rig.run(&format!("token {LICENSE}")));
    snapshot!("and_kept_from_the_provider", rig.run(&format!("token {LICENSE}")));
    assert_eq!(rig.provider.log().len(), sent, "nothing was sent");
    assert_eq!(rig.provider.living().len(), 2, "the grants live");
    // What wasn't changed since is used as ever.
    rig.run("token L-2").exits(0);
    rig.run("history verify").exits(0);
    // A new consent ends the doubt.
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
    rig.minutes_pass(61);
    rig.run(&format!("token {LICENSE}")).exits(0);
}

/// A refresh adds no link to the history, and neither does what is noted of another license behind it.
#[test]
fn a_refresh_is_known_by_whatever_came_behind_it() {
    for (line, path, answer) in [
        ("token L-2", "/oauth/token", Reply::Busy(429, 3600)),
        ("deactivate L-2 --yes", "/oauth/revoke", Reply::Busy(503, 3600)),
        ("edit L-2 --name Green", "/oauth/token", Reply::Busy(503, 1)),
    ] {
        let rig = Rig::new();
        rig.grant(LICENSE).exits(0);
        rig.grant("L-2").exits(0);
        rig.minutes_pass(61);
        let before = saved(&rig);
        rig.run(&format!("token {LICENSE}")).exits(0);
        rig.provider.replies(path, [answer]);
        drop(rig.run(line));
        restores(&rig, &before);
        let sent = rig.provider.log().len();
        let told = rig.run(&format!("token {LICENSE}")).exits(7);
        assert!(told.err.contains("went back") && told.err.contains(LICENSE), "{line}: {}", told.err);
        rig.run(&format!("token {LICENSE}")).exits(7);
        assert_eq!(rig.provider.log().len(), sent, "{line}: nothing was sent");
    }
}

#[test]
fn who_gives_it_up_is_told_that_newer_tokens_may_live_on() {
    let rig = behind_a_refresh();
    rig.run(&format!("token {LICENSE}")).exits(7);
    snapshot!("given_up", rig.run(&format!("deactivate {LICENSE} L-2 --yes")));
}

#[test]
fn it_is_tried_when_somebody_says_so() {
    let rig = behind_a_refresh();
    rig.run(&format!("token {LICENSE}")).exits(7);
    snapshot!("adopting_a_doubtful_one", rig.run("import --adopt --yes"));
    let sent = rig.provider.log().len();
    let _ = rig.run(&format!("token {LICENSE}"));
    assert!(rig.provider.log().len() > sent, "it's tried");
    rig.run("import --adopt --yes").exits(0);
}

#[test]
fn a_living_access_token_is_handed_out_all_the_same() {
    let rig = Rig::new();
    rig.grant(LICENSE).exits(0);
    let before = saved(&rig);
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
    restores(&rig, &before);
    rig.run("history --since 0s").exits(0);
    assert!(rig.run(&format!("token {LICENSE}")).exits(7).err.contains(LICENSE));
    rig.run(&format!("token {LICENSE}")).exits(0);
    // Also where it doesn't live for as long as was wished.
    rig.minutes_pass(5);
    let sent = rig.provider.log().len();
    snapshot!("for_as_long_as_it_lives", rig.run(&format!("token {LICENSE} --min-valid 60m")));
    assert_eq!(rig.provider.log().len(), sent, "nothing was sent");
}

/// A grant that the ledger still shows may have been replaced or given up since: nobody takes it for a healthy one.
#[test]
fn what_may_have_ended_is_shown_as_uncertain() {
    for line in [format!("renew {LICENSE} --browser scripted"), format!("deactivate {LICENSE} --yes")] {
        let rig = Rig::new();
        rig.grant(LICENSE).exits(0);
        rig.grant("L-2").exits(0);
        let before = saved(&rig);
        rig.run(&line).exits(0);
        restores(&rig, &before);
        rig.run(&format!("token {LICENSE}")).exits(7);
        let shown = rig.run("status --json").exits(0).json();
        let of = |at: usize, what: &str| shown["authorizations"][at][what].clone();
        let at = usize::from(of(0, "license") != LICENSE);
        assert_eq!(
            (of(at, "state"), of(at, "conditions")),
            ("active".into(), serde_json::json!(["uncertain"]))
        );
        assert_eq!(of(1 - at, "conditions"), serde_json::json!([]), "the other one is as it was");
        rig.run("status --check").exits(1);
        snapshot!("its_token_comes_with_a_note", rig.run(&format!("token {LICENSE}")));
        snapshot!("its_card", rig.run(&format!("status {LICENSE}")));
        rig.run(&format!("renew {LICENSE} --browser scripted")).exits(0);
        rig.run("status --check").exits(0);
    }
}

#[test]
fn a_license_that_is_gone_is_named() {
    let rig = Rig::new();
    rig.grant("L-2").exits(0);
    let before = saved(&rig);
    rig.grant(LICENSE).exits(0);
    restores(&rig, &before);
    snapshot!("a_license_is_gone", rig.run("deactivate L-2 --yes"));
    assert_eq!(rig.provider.living().len(), 2, "nothing was revoked");
    rig.run("deactivate L-2 --yes").exits(0);
    let named = |rig: &Rig| rig.run("doctor").out.contains(LICENSE);
    assert!(named(&rig), "its grant lives, and nothing else here names it");
    rig.grant(LICENSE).exits(0);
    assert!(!named(&rig));
}

#[test]
fn a_license_whose_grant_is_gone_is_uncertain() {
    let rig = Rig::new();
    rig.run(&format!("register --ubi 604001 --license {LICENSE} --username ann@example.com --no-wait"))
        .exits(0);
    let before = saved(&rig);
    rig.grant(LICENSE).exits(0);
    restores(&rig, &before);
    rig.run(&format!("edit {LICENSE} --name Green")).exits(7);
    let shown = rig.run("status --json").exits(0).json()["authorizations"][0].clone();
    assert_eq!(shown["state"], "pending");
    assert!(shown["conditions"].as_array().unwrap().contains(&"uncertain".into()), "{shown}");
    assert!(rig.run("doctor").exits(1).out.contains(LICENSE));
}

#[test]
fn a_pruned_history_holds_what_was_seen() {
    let rig = Rig::new();
    rig.grant(LICENSE).exits(0);
    rig.days_pass(2);
    rig.run("history prune --before 1d --yes").exits(0);
    rig.run(&format!("token {LICENSE}")).exits(0);
    rig.minutes_pass(61);
    rig.run(&format!("token {LICENSE}")).exits(0);
}

#[test]
fn a_line_that_the_power_cut_is_left_out() {
    let rig = Rig::new();
    rig.grant(LICENSE).exits(0);
    let seen = rig.file(&format!("seen-{}", rig.ledger().id()));
    let whole = std::fs::read(&seen).unwrap();
    assert!(!whole.is_empty());
    for cut in [0, 1, whole.len() / 2, whole.len() - 2] {
        std::fs::write(&seen, &whole[..cut]).unwrap();
        rig.run(&format!("token {LICENSE}")).exits(0);
    }
}

/// Whatever step of a refresh the restored ledger was saved at: what that refresh spent is sent by nobody.
#[test]
fn a_refresh_that_was_under_way_is_not_gone_on_with() {
    for step in 0.. {
        let rig = Rig::new();
        rig.grant(LICENSE).exits(0);
        rig.minutes_pass(61);
        let mut before = Vec::new();
        let ended = rig.stopped_at(&format!("token {LICENSE}"), step, || before = saved(&rig));
        let Some(code) = ended else {
            assert!(step > 5, "{step}");
            break;
        };
        assert_eq!(code, 0);
        restores(&rig, &before);
        for _ in 0..3 {
            drop(rig.run(&format!("token {LICENSE}")));
            rig.minutes_pass(61);
        }
        assert_eq!(rig.provider.living().len(), 1, "step {step}: {:#?}", rig.provider.log());
    }
}

#[test]
fn another_admins_grant_that_waits_ends_no_doubt() {
    let rig = behind_a_refresh();
    rig.run(&format!("token {LICENSE}")).exits(7);
    rig.visits([Visit::GrantsAs("max@example.com".into())]);
    rig.run(&format!("renew {LICENSE} --browser scripted")).exits(6);
    let sent = rig.provider.log().len();
    rig.run(&format!("token {LICENSE}")).exits(7);
    assert_eq!(rig.provider.log().len(), sent, "nothing was sent");
}
