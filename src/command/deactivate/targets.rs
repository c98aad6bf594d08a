//! A license that `deactivate` is asked to give up, and what of it.

use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::granted::AwaitingGrant;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeactivationScope {
    License,
    /// Only another admin's grant, which awaits approval.
    Awaiting(AwaitingGrant),
    /// Only a discarded or refused grant, whose revocation the provider hasn't answered.
    Unwanted,
}

pub(super) struct DeactivationTarget<'s> {
    pub(super) standing: &'s AuthorizationWithFlows,
    /// What goes; `None` where nothing of it is left.
    pub(super) extent: Option<DeactivationScope>,
}

impl DeactivationScope {
    /// What goes where the license is meant as a whole: a living one whose discarded grant is still to be revoked stays
    /// in use, so that a command that was to be run once more never ends the reporting.
    pub(super) fn of(record: &Authorization) -> Self {
        let living = record.expires_at.is_some() && record.deactivated_at.is_none();
        match living && record.held_by.is_none() && record.revocation_pending {
            true => Self::Unwanted,
            false => Self::License,
        }
    }

    /// What goes where only what awaits approval is meant, or what is left of it.
    pub(super) fn awaiting(record: &Authorization, grants: &[AwaitingGrant]) -> Option<Self> {
        let grant = grants.iter().find(|grant| grant.key == record.key);
        let left = record.revocation_pending.then_some(Self::Unwanted);
        grant.cloned().map(Self::Awaiting).or(left)
    }
}
