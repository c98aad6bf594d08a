//! What a grant that is live from now on makes of its record.

use crate::error::Result;
use crate::ledger::Ledger;
use crate::model::authorization::Authorization;
use crate::model::consent::account;
use crate::model::expiry::estimate;
use crate::model::flow::{Move, Role, StoredSecret};
use crate::model::granted::Granted;
use crate::model::instant::{for_machines, whole_second};
use crate::model::provider::{Provider, RevocationScope};

/// Tokens out of a backup that wasn't adopted: they live elsewhere, so a new grant takes their place here without
/// their being revoked.
pub(super) fn tokens_of_elsewhere(ledger: &Ledger, record: &Authorization) -> Result<Vec<StoredSecret>> {
    match record.held_elsewhere {
        true => ledger.secrets(&record.profile, &record.key, Role::Live),
        false => Ok(Vec::new()),
    }
}

/// The record of a live grant.
pub(super) fn make_live(record: &mut Authorization, provider: &Provider, granted: &Granted, renewed: bool) {
    let at = whole_second(granted.received_at);
    if renewed && record.created_at.is_some() {
        record.renewed_at = Some(at);
    } else {
        record.created_at = Some(at);
        record.renewed_at = None;
    }
    record.expires_estimated = granted.expires_at.is_none();
    record.expires_at = Some(whole_second(
        granted.expires_at.unwrap_or_else(|| estimate(at, provider.lifetime, &provider.zone)),
    ));
    record.granted_by = granted.reported.username.as_deref().map(account);
    record.deactivated_at = None;
    record.invalid_at = None;
    record.uncertain_at = None;
    record.held_by = None;
    record.held_elsewhere = false;
    record.generation = record.generation.next();
}

/// With a new living grant, older ones that nobody wants go too. Where a revocation could end the new grant as well,
/// they are only forgotten: reporting never stops for us.
pub(super) fn drop_unwanted(record: &mut Authorization, provider: &Provider) -> Vec<Move> {
    match provider.revocation_scope {
        RevocationScope::Token => Vec::new(),
        RevocationScope::Grant => {
            record.revocation_pending = false;
            vec![Move::Turn(Role::Unwanted, Role::Superseded)]
        }
    }
}

pub(super) fn summary(record: &Authorization, unconfirmed: &[String]) -> String {
    let until = record.expires_at.map_or_else(String::new, for_machines);
    let estimated = if record.expires_estimated { " (estimated)" } else { "" };
    let by = record
        .granted_by
        .as_ref()
        .map_or_else(|| "by an admin not named".to_owned(), |who| format!("by {who}"));
    let not_confirmed = match unconfirmed {
        [] => String::new(),
        _ => format!("; not confirmed: {}", unconfirmed.join(", ")),
    };
    format!("{by}, until {until}{estimated}{not_confirmed}")
}
