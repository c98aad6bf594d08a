//! What is said of giving up: what it would be, what came of it, and the sum of several.

use super::targets::DeactivationScope;
use crate::custody::Revocation;
use crate::error::{Error, ProviderError, licenses};
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::ids::LicenseId;
use crate::model::run_counts::RunCounts;

/// What will be given up of one license, after "to".
pub(super) fn intent(record: &Authorization, extent: &DeactivationScope) -> String {
    let license = &record.key.license;
    match extent {
        DeactivationScope::License => match record.held_by.as_deref() {
            Some(other) => {
                format!("deactivate {license} and discard the grant from {other} that awaits approval for it")
            }
            None => format!("deactivate {license}"),
        },
        DeactivationScope::Awaiting(grant) => {
            let granted = record.created_at.is_some() && record.deactivated_at.is_none();
            let own = if granted { "; the license's own grant stays" } else { "" };
            format!(
                "discard only the grant from {} that awaits approval for {license}{own}",
                grant.granted_by
            )
        }
        DeactivationScope::Unwanted => format!("revoke only the discarded grant for {license}"),
    }
}

/// The same of all of them; up to so many are named.
pub(super) fn intents(going: &[(&AuthorizationWithFlows, DeactivationScope)], named: usize) -> String {
    if let [(only, extent)] = going {
        return intent(&only.record, extent);
    }
    let (whole, beside): (Vec<_>, Vec<_>) = going.iter().partition(|(it, extent)| {
        *extent == DeactivationScope::License && (it.record.held_by.is_none() || going.len() > named)
    });
    if going.len() > named {
        let waiting = whole.iter().filter(|(it, _)| it.record.held_by.is_some()).count();
        let part = |what: &str, of: &[_]| (!of.is_empty()).then(|| format!("{what} {}", licenses(of.len())));
        let parts = [
            part("deactivate", &whole),
            (waiting > 0).then(|| format!("discard {waiting} of their grants that await approval")),
            part("discard only the additional grants of", &beside),
        ];
        return parts.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    }
    let names = names(&whole);
    let whole = (!names.is_empty()).then(|| format!("deactivate {}", names.join(", ")));
    let beside = beside.iter().map(|(it, extent)| intent(&it.record, extent));
    whole.into_iter().chain(beside).collect::<Vec<_>>().join("; ")
}

/// Their licenses, with the UBI where they aren't all of one company.
pub(super) fn names(of: &[&(&AuthorizationWithFlows, DeactivationScope)]) -> Vec<String> {
    let keys: Vec<_> = of.iter().map(|(it, _)| &it.record.key).collect();
    let one_company = keys.windows(2).all(|pair| pair[0].ubi == pair[1].ubi);
    keys.iter().map(|key| if one_company { key.license.to_string() } else { key.to_string() }).collect()
}

/// Why there is nothing to do for one.
pub(super) fn nothing(awaiting: bool) -> &'static str {
    if awaiting { "nothing awaits approval: nothing to do" } else { "already deactivated: nothing to do" }
}

/// One of which nothing is left to give up.
pub(super) fn nothing_left(key: &LicenseId, awaiting: bool) -> String {
    match awaiting {
        true => format!("No grant for {} awaits approval: nothing to do.\n", key.license),
        false => format!("{} is already deactivated: nothing to do.\n", key.license),
    }
}

pub(super) fn failed(key: &LicenseId, e: &Error) -> String {
    format!("{} could not be deactivated: {}.\n", key.license, e.without_license(key.license.as_str()))
}

/// What came of several, in a line.
pub(super) fn sum(counts: RunCounts) -> String {
    let next = if counts.wants_more() { " Run the same command again to finish." } else { "" };
    format!("{counts}.{next}\n")
}

/// A grant that nobody here has a token of.
pub(in super::super) const LOST: &str = "BioTrack's answer to a grant, or the grant's tokens, were lost: the grant may still be valid, and there is no token to revoke it with; the admin can remove it.";

/// The two results, apart. `in_doubt`: an answer of the provider had been lost.
pub(super) fn results(key: &LicenseId, revocation: &Revocation, in_doubt: bool) -> String {
    let here = format!("{} is deactivated here; its history is kept.", key.license);
    let there = match revocation {
        Revocation::Revoked => "At BioTrack: revoked.",
        Revocation::NotOffered => {
            "At BioTrack: not revoked, because it offers no revocation; the grant stays valid there until it expires or the admin removes it."
        }
        Revocation::NotAsked => NOT_ASKED,
        Revocation::Elsewhere => {
            "At BioTrack: not revoked, because another host has the tokens (they were exported, or came from a backup). Revoke the grant there, or ask the admin to remove it."
        }
        Revocation::Nothing if in_doubt => {
            "At BioTrack: a grant may still be valid. BioTrack's answer or the grant's tokens were lost, so there is no token to revoke it with; the admin can remove it."
        }
        Revocation::Nothing => "At BioTrack: nothing left to revoke.",
        Revocation::Pending(e) if e.may_have_taken_effect() => {
            "At BioTrack: uncertain, because the answer to the revocation was lost; the tokens are kept. Run the same command again to make sure."
        }
        Revocation::Pending(Error::Provider(ProviderError::TokenRefused { .. })) => {
            "At BioTrack: NOT revoked, because BioTrack refused; the tokens are kept."
        }
        Revocation::Pending(_) => {
            "At BioTrack: NOT revoked yet; the tokens are kept. Run the same command again to retry."
        }
    };
    match revocation {
        Revocation::Nothing => format!("{here}\n{there}\n"),
        _ if in_doubt => format!("{here}\n{there}\n{LOST}\n"),
        _ => format!("{here}\n{there}\n"),
    }
}

const NOT_ASKED: &str = "At BioTrack: not revoked (--local-only); the grant stays valid there until it expires or the admin removes it.";

/// The same of what stood beside the license's own grant, which `lives` or doesn't; `again`: the command that tries its
/// revocation once more.
pub(super) fn discarded(
    key: &LicenseId,
    extent: &DeactivationScope,
    revocation: &Revocation,
    lives: bool,
    again: &str,
) -> String {
    let license = &key.license;
    let own = if lives { "; the license's own grant is untouched" } else { "" };
    let here = match extent {
        DeactivationScope::Awaiting(grant) => {
            format!("{license}: the grant from {} is discarded{own}.", grant.granted_by)
        }
        _ if lives => format!("{license}: the license's own grant is untouched."),
        _ => format!("{license}: nothing else was changed."),
    };
    let there = match revocation {
        Revocation::NotOffered if lives => {
            "At BioTrack: not revoked, because that could end the license's own grant, too; it stays valid there until it expires.".into()
        }
        Revocation::NotOffered => {
            "At BioTrack: not revoked, because it offers no revocation; the grant stays valid there until it expires or the admin removes it.".into()
        }
        Revocation::NotAsked => NOT_ASKED.to_owned(),
        Revocation::Pending(_) => {
            format!("At BioTrack: NOT revoked yet; the tokens are kept. To retry: {again}")
        }
        Revocation::Nothing => {
            "At BioTrack: not revoked, because its tokens are lost; the grant may still be valid there until the admin removes it.".into()
        }
        Revocation::Revoked | Revocation::Elsewhere => "At BioTrack: revoked.".into(),
    };
    format!("{here}\n{there}\n")
}
