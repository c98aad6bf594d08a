//! JSON, schema 1: arrays, never dynamic keys; every key always present, null where unknown (DESIGN, JSON).

use super::{Row, View};
use crate::error::{Error, Report};
use crate::model::authorization::{Condition, State};
use crate::model::outcome::{Ending, Outcome};
use crate::model::provider::Provider;
use crate::model::reminder::Occasion;
use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
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
    /// `null` with `--all-profiles`: each row carries its own.
    profile: Option<String>,
    summary: Summary,
    authorizations: Vec<AuthorizationJson>,
}

/// How many there are of each state.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Summary {
    /// Granted.
    pub active: usize,
    /// Inside their window.
    pub due: usize,
    /// Lapsed.
    pub expired: usize,
    /// Asked, no grant yet.
    pub pending: usize,
    /// Dead at the provider.
    pub invalid: usize,
    /// Given up.
    pub deactivated: usize,
    /// All of them.
    pub total: usize,
    /// Records with a condition other than `renewal_pending`.
    pub attention: usize,
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
    /// Only where the command was about one licence and ended with an error: that error, where every command's stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Report>,
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
    /// A row of the report.
    pub fn of(row: &Row<'_>, now: Timestamp) -> Self {
        let record = &row.standing.record;
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
            state: row.state,
            conditions: row.conditions.clone(),
            created_at: record.created_at,
            renewed_at: record.renewed_at,
            expires_at: record.expires_at,
            expires_estimated: record.expires_estimated,
            pending_until: row.standing.pending_until(),
            days_left: row.days_left,
            next_command: row.next_command(now),
        }
    }
}

impl Summary {
    /// Counts the rows.
    pub fn of(rows: &[Row<'_>]) -> Self {
        let mut summary = Self::default();
        rows.iter().for_each(|row| summary.count(row));
        summary
    }

    /// Counts one row more.
    pub fn count(&mut self, row: &Row<'_>) {
        self.total += 1;
        self.attention += usize::from(row.needs_attention());
        *match row.state {
            State::Active => &mut self.active,
            State::Due => &mut self.due,
            State::Expired => &mut self.expired,
            State::Pending => &mut self.pending,
            State::Invalid => &mut self.invalid,
            State::Deactivated => &mut self.deactivated,
        } += 1;
    }

    /// The counts by state, worst first.
    pub fn by_state(&self) -> [(State, usize); 6] {
        [
            (State::Expired, self.expired),
            (State::Invalid, self.invalid),
            (State::Due, self.due),
            (State::Active, self.active),
            (State::Pending, self.pending),
            (State::Deactivated, self.deactivated),
        ]
    }
}

/// The document of `status`.
pub fn document(rows: &[Row<'_>], view: &View) -> Document {
    Document {
        schema: SCHEMA,
        generated_at: Timestamp::from_second(view.now.as_second()).unwrap_or(view.now),
        profile: view.profile.clone(),
        summary: Summary::of(rows),
        authorizations: rows.iter().map(|row| AuthorizationJson::of(row, view.now)).collect(),
    }
}

/// The rows as JSON lines: each is an authorization with the schema's number.
pub fn lines(rows: &[Row<'_>], now: Timestamp) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Line {
        schema: u8,
        #[serde(flatten)]
        authorization: AuthorizationJson,
    }
    let line =
        |row| serde_json::to_string(&Line { schema: SCHEMA, authorization: AuthorizationJson::of(row, now) });
    rows.iter().map(|row| line(row).map(|text| text + "\n")).collect()
}

/// What a hook gets on its standard input: an authorization with the event (DESIGN, JSON). No secrets.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HookEvent {
    schema: u8,
    event: Occasion,
    /// When it happened. RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    #[serde(flatten)]
    authorization: AuthorizationJson,
    /// The reminder's threshold in days; 0 once lapsed; `null` where it's no reminder.
    threshold: Option<u32>,
    /// More, in words: who granted, or why it failed.
    detail: Option<String>,
}

impl HookEvent {
    /// An event of a row.
    pub fn of(
        event: Occasion,
        at: Timestamp,
        row: &Row<'_>,
        threshold: Option<u32>,
        detail: Option<String>,
    ) -> Self {
        Self { schema: SCHEMA, event, at, authorization: AuthorizationJson::of(row, at), threshold, detail }
    }
}

/// What `remind` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Reminders {
    schema: u8,
    /// Nothing was run.
    dry_run: bool,
    /// What was reminded of, or would be.
    reminders: Vec<HookEvent>,
    /// How many hooks succeeded, those of grants, failures and deactivations that had waited among them.
    succeeded: usize,
    /// How many failed, and will be run again.
    failed: usize,
}

impl Reminders {
    /// What a run came to.
    pub fn of(dry_run: bool, reminders: Vec<HookEvent>, succeeded: usize, failed: usize) -> Self {
        Self { schema: SCHEMA, dry_run, reminders, succeeded, failed }
    }
}

/// The document of a command that changes something.
pub fn results(outcomes: &[Outcome], provider: &Provider, now: Timestamp) -> Results {
    let results = outcomes
        .iter()
        .map(|outcome| ResultJson {
            ubi: outcome.key.ubi.to_string(),
            license: outcome.key.license.to_string(),
            outcome: outcome.ending,
            exit: outcome.error.as_ref().map_or(0, Error::exit),
            authorize_url: outcome.authorize_url.clone(),
            authorization: outcome
                .standing
                .as_ref()
                .map(|standing| AuthorizationJson::of(&Row::at(now, standing, provider), now)),
            error: outcome.error.as_ref().map(Error::report),
        })
        .collect();
    let error = match outcomes {
        [Outcome { error: Some(error), .. }] => Some(error.report()),
        _ => None,
    };
    Results { schema: SCHEMA, results, error }
}

/// The JSON Schema of one of the documents, as it's shipped.
pub fn schema<T: JsonSchema>() -> String {
    // As written, not as read: a key that may be null is always there all the same.
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
