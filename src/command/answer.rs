//! How a command answers: its outcomes and errors, as text and as JSON.

use super::context::{Invocation, Workspace};
use crate::error::{Error, ErrorCode, Result};
use crate::ledger::Ledger;
use crate::model::authorization::selector;
use crate::model::ids::LicenseId;
use crate::model::outcome::{Outcome, OutcomeKind, exit_of};
use crate::model::provider::Provider;
use crate::report::{ErrorDocument, ReportRow, View, card, results, unknown};
use jiff::Timestamp;

impl Invocation<'_> {
    pub(super) fn view(&self, profile: Option<&str>) -> View {
        View {
            now: self.env.clock.now(),
            profile: profile.map(str::to_owned),
            color: self.env.terminal.color_out(),
            width: self.env.terminal.width(),
        }
    }

    pub(super) fn finish(&self, provider: &Provider, outcomes: &[Outcome], said: &str) -> Result<u8> {
        if self.json {
            self.env.terminal.answer(&self.json_text(&results(
                outcomes,
                provider,
                self.env.clock.now(),
            ))?)?;
        } else if !said.is_empty() {
            self.env.terminal.answer(said)?;
        }
        for error in outcomes.iter().filter_map(|outcome| outcome.error.as_ref()) {
            self.env.terminal.error(error);
        }
        Ok(exit_of(outcomes))
    }

    pub(super) fn json_line(&self, document: &impl serde::Serialize) -> Result<String> {
        as_json(serde_json::to_string(document)).map(|text| text + "\n")
    }

    pub(super) fn json_text(&self, document: &impl serde::Serialize) -> Result<String> {
        as_json(serde_json::to_string_pretty(document)).map(|text| text + "\n")
    }

    pub(super) fn card(&self, ledger: &Ledger, row: &ReportRow<'_>, now: Timestamp) -> Result<String> {
        const SHOWN: u32 = 6;
        let record = &row.standing.record;
        Ok(card(row, &ledger.last_lines(&record.profile, &record.key, SHOWN)?, now))
    }
}

impl Workspace<'_> {
    /// What the work on one license was refused for: in JSON as its result, as all that is about a license.
    pub(super) fn refused(&self, call: &Invocation<'_>, key: &LicenseId, error: Error) -> Result<u8> {
        let error = error.for_license(&selector(key, self.provider.other()));
        if !call.json || matches!(error, Error::Output(_)) {
            return Err(error);
        }
        let standing = self.custody.standing_to_tell(key);
        let outcome = Outcome::of(key.clone(), OutcomeKind::Failed, standing);
        self.finish(call, Outcome { error: Some(error), ..outcome })
    }

    /// Answers with what became of one license: its card, where it went well.
    pub(super) fn finish(&self, call: &Invocation<'_>, outcome: Outcome) -> Result<u8> {
        let said = match (&outcome.standing, &outcome.error) {
            (Some(standing), None) => {
                let now = call.env.clock.now();
                let row = ReportRow::at(now, standing, &self.provider);
                // What was done stands, whether or not its history can be read now.
                call.card(self.custody.ledger(), &row, now).unwrap_or_else(|_| card(&row, &[], now))
            }
            _ => String::new(),
        };
        call.finish(&self.provider, &[outcome], &said)
    }
}

/// What came of writing JSON, as an answer or the program's own error.
pub(super) fn as_json(written: serde_json::Result<String>) -> Result<String> {
    written.map_err(|e| Error::Internal(format!("the answer can't be written as JSON: {e}")))
}

/// An error as a script gets it, with the code that the process ends with.
pub fn error_as_json(error: &Error, exit: u8) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&ErrorDocument::of(error, exit))
}

/// An error as a monitoring daemon gets it: one line, UNKNOWN.
pub fn error_for_monitoring(error: &Error) -> String {
    unknown(&match error.hint() {
        Some(hint) => format!("{error}. {hint}"),
        None => error.to_string(),
    })
}

/// An error about one license becomes its outcome; one about the call itself stays the call's.
pub(super) fn outcome_or_error(workspace: &Workspace<'_>, key: &LicenseId, error: Error) -> Result<Outcome> {
    let error = error_of_license(workspace, key, error)?;
    let standing = workspace.custody.standing_to_tell(key);
    Ok(Outcome { error: Some(error), ..Outcome::of(key.clone(), OutcomeKind::Failed, standing) })
}

/// An error about one license, with that license in its hint; one about the call itself is the call's.
pub(super) fn error_of_license(workspace: &Workspace<'_>, key: &LicenseId, error: Error) -> Result<Error> {
    let error = error.for_license(&selector(key, workspace.provider.other()));
    match error.kind() {
        ErrorCode::Usage
        | ErrorCode::Config
        | ErrorCode::NotFound
        | ErrorCode::Ambiguous
        | ErrorCode::NeedsPerson => Err(error),
        _ => Ok(error),
    }
}
