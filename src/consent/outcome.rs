//! What a consent's end means for its license.

use crate::custody::{Custody, GrantRemarks, StoreOutcome};
use crate::error::{Error, Result};
use crate::model::authorization::{accept_waiting, command_for, discard_waiting, register_again, selector};
use crate::model::flow::Purpose;
use crate::model::ids::LicenseId;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::plan::PlannedLicense;
use crate::model::provider::Provider;

/// What an answer means for its license: another admin's grant is accepted where `take` says so of whoever granted.
pub fn outcome_of(
    custody: &mut Custody<'_>,
    item: &PlannedLicense,
    kept: Result<StoreOutcome>,
    take: impl FnOnce(&str) -> bool,
) -> Outcome {
    let (key, provider) = (&item.key, custody.provider().clone());
    let (ending, error) = match kept {
        Ok(StoreOutcome::Live { remarks }) => return outcome_of_grant(custody, key, &remarks),
        Ok(StoreOutcome::Held { granted_by }) if take(&granted_by) => {
            match custody.accept_of(key, &granted_by) {
                Ok(()) => return outcome_of_grant(custody, key, &GrantRemarks::default()),
                Err(e) => (OutcomeKind::AwaitingApproval, Some(e)),
            }
        }
        Ok(StoreOutcome::Held { granted_by }) => {
            let record = item.record_while_asked(None, &provider.profile);
            let error = Error::OtherAdmin {
                license: key.license.to_string(),
                granted_by,
                username: item.username.to_string(),
                accept: accept_waiting(&record, provider.other_profile),
                discard: discard_waiting(&record, provider.other_profile),
            };
            (OutcomeKind::AwaitingApproval, Some(error))
        }
        Err(e) => (OutcomeKind::Failed, Some(without_grant(e, item, &provider))),
    };
    outcome_as_it_stands(custody, key, ending, error)
}

/// What a license comes to that has a new grant: what its record says once that's settled, and not what was hoped for.
pub fn outcome_of_grant(custody: &mut Custody<'_>, key: &LicenseId, remarks: &GrantRemarks) -> Outcome {
    let (ending, error) = match custody.settle_new(key) {
        Ok(()) => (OutcomeKind::Granted, None),
        Err(e) => (OutcomeKind::Failed, Some(e)),
    };
    let mut outcome = outcome_as_it_stands(custody, key, ending, error);
    outcome.remarks = match (ending, &outcome.standing) {
        (OutcomeKind::Granted, Some(standing)) => remarks.sentences(&standing.record),
        (OutcomeKind::Granted, None) => {
            vec!["The grant is stored. Its record couldn't be read just now.".into()]
        }
        _ => Vec::new(),
    };
    outcome
}

fn outcome_as_it_stands(
    custody: &Custody<'_>,
    key: &LicenseId,
    ending: OutcomeKind,
    error: Option<Error>,
) -> Outcome {
    Outcome { error, ..Outcome::of(key.clone(), ending, custody.standing_to_tell(key)) }
}

/// What kept a consent from bringing a grant, with the command that asks once more.
pub fn without_grant(error: Error, item: &PlannedLicense, provider: &Provider) -> Error {
    match error {
        Error::Provider(error) => Error::NoGrant {
            license: Some(item.key.license.to_string()),
            error: Box::new(error),
            next: asking_again(item, provider),
        },
        other => other.for_license(&selector(&item.key, provider.other())),
    }
}

/// The command that asks about a license once more.
pub fn asking_again(item: &PlannedLicense, provider: &Provider) -> String {
    let record = item.record_while_asked(None, &provider.profile);
    match item.purpose {
        Purpose::Register => register_again(&record, provider.other_profile),
        _ => command_for("renew", &record, provider.other_profile),
    }
}
