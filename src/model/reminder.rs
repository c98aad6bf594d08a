//! When an operator is reminded of an end that comes near, and what is run then.

use super::authorization::{Authorization, State};
use super::expiry::previous_workday;
use super::ids::LicenseId;
use super::provider::Provider;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// The kind of event that runs a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookEventKind {
    /// A grant expires soon.
    Due,
    /// A grant has expired or is invalid.
    Expired,
    /// A grant was stored.
    Granted,
    /// A consent ended without a grant.
    Failed,
    /// A license was deactivated.
    Deactivated,
}

impl HookEventKind {
    pub const ALL: [Self; 5] = [Self::Due, Self::Expired, Self::Granted, Self::Failed, Self::Deactivated];

    /// The word in configuration, ledger and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Expired => "expired",
            Self::Granted => "granted",
            Self::Failed => "failed",
            Self::Deactivated => "deactivated",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.word() == word)
    }
}

/// The event's unique id; the same when its hook runs again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct EventId(String);

impl EventId {
    pub fn of_event(ledger: &str, seq: i64) -> Self {
        Self::of(&serde_json::json!(["event", ledger, seq]))
    }

    /// A reminder of an end, at a threshold.
    pub fn of_reminder(ledger: &str, record: &Authorization, expires: Timestamp, days: u32) -> Self {
        let (ubi, license) = (&record.key.ubi, &record.key.license);
        Self::of(&serde_json::json!([
            "reminder",
            ledger,
            record.profile,
            ubi.as_str(),
            license.as_str(),
            expires.as_second(),
            days
        ]))
    }

    pub fn of_digest<'i>(events: impl IntoIterator<Item = &'i Self>) -> Self {
        let events: Vec<_> = events.into_iter().map(Self::as_str).collect();
        Self::of(&serde_json::json!(["digest", events]))
    }

    /// As text: letters of hexadecimal numbers.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Something that happened in a run, to a license or to the whole.
    pub fn of_run(common: Option<&GrantEventKey>, word: &str, at: Timestamp) -> Self {
        let nanoseconds = at.as_nanosecond().to_string();
        Self::of(&serde_json::json!(["run", common, word, nanoseconds]))
    }

    fn of(what: &serde_json::Value) -> Self {
        Self(digest(what))
    }
}

/// What all events of one license and grant have in common, up to the consent that takes its place: a reminder of its end
/// opens a ticket by it, and what is granted then closes that one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct GrantEventKey(String);

impl GrantEventKey {
    /// Of a license, and of the grant that was consented then, by the history; `None`: before its first one.
    pub fn of(profile: &str, key: &LicenseId, consented: Option<&str>) -> Self {
        Self(digest(&serde_json::json!([
            "grant",
            profile,
            key.ubi.as_str(),
            key.license.as_str(),
            consented
        ])))
    }
}

/// Letters of hexadecimal numbers, the same for the same.
fn digest(what: &serde_json::Value) -> String {
    const BYTES: usize = 16;
    let digest = Sha256::digest(what.to_string());
    hex::encode(digest.get(..BYTES).unwrap_or(&digest))
}

/// What the configuration wants run.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    /// A command's words for each occasion.
    pub commands: BTreeMap<HookEventKind, Vec<String>>,
    pub timeout: Duration,
    /// On which days before the end someone is reminded, most first.
    pub days: Vec<u32>,
    /// One run for all that `remind` found of an occasion, instead of one each.
    pub digest: bool,
}

/// A reminder that has become due. `days` 0: the grant has lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminder {
    pub occasion: HookEventKind,
    pub days: u32,
}

/// The reminder that a record deserves now: the nearest threshold that was passed. A wider one that was missed is
/// covered by it, so that after a pause each license is told of once. A weekend's end counts as the Friday before.
pub fn reminder(
    record: &Authorization,
    provider: &Provider,
    days: &[u32],
    now: Timestamp,
) -> Option<Reminder> {
    let expires = record.expires_at?;
    match record.state(now, provider.due_window, &provider.zone) {
        State::Deactivated | State::Pending => None,
        State::Expired | State::Invalid => Some(Reminder { occasion: HookEventKind::Expired, days: 0 }),
        State::Active | State::Due => {
            let left = previous_workday(expires, &provider.zone).duration_since(now);
            let passed = |days: &&u32| left <= SignedDuration::from_hours(i64::from(**days) * 24);
            days.iter()
                .filter(passed)
                .min()
                .map(|days| Reminder { occasion: HookEventKind::Due, days: *days })
        }
    }
}
