//! What is said of giving up: what it would be, what came of it, and the sum of several.

use crate::custody::{Extent, Revocation};
use crate::error::{Error, licenses};
use crate::model::authorization::{Authorization, Standing};
use crate::model::ids::Key;
use crate::model::run_counts::RunCounts;

/// What will be given up of one license, after "to".
pub(super) fn intent(record: &Authorization, extent: Extent) -> String {
    let license = &record.key.license;
    match extent {
        Extent::License => format!("deactivate {license}"),
        Extent::Held => {
            let other = record.held_by.as_deref().unwrap_or("another admin");
            format!("throw away the held grant of {other} for {license}, whose own grant stays")
        }
        Extent::Unwanted => format!("revoke the unwanted grant for {license}, whose own grant stays"),
    }
}

/// The same of all of them; up to so many are named.
pub(super) fn intents(going: &[(&Standing, Extent)], named: usize) -> String {
    if let [(only, extent)] = going {
        return intent(&only.record, *extent);
    }
    let (whole, beside): (Vec<_>, Vec<_>) = going.iter().partition(|(_, extent)| *extent == Extent::License);
    if going.len() > named {
        let part = |what: &str, of: &[_]| (!of.is_empty()).then(|| format!("{what} {}", licenses(of.len())));
        let parts = [
            part("deactivate", &whole),
            part("give up the held or unwanted grants, beside living ones, of", &beside),
        ];
        return parts.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    }
    let names = names(&whole);
    let whole = (!names.is_empty()).then(|| format!("deactivate {}", names.join(", ")));
    let beside = beside.iter().map(|(it, extent)| intent(&it.record, *extent));
    whole.into_iter().chain(beside).collect::<Vec<_>>().join("; ")
}

/// Their licenses, with the UBI where they aren't all of one company.
pub(super) fn names(of: &[&(&Standing, Extent)]) -> Vec<String> {
    let keys: Vec<_> = of.iter().map(|(it, _)| &it.record.key).collect();
    let one_company = keys.windows(2).all(|pair| pair[0].ubi == pair[1].ubi);
    keys.iter().map(|key| if one_company { key.license.to_string() } else { key.to_string() }).collect()
}

/// One of which nothing is left to give up.
pub(super) fn nothing_left(key: &Key) -> String {
    format!("{} is deactivated already: nothing to do.\n", key.license)
}

/// One of several that failed.
pub(super) fn failed(key: &Key, e: &Error) -> String {
    format!("{} could not be given up: {e}.\n", key.license)
}

/// What came of several, in a line.
pub(super) fn sum(counts: RunCounts) -> String {
    let next = if counts.wants_more() { " Run the same command again to finish." } else { "" };
    format!("{counts}.{next}\n")
}

/// A grant that nobody here has a token of.
pub(in super::super) const LOST: &str = "A grant whose answer was lost may still stand, and there is no token to revoke it with; the admin can remove it.";

/// The two results, apart. `in_doubt`: an answer of the provider had been lost.
pub(super) fn results(key: &Key, extent: Extent, revocation: &Revocation, in_doubt: bool) -> String {
    let license = &key.license;
    let here = match extent {
        Extent::License => format!("{license} is deactivated here; its history is kept."),
        Extent::Held => {
            format!("{license}: the held grant is thrown away; the license's own grant is untouched.")
        }
        Extent::Unwanted => format!("{license}: the license's own grant is untouched."),
    };
    let there = match revocation {
        Revocation::Revoked => "At BioTrack: revoked.",
        Revocation::NotOffered if extent != Extent::License => {
            "At BioTrack: not revoked, because that could end the license's own grant too; it stays valid there until it lapses."
        }
        Revocation::NotOffered => {
            "At BioTrack: not revoked, because it offers no way to; the grant stays valid there until it lapses or the admin removes it."
        }
        Revocation::NotAsked => {
            "At BioTrack: not asked (--local-only); the grant stays valid there until it lapses or the admin removes it."
        }
        Revocation::Elsewhere => {
            "At BioTrack: not asked, because its tokens live elsewhere (it was exported with them, or came from a backup); revoke it there, or the admin removes it."
        }
        Revocation::Nothing if in_doubt => {
            "At BioTrack: a grant may still stand. Its answer was lost, so there is no token to revoke it with; the admin can remove it."
        }
        Revocation::Nothing => "At BioTrack: there was nothing left to revoke.",
        Revocation::Pending(_) => {
            "At BioTrack: NOT revoked yet; the tokens are kept for it. Run the same command again to try once more."
        }
    };
    match revocation {
        Revocation::Nothing => format!("{here}\n{there}\n"),
        _ if in_doubt && extent == Extent::License => format!("{here}\n{there}\n{LOST}\n"),
        _ => format!("{here}\n{there}\n"),
    }
}
