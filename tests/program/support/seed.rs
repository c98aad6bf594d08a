//! Records put straight into a rig's ledger, with the instants that a test needs.

use biotrack_auth::edge::{Env, Paths, SystemBrowser, SystemClock};
use biotrack_auth::ledger::Ledger;
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::Change;
use biotrack_auth::model::ids::{Key, License, Ubi, Username};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::sync::Arc;

/// A store whose grant of 100 days ends at this instant.
pub fn store(license: &str, expires: &str) -> Authorization {
    let key = Key { ubi: Ubi::parse("604001").unwrap(), license: License::parse(license).unwrap() };
    let expires: Timestamp = expires.parse().unwrap();
    Authorization {
        created_at: Some(expires - SignedDuration::from_hours(2400)),
        expires_at: Some(expires),
        granted_by: Some("ann@example.com".into()),
        ..Authorization::asked("local-sandbox", key, Username::parse("ann@example.com").unwrap())
    }
}

/// The same with a name.
pub fn named(license: &str, name: &str, expires: &str) -> Authorization {
    Authorization { name: Some(name.parse().unwrap()), ..store(license, expires) }
}

/// Puts them into the ledger in this home.
pub fn seed(home: &Path, records: &[Authorization]) {
    let env =
        Env::system().unwrap().within(Paths::within(home), Arc::new(SystemClock), Arc::new(SystemBrowser));
    let changes: Vec<_> = records
        .iter()
        .map(|record| Change {
            record: record.clone(),
            expect: record.generation,
            moves: Vec::new(),
            closes: None,
            events: Vec::new(),
        })
        .collect();
    for kept in Ledger::open(&env).unwrap().commit(&changes).unwrap() {
        kept.unwrap();
    }
}
