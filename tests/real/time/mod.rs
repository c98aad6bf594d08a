//! S40: the program under clocks that change, lie or go far, by libfaketime. Instants are UTC, lifetimes the provider's
//! word or the careful estimate, time-outs monotonic.

mod calendar;
mod provider;
mod steps;

use crate::support::clock::at;
use crate::support::{Rig, admin};
use jiff::Timestamp;
use serde_json::Value;

/// An instant of the one authorization.
#[track_caller]
fn instant(it: &Value, name: &str) -> Timestamp {
    let text = it[name].as_str().unwrap_or_else(|| panic!("no {name}: {it}"));
    assert!(text.ends_with('Z'), "{text} isn't UTC");
    at(text)
}

/// More lines of the rig's profile.
fn configured(rig: &Rig, lines: &str) {
    let config = rig.file("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n{lines}\n")).unwrap();
}

/// Every command that tells of the one grant says that it lives, and the provider takes its token.
#[track_caller]
fn lives(rig: &Rig) {
    let it = rig.only();
    assert_eq!((&it["state"], &it["conditions"]), (&"active".into(), &serde_json::json!([])), "{it}");
    rig.run(&["status", "--check"]).exits(0);
    let token = rig.run(&["token", "L-1"]).exits(0);
    let live = rig.live("L-1").unwrap();
    assert_eq!(token.out, format!("{}\n", live.access.expose()));
    assert!(rig.accepts(&live));
    rig.run(&["history", "verify"]).exits(0);
}

/// It's refreshed, renewed and given up, and each takes effect at the provider.
#[track_caller]
fn serves_to_the_end(rig: &Rig) {
    rig.run(&["token", "L-1", "--min-valid", "60m"]).exits(0);
    assert!(rig.accepts(&rig.live("L-1").unwrap()));
    rig.run(&["renew", "L-1", "--browser", &admin()]).exits(0);
    let last = rig.live("L-1").unwrap();
    assert!(rig.accepts(&last));
    rig.run(&["deactivate", "L-1", "--yes"]).exits(0);
    assert!(!rig.accepts(&last));
    rig.run(&["history", "verify"]).exits(0);
}
