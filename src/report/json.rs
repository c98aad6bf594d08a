//! JSON, schema 1: arrays, never dynamic keys; every key always present, null where unknown (DESIGN, JSON).

use super::View;
use crate::error::{Error, Report};
use crate::model::authorization::{Condition, Standing, State};
use crate::model::outcome::{Ending, Outcome};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// The number of this form of the documents.
const SCHEMA: u8 = 1;

/// What `status --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Document {
    schema: u8,
    /// RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    generated_at: Timestamp,
    profile: String,
    summary: Summary,
    authorizations: Vec<AuthorizationJson>,
}

/// How many there are of each state.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Summary {
    active: usize,
    due: usize,
    expired: usize,
    pending: usize,
    invalid: usize,
    deactivated: usize,
    total: usize,
    /// Records with a condition other than `renewal_pending`.
    attention: usize,
}

/// One authorization.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AuthorizationJson {
    profile: String,
    ubi: String,
    license: String,
    ocm_license: Option<String>,
    name: Option<String>,
    username: String,
    granted_by: Option<String>,
    contact: Option<String>,
    tags: Vec<String>,
    state: State,
    conditions: Vec<Condition>,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    created_at: Option<Timestamp>,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    renewed_at: Option<Timestamp>,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Timestamp>,
    expires_estimated: bool,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pending_until: Option<Timestamp>,
    /// Whole days, rounded down; negative once expired.
    days_left: Option<i64>,
    /// Quoted for a POSIX shell.
    next_command: Option<String>,
}

/// What commands that change something print.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Results {
    schema: u8,
    results: Vec<ResultJson>,
}

/// What became of one licence.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ResultJson {
    ubi: String,
    license: String,
    outcome: Ending,
    exit: u8,
    authorize_url: Option<String>,
    authorization: Option<AuthorizationJson>,
    error: Option<Report>,
}

/// What any command prints on standard output when it fails and JSON was asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ErrorDocument {
    schema: u8,
    error: Report,
}

impl ErrorDocument {
    /// The document of an error.
    pub fn of(error: &Error) -> Self {
        Self { schema: SCHEMA, error: error.report() }
    }
}

impl AuthorizationJson {
    /// A record at the view's instant.
    pub fn of(standing: &Standing, view: &View<'_>) -> Self {
        let record = &standing.record;
        let zone = &view.provider.zone;
        let text = |it: &dyn std::fmt::Display| it.to_string();
        Self {
            profile: record.profile.clone(),
            ubi: record.key.ubi.to_string(),
            license: record.key.license.to_string(),
            ocm_license: record.ocm_license.as_ref().map(|it| text(it)),
            name: record.name.as_ref().map(|it| text(it)),
            username: record.username.to_string(),
            granted_by: record.granted_by.clone(),
            contact: record.contact.as_ref().map(|it| text(it)),
            tags: record.tags.iter().map(|tag| tag.to_string()).collect(),
            state: record.state(view.now, view.window(), zone),
            conditions: standing.conditions(view.now),
            created_at: record.created_at,
            renewed_at: record.renewed_at,
            expires_at: record.expires_at,
            expires_estimated: record.expires_estimated,
            pending_until: standing.pending_until(),
            days_left: record.days_left(view.now),
            next_command: standing.next_command(view.now, view.window(), zone, view.provider.other_profile),
        }
    }
}

/// The document of `status`.
pub fn document(standings: &[Standing], view: &View<'_>) -> Document {
    let authorizations: Vec<_> =
        standings.iter().map(|standing| AuthorizationJson::of(standing, view)).collect();
    let mut summary = Summary { total: authorizations.len(), ..Summary::default() };
    for it in &authorizations {
        *match it.state {
            State::Active => &mut summary.active,
            State::Due => &mut summary.due,
            State::Expired => &mut summary.expired,
            State::Pending => &mut summary.pending,
            State::Invalid => &mut summary.invalid,
            State::Deactivated => &mut summary.deactivated,
        } += 1;
        summary.attention += usize::from(it.conditions.iter().any(|one| *one != Condition::RenewalPending));
    }
    Document {
        schema: SCHEMA,
        generated_at: view.now,
        profile: view.provider.profile.clone(),
        summary,
        authorizations,
    }
}

/// The document of a command that changes something.
pub fn results(outcomes: &[Outcome], view: &View<'_>) -> Results {
    let results = outcomes
        .iter()
        .map(|outcome| ResultJson {
            ubi: outcome.key.ubi.to_string(),
            license: outcome.key.license.to_string(),
            outcome: outcome.ending,
            exit: outcome.error.as_ref().map_or(0, Error::exit),
            authorize_url: outcome.authorize_url.clone(),
            authorization: outcome.standing.as_ref().map(|standing| AuthorizationJson::of(standing, view)),
            error: outcome.error.as_ref().map(Error::report),
        })
        .collect();
    Results { schema: SCHEMA, results }
}

/// The JSON Schema of one of the documents, as it's shipped.
pub fn schema<T: JsonSchema>() -> String {
    let mut text = serde_json::to_string_pretty(&schemars::schema_for!(T)).unwrap_or_default();
    text.push('\n');
    text
}
