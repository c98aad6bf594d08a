//! What a grant that is live from now on makes of its record.

use crate::error::Result;
use crate::ledger::Ledger;
use crate::model::authorization::Authorization;
use crate::model::consent::account;
use crate::model::expiry::estimate;
use crate::model::flow::{SecretRole, SecretsChange, StoredSecret};
use crate::model::grant_before::{PreviousFacts, PreviousGrant};
use crate::model::granted::Granted;
use crate::model::instant::{for_machines, whole_second};
use crate::model::provider::{Provider, RevocationScope};
use jiff::Timestamp;

/// Tokens out of a backup that wasn't adopted: they live elsewhere, so a new grant takes their place here without
/// their being revoked.
pub(super) fn tokens_of_elsewhere(ledger: &Ledger, record: &Authorization) -> Result<Vec<StoredSecret>> {
    match record.held_elsewhere {
        true => ledger.secrets(&record.profile, &record.key, SecretRole::Live),
        false => Ok(Vec::new()),
    }
}

/// When a grant ends, and whether that's our estimate. One without a refresh token ends with its access token, where the
/// provider says how long that lives.
fn end_of(granted: &Granted, provider: &Provider) -> (Timestamp, bool) {
    let told = match (&granted.refresh, granted.access_expires_at) {
        (None, Some(access)) => Some(granted.expires_at.map_or(access, |told| told.min(access))),
        _ => granted.expires_at,
    };
    let estimated = || estimate(whole_second(granted.received_at), provider.lifetime, &provider.zone);
    (whole_second(told.unwrap_or_else(estimated)), told.is_none())
}

/// The record of a live grant, of which the answer didn't confirm this.
pub(super) fn make_live(
    record: &mut Authorization,
    provider: &Provider,
    granted: &Granted,
    renewed: bool,
    unconfirmed: &[String],
) {
    let at = whole_second(granted.received_at);
    if renewed && record.created_at.is_some() {
        record.renewed_at = Some(at);
    } else {
        record.created_at = Some(at);
        record.renewed_at = None;
    }
    let (ends, estimated) = end_of(granted, provider);
    (record.expires_at, record.expires_estimated) = (Some(ends), estimated);
    record.unconfirmed = unconfirmed.to_vec();
    record.grant_before = None;
    record.granted_by = granted.reported.username.as_deref().map(account);
    record.deactivated_at = None;
    record.invalid_at = None;
    record.uncertain_at = None;
    record.held_by = None;
    record.held_elsewhere = false;
    record.generation = record.generation.next();
}

/// What the record says of its living grant, kept while the next one waits for its proof.
fn before(record: &Authorization, secret: i64) -> Option<PreviousGrant> {
    PreviousGrant::of(&PreviousFacts {
        secret,
        created_at: record.created_at,
        renewed_at: record.renewed_at,
        expires_at: record.expires_at,
        expires_estimated: record.expires_estimated,
        granted_by: record.granted_by.clone(),
        unconfirmed: record.unconfirmed.clone(),
    })
}

/// What is kept of the grant that a new one replaces: nothing where the new one is proven, or nothing lives to be kept.
pub(super) fn kept_before(
    ledger: &Ledger,
    record: &Authorization,
    is_proven: bool,
    now: Timestamp,
) -> Result<Option<PreviousGrant>> {
    if is_proven || !record.has_valid_grant(now) || record.held_elsewhere {
        return Ok(None);
    }
    // The living one was never proven either.
    if keeps_before(record, now) {
        return Ok(record.grant_before.clone());
    }
    let live = ledger.secrets(&record.profile, &record.key, SecretRole::Live)?.pop();
    Ok(live.and_then(|live| before(record, live.id)))
}

/// Whether a grant from before is kept that the living one hasn't proven dispensable, and that hasn't ended itself.
pub(in crate::custody) fn keeps_before(record: &Authorization, now: Timestamp) -> bool {
    let ends = record.grant_before.as_ref().and_then(PreviousGrant::facts).and_then(|facts| facts.expires_at);
    ends.is_some_and(|ends| now < ends)
}

/// Makes the record say again what it said of the grant before; `None`, and nothing is changed, where nothing was kept.
/// Else the row of that one's token set.
pub(super) fn return_to_before(record: &mut Authorization) -> Option<i64> {
    let facts = record.grant_before.as_ref().and_then(PreviousGrant::facts)?;
    record.created_at = facts.created_at;
    record.renewed_at = facts.renewed_at;
    record.expires_at = facts.expires_at;
    record.expires_estimated = facts.expires_estimated;
    record.granted_by = facts.granted_by;
    record.unconfirmed = facts.unconfirmed;
    record.invalid_at = None;
    record.grant_before = None;
    Some(facts.secret)
}

/// With a new living grant, older ones that nobody wants go too. Where a revocation could end the new grant as well,
/// they are only forgotten: reporting never stops for us.
pub(super) fn drop_unwanted(record: &mut Authorization, provider: &Provider) -> Vec<SecretsChange> {
    match provider.revocation_scope {
        RevocationScope::Token => Vec::new(),
        RevocationScope::Grant => {
            record.revocation_pending = false;
            vec![SecretsChange::Turn(SecretRole::Unwanted, SecretRole::Superseded)]
        }
    }
}

pub(super) fn summary(record: &Authorization) -> String {
    let until = record.expires_at.map_or_else(String::new, for_machines);
    let estimated = if record.expires_estimated { " (estimated)" } else { "" };
    let by = record
        .granted_by
        .as_ref()
        .map_or_else(|| "by an admin not named".to_owned(), |who| format!("by {who}"));
    let not_confirmed = match &record.unconfirmed[..] {
        [] => String::new(),
        unconfirmed => format!("; not confirmed: {}", unconfirmed.join(", ")),
    };
    format!("{by}, until {until}{estimated}{not_confirmed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::LicenseId;

    #[test]
    fn a_record_says_again_what_it_said_of_the_grant_before() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let key = LicenseId { ubi: "604001".parse().unwrap(), license: "L-1".parse().unwrap() };
        let asked = Authorization::asked("ny", key, "ann@example.com".parse().unwrap());
        let first = Authorization {
            created_at: at("2026-01-01T00:00:00Z"),
            expires_at: at("2026-04-11T00:00:00Z"),
            expires_estimated: true,
            granted_by: Some("ann@example.com".into()),
            unconfirmed: vec!["Company".into()],
            ..asked.clone()
        };
        let mut after = Authorization {
            created_at: first.created_at,
            renewed_at: at("2026-04-01T00:00:00Z"),
            expires_at: at("2026-07-10T00:00:00Z"),
            invalid_at: at("2026-04-02T00:00:00Z"),
            grant_before: before(&first, 7),
            ..asked
        };
        assert_eq!(return_to_before(&mut after), Some(7));
        assert_eq!(after, first);
        assert_eq!(return_to_before(&mut after), None, "nothing is kept any more");
    }
}
