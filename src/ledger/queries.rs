//! Looking at records: all of a profile, those that are named, or those that an operator must hear of. Each look is one
//! snapshot, and reads what it shows: the indexes leave out the rest.

use super::engine::{Db, DbError, SqlRow, SqlValue, values};
use super::records::{COLUMNS, read};
use super::spool::Spool;
use super::store::Ledger;
use super::{doubts, journal};
use crate::error::Result;
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::blind_spot::BlindSpot;
use crate::model::flow::{Flow, FlowStage, OpenFlow};
use crate::model::ids::LicenseId;
use crate::model::selection::UncountedRecords;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Records near their end, and how many others there are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpiringRecords {
    /// Those near their end, or with anything noted or open, by UBI and license.
    pub standings: Vec<AuthorizationWithFlows>,
    pub quiet: UncountedRecords,
}

/// The marks of owners that don't live any more.
type DeadOwners = BTreeSet<String>;

impl Ledger {
    /// Every record of a profile with its open flows, ordered by UBI and license.
    pub fn standings(&self, profile: &str) -> Result<Vec<AuthorizationWithFlows>> {
        self.read_consistent_snapshot(|db, dead| {
            let found = look_for(db, "profile = ?1", values![profile])?;
            self.with_flows(db, profile, found, dead)
        })
    }

    pub fn standing(&self, profile: &str, key: &LicenseId) -> Result<Option<AuthorizationWithFlows>> {
        self.read_consistent_snapshot(|db, dead| {
            let found = look_for(
                db,
                "profile = ?1 AND ubi = ?2 AND license = ?3",
                values![profile, key.ubi.as_str(), key.license.as_str()],
            )?;
            Ok(self.with_flows(db, profile, found, dead)?.pop())
        })
    }

    /// The records that selectors can mean, each once, ordered by UBI and license. Which of them a
    /// selector names, [`selection::one`](crate::model::selection::one) decides; where one names none to the letter, that
    /// hangs on all records.
    pub fn find_by_selectors(
        &self,
        profile: &str,
        selectors: &[String],
    ) -> Result<Vec<AuthorizationWithFlows>> {
        self.read_consistent_snapshot(|db, dead| {
            let mut found = BTreeMap::new();
            for selector in selectors.iter().map(|selector| selector.trim()) {
                let (ubi, license) = selector.split_once('/').unzip();
                let called = look_up(
                    db,
                    "SELECT profile, ubi, license FROM authorization WHERE profile = ?1 AND license = ?2
                     UNION SELECT profile, ubi, license FROM authorization WHERE profile = ?1 AND ocm_license = ?2
                     UNION SELECT profile, ubi, license FROM authorization WHERE profile = ?1 AND name = ?2
                     UNION SELECT ?1, ?3, ?4",
                    values![profile, selector, ubi, license],
                )?;
                if called.is_empty() {
                    let all = look_for(db, "profile = ?1", values![profile])?;
                    return self.with_flows(db, profile, all, dead);
                }
                found.extend(called.into_iter().map(|it| (it.record.key.clone(), it)));
            }
            self.with_flows(db, profile, found.into_values().collect(), dead)
        })
    }

    /// The records whose living grant ends by `until`, and those with anything noted or open, by UBI and license.
    pub fn standings_near(&self, profile: &str, until: Timestamp) -> Result<Vec<AuthorizationWithFlows>> {
        self.read_consistent_snapshot(|db, dead| {
            let found = self.near(db, profile, until)?;
            self.with_flows(db, profile, found, dead)
        })
    }

    /// The same, and how many others there are.
    pub fn expiring_and_uncounted(&self, profile: &str, until: Timestamp) -> Result<ExpiringRecords> {
        self.read_consistent_snapshot(|db, dead| {
            let found = self.near(db, profile, until)?;
            let quiet = self.quiet(db, profile, until, &found)?;
            Ok(ExpiringRecords { standings: self.with_flows(db, profile, found, dead)?, quiet })
        })
    }

    fn near(
        &self,
        db: Db<'_>,
        profile: &str,
        until: Timestamp,
    ) -> Result<Vec<AuthorizationWithFlows>, DbError> {
        let (by_end, noted) = (db.by("authorization_by_end"), db.by("authorization_noted"));
        let found = look_up(
            db,
            &format!(
                "SELECT profile, ubi, license FROM authorization {by_end}
                     WHERE profile = ?1 AND expires_at <= ?2 AND deactivated_at IS NULL
                 UNION SELECT profile, ubi, license FROM authorization {noted}
                     WHERE profile = ?1 AND (invalid_at IS NOT NULL OR uncertain_at IS NOT NULL
                         OR revocation_pending OR held_by IS NOT NULL OR held_elsewhere)
                 UNION SELECT profile, ubi, license FROM flow WHERE profile = ?1"
            ),
            values![profile, until.as_second()],
        )?;
        let mut found: BTreeMap<_, _> = found.into_iter().map(|it| (it.record.key.clone(), it)).collect();
        for key in doubts::of_profile(db, profile)? {
            if !found.contains_key(&key) {
                let name = values![profile, key.ubi.as_str(), key.license.as_str()];
                let outdated = look_for(db, "profile = ?1 AND ubi = ?2 AND license = ?3", name)?;
                found.extend(outdated.into_iter().map(|it| (key.clone(), it)));
            }
        }
        Ok(found.into_values().collect())
    }

    /// How many there are beside those that were `found`.
    fn quiet(
        &self,
        db: Db<'_>,
        profile: &str,
        until: Timestamp,
        found: &[AuthorizationWithFlows],
    ) -> Result<UncountedRecords, DbError> {
        let (by_end, given_up) = (db.by("authorization_by_end"), db.by("authorization_given_up"));
        let count = |by: &str, which: &str| -> Result<usize, DbError> {
            let counted = db.number(
                &format!("SELECT count(*) FROM authorization {by} WHERE profile = ?1 AND {which}"),
                values![profile],
            )?;
            Ok(usize::try_from(counted).unwrap_or_default())
        };
        let seen = |like: fn(&Authorization) -> bool| found.iter().filter(|it| like(&it.record)).count();
        // Not those that live: whether one does stands in no index that holds all.
        let given_up_at_all = count(&given_up, "deactivated_at IS NOT NULL")?;
        let living = count(&db.by("authorization_by_license"), "true")?.saturating_sub(given_up_at_all);
        let asked = count(&by_end, "expires_at IS NULL AND deactivated_at IS NULL")?;
        let first_end: Option<i64> = db.row(
            &format!(
                "SELECT expires_at FROM authorization {by_end}
                 WHERE profile = ?1 AND expires_at > ?2 AND deactivated_at IS NULL ORDER BY expires_at LIMIT 1",
            ),
            values![profile, until.as_second()],
            |row| row.get(0),
        )?;
        Ok(UncountedRecords {
            active: living
                .saturating_sub(asked)
                .saturating_sub(seen(|it| it.deactivated_at.is_none() && it.expires_at.is_some())),
            pending: asked.saturating_sub(seen(|it| it.deactivated_at.is_none() && it.expires_at.is_none())),
            deactivated: given_up_at_all.saturating_sub(seen(|it| it.deactivated_at.is_some())),
            days_left: None,
            first_end: first_end.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        })
    }

    pub fn profiles(&self) -> Result<Vec<String>> {
        self.read_consistent_snapshot(|db, _| {
            // One step by the index for each: there are few, however many records they have.
            let next = "SELECT profile FROM authorization WHERE profile > ?1 ORDER BY profile LIMIT 1";
            let mut found: Vec<String> = Vec::new();
            loop {
                let last = found.last().map_or("", String::as_str);
                match db.row(next, values![last], |row| row.get(0))? {
                    Some(profile) => found.push(profile),
                    None => return Ok(found),
                }
            }
        })
    }

    /// The profiles whose records nobody looks after, because they aren't `named`: all but those of which each license was
    /// given up.
    pub fn unnamed_profiles(&self, named: &[String]) -> Result<Vec<BlindSpot>> {
        let mut found = Vec::new();
        for profile in self.profiles()?.into_iter().filter(|profile| !named.contains(profile)) {
            let counted = self.read_consistent_snapshot(|db, _| {
                db.number(
                    "SELECT count(*) FROM authorization WHERE profile = ?1
                     AND (deactivated_at IS NULL OR revocation_pending OR uncertain_at IS NOT NULL)",
                    values![&profile],
                )
            })?;
            let licenses = usize::try_from(counted).unwrap_or_default();
            if licenses > 0 {
                found.push(BlindSpot::UnnamedProfile { profile, licenses });
            }
        }
        Ok(found)
    }

    /// Looks at one snapshot, so that a record and its flow belong together. An owner may answer its flow after
    /// it was read here, and end before it's looked for: only who was dead before a snapshot has left what is in it. Each
    /// round finds more owners dead, or is the last.
    fn read_consistent_snapshot<T>(
        &self,
        look: impl Fn(Db<'_>, &mut DeadOwners) -> Result<T, DbError>,
    ) -> Result<T> {
        const ROUNDS: usize = 10;
        let mut dead = DeadOwners::new();
        let mut read = || {
            let mut round = 1;
            loop {
                let known = dead.len();
                let seen = self.engine.snapshot(|db| look(db, &mut dead))?;
                // defense: S36 owner-was-dead-before
                if dead.len() == known || round == ROUNDS {
                    return Ok(seen);
                }
                round += 1;
            }
        };
        read().map_err(|fault: DbError| fault.named(&self.path, "read"))
    }

    /// The records with what is open about each.
    fn with_flows(
        &self,
        db: Db<'_>,
        profile: &str,
        mut found: Vec<AuthorizationWithFlows>,
        dead: &mut DeadOwners,
    ) -> Result<Vec<AuthorizationWithFlows>, DbError> {
        let flows = match &found[..] {
            [one] => journal::seen_of_key(db, profile, &one.record.key)?,
            _ => journal::seen_of_profile(db, profile)?,
        };
        for key in doubts::of_profile(db, profile)? {
            if let Ok(at) = found.binary_search_by(|it| it.record.key.cmp(&key)) {
                found[at].is_outdated = true;
            }
        }
        for flow in flows {
            // Whether someone is at it costs a look at a file.
            if let Ok(at) = found.binary_search_by(|it| it.record.key.cmp(&flow.key)) {
                found[at].flows.push(self.open_flow(db, flow, dead)?);
            }
        }
        Ok(found)
    }

    fn open_flow(&self, db: Db<'_>, flow: Flow, dead: &mut DeadOwners) -> Result<OpenFlow, DbError> {
        let abandoned = match &flow.owner {
            None => true,
            Some(owner) if dead.contains(&owner.mark) => true,
            Some(owner) if self.living().has(db, owner)? => false,
            Some(owner) => {
                dead.insert(owner.mark.clone());
                true
            }
        };
        let mut stage = flow.stage;
        if let (true, Some(owner)) = (abandoned, &flow.owner)
            && let Some(spooled) = Spool::last_stage(&self.spool, &owner.mark, &flow.id)?
            && stage.order() < spooled.order()
        {
            stage = spooled;
        }
        if let (true, Some(owner)) = (abandoned, &flow.owner) {
            stage = self.stage_it_may_be_at(owner, stage);
        }
        Ok(OpenFlow {
            purpose: flow.purpose,
            username: flow.username.clone(),
            handed_off: flow.handed_off && flow.owner.is_none() && stage == FlowStage::Asked,
            had_answer: flow.had_answer,
            stage,
            opened: flow.opened,
            deadline: flow.deadline,
            abandoned,
        })
    }
}

fn look_for(
    db: Db<'_>,
    which: &str,
    values: &[SqlValue<'_>],
) -> Result<Vec<AuthorizationWithFlows>, DbError> {
    db.rows(
        &format!("SELECT {COLUMNS} FROM authorization WHERE {which} ORDER BY profile, ubi, license"),
        values,
        standing,
    )
}

fn look_up(db: Db<'_>, keys: &str, values: &[SqlValue<'_>]) -> Result<Vec<AuthorizationWithFlows>, DbError> {
    let join = db.join_in_this_order();
    db.rows(
        &format!(
            "SELECT {COLUMNS} FROM ({keys}) AS wanted {join} authorization USING (profile, ubi, license)
             ORDER BY profile, ubi, license"
        ),
        values,
        standing,
    )
}

fn standing(row: &SqlRow<'_>) -> Result<AuthorizationWithFlows, DbError> {
    Ok(AuthorizationWithFlows { record: read(row)?, flows: Vec::new(), is_outdated: false })
}
