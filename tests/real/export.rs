//! `export` and `import`: records as files, tokens sealed, and what a merge leaves alone.

#[cfg(target_os = "linux")]
use crate::keyring::session::{Session, accounts, within};
use crate::support::seed::{named, store};
#[cfg(target_os = "linux")]
use crate::support::stored::key;
use crate::support::{Rig, valid};
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::SecretRole;
use serde_json::json;
use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The recipient of a rig's own identity.
fn own(rig: &Rig) -> String {
    let text = fs::read_to_string(rig.file("identity.txt")).unwrap();
    text.lines().next().unwrap().trim_start_matches("# public key: ").to_owned()
}

/// The program in this rig's home, against another rig's sandbox: a second home of the same integrator.
fn second_home(of: &Rig) -> Rig {
    let second = Rig::unconfigured(&[]);
    let url = of.sandbox().address();
    second.run(&["config", "init", "--preset", "local-sandbox", "--url", &url, "--vault", "sealed"]).exits(0);
    second
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Exports, imports on an empty home, and exports again there.
fn round(records: &[Authorization], form: &str) -> (String, String) {
    let (here, there) = (Rig::new(), second_home(&Rig::new()));
    here.seed(records);
    let first = here.run(&["export", "--format", form]).exits(0).says_nothing().out;
    let file = here.elsewhere("export");
    fs::write(&file, &first).unwrap();
    there.run(&["import", text(&file), "--yes"]).exits(0);
    (first, there.run(&["export", "--format", form]).exits(0).out)
}

#[test]
fn what_is_taken_in_is_exported_to_the_byte() {
    let odd = |s: &str| s.parse().unwrap();
    let records = [
        Authorization {
            tags: vec!["a;b".parse().unwrap(), "c\\".parse().unwrap(), "d\\;e".parse().unwrap()],
            contact: Some("=cmd|'/c calc'!A1".parse().unwrap()),
            ocm_license: Some("'quoted".parse().unwrap()),
            deactivated_at: Some(odd_instant()),
            ..named("L-1", "=1+1,\"x\" ünï 店", "2026-12-01T00:00:00Z")
        },
        Authorization {
            granted_by: Some("@bob".into()),
            renewed_at: Some("2026-01-19T03:14:08Z".parse().unwrap()),
            expires_estimated: true,
            invalid_at: Some(odd_instant()),
            ..store("-L;2", "2026-12-02T00:00:00Z")
        },
        Authorization {
            created_at: None,
            expires_at: None,
            granted_by: None,
            name: Some(odd("'=x")),
            ..store("L-3", "2026-12-01T00:00:00Z")
        },
    ];
    for form in ["csv", "json"] {
        let (first, again) = round(&records, form);
        assert_eq!(first, again);
    }
}

fn odd_instant() -> jiff::Timestamp {
    "2038-01-19T03:14:08Z".parse().unwrap()
}

#[test]
fn an_export_has_no_secret_and_its_forms_are_as_said() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    rig.register("L-2").exits(0);
    let document = rig.run(&["export", "--json"]).exits(0).json();
    valid("export", &document);
    assert_eq!(document["authorizations"].as_array().unwrap().len(), 2);
    let one = rig.run(&["export", "L-2", "--format", "json"]).exits(0).json();
    assert_eq!(one["authorizations"].as_array().unwrap().len(), 1);
    rig.run(&["export", "--tag", "none"]).exits(0);
    rig.run(&["export", "nobody"]).exits(9);
    rig.run(&["export", "--with-secrets"]).exits(2).says("--recipient");
    rig.run(&["export", "--with-secrets", "--recipient", "age1nonsense"]).exits(2).answers_nothing();
    let file = rig.file("out.csv");
    rig.run(&["export", "--output", text(&file)]).exits(0).answers_nothing();
    #[cfg(unix)]
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    rig.keeps_secrets(&[]);
}

#[test]
fn tokens_that_move_have_one_home() {
    let here = Rig::new();
    here.register("L-1").exits(0);
    here.register("L-2").exits(0);
    let granted = here.live("L-1").unwrap();
    let there = second_home(&here);
    let bundle = here.elsewhere("moving.age");
    let arguments =
        ["export", "L-1", "--with-secrets", "--recipient", &own(&there), "--output", text(&bundle), "--json"];
    let answer = here.run(&arguments).exits(0).json();
    assert_eq!((&answer["records"], &answer["token_sets"]), (&1.into(), &1.into()));
    #[cfg(unix)]
    assert_eq!(fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);
    let status = here.status();
    assert_eq!(status["authorizations"][0]["conditions"], json!(["exported"]));
    assert_eq!(status["authorizations"][1]["conditions"], json!([]));
    assert!(here.live("L-1").is_none() && here.live("L-2").is_some());
    // A second one isn't written over the first.
    here.run(&arguments).exits(2).says("never overwritten");
    // Only its recipient opens it.
    here.run(&["import", text(&bundle), "--yes"]).exits(7).says("another identity");
    there.run(&["import", text(&bundle)]).exits(2).says("confirmation needed").says("with its tokens");
    assert_eq!(there.status()["summary"]["total"], 0);
    there.run(&["import", text(&bundle), "--yes"]).exits(0);
    let it = there.only();
    assert_eq!((&it["state"], &it["conditions"]), (&"active".into(), &json!([])));
    assert_eq!(there.live("L-1").unwrap().access.expose(), granted.access.expose());
    assert!(here.accepts(&granted));
    // Giving it up where it was doesn't revoke it where it is.
    let known = here.counted("token_revoked");
    here.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("another host has the tokens");
    assert_eq!(here.counted("token_revoked"), known);
    assert!(here.accepts(&granted));
    // And back again: the record here is older now, so it's taken.
    for rig in [&here, &there] {
        rig.run(&["history", "verify"]).exits(0);
        rig.keeps_secrets(&[granted.access.expose().into()]);
    }
    let bytes = fs::read(&bundle).unwrap();
    assert!(!crate::support::leaks::holds(&bytes, granted.access.expose()));
}

#[test]
fn a_backup_is_not_used_until_it_is_adopted() {
    let here = Rig::new();
    here.register("L-1").exits(0);
    let granted = here.live("L-1").unwrap();
    let there = second_home(&here);
    // Sealed to a third identity, and restored on another home into another vault.
    let third = Rig::new();
    let bundle = here.elsewhere("backup.age");
    let to = own(&third);
    here.run(&[
        "export",
        "--with-secrets",
        "--backup",
        "--armor",
        "--recipient",
        &to,
        "--output",
        text(&bundle),
    ])
    .exits(0);
    assert!(fs::read_to_string(&bundle).unwrap().starts_with("-----BEGIN AGE ENCRYPTED FILE-----"));
    assert_eq!(here.only()["conditions"], json!([]));
    there.run(&["import", text(&bundle), "--yes"]).exits(7);
    let identity = third.file("identity.txt");
    let with = ["import", text(&bundle), "--identity", text(&identity), "--yes"];
    there.run(&with).exits(0);
    assert_eq!(there.only()["conditions"], json!(["exported"]));
    assert_eq!(there.live("L-1").unwrap().access.expose(), granted.access.expose());
    // Again: nothing to do.
    there.run(&with).exits(0).says("1 unchanged");
    let known = here.counted("token_revoked");
    there.run(&["import", "--adopt"]).exits(2).says("confirmation needed");
    there.run(&["import", "--adopt", "--yes"]).exits(0).says("1 authorization is");
    assert_eq!(there.only()["conditions"], json!([]));
    there.run(&["import", "--adopt", "--yes"]).exits(0).says("0 authorizations are");
    there.run(&["deactivate", "L-1", "--yes"]).exits(0).answers("At BioTrack: revoked");
    assert_eq!(here.counted("token_revoked"), known + 1);
    assert_eq!(there.grants("L-1", SecretRole::Live).len(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_backup_of_a_keyring_is_restored_into_a_sealed_vault() {
    within(Session::Unlocked, || {
        let here = Rig::with_keyring(&[]);
        here.register("L-1").exits(0);
        let granted = here.live("L-1").unwrap();
        let there = second_home(&here);
        let bundle = here.elsewhere("backup.age");
        let (to, file) = (own(&there), text(&bundle));
        here.run(&["export", "--with-secrets", "--backup", "--recipient", &to, "--output", file]).exits(0);
        there.run(&["import", file, "--yes", "--adopt"]).exits(0);
        assert_eq!(there.live("L-1").unwrap().access.expose(), granted.access.expose());
        assert_eq!(there.only()["conditions"], json!([]));
        assert!(here.accepts(&granted));
        there.run(&["doctor"]).exits(0);
        // And moved back into the keyring: no second item stays.
        let back = here.elsewhere("back.age");
        let identity = here.elsewhere("identity.txt");
        let to = biotrack_auth::vault::create_identity(&identity).unwrap();
        there.run(&["export", "--with-secrets", "--recipient", &to, "--output", text(&back)]).exits(0);
        here.run(&["deactivate", "L-1", "--yes", "--local-only"]).exits(0);
        assert!(accounts().is_empty());
        // A license that was given up is left given up: what is in the file is older.
        here.run(&["import", text(&back), "--identity", text(&identity), "--yes"]).exits(0).says("is newer");
        assert_eq!(here.only()["state"], "deactivated");
        let fresh = Rig::with_keyring(&[]);
        fresh.run(&["import", text(&back), "--identity", text(&identity), "--yes"]).exits(0);
        assert_eq!(accounts().len(), 1);
        assert_eq!(fresh.live("L-1").unwrap().access.expose(), granted.access.expose());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn killed_anywhere_import_leaves_all_or_nothing() {
    let here = Rig::new();
    here.register("L-1").exits(0);
    here.register("L-2").exits(0);
    let bundle = here.elsewhere("backup.age");
    let sample = second_home(&here);
    let to = own(&sample);
    here.run(&["export", "--with-secrets", "--backup", "--recipient", &to, "--output", text(&bundle)])
        .exits(0);
    let identity = fs::read(sample.file("identity.txt")).unwrap();
    let arguments = ["import", text(&bundle), "--yes", "--adopt"];
    let calls = sample.calls(&arguments);
    let fresh = || {
        let rig = second_home(&here);
        fs::write(rig.file("identity.txt"), &identity).unwrap();
        let config = fs::read_to_string(sample.file("config.toml")).unwrap();
        fs::write(rig.file("config.toml"), config).unwrap();
        rig
    };
    let stride = crate::crash::points::stride() * 2 - 1;
    let (mut fired, mut whole) = (0, 0);
    for (call, most) in &calls {
        for nth in (1..=*most).step_by(stride) {
            let rig = fresh();
            if !rig.killed(call, nth, &arguments) {
                continue;
            }
            fired += 1;
            let total = rig.status()["summary"]["total"].as_u64().unwrap();
            assert!([0, 2].contains(&total), "{call} {nth}: {total}");
            whole += usize::from(total == 2);
            rig.run(&arguments).exits(0);
            let keys = [key("L-1"), key("L-2")];
            assert!(rig.all_grants(&keys, SecretRole::Live).iter().all(|it| it.len() == 1));
            let conditions: Vec<serde_json::Value> = rig.status()["authorizations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["conditions"].clone())
                .collect();
            assert_eq!(conditions, [json!([]), json!([])]);
            rig.run(&["history", "verify"]).exits(0);
        }
    }
    assert!(fired > calls.len() / 2, "{fired} fired");
    let _ = whole;
}
