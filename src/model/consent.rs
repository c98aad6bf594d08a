//! The seven facts of the Grant Access page: what is asked, what was granted, and where the two differ.

pub use super::fact::Fact;

use super::ids::{LicenseId, Username};
use super::provider::Provider;
use crate::error::{FactDifference, excerpt};
use serde::{Deserialize, Serialize};

impl Fact {
    /// What this fact must be for a license.
    pub fn expected<'a>(self, provider: &'a Provider, key: &'a LicenseId) -> &'a str {
        match self {
            Self::Company => &provider.company,
            Self::Application => &provider.application,
            Self::Ubi => key.ubi.as_str(),
            Self::AccessType => &provider.access_type,
            Self::License => key.license.as_str(),
            Self::Resource => &provider.resource,
            Self::Operation => &provider.operation,
        }
    }

    /// The same for people; `None` where the profile doesn't say what it is, and the page needn't either.
    pub fn shown<'a>(self, provider: &'a Provider, key: &'a LicenseId) -> Option<&'a str> {
        let is_known = self != Self::Ubi || key.ubi.number().is_some();
        Some(self.expected(provider, key)).filter(|expected| is_known && !expected.is_empty())
    }
}

/// What the provider reported of a grant; a fact that it didn't report is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedGrant {
    pub facts: Vec<(Fact, String)>,
    pub username: Option<String>,
    /// The grant's end as it was told, where that isn't to be taken as it stands: it can't be read, is over as it comes, is
    /// far off, or is by a clock that differs from ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_end: Option<String>,
}

/// How a grant compares with what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantComparison {
    /// Facts that differ: the grant must not be stored.
    pub differences: Vec<FactDifference>,
    /// Facts that the provider didn't report: shown as not confirmed.
    pub unconfirmed: Vec<Fact>,
    /// Another admin granted than the one named: who, cleaned.
    pub other_admin: Option<String>,
}

/// Compares: facts trimmed and exactly, the username without case.
pub fn compare(
    provider: &Provider,
    key: &LicenseId,
    username: &Username,
    reported: &ReportedGrant,
) -> GrantComparison {
    let mut comparison =
        GrantComparison { differences: Vec::new(), unconfirmed: Vec::new(), other_admin: None };
    let known = |fact: &Fact| *fact != Fact::Ubi || key.ubi.number().is_some();
    for fact in Fact::ALL.into_iter().filter(known) {
        let mut found =
            reported.facts.iter().filter(|(name, _)| *name == fact).map(|(_, value)| value.trim()).peekable();
        // Another server than BioTrack reports what its profile says it does, and no more is missed of it.
        let missed =
            !provider.is_generic() || provider.fact_fields.facts.iter().any(|(name, _)| *name == fact);
        if missed && found.peek().is_none() {
            comparison.unconfirmed.push(fact);
        }
        let asked = fact.expected(provider, key);
        if let Some(other) = found.find(|value| *value != asked.trim()) {
            comparison.differences.push(FactDifference {
                fact: fact.label(),
                asked: asked.to_owned(),
                reported: excerpt(other, 80),
            });
        }
    }
    comparison.other_admin =
        reported.username.as_deref().filter(|granted_by| !username.same_as(granted_by)).map(account);
    comparison
}

/// The name of an account as the provider reports it: cleaned, and no longer than an address of mail may be.
pub fn account(reported: &str) -> String {
    const LONGEST: usize = 254;
    // defense: S33 account-name-is-cut
    excerpt(reported.trim(), LONGEST)
}
