//! What the worklist shows of a run, as the command gives it.

use crate::model::ids::{LicenseId, OcmLicense, StoreName, Username};

/// What the page shows of one license. All of it is text, which the page escapes.
#[derive(Debug, Clone)]
pub struct WorklistEntry {
    pub key: LicenseId,
    pub username: Username,
    pub name: Option<StoreName>,
    pub ocm_license: Option<OcmLicense>,
    /// When its living grant ends, in the profile's zone, ready to be shown.
    pub expires: Option<String>,
    /// Why it's in the run, in words.
    pub why: String,
}

/// What the page shows of a run: its licenses in their order, one admin's beside each other.
#[derive(Debug, Clone)]
pub struct WorklistView {
    pub profile: String,
    /// What every Grant Access page of the run must show: label and value.
    pub facts: Vec<(&'static str, String)>,
    pub entries: Vec<WorklistEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOffLink {
    pub address: String,
    pub message: String,
}
