//! JSON, schema 1: arrays, never dynamic keys; every key always present, null where unknown (DESIGN, JSON).

use super::row::{Row, View};
use crate::error::{Error, Report};
use crate::model::authorization::{Authorization, Condition, ReportedRecord, Standing, State};
use crate::model::ids::Key;
use crate::model::instant::whole_second;
use crate::model::outcome::{Ending, Outcome};
use crate::model::provider::Provider;
use crate::model::reminder::{EventId, Occasion};
use crate::model::run_counts::RunCounts;
use crate::model::selection::Quiet;
use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use std::borrow::Cow;

/// The number of this form of the documents.
pub(super) const SCHEMA: u8 = 1;

/// What `status --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Document<'a> {
    schema: u8,
    /// RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    generated_at: Timestamp,
    /// `null` with `--all-profiles`: each row carries its own.
    profile: Option<String>,
    summary: Summary,
    #[schemars(with = "Vec<AuthorizationJson<'a>>")]
    authorizations: Authorizations<'a>,
}

/// Each is made as it's written: ten thousand of them needn't stand in memory twice.
#[derive(Debug)]
struct Authorizations<'a>(&'a [Row<'a>]);

impl Serialize for Authorizations<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(AuthorizationJson::of))
    }
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

/// One authorization: the record, and what follows from it at this instant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AuthorizationJson<'r> {
    #[serde(flatten)]
    record: ReportedRecord<'r>,
    state: State,
    conditions: Vec<Condition>,
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
    /// Only where the command ended with an error of its own, or was about one license: where every command's stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Report>,
}

/// What became of one license.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ResultJson {
    ubi: String,
    license: String,
    outcome: Ending,
    exit: u8,
    authorize_url: Option<String>,
    authorization: Option<AuthorizationJson<'static>>,
    error: Option<Report>,
}

impl Results {
    /// With the error that the command itself ended with.
    pub fn with(self, error: Option<&Error>) -> Self {
        Self { error: error.map(Error::report).or(self.error), ..self }
    }
}

impl ResultJson {
    fn of(outcome: &Outcome, provider: &Provider, now: Timestamp) -> Self {
        Self {
            ubi: outcome.key.ubi.to_string(),
            license: outcome.key.license.to_string(),
            outcome: outcome.ending,
            exit: outcome.error.as_ref().map_or(0, Error::exit),
            authorize_url: outcome.authorize_url.clone(),
            authorization: outcome
                .standing
                .as_ref()
                .map(|standing| AuthorizationJson::of(&Row::at(now, standing, provider)).into_owned()),
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
        Self { schema: SCHEMA, error: Report { exit, ..error.report() } }
    }
}

impl<'r> AuthorizationJson<'r> {
    /// A row of the report.
    pub fn of(row: &Row<'r>) -> Self {
        Self {
            record: ReportedRecord(Cow::Borrowed(&row.standing.record)),
            state: row.state,
            conditions: row.conditions.clone(),
            pending_until: row.standing.pending_until(),
            days_left: row.days_left,
            next_command: row.next_command(),
        }
    }

    /// The same with a record of its own.
    fn into_owned(self) -> AuthorizationJson<'static> {
        let Self { record, state, conditions, pending_until, days_left, next_command } = self;
        let record = ReportedRecord(Cow::Owned(record.0.into_owned()));
        AuthorizationJson { record, state, conditions, pending_until, days_left, next_command }
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

    /// With those that a look has left out.
    pub fn beside(self, quiet: Quiet) -> Self {
        Self {
            active: self.active + quiet.active,
            pending: self.pending + quiet.pending,
            deactivated: self.deactivated + quiet.deactivated,
            total: self.total + quiet.active + quiet.pending + quiet.deactivated,
            ..self
        }
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
pub fn document<'a>(rows: &'a [Row<'a>], view: &View) -> Document<'a> {
    Document {
        schema: SCHEMA,
        generated_at: whole_second(view.now),
        profile: view.profile.clone(),
        summary: Summary::of(rows),
        authorizations: Authorizations(rows),
    }
}

/// The rows as JSON lines: each is an authorization with the schema's number.
pub fn lines(rows: &[Row<'_>]) -> Result<String, serde_json::Error> {
    rows.iter().map(|row| line(&AuthorizationJson::of(row))).collect()
}

/// One record as a line of JSON, with the schema's number.
pub(super) fn line(record: &impl Serialize) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Line<'r, T> {
        schema: u8,
        #[serde(flatten)]
        record: &'r T,
    }
    Ok(serde_json::to_string(&Line { schema: SCHEMA, record })? + "\n")
}

/// What a hook gets on its standard input: an authorization with the event (DESIGN, JSON). No secrets.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HookEvent {
    schema: u8,
    event: Occasion,
    /// What tells this event from all others: the same when its hook is run again.
    id: EventId,
    /// When it happened. RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    #[serde(flatten)]
    authorization: AuthorizationJson<'static>,
    /// The reminder's threshold in days; 0 once lapsed; `null` where it's no reminder.
    threshold: Option<u32>,
    /// More, in words: who granted, or why it failed.
    detail: Option<String>,
}

impl HookEvent {
    /// An event of a row.
    pub fn of(
        (event, id): (Occasion, EventId),
        at: Timestamp,
        row: &Row<'_>,
        threshold: Option<u32>,
        detail: Option<String>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            event,
            id,
            at: whole_second(at),
            authorization: AuthorizationJson::of(row).into_owned(),
            threshold,
            detail,
        }
    }

    /// What tells it from all others.
    pub fn id(&self) -> &EventId {
        &self.id
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
    let results = outcomes.iter().map(|outcome| ResultJson::of(outcome, provider, now)).collect();
    let error = match outcomes {
        [Outcome { error: Some(error), .. }] => Some(error.report()),
        _ => None,
    };
    Results { schema: SCHEMA, results, error }
}

/// What `token --json` prints. The one document that holds a secret.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TokenDocument<'t> {
    schema: u8,
    profile: &'t str,
    ubi: &'t str,
    license: &'t str,
    /// The access token.
    token: &'t str,
    /// "Bearer", as the provider wrote it.
    token_type: &'t str,
    /// When the access token ends; `null` where the provider didn't say. RFC 3339, UTC.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Timestamp>,
    /// When the grant ends: nothing but a consent prolongs it.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    grant_expires_at: Option<Timestamp>,
    /// It was refreshed by this command.
    refreshed: bool,
}

/// The document of an access token.
pub fn token_document<'t>(
    record: &'t Authorization,
    token: &'t str,
    token_type: &'t str,
    expires_at: Option<Timestamp>,
    refreshed: bool,
) -> TokenDocument<'t> {
    TokenDocument {
        schema: SCHEMA,
        profile: &record.profile,
        ubi: record.key.ubi.as_str(),
        license: record.key.license.as_str(),
        token,
        token_type,
        // Down to the whole second, as all instants here: early, never late.
        expires_at: expires_at.map(whole_second),
        grant_expires_at: record.expires_at,
        refreshed,
    }
}

/// What happens in a run over several licenses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// It's part of the run.
    Planned,
    /// Its Grant Access page was opened.
    Opened,
    /// Its grant is stored.
    Granted,
    /// Another admin granted; that grant is set aside.
    Held,
    /// A link for its admin was handed out.
    HandedOff,
    /// It was given up.
    Deactivated,
    /// What is known of it was changed by hand.
    Edited,
    /// Its record was taken out of the ledger.
    Removed,
    /// It failed.
    Failed,
    /// It was left out.
    Skipped,
    /// There was nothing to do.
    Unchanged,
    /// The run has ended.
    Summary,
}

impl From<Ending> for Happening {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Granted => Self::Granted,
            Ending::Held => Self::Held,
            Ending::HandedOff => Self::HandedOff,
            Ending::Deactivated => Self::Deactivated,
            Ending::Edited => Self::Edited,
            Ending::Removed => Self::Removed,
            Ending::Skipped => Self::Skipped,
            Ending::Failed => Self::Failed,
            Ending::Unchanged => Self::Unchanged,
        }
    }
}

/// One line of `--format jsonl` of a command over several licenses.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RunEvent {
    schema: u8,
    event: Happening,
    /// RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// `null` in the summary, as all that is about one license.
    ubi: Option<String>,
    license: Option<String>,
    /// How it ended; `null` before.
    outcome: Option<Ending>,
    /// The exit code it stands for; in the summary the program's own.
    exit: Option<u8>,
    authorize_url: Option<String>,
    authorization: Option<AuthorizationJson<'static>>,
    error: Option<Report>,
    /// Why it's planned, or left out, in words.
    why: Option<String>,
    /// In the summary only.
    counts: Option<RunCounts>,
}

impl RunEvent {
    /// Something that happens to a license before it ends: planned, opened, left out.
    pub fn about(
        event: Happening,
        at: Timestamp,
        key: &Key,
        standing: Option<&Standing>,
        provider: &Provider,
        why: Option<String>,
        authorize_url: Option<String>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            event,
            at: whole_second(at),
            ubi: Some(key.ubi.to_string()),
            license: Some(key.license.to_string()),
            outcome: (event == Happening::Skipped).then_some(Ending::Skipped),
            exit: (event == Happening::Skipped).then_some(0),
            authorize_url,
            authorization: standing.map(|it| AuthorizationJson::of(&Row::at(at, it, provider)).into_owned()),
            error: None,
            why,
            counts: None,
        }
    }

    /// How a license ended.
    pub fn ended(outcome: &Outcome, at: Timestamp, provider: &Provider) -> Self {
        let ResultJson { ubi, license, outcome: ending, exit, authorize_url, authorization, error } =
            ResultJson::of(outcome, provider, at);
        Self {
            schema: SCHEMA,
            event: ending.into(),
            at: whole_second(at),
            ubi: Some(ubi),
            license: Some(license),
            outcome: Some(ending),
            exit: Some(exit),
            authorize_url,
            authorization,
            error,
            why: None,
            counts: None,
        }
    }

    /// The last line.
    pub fn summary(at: Timestamp, counts: RunCounts, exit: u8, error: Option<&Error>) -> Self {
        Self {
            schema: SCHEMA,
            event: Happening::Summary,
            at: whole_second(at),
            ubi: None,
            license: None,
            outcome: None,
            exit: Some(exit),
            authorize_url: None,
            authorization: None,
            error: error.map(Error::report),
            why: None,
            counts: Some(counts),
        }
    }
}

/// The JSON Schema of one of the documents, as it's shipped.
pub fn schema<T: JsonSchema>() -> String {
    // As written, not as read: a key that may be null is always there all the same.
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
