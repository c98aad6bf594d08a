//! Records put straight into a rig's ledger, with the instants that a test needs.

use biotrack_auth::ledger::Ledger;
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::RecordCommit;
use biotrack_auth::model::ids::{License, LicenseId, Ubi, Username};
use jiff::{SignedDuration, Timestamp};

/// A store whose grant of 100 days ends at this instant.
pub fn store(license: &str, expires: &str) -> Authorization {
    let key = LicenseId { ubi: Ubi::parse("604001").unwrap(), license: License::parse(license).unwrap() };
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

/// Puts them into a ledger.
pub fn seed(ledger: &mut Ledger, records: &[Authorization]) {
    let changes: Vec<_> = records
        .iter()
        .map(|record| RecordCommit {
            record: record.clone(),
            moves: Vec::new(),
            ends: None,
            events: Vec::new(),
        })
        .collect();
    for kept in ledger.commit(&changes).unwrap() {
        kept.unwrap();
    }
}
