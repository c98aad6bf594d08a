//! What commands that change something print, and what any prints that fails.

use super::form::DOCUMENT_VERSION;
use super::record::AuthorizationJson;
use crate::error::{Error, Report};
use crate::model::ids::LicenseId;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::provider::Provider;
use crate::report::row::ReportRow;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// What commands that change something print.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Results {
    schema: u8,
    /// Licenses that the command did not reach are `skipped`, with the command's error.
    results: Vec<ResultJson>,
}

/// What became of one license.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ResultJson {
    /// `null` if the provider has no companies.
    pub(super) ubi: Option<String>,
    pub(super) license: String,
    pub(super) outcome: OutcomeKind,
    pub(super) exit: u8,
    pub(super) authorize_url: Option<String>,
    pub(super) authorization: Option<AuthorizationJson<'static>>,
    pub(super) error: Option<Report>,
}

impl Results {
    /// With those whose turn didn't come before the command ended so.
    pub fn with_left(mut self, left: impl IntoIterator<Item = LicenseId>, error: &Error) -> Self {
        self.results.extend(left.into_iter().map(|key| ResultJson {
            ubi: key.ubi.number().map(str::to_owned),
            license: key.license.to_string(),
            outcome: OutcomeKind::Skipped,
            exit: error.exit(),
            authorize_url: None,
            authorization: None,
            error: Some(error.report()),
        }));
        self
    }
}

impl ResultJson {
    pub(super) fn of(outcome: &Outcome, provider: &Provider, now: Timestamp) -> Self {
        Self {
            ubi: outcome.key.ubi.number().map(str::to_owned),
            license: outcome.key.license.to_string(),
            outcome: outcome.ending,
            exit: outcome.error.as_ref().map_or(0, Error::exit),
            authorize_url: outcome.authorize_url.clone(),
            authorization: outcome
                .standing
                .as_ref()
                .map(|standing| AuthorizationJson::of(&ReportRow::at(now, standing, provider)).into_owned()),
            error: outcome.error.as_ref().map(Error::report),
        }
    }
}

/// What any command prints on standard output when it fails and JSON was asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ErrorDocument {
    schema: u8,
    error: Report,
}

impl ErrorDocument {
    /// The document of an error, with the code that the process ends with.
    pub fn of(error: &Error, exit: u8) -> Self {
        Self { schema: DOCUMENT_VERSION, error: Report { exit, ..error.report() } }
    }
}

/// The document of a command that changes something.
pub fn results(outcomes: &[Outcome], provider: &Provider, now: Timestamp) -> Results {
    let results = outcomes.iter().map(|outcome| ResultJson::of(outcome, provider, now)).collect();
    Results { schema: DOCUMENT_VERSION, results }
}
