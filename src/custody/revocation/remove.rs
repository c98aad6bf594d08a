//! A record is taken out of the ledger: one that has no grant, and of which nothing is left to be finished.

use super::deactivate::{ROLES, grants_of};
use crate::custody::writer::{Custody, event, retry_if_changed};
use crate::error::{Error, Result};
use crate::ledger::RemovedRecord;
use crate::model::authorization::{Authorization, AuthorizationWithFlows, command_for};
use crate::model::flow::{SecretRole, StoredSecret};
use crate::model::history::HistoryEventKind;
use crate::model::ids::LicenseId;

#[derive(Debug)]
pub struct RemovalResult {
    pub before: AuthorizationWithFlows,
    /// How many of its events waited for their hooks, which aren't run any more.
    pub hooks: usize,
}

impl Custody<'_> {
    /// Takes a record out of the ledger; its history stays. Links that wait for an answer are closed.
    ///
    /// # Errors
    /// [`Error::NotRemovable`] where it has a grant, or anything of one is to be finished: with the command that comes first.
    /// [`Error::Busy`] where somebody is at it.
    pub fn remove(&mut self, key: &LicenseId) -> Result<RemovalResult> {
        // What a process that has ended had only noted beside the ledger counts, too.
        self.ledger.unfinished(&self.provider.profile, Some(key))?;
        let (before, removed) = retry_if_changed(self, |custody| {
            let before = custody.record(key)?;
            let grants = grants_of(&custody.ledger, &before.record.profile, key)?;
            if let Some(why) = why_kept(&before, &grants) {
                let next = command_for("deactivate", &before.record, custody.provider.other_profile);
                return Err(Error::NotRemovable { license: key.license.to_string(), why, next });
            }
            let told = event(
                &before.record,
                HistoryEventKind::Removed,
                &what_was_known(&before.record),
                custody.env.clock.now(),
            );
            let removed = custody.ledger.remove(&before.record, &told)?;
            Ok((before, removed))
        })?;
        let RemovedRecord { memos, hooks } = removed;
        self.orphaned_items.extend(memos);
        Ok(RemovalResult { before, hooks })
    }
}

/// Why a record isn't removed, in words; `None` where it may be, or where only somebody who is at it keeps it.
fn why_kept(standing: &AuthorizationWithFlows, grants: &[StoredSecret]) -> Option<&'static str> {
    let record = &standing.record;
    let left_over = standing.flows.iter().any(|flow| flow.abandoned && !flow.waits_for_anybody());
    let has = |role| grants.iter().any(|grant| grant.role == role);
    Some(if left_over {
        "a process that has ended left a consent or refresh of it unfinished"
    } else if record.revocation_pending {
        "a revocation of its grant is pending"
    } else if record.held_by.is_some() || has(SecretRole::Held) {
        "a grant from another admin awaits approval"
    } else if record.held_elsewhere {
        "its grant is in use elsewhere, or came from a backup"
    } else if record.is_granted() {
        "it has a grant"
    } else if ROLES.iter().any(|role| has(*role)) {
        "tokens of an earlier grant are still kept"
    } else if record.uncertain_at.is_some() && record.deactivated_at.is_none() {
        "it is uncertain whether it was granted"
    } else {
        return None;
    })
}

/// What the history keeps of a record that goes: enough to register it again.
fn what_was_known(record: &Authorization) -> String {
    let state = if record.deactivated_at.is_some() { "deactivated" } else { "never granted" };
    let known = [
        ("name", record.name.as_ref().map(|it| it.to_string())),
        ("ocm_license", record.ocm_license.as_ref().map(|it| it.to_string())),
        ("contact", record.contact.as_ref().map(|it| it.to_string())),
        (
            "tags",
            (!record.tags.is_empty())
                .then(|| record.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(";")),
        ),
    ];
    let known = known.into_iter().filter_map(|(field, value)| Some(format!("; {field} {}", value?)));
    format!("{state}; username {}{}", record.username, known.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::flow::{FlowStage, OpenFlow, Purpose, SealedBytes, SecretPlace};
    use crate::model::ids::Generation;
    use jiff::Timestamp;

    fn record() -> Authorization {
        let key = LicenseId { ubi: "604001".parse().unwrap(), license: "L-1".parse().unwrap() };
        Authorization::asked("ny", key, "ann@example.com".parse().unwrap())
    }

    fn deactivated() -> Authorization {
        Authorization {
            created_at: Some(Timestamp::UNIX_EPOCH),
            expires_at: Some(Timestamp::UNIX_EPOCH),
            deactivated_at: Some(Timestamp::UNIX_EPOCH),
            ..record()
        }
    }

    fn flow(stage: FlowStage, abandoned: bool) -> OpenFlow {
        OpenFlow {
            purpose: Purpose::Register,
            username: record().username,
            stage,
            opened: Timestamp::UNIX_EPOCH,
            deadline: Timestamp::UNIX_EPOCH,
            handed_off: false,
            had_answer: false,
            abandoned,
        }
    }

    fn kept(record: Authorization, flows: Vec<OpenFlow>, role: Option<SecretRole>) -> Option<&'static str> {
        let secret = |role| StoredSecret {
            id: 1,
            role,
            place: SecretPlace::Item("item".into()),
            generation: Generation(1),
            is_old: false,
        };
        why_kept(
            &AuthorizationWithFlows { record, flows, is_outdated: false },
            &role.map(secret).into_iter().collect::<Vec<_>>(),
        )
    }

    #[test]
    fn what_was_never_granted_or_is_deactivated_may_go_with_its_links() {
        assert_eq!(kept(record(), Vec::new(), None), None);
        assert_eq!(kept(deactivated(), Vec::new(), None), None);
        assert_eq!(kept(record(), vec![flow(FlowStage::Asked, true)], None), None);
        // A grant that nobody here has a token of isn't found by keeping the record.
        let uncertain = Authorization { uncertain_at: Some(Timestamp::UNIX_EPOCH), ..deactivated() };
        assert_eq!(kept(uncertain, Vec::new(), None), None);
    }

    #[test]
    fn whatever_of_a_grant_is_left_keeps_the_record() {
        let now = Some(Timestamp::UNIX_EPOCH);
        for (record, told) in [
            (Authorization { deactivated_at: None, ..deactivated() }, "it has a grant"),
            (
                Authorization { revocation_pending: true, ..deactivated() },
                "a revocation of its grant is pending",
            ),
            (
                Authorization { held_by: Some("bob".into()), ..record() },
                "a grant from another admin awaits approval",
            ),
            (
                Authorization { held_elsewhere: true, deactivated_at: None, ..deactivated() },
                "its grant is in use elsewhere, or came from a backup",
            ),
            (Authorization { uncertain_at: now, ..record() }, "it is uncertain whether it was granted"),
        ] {
            assert_eq!(kept(record, Vec::new(), None), Some(told));
        }
        for role in ROLES {
            assert!(kept(deactivated(), Vec::new(), Some(role)).is_some(), "{role:?}");
        }
        let stages = [
            FlowStage::Arrived(SealedBytes(Vec::new())),
            FlowStage::Sent,
            FlowStage::Refused,
            FlowStage::Answered(SealedBytes(Vec::new())),
        ];
        for stage in stages {
            let told = "a process that has ended left a consent or refresh of it unfinished";
            assert_eq!(kept(record(), vec![flow(stage, true)], None), Some(told));
        }
    }
}
