//! What a record said of the grant that the living one replaced: kept until that one is proven, for the case that it's dead.

use super::column::{ColumnKind, ColumnType, ColumnValue};
use crate::error::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A record's words on the grant before, as the ledger's column holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousGrant(String);

/// The same, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousFacts {
    pub secret: i64,
    pub created_at: Option<Timestamp>,
    /// When the grant was consented, if that was a renewal.
    pub renewed_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// That is our estimate.
    pub expires_estimated: bool,
    pub granted_by: Option<String>,
    /// What the answer didn't confirm.
    pub unconfirmed: Vec<String>,
}

impl PreviousGrant {
    /// As a column holds it; `None` where that can't be written down.
    pub fn of(facts: &PreviousFacts) -> Option<Self> {
        serde_json::to_string(facts).ok().map(Self)
    }

    /// What it says; `None` where that can't be read.
    pub fn facts(&self) -> Option<PreviousFacts> {
        serde_json::from_str(&self.0).ok()
    }
}

impl ColumnType for PreviousGrant {
    const KIND: ColumnKind = ColumnKind::Text;

    fn value(&self) -> ColumnValue<'_> {
        ColumnValue::Text(&self.0)
    }

    fn of(value: ColumnValue<'_>) -> Result<Self> {
        String::of(value).map(Self)
    }
}
