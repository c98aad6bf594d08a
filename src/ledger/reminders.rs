//! What was reminded of, and which hooks wait.

use super::cells::key;
use super::engine::{DbError, SqlRow, unexpected_value, values};
use super::store::Ledger;
use crate::error::{ErrorCode, Result};
use crate::model::blind_spot::CLOCK_TOLERANCE;
use crate::model::history::HistoryEventKind;
use crate::model::ids::LicenseId;
use crate::model::reminder::{GrantEventKey, HookEventKind, Reminder};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The latest instant at which something can have been noted, as far as this clock and those of other hosts can be believed.
fn latest_credible(now: Timestamp) -> Timestamp {
    now.saturating_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX)
}

/// An event whose hook waits to be run.
#[derive(Debug, Clone)]
pub struct QueuedHook {
    /// The event's number in the history.
    pub seq: i64,
    pub at: Timestamp,
    pub key: LicenseId,
    pub occasion: HookEventKind,
    pub detail: String,
    /// What happened: one of [`HistoryEventKind`]'s words.
    pub event: String,
    /// Which kind of failure it was, where that was noted.
    pub failure: Option<ErrorCode>,
}

#[derive(Debug, Clone, Copy)]
pub enum EventGrant {
    Now,
    /// The one before the last: the last has just taken its place.
    BeforeTheLast,
    /// The one it had before this link of the history.
    Before(i64),
}

/// Asks for the events whose hooks wait.
pub(super) const QUEUED: &str =
    "SELECT history.seq, history.at, ubi, license, occasion, detail, event, failure
     FROM hook_queue JOIN history USING (seq)";

pub(super) fn queued(row: &SqlRow<'_>) -> Result<QueuedHook, DbError> {
    Ok(QueuedHook {
        seq: row.get(0)?,
        at: row.get::<&str>(1)?.parse().map_err(|e| unexpected_value(1, e))?,
        key: key(row, 2)?,
        occasion: HookEventKind::of(row.get(4)?).ok_or_else(|| unexpected_value(4, "an unknown occasion"))?,
        detail: row.get(5)?,
        event: row.get(6)?,
        failure: row.get::<Option<&str>>(7)?.and_then(ErrorCode::of),
    })
}

impl Ledger {
    /// Which occasions the configuration has hooks for: their events are queued from now on.
    pub fn want_hooks(&mut self, occasions: impl IntoIterator<Item = HookEventKind>) {
        self.hooks = occasions.into_iter().collect();
    }

    /// The events whose hooks wait, oldest first.
    pub fn waiting_hooks(&self, profile: &str) -> Result<Vec<QueuedHook>> {
        let of_the_profile = format!("{QUEUED} WHERE hook_queue.profile = ?1 ORDER BY seq");
        let read = self.engine.db().readable_rows(&of_the_profile, values![profile], queued);
        read.map_err(|e| self.fault("read the hooks", e))
    }

    /// What events of a license have in common that are about this grant of it.
    pub fn event_key(&self, profile: &str, key: &LicenseId, about: EventGrant) -> Result<GrantEventKey> {
        let (before, skipped) = match about {
            EventGrant::Now => (i64::MAX, 0),
            EventGrant::BeforeTheLast => (i64::MAX, 1),
            EventGrant::Before(seq) => (seq, 0),
        };
        let consented = [HistoryEventKind::Granted, HistoryEventKind::Renewed].map(HistoryEventKind::word);
        let read = self.engine.db().rows(
            "SELECT at FROM history
             WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND seq < ?4 AND event IN (?5, ?6)
             ORDER BY seq DESC LIMIT 2",
            values![profile, key.ubi.as_str(), key.license.as_str(), before, consented[0], consented[1]],
            |row| row.get::<String>(0),
        );
        let consents = read.map_err(|e| self.fault("read the history", e))?;
        Ok(GrantEventKey::of(profile, key, consents.get(skipped).map(String::as_str)))
    }

    pub fn hook_done(&mut self, seq: i64) -> Result<()> {
        self.transaction("note the hook", |tx| {
            tx.execute("DELETE FROM hook_queue WHERE seq = ?1", values![seq])?;
            Ok(())
        })
    }

    /// The thresholds that a license was reminded of for an end. What was noted at a time to come was noted by a clock that was
    /// ahead, and doesn't count.
    pub fn reminded(
        &self,
        profile: &str,
        key: &LicenseId,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<BTreeSet<u32>> {
        let read = self.engine.db().readable_rows(
            "SELECT days FROM reminded WHERE profile = ?1 AND ubi = ?2 AND license = ?3 AND expires_at = ?4 AND at <= ?5",
            values![
                profile,
                key.ubi.as_str(),
                key.license.as_str(),
                expires.as_second(),
                latest_credible(now).as_second()
            ],
            |row| row.get(0),
        );
        let days = read.map_err(|e| self.fault("read the reminders", e))?;
        // defense: S40 reminded-once
        Ok(days.into_iter().collect())
    }

    /// Forgets the reminders that were noted at a time to come: a clock that was ahead has given them too early, and once
    /// that time has come nobody could tell them from others. How many there were.
    pub fn forget_reminders_to_come(&mut self, now: Timestamp) -> Result<u64> {
        let after = latest_credible(now).as_second();
        let counted = self.engine.db().number("SELECT count(*) FROM reminded WHERE at > ?1", values![after]);
        let count =
            u64::try_from(counted.map_err(|e| self.fault("read the reminders", e))?).unwrap_or_default();
        if count > 0 {
            self.transaction("forget the reminders", |tx| {
                tx.execute("DELETE FROM reminded WHERE at > ?1", values![after])?;
                Ok(())
            })?;
        }
        Ok(count)
    }

    /// Reminders were given, one commit for all.
    pub fn note_reminded(
        &mut self,
        profile: &str,
        given: &[(LicenseId, Timestamp, Reminder)],
        now: Timestamp,
    ) -> Result<()> {
        self.transaction("note the reminders", |tx| {
            for (key, expires, reminder) in given {
                tx.execute(
                    "INSERT INTO reminded (profile, ubi, license, expires_at, days, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (profile, ubi, license, expires_at, days) DO UPDATE SET at = excluded.at",
                    values![
                        profile,
                        key.ubi.as_str(),
                        key.license.as_str(),
                        expires.as_second(),
                        reminder.days,
                        now.as_second()
                    ],
                )?;
            }
            Ok(())
        })
    }
}
