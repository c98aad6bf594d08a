//! Which authorizations a person means.

use super::authorization::{Authorization, State};
use super::expiry::previous_workday;
use super::ids::same_account;
use super::provider::Provider;
use crate::error::{Error, Result};
use jiff::{SignedDuration, Timestamp};

/// How many are named where none fits.
const NEAREST: usize = 5;

/// Finds the one record that a selector names: a license, `UBI/LICENSE`, an OCM license or a store name.
/// `UBI/LICENSE` is exact and goes before the others; then what is written just so, and then what differs in case alone.
/// None is an error that names the nearest, and so are several, the same license in several profiles too.
pub fn resolve_one<'a, T>(
    selector: &str,
    profile: Option<&str>,
    among: &'a [T],
    record: impl Fn(&T) -> &Authorization,
) -> Result<&'a T> {
    let wanted = selector.trim();
    let alike: [fn(&str, &Authorization) -> bool; 3] = [
        |wanted, record| record.key.to_string() == wanted,
        |wanted, record| names(record).any(|name| name == wanted),
        |wanted, record| {
            let same = |name: &str| name.to_lowercase() == wanted.to_lowercase();
            same(&record.key.to_string()) || names(record).any(same)
        },
    ];
    let meant = |alike: &fn(&str, &Authorization) -> bool| {
        let found: Vec<&T> = among.iter().filter(|it| alike(wanted, record(it))).collect();
        (!found.is_empty()).then_some(found)
    };
    let found = alike.iter().find_map(meant).unwrap_or_default();
    match found[..] {
        [only] => Ok(only),
        [] => Err(Error::NotFound {
            selector: crate::error::clean(wanted),
            profile: profile.map(str::to_owned),
            near: nearest(wanted, among.iter().map(record)),
        }),
        [first, ..] => {
            let several_profiles = found.iter().any(|it| record(it).profile != record(first).profile);
            let told = |it: &Authorization| match several_profiles {
                true => format!("{} in profile {}", it.key, it.profile),
                false => it.key.to_string(),
            };
            Err(Error::Ambiguous {
                selector: crate::error::clean(wanted),
                candidates: found.iter().map(|it| told(record(it))).collect(),
                several_profiles,
            })
        }
    }
}

/// The licenses whose names are most like what was asked for, with their stores' names.
fn nearest<'r>(wanted: &str, among: impl Iterator<Item = &'r Authorization>) -> Vec<String> {
    const LIKE: f64 = 0.7;
    let wanted = wanted.to_lowercase();
    let score = |name: &str| {
        let name = name.to_lowercase();
        match !wanted.is_empty() && name.contains(&wanted) {
            true => 1.0,
            false => strsim::jaro_winkler(&wanted, &name),
        }
    };
    let scored = among.map(|record| {
        let best = names(record).chain([record.key.to_string().as_str()]).map(score).fold(0.0, f64::max);
        (best, record)
    });
    let mut near: Vec<_> = scored.filter(|(score, _)| *score >= LIKE).collect();
    near.sort_by(|(one, left), (other, right)| other.total_cmp(one).then_with(|| left.key.cmp(&right.key)));
    near.truncate(NEAREST);
    let told = |record: &Authorization| match &record.name {
        Some(name) => format!("{} ({name})", record.key.license),
        None => record.key.license.to_string(),
    };
    near.into_iter().map(|(_, record)| told(record)).collect()
}

/// Whether a text stands anywhere in what a person may know a record by: license, OCM license, store, UBI, admin or
/// contact, in any case.
pub fn contains_text(text: &str, record: &Authorization) -> bool {
    let wanted = text.trim().to_lowercase();
    let others = [
        Some(record.key.ubi.as_str()),
        Some(record.username.as_str()),
        record.granted_by.as_deref(),
        record.contact.as_ref().map(|contact| contact.as_str()),
    ];
    !wanted.is_empty()
        && names(record).chain(others.into_iter().flatten()).any(|it| it.to_lowercase().contains(&wanted))
}

/// Finds what each selector names, each once however often it was named, by UBI and license.
pub fn resolve_all<'a, T>(
    selectors: &[String],
    profile: &str,
    among: &'a [T],
    record: impl Fn(&T) -> &Authorization,
) -> Result<Vec<&'a T>> {
    let found = selectors.iter().map(|selector| resolve_one(selector, Some(profile), among, &record));
    let mut found: Vec<_> = found.collect::<Result<_>>()?;
    found.sort_by(|a, b| record(a).key.cmp(&record(b).key));
    found.dedup_by(|a, b| record(a).key == record(b).key);
    Ok(found)
}

/// What a selector may name a record by.
fn names(record: &Authorization) -> impl Iterator<Item = &str> {
    let further =
        [record.ocm_license.as_ref().map(|it| it.as_str()), record.name.as_ref().map(|it| it.as_str())];
    std::iter::once(record.key.license.as_str()).chain(further.into_iter().flatten())
}

/// The records that a look leaves out because their end is far and nothing is noted of them: how many in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UncountedRecords {
    pub active: usize,
    /// Asked, no grant yet.
    pub pending: usize,
    pub deactivated: usize,
    pub first_end: Option<Timestamp>,
    pub days_left: Option<i64>,
}

impl UncountedRecords {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            active: self.active + other.active,
            pending: self.pending + other.pending,
            deactivated: self.deactivated + other.deactivated,
            first_end: self.first_end.into_iter().chain(other.first_end).min(),
            days_left: self.days_left.into_iter().chain(other.days_left).min(),
        }
    }
}

/// What narrows a list down; every part that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those that must be renewed: expired, invalid, or within this window of their end.
    pub due: Option<SignedDuration>,
    pub states: Vec<State>,
    pub tag: Option<String>,
    /// Those that hang on this admin user: asked, or really granted.
    pub user: Option<String>,
}

impl Filter {
    /// Whether nothing narrows.
    pub fn is_none(&self) -> bool {
        self.due.is_none() && self.states.is_empty() && self.tag.is_none() && self.user.is_none()
    }

    /// How near its end a record must be at least to be meant; `None` where it may be anywhere.
    pub fn window(&self, provider: &Provider) -> Option<SignedDuration> {
        const NEAR: [State; 3] = [State::Expired, State::Invalid, State::Due];
        let near = !self.states.is_empty() && self.states.iter().all(|state| NEAR.contains(state));
        self.due.or_else(|| near.then_some(provider.due_window))
    }

    /// Whether a record is meant.
    pub fn admits(&self, record: &Authorization, provider: &Provider, now: Timestamp) -> bool {
        let state = record.state(now, provider.due_window, &provider.zone);
        let within = |window: SignedDuration| match (state, record.expires_at) {
            (State::Expired | State::Invalid, _) => true,
            (State::Due | State::Active, Some(expires)) => {
                previous_workday(expires, &provider.zone).duration_since(now) <= window
            }
            _ => false,
        };
        let of = |user: &String| {
            record.username.same_as(user)
                || record.granted_by.as_deref().is_some_and(|who| same_account(who, user))
        };
        self.due.is_none_or(within)
            && (self.states.is_empty() || self.states.contains(&state))
            && self.tag.as_ref().is_none_or(|tag| record.tags.iter().any(|one| one.as_str() == tag))
            && self.user.as_ref().is_none_or(of)
    }
}
