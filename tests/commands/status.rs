//! `status`, in this process: the table, the card, each format, and what narrows them.

use crate::rig::seed::{asked, named, store};
use crate::rig::{Person, Rig};
use crate::snapshot;
use biotrack_auth::model::authorization::Authorization;

/// A store in every state and with every condition that a record can have by itself.
fn every_state() -> Vec<Authorization> {
    let at = |text: &str| Some(text.parse().unwrap());
    let words = |tags: &[&str]| tags.iter().map(|tag| tag.parse().unwrap()).collect();
    vec![
        Authorization {
            ocm_license: Some("OCM-RETL-26-000001".parse().unwrap()),
            contact: Some("owner@hudson.example".parse().unwrap()),
            tags: words(&["downstate", "flagship"]),
            renewed_at: at("2025-12-01T16:00:00Z"),
            ..named("101-X0001-D1", "Hudson Street", "2026-03-11T16:00:00Z")
        },
        Authorization {
            tags: words(&["upstate"]),
            ..named("101-X0002-D1", "Buffalo Grove", "2026-02-27T12:00:00Z")
        },
        Authorization {
            invalid_at: at("2026-02-20T12:00:00Z"),
            ..store("101-X0003-D1", "2026-05-01T12:00:00Z")
        },
        Authorization {
            username: "carl@canal.example".parse().unwrap(),
            granted_by: Some("carl@canal.example".into()),
            tags: words(&["downstate"]),
            expires_estimated: true,
            ..named("101-X0004-D1", "Canal Street", "2026-06-08T12:00:00Z")
        },
        named("101-X0005-D1", "法拉盛 Flushing", "2026-06-09T12:00:00Z"),
        Authorization {
            held_by: Some("boss@example.com".into()),
            ..store("101-X0006-D1", "2026-04-20T12:00:00Z")
        },
        Authorization { held_elsewhere: true, ..store("101-X0007-D1", "2026-04-21T12:00:00Z") },
        Authorization {
            uncertain_at: at("2026-03-01T12:00:00Z"),
            ..store("101-X0008-D1", "2026-04-22T12:00:00Z")
        },
        Authorization { revocation_pending: true, ..store("101-X0009-D1", "2026-04-23T12:00:00Z") },
        Authorization {
            deactivated_at: at("2026-02-01T12:00:00Z"),
            ..named("101-X0010-D1", "Closed", "2026-04-24T12:00:00Z")
        },
        Authorization {
            deactivated_at: at("2026-03-01T12:00:00Z"),
            revocation_pending: true,
            ..store("101-X0011-D1", "2026-04-25T12:00:00Z")
        },
        asked("101-X0012-D1"),
    ]
}

fn rig() -> Rig {
    let rig = Rig::new();
    rig.seed(every_state());
    rig
}

/// One more profile, of another stand-in.
fn with_two_profiles() -> Rig {
    let rig = rig();
    let second = "config init --profile other --preset local-sandbox --url http://127.0.0.1:2";
    rig.run(second).exits(0);
    rig.seed(&[Authorization {
        profile: "other".into(),
        ..named("101-X0001-D1", "Hudson Street", "2026-03-05T12:00:00Z")
    }]);
    rig
}

/// A store whose link is out, and another whose link has lapsed.
fn handed_out() -> Rig {
    let rig = Rig::new();
    let hand_out = |license: &str| {
        rig.run(&format!("register --ubi 604001 --license {license} --username ann@example.com --no-wait"))
            .exits(0);
    };
    hand_out("101-X0001-D1");
    rig.days_pass(8);
    hand_out("101-X0002-D1");
    rig.minutes_pass(90);
    rig
}

#[test]
fn a_table_at_eighty_columns() {
    snapshot!(rig().with(Person::watching().with_columns(80)).run("status"));
}

#[test]
fn a_table_at_two_hundred_columns() {
    snapshot!(rig().with(Person::watching().with_columns(200)).run("status"));
}

#[test]
fn a_table_on_a_phone() {
    snapshot!(rig().with(Person::watching().with_columns(40)).run("status"));
}

#[test]
fn a_table_in_a_pipe_is_whole() {
    snapshot!(rig().run("status"));
}

#[test]
fn names_that_are_hard_to_cut_stay_in_their_columns() {
    let rig = Rig::new();
    rig.seed(&[
        named(
            &"X".repeat(64),
            "A name that is far longer than a terminal of eighty columns could ever show",
            "2026-03-11T12:00:00Z",
        ),
        named(
            "101-X0002-D1",
            "漢字の店漢字の店漢字の店漢字の店漢字の店漢字の店漢字の店",
            "2026-02-20T12:00:00Z",
        ),
        named("101-X0003-D1", "🌿🌿 Green 👩 Leaf 🇺🇸 🌿🌿🌿🌿🌿🌿🌿🌿🌿🌿🌿🌿", "2026-06-11T12:00:00Z"),
        named("101-X0004-D1", "Hudson St", "2026-06-12T12:00:00Z"),
    ]);
    let seen = |columns: u16| rig.with(Person::watching().with_columns(columns)).run("status");
    snapshot!("names_at_80", seen(80));
    snapshot!("names_at_200", seen(200));
}

#[test]
fn an_empty_ledger_says_what_to_do_next() {
    let rig = Rig::new();
    snapshot!(rig.run("status"));
    rig.run("status --quiet").is(0, "", "");
    snapshot!("an_empty_ledger_as_json", rig.run("status --json"));
}

#[test]
fn a_card_of_each_state() {
    let rig = rig();
    let cards: Vec<_> = every_state()
        .iter()
        .map(|record| rig.run(&format!("status {}", record.key.license)).exits(0))
        .map(|done| {
            assert_eq!(done.err, "");
            done.out
        })
        .collect();
    insta::assert_snapshot!(cards.join("\n"));
}

#[test]
fn a_card_of_a_grant_with_what_happened_to_it() {
    let rig = Rig::new();
    rig.grant("101-X0001-D1").exits(0);
    rig.days_pass(90);
    rig.run("renew 101-X0001-D1 --browser scripted").exits(0);
    rig.days_pass(1);
    snapshot!(rig.run("status 101-X0001-D1"));
}

#[test]
fn a_card_of_a_link_that_is_out_and_of_one_that_lapsed() {
    let rig = handed_out();
    snapshot!("out", rig.run("status 101-X0002-D1"));
    snapshot!("lapsed", rig.run("status 101-X0001-D1"));
    snapshot!("both_as_json", rig.run("status --json"));
}

#[test]
fn every_name_of_a_store_finds_its_card() {
    let rig = rig();
    let card = rig.run("status 101-X0001-D1").exits(0).out;
    for selector in ["604001/101-X0001-D1", "OCM-RETL-26-000001", "'Hudson Street'"] {
        rig.run(&format!("status {selector}")).is(0, &card, "");
    }
}

#[test]
fn json() {
    snapshot!(rig().run("status --json"));
}

#[test]
fn json_by_its_format_is_the_same() {
    let rig = rig();
    rig.run("status --format json").is(0, &rig.run("status --json").out, "");
}

#[test]
fn jsonl() {
    snapshot!(rig().run("status --format jsonl"));
}

#[test]
fn csv() {
    let rig = rig();
    rig.seed(&[named("=cmd|'/c calc'!A1", "@SUM(1+1), \"quoted\"", "2026-06-30T12:00:00Z")]);
    snapshot!(rig.run("status --format csv"));
}

#[test]
fn prometheus() {
    let rig = with_two_profiles();
    rig.seed(&[named("L\\1\"", "a \"name\"\\", "2026-06-30T12:00:00Z")]);
    snapshot!(rig.run("status --format prometheus --all-profiles"));
}

#[test]
fn ics() {
    let rig = Rig::new();
    rig.seed(&every_state()[..4]);
    let calendar = rig.run("status --format ics");
    // A snapshot doesn't show how lines end.
    assert!(calendar.out.split_inclusive('\n').all(|line| line.ends_with("\r\n") && line.len() <= 77));
    snapshot!(calendar);
}

#[test]
fn a_file_gets_the_answer_and_the_terminal_nothing() {
    let rig = rig();
    for format in ["table", "json", "jsonl", "csv", "prometheus", "ics"] {
        let shown = rig.run(&format!("status --format {format}")).exits(0).out;
        let file = rig.file("out");
        rig.run_words(&["status", "--format", format, "--output", file.to_str().unwrap()]).is(0, "", "");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), shown, "{format}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        }
    }
    for command in ["status --format csv", "export"] {
        let shown = rig.run(command).exits(0).out;
        rig.run(&format!("{command} --output -")).is(0, &shown, "");
    }
    assert!(!std::path::Path::new("-").exists());
    snapshot!(rig.run("status --format csv --output /nowhere/at/all.csv"));
}

#[test]
fn due_leaves_out_what_nobody_has_to_look_at() {
    let rig = rig();
    snapshot!("due", rig.run("status --due"));
    snapshot!("due_within_60_days", rig.run("status --due=60d"));
}

#[test]
fn nothing_due_is_said_at_a_terminal_and_not_to_cron() {
    let rig = Rig::new();
    rig.seed(&[store("101-X0001-D1", "2026-06-10T12:00:00Z")]);
    rig.run("status --due").is(0, "No licenses are due.\n", "");
    rig.run("status --due --quiet").is(0, "", "");
    rig.run("status --tag none").is(0, "No matching authorizations.\n", "");
    assert_eq!(rig.run("status --due --json").exits(0).json()["authorizations"], serde_json::json!([]));
}

#[test]
fn states_tags_and_users_narrow_it() {
    let rig = rig();
    snapshot!("expired_or_invalid", rig.run("status --state expired --state invalid"));
    snapshot!("tag", rig.run("status --tag downstate"));
    snapshot!("user", rig.run("status --user CARL@canal.example"));
    snapshot!("tag_and_due", rig.run("status --tag downstate --due"));
}

#[test]
fn several_selectors_make_a_table_of_them() {
    snapshot!(rig().run("status 101-X0001-D1 'Canal Street'"));
}

#[test]
fn another_instant_shows_what_will_be() {
    let rig = rig();
    snapshot!("at_the_end_of_may", rig.run("status --at 2026-05-31T12:00:00Z"));
    snapshot!("at_no_instant", rig.run("status --at yesterday"));
}

#[test]
fn in_the_instant_of_its_end_a_grant_has_lapsed() {
    let rig = Rig::new();
    rig.seed(&[store("101-X0001-D1", "2026-06-10T12:00:00Z")]);
    snapshot!(rig.run("status 101-X0001-D1 --at 2026-06-10T12:00:00Z"));
    let rows = rig.run("status --json --at 2026-06-10T12:00:00Z").exits(0).json();
    assert_eq!(rows["authorizations"][0]["days_left"], 0);
}

#[test]
fn all_profiles_have_a_column_of_their_own() {
    let rig = with_two_profiles();
    snapshot!("all_profiles", rig.run("status --all-profiles"));
    snapshot!("all_profiles_due_as_json", rig.run("status --all-profiles --due --json"));
    let closed = rig.run("status --all-profiles Closed").exits(0);
    assert!(closed.out.starts_with("Closed\n"), "a selector reaches over all profiles: {}", closed.out);
    snapshot!("one_of_two_profiles", rig.run("status --profile other 101-X0001-D1"));
}

#[test]
fn a_license_of_two_profiles_is_never_taken_for_one_of_them() {
    let rig = with_two_profiles();
    snapshot!("in_two_profiles", rig.run("status --all-profiles 101-X0001-D1"));
    snapshot!("exactly_in_two_profiles", rig.run("status --all-profiles 604001/101-X0001-D1"));
}

#[test]
fn what_is_not_registered_is_refused() {
    let rig = rig();
    snapshot!("not_found", rig.run("status 101-X0001-D2"));
    snapshot!("not_found_as_json", rig.run("status 101-X0001-D2 --json"));
}

#[test]
fn a_name_that_several_have_is_refused_with_the_candidates() {
    let rig = rig();
    rig.seed(&[named("101-X0099-D1", "Hudson Street", "2026-06-10T12:00:00Z")]);
    snapshot!("ambiguous", rig.run("status 'Hudson Street'"));
    snapshot!("ambiguous_as_json", rig.run("status 'Hudson Street' --json"));
}

#[test]
fn formats_that_contradict_each_other_are_refused() {
    let rig = rig();
    snapshot!("two_formats", rig.run("status --json --format csv"));
    snapshot!("a_threshold_without_check", rig.run("status -w 3d"));
}

#[test]
fn a_ledger_that_is_none_is_said() {
    let rig = rig();
    rig.spoil_the_ledger();
    snapshot!(rig.run("status"));
}

#[test]
fn its_own_schema_is_the_shipped_one() {
    let shipped = include_str!("../../schemas/status.json");
    Rig::bare().run("status --schema").is(0, shipped, "");
}

#[test]
fn it_asks_neither_the_keyring_nor_the_provider() {
    let rig = Rig::with_keyring();
    rig.seed(every_state());
    rig.keyring.locks(true);
    let asked = rig.provider.log().len();
    for line in ["status", "status --json", "status --check", "status 101-X0001-D1", "status --due"] {
        assert!(rig.run(line).code < 3, "{line}");
    }
    assert_eq!(rig.provider.log().len(), asked);
}
