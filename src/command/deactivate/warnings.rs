//! What a person should know before saying yes; of several licenses in a few lines, not in one each.

use super::messages::names;
use super::targets::DeactivationScope;
use crate::error::{first_few, licenses};
use crate::model::authorization::{Authorization, AuthorizationWithFlows, State};
use crate::model::ids::{LicenseId, same_account};
use crate::model::provider::{Provider, RevocationScope};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// So many are named, and the others counted.
const SHOWN: usize = 5;

/// The hours of the profile's zone in which stores sell.
const BUSINESS_HOURS: std::ops::Range<i8> = 8..22;

/// The warnings about what is going to be given up, out of all that there is; `doubted` are those whose refresh tokens may
/// be spent, because the ledger went back in time.
pub(super) fn of(
    going: &[(&AuthorizationWithFlows, DeactivationScope)],
    all: &[AuthorizationWithFlows],
    doubted: &BTreeSet<LicenseId>,
    provider: &Provider,
    now: Timestamp,
) -> Vec<String> {
    let whole: Vec<_> = going.iter().filter(|(_, extent)| *extent == DeactivationScope::License).collect();
    let mut warnings = Vec::from_iter(stops_reporting(&whole, provider, now));
    warnings.extend(may_miss(going, doubted));
    let revoking = provider.revocation_url.is_some() || provider.metadata;
    if provider.revocation_scope == RevocationScope::Grant && revoking {
        warnings.extend(shared_accounts(&whole, all));
        warnings.extend(shared_with_waiting(going, all, now));
    }
    warnings
}

fn stops_reporting(
    whole: &[&(&AuthorizationWithFlows, DeactivationScope)],
    provider: &Provider,
    now: Timestamp,
) -> Option<String> {
    let reporting: Vec<_> = whole
        .iter()
        .copied()
        .filter(|(it, _)| {
            let state = it.record.state(now, provider.due_window, &provider.zone);
            matches!(state, State::Active | State::Due)
        })
        .collect();
    let during = if BUSINESS_HOURS.contains(&provider.zone.local(now).hour()) {
        format!(" It's {}: business hours.", provider.zone.time(now))
    } else {
        String::new()
    };
    let through = match provider.company.as_str() {
        "" => String::new(),
        company => format!(" through {company}"),
    };
    match (reporting.len(), names(&reporting)) {
        (0, _) => None,
        (1, name) => Some(format!(
            "Warning: {} stops reporting to the state{through} when it's deactivated.{during}",
            name.concat()
        )),
        (count, names) => Some(format!(
            "Warning: {} stop reporting to the state{through} when they're deactivated: {}.{during}",
            licenses(count),
            first_few(&names, SHOWN)
        )),
    }
}

/// Whose newest tokens aren't here.
fn may_miss(
    going: &[(&AuthorizationWithFlows, DeactivationScope)],
    doubted: &BTreeSet<LicenseId>,
) -> Option<String> {
    let missed = going.iter().map(|(it, _)| &it.record.key).filter(|key| doubted.contains(key));
    let missed: Vec<_> = missed.map(|key| key.license.to_string()).collect();
    (!missed.is_empty()).then(|| {
        format!(
            "Warning: the ledger went back in time, and newer tokens of {} may still be valid at BioTrack: check there that the grant has ended.",
            first_few(&missed, SHOWN)
        )
    })
}

/// Whose grants may end with these, though nobody named them: a line an account.
fn shared_accounts(
    whole: &[&(&AuthorizationWithFlows, DeactivationScope)],
    all: &[AuthorizationWithFlows],
) -> Vec<String> {
    let going: BTreeSet<_> = whole.iter().map(|(it, _)| &it.record.key).collect();
    let accounts: BTreeMap<_, _> =
        whole.iter().map(|(it, _)| (account(&it.record).to_lowercase(), account(&it.record))).collect();
    let mut lines = Vec::new();
    for account in accounts.into_values() {
        let sharing: Vec<_> = all
            .iter()
            .map(|it| &it.record)
            .filter(|it| !going.contains(&it.key) && it.deactivated_at.is_none() && it.expires_at.is_some())
            .filter(|it| it.username.same_as(account) || same_account(self::account(it), account))
            .map(|it| it.key.to_string())
            .collect();
        let (these, names) = match whole.len() {
            1 => ("this one", sharing.join(", ")),
            _ => ("these", first_few(&sharing, SHOWN)),
        };
        if !sharing.is_empty() {
            lines.push(format!("Warning: BioTrack may end every grant of {account} with {these}: {names}."));
        }
    }
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("Warning: the same may happen for {more} more accounts."));
    }
    lines
}

/// Whose grants may end with one that is discarded, whose license has no grant in use.
fn shared_with_waiting(
    going: &[(&AuthorizationWithFlows, DeactivationScope)],
    all: &[AuthorizationWithFlows],
    now: Timestamp,
) -> impl Iterator<Item = String> {
    let alone = going.iter().filter(move |(it, _)| !it.record.has_valid_grant(now));
    alone.filter_map(move |(it, extent)| {
        let DeactivationScope::Awaiting(grant) = extent else { return None };
        let others = all
            .iter()
            .map(|it| &it.record)
            .filter(|other| other.key != it.record.key && other.has_valid_grant(now));
        let sharing: Vec<_> = others
            .filter(|other| same_account(account(other), &grant.granted_by))
            .map(|other| other.key.to_string())
            .collect();
        let who = &grant.granted_by;
        (!sharing.is_empty()).then(|| {
            format!(
                "Warning: BioTrack may end every grant of {who} with this one: {}.",
                first_few(&sharing, SHOWN)
            )
        })
    })
}

/// The account that granted, as far as it's known.
fn account(record: &Authorization) -> &str {
    record.granted_by.as_deref().unwrap_or(record.username.as_str())
}
