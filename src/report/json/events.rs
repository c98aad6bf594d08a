//! What happens, as it happens: a line for each license of a run, and what hooks get.

use super::form::DOCUMENT_VERSION;
use super::record::AuthorizationJson;
use super::results::ResultJson;
use crate::error::{Error, Report};
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::ids::LicenseId;
use crate::model::instant::whole_second;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::provider::Provider;
use crate::model::reminder::{EventId, GrantEventKey, HookEventKind};
use crate::model::run_counts::RunCounts;
use crate::report::row::ReportRow;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// What happens in a run over several licenses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunEventKind {
    /// It is part of the run.
    Planned,
    /// Its Grant Access page was opened.
    Opened,
    /// The run has ended.
    Summary,
    /// It ended with this outcome.
    #[serde(untagged)]
    Ended(OutcomeKind),
}

/// One line of `--format jsonl` of a command over several licenses.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RunEvent {
    schema: u8,
    event: RunEventKind,
    /// RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// The event's unique id.
    id: EventId,
    /// The same for all events of one license and grant, those that hooks get among them; `null` in the summary, as all that is
    /// about one license.
    key: Option<GrantEventKey>,
    ubi: Option<String>,
    license: Option<String>,
    /// The outcome; `null` before the end.
    outcome: Option<OutcomeKind>,
    /// The exit code for this outcome; in the summary, the program's own exit code.
    exit: Option<u8>,
    authorize_url: Option<String>,
    authorization: Option<AuthorizationJson<'static>>,
    error: Option<Report>,
    /// Why it is planned or skipped, in words.
    why: Option<String>,
    /// In the summary only.
    counts: Option<RunCounts>,
}

/// Which license an event of a run is about.
#[derive(Debug, Clone, Copy)]
pub struct EventLicense<'a> {
    pub key: &'a LicenseId,
    pub common: &'a GrantEventKey,
    pub standing: Option<&'a AuthorizationWithFlows>,
    pub provider: &'a Provider,
}

impl RunEvent {
    /// Something that happens to a license before it ends: planned, opened, left out.
    pub fn about(
        event: RunEventKind,
        at: Timestamp,
        subject: EventLicense<'_>,
        why: Option<String>,
        authorize_url: Option<String>,
    ) -> Self {
        let EventLicense { key, common, standing, provider } = subject;
        let outcome = match event {
            RunEventKind::Ended(ending) => Some(ending),
            RunEventKind::Planned | RunEventKind::Opened | RunEventKind::Summary => None,
        };
        Self {
            ubi: key.ubi.number().map(str::to_owned),
            license: Some(key.license.to_string()),
            outcome,
            exit: outcome.map(|_| 0),
            authorize_url,
            authorization: standing
                .map(|it| AuthorizationJson::of(&ReportRow::at(at, it, provider)).into_owned()),
            why,
            ..Self::bare(event, at, Some(common))
        }
    }

    pub fn ended(outcome: &Outcome, at: Timestamp, common: &GrantEventKey, provider: &Provider) -> Self {
        let ResultJson { ubi, license, outcome: ending, exit, authorize_url, authorization, error } =
            ResultJson::of(outcome, provider, at);
        let event = RunEventKind::Ended(ending);
        Self {
            ubi,
            license: Some(license),
            outcome: Some(ending),
            exit: Some(exit),
            authorize_url,
            authorization,
            error,
            ..Self::bare(event, at, Some(common))
        }
    }

    /// The last line.
    pub fn summary(at: Timestamp, counts: RunCounts, exit: u8, error: Option<&Error>) -> Self {
        Self {
            exit: Some(exit),
            error: error.map(Error::report),
            counts: Some(counts),
            ..Self::bare(RunEventKind::Summary, at, None)
        }
    }

    /// What every event says, and nothing else yet.
    fn bare(event: RunEventKind, at: Timestamp, common: Option<&GrantEventKey>) -> Self {
        Self {
            schema: DOCUMENT_VERSION,
            event,
            at: whole_second(at),
            id: EventId::of_run(common, event.word(), at),
            key: common.cloned(),
            ubi: None,
            license: None,
            outcome: None,
            exit: None,
            authorize_url: None,
            authorization: None,
            error: None,
            why: None,
            counts: None,
        }
    }
}

impl RunEventKind {
    fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Opened => "opened",
            Self::Ended(ending) => ending.word(),
            Self::Summary => "summary",
        }
    }
}

/// The JSON on a hook's standard input, without secrets.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HookEvent {
    schema: u8,
    event: HookEventKind,
    /// When it happened. RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// The event's unique id; the same when its hook runs again.
    id: EventId,
    /// The same for all events of one license and grant, up to the consent that replaced it; use it to open and close a ticket.
    key: GrantEventKey,
    /// `null` if the provider has no companies.
    ubi: Option<String>,
    license: String,
    /// How it ended; `null` for a reminder.
    outcome: Option<OutcomeKind>,
    /// The exit code for this outcome; `null` for a reminder.
    exit: Option<u8>,
    /// Always `null`: a hook never gets an authorization address.
    authorize_url: Option<String>,
    /// The record at the time when the hook runs.
    authorization: AuthorizationJson<'static>,
    /// Why it failed.
    error: Option<Report>,
    /// The reminder's threshold in days; 0 after the expiry; `null` if the event isn't a reminder.
    threshold: Option<u32>,
    /// Details in words: who granted, or why it failed.
    detail: Option<String>,
}

#[derive(Debug)]
pub struct HookCause {
    pub occasion: HookEventKind,
    pub id: EventId,
    /// What it has in common with others of its license and grant.
    pub common: GrantEventKey,
    pub at: Timestamp,
    pub error: Option<Report>,
    pub threshold: Option<u32>,
    pub detail: Option<String>,
}

impl HookEvent {
    pub fn of(cause: HookCause, row: &ReportRow<'_>) -> Self {
        let HookCause { occasion, id, common, at, error, threshold, detail } = cause;
        let outcome = match occasion {
            HookEventKind::Due | HookEventKind::Expired => None,
            HookEventKind::Granted => Some(OutcomeKind::Granted),
            HookEventKind::Failed => Some(OutcomeKind::Failed),
            HookEventKind::Deactivated => Some(OutcomeKind::Deactivated),
        };
        let key = &row.standing.record.key;
        Self {
            schema: DOCUMENT_VERSION,
            event: occasion,
            at: whole_second(at),
            id,
            key: common,
            ubi: key.ubi.number().map(str::to_owned),
            license: key.license.to_string(),
            outcome,
            exit: outcome.map(|_| error.as_ref().map_or(0, |error| error.exit)),
            authorize_url: None,
            authorization: AuthorizationJson::of(row).into_owned(),
            error,
            threshold,
            detail,
        }
    }

    /// What tells it from all others.
    pub fn id(&self) -> &EventId {
        &self.id
    }
}

/// The JSON on a hook's standard input with `hooks.digest = true`: one run for all events of one kind.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct HookDigest {
    schema: u8,
    event: HookEventKind,
    /// RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// The same when the hook is run again on the same events.
    id: EventId,
    events: Vec<HookEvent>,
}

impl HookDigest {
    /// Of several events of one occasion.
    pub fn of(event: HookEventKind, at: Timestamp, events: Vec<HookEvent>) -> Self {
        let id = EventId::of_digest(events.iter().map(HookEvent::id));
        Self { schema: DOCUMENT_VERSION, event, at: whole_second(at), id, events }
    }

    /// What tells it from all others.
    pub fn id(&self) -> &EventId {
        &self.id
    }

    pub fn into_events(self) -> Vec<HookEvent> {
        self.events
    }
}

/// What `remind` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Reminders {
    schema: u8,
    /// Nothing was run.
    dry_run: bool,
    /// The reminders that ran, or would run.
    reminders: Vec<HookEvent>,
    /// How many hooks succeeded, including waiting hooks of grants, failures and deactivations.
    succeeded: usize,
    /// How many hooks failed, and will run again.
    failed: usize,
}

impl Reminders {
    pub fn of(dry_run: bool, reminders: Vec<HookEvent>, succeeded: usize, failed: usize) -> Self {
        Self { schema: DOCUMENT_VERSION, dry_run, reminders, succeeded, failed }
    }
}
