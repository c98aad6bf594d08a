//! What a run over several licenses is going to do: which, in which order, why, and what is left out.

use super::authorization::Authorization;
use super::flow::{Flow, Purpose};
use super::ids::{Contact, Generation, LicenseId, OcmLicense, StoreName, Tag, Username};
use jiff::Timestamp;
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub struct PlannedLicense {
    pub key: LicenseId,
    pub username: Username,
    /// Whom the record named when this was planned out of it; `None` where all of it was given by somebody.
    pub named: Option<Username>,
    pub purpose: Purpose,
    pub name: Option<StoreName>,
    pub ocm_license: Option<OcmLicense>,
    /// The e-mail address to write to.
    pub contact: Option<Contact>,
    pub tags: Vec<Tag>,
    pub expires_at: Option<Timestamp>,
    /// The record's generation when it was planned: another one means that somebody else was at it since.
    pub base: Generation,
    /// Why it's in the plan, in words: "expired 3 days ago".
    pub why: String,
}

impl PlannedLicense {
    /// The license of a flow that is under way already, with whom it asks and what for.
    pub fn of_flow(record: &Authorization, flow: &Flow) -> Self {
        Self { username: flow.username.clone(), ..Self::of(record, flow.purpose, String::new()) }
    }

    /// A record's next consent, asked of the admin that it names.
    pub fn of(record: &Authorization, purpose: Purpose, why: String) -> Self {
        Self {
            key: record.key.clone(),
            username: record.username.clone(),
            named: Some(record.username.clone()),
            purpose,
            name: record.name.clone(),
            ocm_license: record.ocm_license.clone(),
            contact: record.contact.clone(),
            tags: record.tags.clone(),
            expires_at: record.expires_at,
            base: record.generation,
            why,
        }
    }

    /// Whether the admin who is asked is the record's own, and the record names another one by now.
    pub fn is_outdated(&self, known: &Authorization) -> bool {
        self.named.as_ref().is_some_and(|named| self.username == *named && known.username != *named)
    }

    /// The record as it shall be while the flow is open. What was typed for a registration goes in now; a renewal
    /// changes nothing before its grant is stored.
    pub fn record_while_asked(&self, known: Option<Authorization>, profile: &str) -> Authorization {
        let mut record =
            known.unwrap_or_else(|| Authorization::asked(profile, self.key.clone(), self.username.clone()));
        if self.purpose == Purpose::Register {
            record.username = self.username.clone();
        }
        if self.purpose == Purpose::Register && self.named.is_none() {
            record.name = self.name.clone().or(record.name);
            record.ocm_license = self.ocm_license.clone().or(record.ocm_license);
            record.contact = self.contact.clone().or(record.contact);
            if !self.tags.is_empty() {
                record.tags = self.tags.clone();
                record.tags.sort();
                record.tags.dedup();
            }
        }
        record
    }
}

/// One license that isn't taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub key: LicenseId,
    /// Why not, in words.
    pub why: String,
}

/// What a run is going to do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What is taken, in the order in which it's opened.
    pub items: Vec<PlannedLicense>,
    /// What isn't, in the same order.
    pub left_out: Vec<LeftOut>,
}

impl Plan {
    /// One admin after the other, for a browser shared by two grants as the wrong user; then by UBI and license.
    pub fn ordered(mut self) -> Self {
        self.items.sort_by(|a, b| {
            let admin = |it: &PlannedLicense| it.username.as_str().to_lowercase();
            admin(a).cmp(&admin(b)).then_with(|| a.key.cmp(&b.key))
        });
        self.left_out.sort_by(|a, b| a.key.cmp(&b.key));
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Its turn hasn't come.
    Waiting,
    /// Its Grant Access page was opened; the admin hasn't answered.
    Opened,
    /// The admin answered; the grant is being fetched and stored.
    Storing,
    Granted,
    /// Another admin granted; that grant is set aside.
    Held,
    HandedOff,
    Failed,
    Skipped,
}

impl Progress {
    /// The word that people and the ledger see.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Opened => "opened",
            Self::Storing => "storing",
            Self::Granted => "granted",
            Self::Held => "held",
            Self::HandedOff => "handed_off",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        const ALL: [Progress; 8] = [
            Progress::Waiting,
            Progress::Opened,
            Progress::Storing,
            Progress::Granted,
            Progress::Held,
            Progress::HandedOff,
            Progress::Failed,
            Progress::Skipped,
        ];
        ALL.into_iter().find(|it| it.word() == word)
    }

    /// Whether nothing more will come of it in this run.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Granted | Self::Held | Self::HandedOff | Self::Failed | Self::Skipped)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
