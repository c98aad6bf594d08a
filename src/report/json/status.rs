//! What `status` prints: the summary, each authorization, and the coming weeks.

use super::form::{DOCUMENT_VERSION, line};
use super::record::AuthorizationJson;
use super::weeks::{Week, weeks};
use crate::model::authorization::State;
use crate::model::instant::whole_second;
use crate::model::selection::UncountedRecords;
use crate::report::row::{ReportRow, View};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// What `status --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct StatusDocument<'a> {
    schema: u8,
    /// RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    generated_at: Timestamp,
    /// `null` with `--all-profiles`: each row has its own.
    profile: Option<String>,
    summary: Summary,
    #[schemars(with = "Vec<AuthorizationJson<'a>>")]
    authorizations: Authorizations<'a>,
    /// The coming weeks, this one first.
    weeks: Vec<Week>,
}

/// Each is made as it's written: ten thousand of them needn't stand in memory twice.
#[derive(Debug)]
struct Authorizations<'a>(&'a [ReportRow<'a>]);

impl Serialize for Authorizations<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(AuthorizationJson::of))
    }
}

/// The number of authorizations in each state.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Summary {
    /// Granted.
    pub active: usize,
    /// Inside the window before their expiry.
    pub due: usize,
    /// Expired.
    pub expired: usize,
    /// Requested, not granted yet.
    pub pending: usize,
    /// Invalid at the provider.
    pub invalid: usize,
    /// Deactivated.
    pub deactivated: usize,
    /// All of them.
    pub total: usize,
    /// Records with a condition other than `renewal_pending`.
    pub attention: usize,
    /// Due, with the renewal in progress.
    pub in_hand: usize,
    /// Records with a valid grant that only one admin may renew.
    pub single_admin: usize,
}

impl Summary {
    pub fn of(rows: &[ReportRow<'_>]) -> Self {
        let mut summary = Self::default();
        rows.iter().for_each(|row| summary.count(row));
        summary
    }

    pub fn count(&mut self, row: &ReportRow<'_>) {
        self.total += 1;
        self.attention += usize::from(row.needs_attention());
        self.single_admin += usize::from(row.standing.record.has_valid_grant(row.now));
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
    pub fn with_uncounted(self, quiet: UncountedRecords) -> Self {
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

pub fn document<'a>(rows: &'a [ReportRow<'a>], view: &View) -> StatusDocument<'a> {
    StatusDocument {
        schema: DOCUMENT_VERSION,
        generated_at: whole_second(view.now),
        profile: view.profile.clone(),
        summary: Summary::of(rows),
        authorizations: Authorizations(rows),
        weeks: weeks(rows, view.now),
    }
}

/// The rows as JSON lines: each is an authorization with the schema's number.
pub fn lines(rows: &[ReportRow<'_>]) -> Result<String, serde_json::Error> {
    rows.iter().map(|row| line(&AuthorizationJson::of(row))).collect()
}
