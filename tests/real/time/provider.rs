//! The provider's clock against this machine's: which is right nobody here knows, and a grant must live all the same.

use super::{instant, lives, serves_to_the_end};
use crate::support::Rig;
use crate::support::clock::at;
use biotrack_auth::sandbox::Mishap;
use jiff::SignedDuration;

const MINUTES: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTES;

/// How far the provider is ahead, in seconds.
const AHEAD: [i64; 8] =
    [-10 * MINUTES, 10 * MINUTES, -DAY, DAY, -30 * DAY, 30 * DAY, -3652 * DAY, 3652 * DAY];

/// Every difference is told, no fresh grant counts as expired, and none is believed to live longer than it does.
#[test]
fn a_provider_of_another_time_grants_what_lives_and_the_difference_is_told() {
    for (told, ahead) in AHEAD.iter().flat_map(|ahead| [(true, *ahead), (false, *ahead)]) {
        let mut rig = Rig::with(if told { &[] } else { &[Mishap::NoExpiry] });
        let now = at("2026-06-15T12:00:00Z");
        rig.set_clock(now);
        rig.sandbox().set_now(now + SignedDuration::from_secs(ahead));
        let way = if ahead < 0 { "behind" } else { "ahead of" };
        rig.register("L-1").exits(0).says("Check this machine's clock").says(way);
        let it = rig.only();
        let lifetime = instant(&it, "expires_at").duration_since(instant(&it, "created_at"));
        assert!(lifetime > SignedDuration::from_hours(24 * 69), "{ahead}: {it}");
        assert!(lifetime <= SignedDuration::from_hours(2400), "{ahead}: it lives on, here alone: {it}");
        lives(&rig);
        rig.run(&["doctor"]).exits(1).answers("clock").answers(way);
        serves_to_the_end(&rig);
    }
}

/// A difference that two clocks well may have is none.
#[test]
fn a_minute_is_nothing() {
    for ahead in [-60, 60] {
        let mut rig = Rig::new();
        let now = at("2026-06-15T12:00:00Z");
        rig.set_clock(now);
        rig.sandbox().set_now(now + SignedDuration::from_secs(ahead));
        rig.register("L-1").exits(0).says_not("clock");
        let issued = rig.truth().into_iter().find(|line| line["event"] == "token_issued").unwrap();
        assert_eq!(instant(&rig.only(), "expires_at"), at(issued["expires_at"].as_str().unwrap()));
        lives(&rig);
        rig.run(&["doctor"]).exits(0);
        serves_to_the_end(&rig);
    }
}
