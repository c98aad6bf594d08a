//! One authorization as scripts see it: the record, and what follows from it at an instant.

use crate::model::authorization::{Condition, ReportedRecord, State};
use crate::report::row::ReportRow;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;

// The second version of the documents promises `in_hand`, `deputies`, `verified_at`, `verified_by` and `invitation` to scripts: this
// program writes them as `null` or empty.
/// One authorization: the record and its state at this instant.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AuthorizationJson<'r> {
    #[schemars(flatten)]
    record: ReportedRecord<'r>,
    state: State,
    conditions: Vec<Condition>,
    /// How its renewal is already in progress; `null`: it isn't.
    in_hand: Option<InHand>,
    /// The people who may grant access in the admin's place.
    deputies: Vec<String>,
    /// What `expires_at` says, or why it's `null`.
    expires: Expires,
    /// When the open hand-off expires.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pending_until: Option<Timestamp>,
    /// Calendar days in the profile's zone, from today's date to that of `expires_at`: 0 on the last day, negative after it.
    days_left: Option<i64>,
    /// When the grant was last verified.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    verified_at: Option<Timestamp>,
    /// How the grant was last verified.
    verified_by: Option<VerificationMethod>,
    /// The invitation that was mailed to its admin.
    invitation: Option<Invitation>,
    /// Quoted for a POSIX shell.
    next_command: Option<String>,
}

/// How a renewal is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InHand {
    /// Its admin was invited.
    Invited,
    /// A link is open.
    HandedOff,
}

/// What is known about a grant's expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expires {
    /// It expires at `expires_at`.
    At,
    /// It never expires.
    Never,
    /// The expiry is unknown, or there is no grant.
    Unknown,
}

/// How a grant was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerificationMethod {
    /// The provider's introspection endpoint.
    Introspection,
    /// The provider's account address.
    Account,
    /// A refresh that succeeded.
    Refresh,
    /// The consent itself.
    Grant,
}

/// One admin's mailed link. The link itself is never shown.
#[derive(Debug, Clone, serde::Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Invitation {
    /// The mailbox.
    pub to: String,
    /// When its first mail was accepted.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub sent_at: Option<Timestamp>,
    /// When the page was last fetched.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub fetched_at: Option<Timestamp>,
    /// When a button on it was last clicked.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub clicked_at: Option<Timestamp>,
    /// How many reminders followed the first mail.
    pub reminders: u32,
    /// When a mail bounced.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub bounced_at: Option<Timestamp>,
    /// When the link expires.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
}

/// In the order of questions: whose it is, how it stands, since and until when, what is known of it, what comes next. What was told
/// and what follows from it are among each other.
impl Serialize for AuthorizationJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        const WHOSE: &[&str] = &[
            "profile",
            "ubi",
            "license",
            "ocm_license",
            "name",
            "username",
            "granted_by",
            "contact",
            "tags",
        ];
        const DOUBTS: &str = "unconfirmed";
        const SINCE: &[&str] = &["created_at", "renewed_at"];
        const UNTIL: &[&str] = &["expires_at", "expires_estimated"];
        let (record, mut members) = (&self.record, to.serialize_map(None)?);
        record.write(&mut members, |name| WHOSE.contains(&name))?;
        members.serialize_entry("state", &self.state)?;
        members.serialize_entry("conditions", &self.conditions)?;
        record.write(&mut members, |name| name == DOUBTS)?;
        members.serialize_entry("in_hand", &self.in_hand)?;
        members.serialize_entry("deputies", &self.deputies)?;
        record.write(&mut members, |name| SINCE.contains(&name))?;
        members.serialize_entry("expires", &self.expires)?;
        record.write(&mut members, |name| UNTIL.contains(&name))?;
        members.serialize_entry("pending_until", &self.pending_until)?;
        members.serialize_entry("days_left", &self.days_left)?;
        members.serialize_entry("verified_at", &self.verified_at)?;
        members.serialize_entry("verified_by", &self.verified_by)?;
        // A column that is new needs no place of its own.
        let is_written =
            |name: &str| name == DOUBTS || [WHOSE, SINCE, UNTIL].iter().any(|names| names.contains(&name));
        record.write(&mut members, |name| !is_written(name))?;
        members.serialize_entry("invitation", &self.invitation)?;
        members.serialize_entry("next_command", &self.next_command)?;
        members.end()
    }
}

impl<'r> AuthorizationJson<'r> {
    pub fn of(row: &ReportRow<'r>) -> Self {
        Self {
            record: ReportedRecord(Cow::Borrowed(&row.standing.record)),
            state: row.state,
            conditions: row.conditions.clone(),
            in_hand: None,
            deputies: Vec::new(),
            expires: match row.standing.record.expires_at {
                Some(_) => Expires::At,
                None => Expires::Unknown,
            },
            pending_until: row.standing.pending_until(),
            days_left: row.days_left,
            verified_at: None,
            verified_by: None,
            invitation: None,
            next_command: row.next_command(),
        }
    }

    pub fn into_owned(self) -> AuthorizationJson<'static> {
        AuthorizationJson { record: ReportedRecord(Cow::Owned(self.record.0.into_owned())), ..self }
    }
}
