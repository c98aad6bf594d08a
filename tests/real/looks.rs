//! A look reads only what it shows: nothing that should be shown is left out, whatever the records are like.

use crate::support::seed::store;
use crate::support::{PROGRAM, Rig, outside};
use biotrack_auth::config::Config;
use biotrack_auth::ledger::Ledger;
use biotrack_auth::model::authorization::{Authorization, AuthorizationWithFlows};
use biotrack_auth::model::expiry::{days_left, latest_end_within};
use biotrack_auth::model::ids::Generation;
use biotrack_auth::model::provider::Provider;
use biotrack_auth::model::selection::{self, Filter};
use biotrack_auth::model::server::LedgerPlace;
use biotrack_auth::report::{ReportRow, Threshold, check};
use biotrack_auth::system::{Env, Paths, SystemBrowser, SystemClock};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;

/// Half an hour's steps around a change of the clocks, on weekends and off them.
fn records() -> impl Strategy<Value = Vec<Authorization>> {
    let days = -40i64..60;
    let one = (days, 0i64..48, 0u8..12).prop_map(|(days, halves, kind)| {
        let end: Timestamp = "2026-03-08T07:00:00Z".parse().unwrap();
        let end = end + SignedDuration::from_mins(days * 24 * 60 + halves * 30);
        let mut record = store("L", &end.to_string());
        record.generation = Generation(0);
        match kind {
            0 => record.expires_at = None,
            1 => record.deactivated_at = Some(end),
            2 => record.invalid_at = Some(end),
            3 => record.uncertain_at = Some(end),
            4 => record.revocation_pending = true,
            5 => record.held_by = Some("bob@example.com".into()),
            6 => record.held_elsewhere = true,
            7 => (record.deactivated_at, record.revocation_pending) = (Some(end), true),
            _ => {}
        }
        record
    });
    prop::collection::vec(one, 1..30).prop_map(|mut all| {
        for (number, record) in all.iter_mut().enumerate() {
            record.key.license = format!("L-{number}").parse().unwrap();
            record.name = (number % 3 == 0).then(|| format!("Store {}", number % 5).parse().unwrap());
            record.ocm_license = (number % 4 == 0).then(|| format!("OCM-{number}").parse().unwrap());
        }
        all
    })
}

fn verdict(
    rows: &[AuthorizationWithFlows],
    beside: selection::UncountedRecords,
    provider: &Provider,
    now: Timestamp,
) -> (u8, String) {
    let rows: Vec<_> = rows.iter().map(|it| ReportRow::at(now, it, provider)).collect();
    let (warning, critical) =
        (Threshold::parse("warning", "20d").unwrap(), Threshold::parse("critical", "3d").unwrap());
    let verdict = check(&rows, beside, &[], warning, critical, false, now);
    (verdict.exit, verdict.text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_look_leaves_out_would_not_have_been_shown(records in records(), hours in -1000i64..1000) {
        let rig = Rig::new();
        rig.seed(&records);
        let env = Env::system()
            .unwrap()
            .within(Paths::within(rig.home()), Arc::new(SystemClock), Arc::new(SystemBrowser));
        let provider = Config::load(&env.paths).unwrap().provider("local-sandbox").unwrap();
        let ledger = Ledger::read(&env, &LedgerPlace::File).unwrap().unwrap();
        let all = ledger.standings(&provider.profile).unwrap();
        let base: Timestamp = "2026-03-08T07:00:00Z".parse().unwrap();
        let now = base + SignedDuration::from_hours(hours);

        for window in [0, 1, 14, 30].map(|days| SignedDuration::from_hours(days * 24)) {
            let narrowing = Filter { due: Some(window), ..Filter::default() };
            let meant = |of: Vec<AuthorizationWithFlows>| -> Vec<AuthorizationWithFlows> {
                of.into_iter().filter(|it| narrowing.admits(&it.record, &provider, now)).collect()
            };
            let near = ledger.standings_near(&provider.profile, latest_end_within(now, window)).unwrap();
            prop_assert_eq!(meant(near), meant(all.clone()));
        }

        let near = ledger
            .expiring_and_uncounted(&provider.profile, latest_end_within(now, SignedDuration::from_hours(20 * 24)))
            .unwrap();
        let counted = near.quiet.active + near.quiet.pending + near.quiet.deactivated;
        prop_assert_eq!(near.standings.len() + counted, all.len());
        let whole = verdict(&all, selection::UncountedRecords::default(), &provider, now);
        let days_left = near.quiet.first_end.map(|end| days_left(end, now, &provider.zone));
        let quiet = selection::UncountedRecords { days_left, ..near.quiet };
        prop_assert_eq!(verdict(&near.standings, quiet, &provider, now), whole);

        for standing in &all {
            let record = &standing.record;
            let mut selectors = vec![record.key.to_string(), format!(" {} ", record.key.license)];
            selectors.extend(record.name.iter().map(ToString::to_string));
            selectors.extend(record.ocm_license.iter().map(ToString::to_string));
            selectors.push("nobody".into());
            for selector in selectors {
                let one = |among: &[AuthorizationWithFlows]| {
                    selection::resolve_one(&selector, Some(""), among, |it| &it.record)
                        .map(|it| it.record.key.clone())
                        .map_err(|e| e.to_string())
                };
                let called =
                    ledger.find_by_selectors(&provider.profile, std::slice::from_ref(&selector)).unwrap();
                prop_assert_eq!(one(&called), one(&all));
            }
            let alone = ledger.standing(&provider.profile, &record.key).unwrap();
            prop_assert_eq!(alone.as_ref(), Some(standing));
        }
    }
}

/// How many of the ledger's pages a command reads.
fn pages_read(rig: &Rig, arguments: &[&str]) -> usize {
    let trace = rig.elsewhere("trace");
    let traced = outside("strace")
        .args(["-f", "-y", "-e", "trace=pread64", "-o"])
        .arg(&trace)
        .arg(PROGRAM)
        .args(arguments)
        .env("BIOTRACK_AUTH_HOME", rig.home())
        .output()
        .unwrap();
    assert!(traced.status.code().is_some_and(|code| code < 3), "{traced:?}");
    let trace = std::fs::read_to_string(trace).unwrap();
    trace.lines().filter(|line| line.contains("ledger.db>") || line.contains("ledger.db-wal>")).count()
}

#[test]
fn a_look_reads_what_it_shows_and_not_what_is_stored() {
    let rig = Rig::new();
    let (now, day) = (rig.env().clock.now(), SignedDuration::from_hours(24));
    let ends = |days: i32| (now + day * days).to_string();
    let mut records: Vec<_> = (0..3_000).map(|at| store(&format!("L-{at}"), &ends(80))).collect();
    records.push(store("D-1", &ends(3)));
    rig.seed(&records);
    // The log is taken into the ledger, and no other look reads it again.
    let db = rusqlite::Connection::open(rig.file("ledger.db")).unwrap();
    db.pragma(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).unwrap();
    drop(db);
    let all = pages_read(&rig, &["status", "--json"]);
    for few in [&["status", "--due"][..], &["status", "L-7"], &["remind", "--dry-run"]] {
        let read = pages_read(&rig, few);
        assert!(read * 4 < all, "{few:?} reads {read} pages of the {all} that hold all records");
    }
    // It counts the others, by an index that holds their names.
    let read = pages_read(&rig, &["status", "--check"]);
    assert!(read * 4 < all * 3, "a check reads {read} pages of the {all} that hold all records");
}
