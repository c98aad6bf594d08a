//! A run over several licenses, to be done.

use crate::command::form::OutputFormat;
use crate::model::authorization::AuthorizationWithFlows;
use crate::model::ids::{LicenseId, RunId};
use crate::model::plan::Plan;
use std::collections::HashMap;

pub(in crate::command) struct Run {
    pub plan: Plan,
    pub known: RecordsByLicense,
    pub resumed: Option<ResumedRun>,
    /// Whichever admin user grants will do.
    pub any_user: bool,
    /// What is done, in a word: "renew", "register".
    pub verb: &'static str,
    pub form: OutputFormat,
}

/// A profile's records with their open flows, by license.
pub(in crate::command) type RecordsByLicense = HashMap<LicenseId, AuthorizationWithFlows>;

/// A run in the ledger that is gone on with.
pub(in crate::command) struct ResumedRun {
    pub run: RunId,
    /// Each license's place in it.
    pub places: Vec<usize>,
}
