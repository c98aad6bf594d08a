//! Records put straight into the rig's ledger, with the instants that a test needs.

use super::{ADMIN, PROFILE, Rig, key};
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::flow::RecordCommit;
use biotrack_auth::model::ids::Username;
use jiff::{SignedDuration, Timestamp};
use std::borrow::Borrow;

/// A store whose grant of 100 days ends at this instant.
pub fn store(license: &str, expires: &str) -> Authorization {
    let expires: Timestamp = expires.parse().unwrap();
    Authorization {
        created_at: Some(expires - SignedDuration::from_hours(2400)),
        expires_at: Some(expires),
        granted_by: Some(ADMIN.into()),
        ..asked(license)
    }
}

/// The same with a name.
pub fn named(license: &str, name: &str, expires: &str) -> Authorization {
    Authorization { name: Some(name.parse().unwrap()), ..store(license, expires) }
}

/// A store that nobody has granted anything yet.
pub fn asked(license: &str) -> Authorization {
    Authorization::asked(PROFILE, key(license), Username::parse(ADMIN).unwrap())
}

impl Rig {
    /// Puts these records into the ledger, as they are: without grants, and without a word in the history.
    pub fn seed(&self, records: impl IntoIterator<Item = impl Borrow<Authorization>>) {
        let change = |record: &Authorization| RecordCommit {
            record: record.clone(),
            moves: Vec::new(),
            ends: None,
            events: Vec::new(),
        };
        let changes: Vec<_> = records.into_iter().map(|record| change(record.borrow())).collect();
        for kept in self.ledger().commit(&changes).unwrap() {
            kept.unwrap();
        }
    }

    /// Makes the ledger something that no one can read.
    pub fn spoil_the_ledger(&self) {
        for beside in ["ledger.db-wal", "ledger.db-shm"] {
            let _ = std::fs::remove_file(self.file(beside));
        }
        self.write("ledger.db", "no ledger at all, but a text of more than sixteen bytes");
    }
}
