//! Runs over many licenses.

#[cfg(unix)]
mod attended;
mod crowd;
mod runs;
mod verdict;

use crate::support::Rig;
use crate::support::seed::store;
use biotrack_auth::model::authorization::Authorization;
use biotrack_auth::model::ids::Username;
use jiff::SignedDuration;

/// A store of this admin whose grant ends in so many days; negative: it has lapsed.
fn of(rig: &Rig, license: &str, admin: &str, days: i64) -> Authorization {
    let ends = rig.env().clock.now() + SignedDuration::from_hours(days * 24 + 12);
    Authorization {
        username: Username::parse(admin).unwrap(),
        granted_by: Some(admin.into()),
        ..store(license, &ends.to_string())
    }
}

/// Three due licenses of Ann, one of Bob that isn't due.
fn fleet() -> Rig {
    let rig = Rig::new();
    rig.seed(&[
        of(&rig, "L-1", "ann@example.com", -3),
        of(&rig, "L-2", "ann@example.com", 2),
        of(&rig, "L-3", "ann@example.com", 5),
        of(&rig, "L-4", "bob@example.com", 60),
    ]);
    rig
}
