//! `status --check`, in this process: each of its four codes, in the words that a monitoring daemon shows.

use crate::rig::seed::{named, store};
use crate::rig::{Done, Person, Rig};
use crate::snapshot;
use biotrack_auth::model::authorization::Authorization;

/// A Wednesday.
const END: &str = "2026-03-11T12:00:00Z";
/// Far from any threshold.
const FAR: &str = "2026-06-10T12:00:00Z";

fn rig(records: &[Authorization]) -> Rig {
    let rig = Rig::new();
    rig.seed(records);
    rig
}

/// Nothing but the answer.
fn check(rig: &Rig, at: &str, more: &str) -> Done {
    let done = rig.run(&format!("status --check --at {at} {more}"));
    assert_eq!(done.err, "");
    done
}

/// One line on standard output, and 3: whatever keeps it from looking.
#[track_caller]
fn unknown(done: Done) -> String {
    assert_eq!((done.code, done.err.as_str()), (3, ""), "{}", done.transcript());
    let line = done.out.strip_suffix('\n').unwrap();
    assert!(
        line.starts_with("BIOTRACK UNKNOWN: ") && !line.contains(['\n', '|']) && line.trim_end() == line,
        "{line}"
    );
    done.out
}

#[test]
fn expired_is_critical() {
    let rig = rig(&[named("L-1", "Hudson | St", END), store("L-2", FAR)]);
    snapshot!(check(&rig, "2026-03-13T00:00:00Z", ""));
}

#[test]
fn invalid_is_critical() {
    let invalid = Authorization { invalid_at: Some(END.parse().unwrap()), ..store("L-1", FAR) };
    snapshot!(check(&rig(&[invalid]), "2026-03-13T00:00:00Z", ""));
}

#[test]
fn due_is_a_warning() {
    snapshot!(check(&rig(&[store("L-1", END)]), "2026-03-01T12:00:00Z", ""));
}

#[test]
fn active_is_ok() {
    snapshot!(check(&rig(&[store("L-1", END)]), "2026-02-01T12:00:00Z", ""));
}

#[test]
fn the_worst_of_many_decides_and_comes_first() {
    let held = Authorization { held_by: Some("boss@example.com".into()), ..store("L-4", FAR) };
    let pending = crate::rig::seed::asked("L-5");
    let all = [store("L-1", FAR), store("L-2", "2026-03-20T12:00:00Z"), store("L-3", END), held, pending];
    snapshot!(check(&rig(&all), "2026-03-13T00:00:00Z", ""));
}

#[test]
fn what_someone_should_look_at_is_a_warning_and_an_export_is_none() {
    let far = || store("L-1", FAR);
    let records = [
        (Authorization { held_by: Some("boss@example.com".into()), ..far() }, 1),
        (Authorization { uncertain_at: Some(END.parse().unwrap()), ..far() }, 1),
        (Authorization { revocation_pending: true, ..far() }, 1),
        // That is as it was wanted: somebody else looks after it.
        (Authorization { held_elsewhere: true, ..far() }, 0),
    ];
    let told =
        records.map(|(record, code)| check(&rig(&[record]), "2026-03-13T00:00:00Z", "").exits(code).out);
    insta::assert_snapshot!(told.concat());
}

#[test]
fn a_link_that_lapsed_is_a_warning_and_one_that_is_out_is_none() {
    let rig = rig(&[store("L-1", FAR)]);
    rig.run("renew L-1 --no-wait").exits(0);
    snapshot!("link_out", rig.run("status --check"));
    rig.days_pass(8);
    snapshot!("link_lapsed", rig.run("status --check"));
}

#[test]
fn thresholds_are_days_or_a_share_of_the_grants_life() {
    let rig = rig(&[store("L-1", END)]);
    // 30 of 100 days are left.
    let at = "2026-02-09T12:00:00Z";
    for (flags, code) in [
        ("-w 29d", 0),
        ("-w 30d", 1),
        ("-w 29%", 0),
        ("-w 30%", 1),
        ("--warning=40d --critical=30d", 2),
        ("-w 50% -c 30%", 2),
        ("-w 50% -c 29%", 1),
        ("-c 720h", 2),
    ] {
        let done = check(&rig, at, flags);
        assert_eq!(done.code, code, "{flags}: {}", done.out);
    }
    snapshot!("inside_critical", check(&rig, at, "-w 40d -c 30d"));
}

#[test]
fn a_weekends_end_counts_as_the_friday_before() {
    // A Sunday in New York; the Friday's same hour is 16:00 UTC.
    let rig = rig(&[store("L-1", "2026-03-15T16:00:00Z")]);
    let told = |at: &str, more: &str, code: u32| check(&rig, at, more).exits(code).out;
    assert!(told("2026-03-13T15:59:59Z", "", 1).contains("due, 2 days left"));
    assert!(told("2026-03-13T16:00:00Z", "", 2).contains("due, 2 days left"));
    told("2026-02-27T15:59:59Z", "-w 0d", 0);
    told("2026-02-27T16:00:00Z", "-w 0d", 1);
}

#[test]
fn what_was_given_up_is_not_counted() {
    let gone = Authorization { deactivated_at: Some(END.parse().unwrap()), ..store("L-1", END) };
    let later = "2026-04-01T12:00:00Z";
    unknown(check(&rig(std::slice::from_ref(&gone)), later, ""));
    snapshot!(check(&rig(&[gone, store("L-2", FAR)]), later, ""));
}

#[test]
fn selectors_and_tags_narrow_it() {
    let tagged = Authorization { tags: vec!["downstate".parse().unwrap()], ..store("L-1", END) };
    let rig = rig(&[tagged, store("L-2", FAR)]);
    let late = "2026-03-13T00:00:00Z";
    check(&rig, late, "").exits(2);
    check(&rig, late, "L-2").exits(0);
    check(&rig, late, "--tag downstate").exits(2);
    check(&rig, late, "--user nobody@example.com").exits(3);
    insta::assert_snapshot!(unknown(check(&rig, late, "--tag upstate")));
}

#[test]
fn all_profiles_are_looked_at_together() {
    let rig = rig(&[store("L-1", FAR)]);
    rig.run("config init --profile other --preset local-sandbox --url http://127.0.0.1:2").exits(0);
    rig.seed(&[Authorization { profile: "other".into(), ..store("L-1", "2026-02-27T12:00:00Z") }]);
    rig.run("status --check").exits(0);
    snapshot!(rig.run("status --check --all-profiles"));
}

#[test]
fn an_empty_ledger_is_unknown_unless_that_is_fine() {
    let rig = Rig::new();
    snapshot!("nothing", rig.run("status --check"));
    rig.run("status --check --allow-empty").is(
        0,
        "BIOTRACK OK: no licenses are registered or selected\n",
        "",
    );
}

#[test]
fn whatever_keeps_it_from_looking_is_unknown() {
    let rig = rig(&[store("L-1", END)]);
    let mut lines: Vec<_> = [
        "status --check --wat",
        "'--wat|' status --check",
        "status --check -w 14x",
        "status --check -c 101%",
        "status --check L-9",
        "status --check --profile nobody",
        "status --check --format csv",
        "status --check --json",
        "status --check --output /nowhere/at/all",
        "status --check --at tomorrow",
    ]
    .map(|line| (line.to_owned(), unknown(rig.run(line))))
    .into();
    lines.push(("without a configuration".into(), unknown(Rig::bare().run("status --check"))));
    rig.spoil_the_ledger();
    lines.push(("a ledger that is none".into(), unknown(rig.run("status --check"))));
    rig.write("config.toml", "[profiles.ny\n");
    lines.push(("a configuration that is none".into(), unknown(rig.run("status --check"))));
    let told: Vec<_> = lines.iter().map(|(line, told)| format!("$ {line}\n{told}")).collect();
    insta::assert_snapshot!(told.concat());
}

#[test]
fn at_a_terminal_it_says_the_same_without_color() {
    let rig = rig(&[store("L-1", END)]);
    let piped = rig.run("status --check").exits(1).out;
    rig.with(Person::watching()).run("status --check --color always").is(1, &piped, "");
}

#[test]
fn the_perfdata_is_as_the_guidelines_say() {
    let out = check(&rig(&[store("L-1", END)]), "2026-03-01T12:00:00Z", "").exits(1).out;
    let data = out.lines().next().unwrap().split_once(" | ").unwrap().1;
    // 'label'=value[UOM];[warn];[crit];[min];[max]
    for field in data.split(' ') {
        let (label, rest) = field.split_once('=').unwrap();
        assert!(!label.is_empty() && label.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{field}");
        let parts: Vec<_> = rest.split(';').collect();
        assert!(parts.len() <= 5 && parts[0].parse::<i64>().is_ok(), "{field}");
        assert!(parts[1..].iter().all(|part| part.is_empty() || part.parse::<i64>().is_ok()), "{field}");
    }
    assert_eq!(data.split(' ').count(), 8);
}
