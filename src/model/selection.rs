//! Which authorizations a person means.

use super::authorization::{Authorization, State};
use super::expiry::working_day;
use super::ids::same_account;
use super::provider::Provider;
use crate::error::{Error, Result};
use jiff::{SignedDuration, Timestamp};

/// Finds the one record that a selector names: a license, `UBI/LICENSE`, an OCM license or a store name.
/// `UBI/LICENSE` is exact and goes before the others; none is an error, and so are several, the same license in several
/// profiles too.
pub fn one<'a, T>(
    selector: &str,
    profile: &str,
    among: &'a [T],
    record: impl Fn(&T) -> &Authorization,
) -> Result<&'a T> {
    let wanted = selector.trim();
    let mut found: Vec<&T> = among.iter().filter(|it| record(it).key.to_string() == wanted).collect();
    if found.is_empty() {
        found = among.iter().filter(|it| names(wanted, record(it))).collect();
    }
    match found[..] {
        [only] => Ok(only),
        [] => {
            Err(Error::NotFound { selector: crate::error::clean(wanted), profile: Some(profile.to_owned()) })
        }
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

/// Finds what each selector names, each once however often it was named, by UBI and license.
pub fn several<'a, T>(
    selectors: &[String],
    profile: &str,
    among: &'a [T],
    record: impl Fn(&T) -> &Authorization,
) -> Result<Vec<&'a T>> {
    let found = selectors.iter().map(|selector| one(selector, profile, among, &record));
    let mut found: Vec<_> = found.collect::<Result<_>>()?;
    found.sort_by(|a, b| record(a).key.cmp(&record(b).key));
    found.dedup_by(|a, b| record(a).key == record(b).key);
    Ok(found)
}

fn names(wanted: &str, record: &Authorization) -> bool {
    record.key.license.as_str() == wanted
        || record.ocm_license.as_ref().is_some_and(|ocm| ocm.as_str() == wanted)
        || record.name.as_ref().is_some_and(|name| name.as_str() == wanted)
}

/// The records that a look leaves out because their end is far and nothing is noted of them: how many in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Granted, and far from their end.
    pub active: usize,
    /// Asked, no grant yet.
    pub pending: usize,
    /// Given up.
    pub deactivated: usize,
    /// When the first of the grants ends.
    pub first_end: Option<Timestamp>,
    /// How many days that is.
    pub days_left: Option<i64>,
}

impl Quiet {
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
pub struct Narrowing {
    /// Those that must be renewed: expired, invalid, or within this window of their end.
    pub due: Option<SignedDuration>,
    /// Those in one of these states.
    pub states: Vec<State>,
    /// Those with this tag.
    pub tag: Option<String>,
    /// Those that hang on this admin user: asked, or really granted.
    pub user: Option<String>,
}

impl Narrowing {
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
                working_day(expires, &provider.zone).duration_since(now) <= window
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
