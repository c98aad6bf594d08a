//! `import`, in this process: what it shows, asks and leaves alone, and tokens out of a sealed bundle.

use crate::odd::impossible;
use crate::rig::seed::{asked, named, store};
use crate::rig::{PROFILE, Person, Rig};
use crate::snapshot;
use biotrack_auth::error::is_unprintable;
use biotrack_auth::model::authorization::Authorization;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

const HEADINGS: &str = "ubi,license,username,name,tags";

/// A license that was granted.
fn granted() -> Rig {
    let rig = Rig::new();
    rig.grant("L-1").exits(0);
    rig
}

/// A file that changes that license and adds another.
fn sheet(rig: &Rig) -> String {
    rig.write(
        "stores.csv",
        &format!("{HEADINGS}\n604001,L-1,ann@example.com,Hudson,a;b\n604001,L-9,bob@example.com,New,\n"),
    )
}

/// A bundle of what a home has, sealed to a recipient, in another home.
fn bundle(from: &Rig, to: &str, into: &Rig, more: &str) -> String {
    let file = into.file("bundle.age").display().to_string();
    from.run(&format!("export --with-secrets --recipient {to} --output {file} {more}")).exits(0);
    file
}

/// Exports, imports in an empty home, and exports again there.
fn round(records: &[Authorization], form: &str) -> (String, String) {
    let (here, there) = (Rig::new(), Rig::new());
    here.seed(records);
    let first = here.run(&format!("export --format {form}")).exits(0).out;
    there.with(Person::piping(first.as_str())).run("import - --yes").exits(0);
    (first, there.run(&format!("export --format {form}")).exits(0).out)
}

#[test]
fn what_would_change_is_shown_field_by_field() {
    let rig = granted();
    let file = sheet(&rig);
    snapshot!("dry_run", rig.run(&format!("import {file} --dry-run")));
    snapshot!("dry_run_as_json", rig.run(&format!("import {file} --dry-run --json")));
    assert_eq!(rig.run("status --json").json()["summary"]["total"], 1);
}

#[test]
fn unattended_it_needs_a_yes() {
    let rig = granted();
    let file = sheet(&rig);
    snapshot!("needs_a_yes", rig.run(&format!("import {file}")));
    snapshot!("needs_a_yes_as_json", rig.run(&format!("import {file} --json")));
    assert_eq!(rig.run("status --json").json()["summary"]["total"], 1);
}

#[test]
fn with_a_yes_records_are_added_and_changed() {
    let rig = granted();
    let file = sheet(&rig);
    snapshot!("with_a_yes", rig.run(&format!("import {file} --yes")));
    snapshot!("with_a_yes_it_shows", rig.run("status"));
    snapshot!("once_more", rig.run(&format!("import {file}")));
    snapshot!("what_is_told_of_it", rig.run("history --since 0s"));
    rig.run("history verify").exits(0);
}

#[test]
fn with_a_yes_as_json() {
    let rig = granted();
    let file = sheet(&rig);
    snapshot!(rig.run(&format!("import {file} --yes --json")));
}

#[test]
fn a_person_is_asked() {
    let rig = granted();
    let file = sheet(&rig);
    let asked = |answer: &str| {
        rig.with(Person::answering(&[("import these records", answer)])).run(&format!("import {file}"))
    };
    snapshot!("a_person_says_no", asked("n"));
    snapshot!("a_person_says_yes", asked("y"));
}

#[test]
fn a_newer_grant_here_is_left_alone() {
    let rig = granted();
    let old = rig.run("export").exits(0).out.replace("ann@example.com", "eve@example.com");
    let file = rig.write("old.csv", &old);
    rig.days_pass(1);
    rig.run("renew L-1 --browser scripted").exits(0);
    let before = rig.run("status --json").exits(0).out;
    snapshot!("newer_here", rig.run(&format!("import {file} --dry-run")));
    snapshot!("newer_here_as_json", rig.run(&format!("import {file} --dry-run --json")));
    rig.run(&format!("import {file} --yes")).exits(0);
    assert_eq!(rig.run("status --json").exits(0).out, before);
}

#[test]
fn a_file_with_anything_wrong_in_it_changes_nothing() {
    let rig = Rig::new();
    let mut told = Vec::new();
    for (what, content, code) in [
        ("a time that is none", "ubi,license,username,expires_at\n1,L-1,ann@example.com,soon\n", 2),
        ("a profile that isn't here", "profile,ubi,license,username\nfl,1,L-1,ann@example.com\n", 2),
        ("the same license twice", "ubi,license,username\n1,L-1,a@b.c\n1,L-1,a@b.c\n", 2),
        ("several at once", "ubi,license,username\n,L-1,a@b.c\n1,,a@b.c\n1,L-3,\n1,L-4,a@b.c\n", 2),
        ("no license column", "ubi,username\n1,a@b.c\n", 2),
        ("an unknown heading alone", "color\ngreen\n", 2),
        (
            "JSON with an empty UBI",
            "{\"schema\":1,\"authorizations\":[{\"profile\":\"local-sandbox\",\"ubi\":\"\",\"license\":\"L\",\"username\":\"a\"}]}",
            2,
        ),
        ("JSON with a member too many", "{\"schema\":1,\"authorizations\":[], \"more\":1}", 2),
        ("JSON of a newer program", "{\"schema\":7,\"authorizations\":[]}", 2),
        ("JSON that is cut off", "{\"schema\":1,", 2),
        ("an empty file", "", 2),
        ("a sealed file that is none", "-----BEGIN AGE ENCRYPTED FILE-----\nnonsense\n", 7),
    ] {
        let done = rig.with(Person::piping(content)).run("import - --yes");
        assert_eq!((done.code, done.out.as_str()), (code, ""), "{what}: {}", done.transcript());
        told.push(format!("> {what}\n{}", done.err));
    }
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(rig.run("status --json").json()["summary"]["total"], 0);
}

#[test]
fn a_bad_row_as_json() {
    let rows = "ubi,license,username\n1,L-1,a@b.c\n1,L-1,a@b.c\n1,L-2,\n";
    snapshot!(Rig::new().with(Person::piping(rows)).run("import - --yes --json"));
}

#[test]
fn without_a_file_or_with_one_that_is_not_there() {
    let rig = Rig::new();
    snapshot!("without_a_file", rig.run("import"));
    snapshot!("no_such_file", rig.run("import /nowhere --yes"));
    let file = sheet(&rig);
    snapshot!("an_identity_for_nothing", rig.run(&format!("import {file} --identity {file} --yes")));
}

#[test]
fn tokens_that_move_have_one_home() {
    let here = Rig::new();
    here.grant("L-1").exits(0);
    here.grant("L-2").exits(0);
    let there = here.another_home();
    let file = bundle(&here, &there.recipient(), &there, "L-1");
    snapshot!(
        "only_its_recipient_opens_it",
        here.another_home().with(Person::piping(std::fs::read(&file).unwrap())).run("import - --yes")
    );
    snapshot!("tokens_need_a_yes", there.run(&format!("import {file}")));
    assert_eq!(there.run("status --json").json()["summary"]["total"], 0);
    snapshot!("tokens_are_taken", there.run(&format!("import {file} --yes --json")));
    there.run("token L-1").is(0, "access-1\n", "");
    assert_eq!(there.run("status --json").json()["authorizations"][0]["conditions"], json!([]));
    // Giving it up where it was doesn't revoke it where it is.
    snapshot!("given_up_where_it_was", here.run("deactivate L-1 --yes"));
    assert!(here.provider.honors("access-1"));
    for rig in [&here, &there] {
        rig.run("history verify").exits(0);
    }
    assert!(!std::fs::read(file).unwrap().windows(8).any(|bytes| bytes == b"access-1"), "it's sealed");
}

#[test]
fn a_backup_is_not_used_until_it_is_adopted() {
    let here = granted();
    let (there, third) = (here.another_home(), here.another_home());
    let file = bundle(&here, &third.recipient(), &there, "--backup --armor");
    snapshot!("sealed_to_somebody_else", there.run(&format!("import {file} --yes")));
    let identity = third.env().paths.identity.display().to_string();
    let with = format!("import {file} --identity {identity} --yes");
    snapshot!("a_backup_is_taken_in", there.run(&with));
    snapshot!("a_backup_as_it_shows", there.run("status L-1"));
    snapshot!("a_backup_is_not_used", there.run("token L-1"));
    snapshot!("a_backup_once_more", there.run(&with));
    snapshot!("token_before_it_is_adopted", there.run("token L-1"));
    snapshot!("adopting_needs_a_yes", there.run("import --adopt"));
    let asked = there.with(Person::answering(&[("no other host may use them anymore", "y")]));
    snapshot!("adopted", asked.run("import --adopt"));
    snapshot!("adopted_already", there.run("import --adopt --yes --json"));
    there.run("token L-1").is(0, "access-1\n", "");
    there.run("deactivate L-1 --yes").exits(0);
    assert!(!here.provider.honors("access-1"), "it's revoked by its home now");
}

#[test]
fn a_backup_can_be_adopted_as_it_is_taken_in() {
    let here = granted();
    let there = here.another_home();
    let file = bundle(&here, &there.recipient(), &there, "--backup");
    snapshot!(there.run(&format!("import {file} --yes --adopt")));
    there.run("token L-1").is(0, "access-1\n", "");
}

/// docs/backup.md, "Restore" and "Move", to the letter: a restore is rehearsed on the new host, the old one goes on, and then
/// the grants move. The provider ends a grant whose spent refresh token it sees.
#[test]
fn a_rehearsed_restore_gives_way_to_the_move() {
    for keyring in [false, true] {
        let here = if keyring { Rig::with_keyring() } else { Rig::new() };
        here.grant("L-1").exits(0);
        let there = here.another_home();
        let backup = bundle(&here, &there.recipient(), &there, "--backup");
        there.run(&format!("import {backup} --yes")).exits(0);
        // The old home goes on: the backup's refresh token is spent.
        here.minutes_pass(61);
        here.run("token L-1").exits(0);
        let moving = there.file("moving.age").display().to_string();
        let to = there.recipient();
        here.run(&format!("export L-1 --with-secrets --recipient {to} --output {moving}")).exits(0);
        let moved = there.run(&format!("import {moving} --yes")).exits(0);
        if !keyring {
            snapshot!("a_move_after_a_rehearsal", moved);
        }
        assert_eq!(there.run("status --json").json()["authorizations"][0]["conditions"], json!([]));
        there.run("import --adopt --yes").exits(0);
        there.minutes_pass(61);
        let token = there.run("token L-1").exits(0);
        assert!(here.provider.honors(token.out.trim()), "it lives in its new home");
        // The old backup doesn't take their place again, and neither does the file that moved once.
        for file in [&backup, &moving] {
            for more in ["", "--adopt"] {
                let left = there.run(&format!("import {file} --yes {more}")).exits(0);
                assert!(left.err.contains("newer tokens are here"), "{}", left.transcript());
            }
        }
        there.minutes_pass(61);
        assert!(here.provider.honors(there.run("token L-1").exits(0).out.trim()));
    }
}

#[test]
fn a_keyrings_backup_is_restored_into_a_sealed_vault_and_moves_back() {
    let here = Rig::with_keyring();
    here.grant("L-1").exits(0);
    let there = here.another_home();
    let file = bundle(&here, &there.recipient(), &there, "--backup");
    there.run(&format!("import {file} --yes --adopt")).exits(0);
    there.run("token L-1").is(0, "access-1\n", "");
    // And back: no second item stays.
    let identity = here.file("key.txt");
    let to = biotrack_auth::vault::create_identity(&identity).unwrap();
    let back = bundle(&there, &to, &here, "");
    here.run("deactivate L-1 --yes --local-only").exits(0);
    assert!(here.keyring.accounts().is_empty());
    let import = format!("import {back} --identity {} --yes", identity.display());
    // A license that was given up is left given up: what is in the file is older.
    let left = here.run(&import).exits(0);
    assert!(left.err.contains("is newer"), "{}", left.transcript());
    let fresh = Rig::with_keyring();
    fresh.run(&import).exits(0);
    assert_eq!(fresh.keyring.accounts().len(), 1);
    fresh.run("token L-1").is(0, "access-1\n", "");
}

#[test]
fn a_renewal_of_what_came_from_a_backup_leaves_the_other_homes_grant_alone() {
    let here = Rig::new();
    here.adds_to_profile("revocation_scope = \"token\"");
    here.grant("L-1").exits(0);
    let there = here.another_home();
    there.adds_to_profile("revocation_scope = \"token\"");
    let file = bundle(&here, &there.recipient(), &there, "--backup");
    there.run(&format!("import {file} --yes")).exits(0);
    there.run("renew L-1 --browser scripted").exits(0);
    assert_eq!(there.run("status --json").json()["authorizations"][0]["conditions"], json!([]));
    assert!(here.provider.honors("access-1"), "the grant of the home it was backed up from is still live");
}

#[test]
fn a_consent_that_is_still_to_come_and_an_end_that_no_grant_has_are_refused() {
    let rig = Rig::new();
    let file = rig.write(
        "stores.csv",
        "profile,ubi,license,username,created_at,renewed_at,expires_at,expires_estimated,unconfirmed,deactivated_at,invalid_at\n\
         local-sandbox,604001,L-1,ann@example.com,2026-01-01T00:00:00Z,2026-12-01T00:00:00Z,2027-03-11T00:00:00Z,false,,,\n\
         local-sandbox,604001,L-2,ann@example.com,2026-01-01T00:00:00Z,,2099-01-01T00:00:00Z,false,,,\n",
    );
    snapshot!(rig.run(&format!("import {file} --yes")));
    rig.run("status --json").exits(0);
}

#[test]
fn what_is_taken_in_is_exported_to_the_byte() {
    let odd = "2026-01-19T03:14:08Z".parse().unwrap();
    let records = [
        Authorization {
            tags: vec!["a;b".parse().unwrap(), "c\\".parse().unwrap(), "d\\;e".parse().unwrap()],
            contact: Some("=cmd|'/c calc'!A1".parse().unwrap()),
            ocm_license: Some("'quoted".parse().unwrap()),
            deactivated_at: Some(odd),
            ..named("L-1", "=1+1,\"x\" ünï 店", "2026-05-01T00:00:00Z")
        },
        Authorization {
            granted_by: Some("@bob".into()),
            renewed_at: Some(odd),
            expires_estimated: true,
            invalid_at: Some(odd),
            ..store("-L;2", "2026-05-02T00:00:00Z")
        },
        Authorization { name: Some("'=x".parse().unwrap()), ..asked("L-3") },
    ];
    for form in ["csv", "json"] {
        let (first, again) = round(&records, form);
        assert_eq!(first, again);
    }
}

#[test]
fn any_name_survives_the_way_there_and_back() {
    let name = prop_oneof!["[=+@'\\-]{1,3}[ -~]{0,20}", "\\PC{1,40}", "[a-z;\\\\\",']{1,20}",];
    let usable = |text: &String| biotrack_auth::model::ids::StoreName::parse(text).is_ok();
    let records = prop::collection::vec(
        (
            name.clone().prop_filter("usable", usable),
            name.prop_filter("a tag", |text| biotrack_auth::model::ids::Tag::parse(text).is_ok()),
        ),
        1..20,
    );
    let config = Config { cases: 6, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&records, |names| {
            let records: Vec<_> = names
                .iter()
                .enumerate()
                .map(|(at, (name, tag))| Authorization {
                    tags: vec![tag.parse().unwrap()],
                    ..named(&format!("L-{at:03}"), name, "2026-05-01T00:00:00Z")
                })
                .collect();
            for form in ["csv", "json"] {
                let (first, again) = round(&records, form);
                prop_assert_eq!(first, again);
            }
            Ok(())
        })
        .unwrap();
}

/// S43: what can't be a license is refused with the reason, and nothing of it steers a terminal.
#[test]
fn a_license_that_cannot_be_one_is_refused() {
    let rig = Rig::new();
    for (license, why) in impossible() {
        let record =
            json!({"profile": "local-sandbox", "ubi": "604001", "license": license, "username": "a@x"});
        let document = json!({"schema": 2, "authorizations": [record]}).to_string();
        let cell = license.replace('"', "\"\"");
        let rows = format!("ubi,license,username\n604001,\"{cell}\",a@example.com\n");
        for file in [document, rows] {
            let done = rig.with(Person::piping(file)).run("import - --yes").exits(2);
            assert!(done.out.is_empty() && done.err.contains(why), "{license:?}: {}", done.transcript());
            assert!(!done.err.chars().any(|c| is_unprintable(c) && c != '\n'), "{:?}", done.err);
        }
    }
    assert_eq!(rig.run("status --json").json()["summary"]["total"], 0);
}

#[test]
fn what_a_spreadsheet_did_before_the_json_was_written_is_noted() {
    let rig = Rig::new();
    let odd = json!({ "profile": PROFILE, "ubi": "6.04E+08", "license": "101–X0020–D1", "name": "#REF!",
        "username": "liu@queens,example" });
    let file = rig.write("odd.json", &json!({ "schema": 2, "authorizations": [odd] }).to_string());
    snapshot!(rig.run(&format!("import {file} --dry-run")));
}

/// Windows' programs begin UTF-8 with a mark, and PowerShell writes UTF-16 where it redirects into a file.
#[test]
fn a_json_document_of_windows_is_read_or_refused_with_what_to_do() {
    let rig = granted();
    let text = rig.run("export --format json").exits(0).out;
    let there = Rig::new();
    there.with(Person::piping(format!("\u{feff}{text}"))).run("import - --yes").exits(0);
    assert_eq!(there.run("export --format json").out, text);
    let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    snapshot!(there.with(Person::piping(utf16)).run("import - --yes"));
}
