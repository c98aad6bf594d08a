//! The sealed form of a bundle: records, and tokens that leave or come with them.

use crate::error::{Error, Result, UnsealError, VaultError};
use crate::model::authorization::{Authorization, ExportedRecord};
use crate::model::secret::Sealable;
use crate::model::transfer::WrittenRecord;
use crate::vault::seal_to;
use serde::{Deserialize, Serialize};

/// The number of this form of the bundle.
const BUNDLE_VERSION: u8 = 1;

/// What is inside a sealed bundle.
#[derive(Debug)]
pub struct Bundle {
    /// The tokens stay live where they came from.
    pub backup: bool,
    pub rows: Vec<BundleRow>,
}

#[derive(Debug)]
pub struct BundleRow {
    pub record: WrittenRecord,
    /// Its live token set, where the bundle has it.
    pub tokens: Option<Sealable>,
}

/// The bundle as JSON, before it's sealed.
#[derive(Serialize)]
struct BundleDocument<'a> {
    schema: u8,
    backup: bool,
    authorizations: Vec<WrittenRow<'a>>,
}

#[derive(Serialize)]
struct WrittenRow<'a> {
    record: ExportedRecord<'a>,
    tokens: Option<&'a str>,
}

#[derive(Deserialize)]
struct Read {
    schema: u8,
    backup: bool,
    authorizations: Vec<ReadRow>,
}

#[derive(Deserialize)]
struct ReadRow {
    record: WrittenRecord,
    tokens: Option<String>,
}

impl Bundle {
    pub fn read(opened: &Sealable, whose: &str) -> Result<Self> {
        let Read { schema, backup, authorizations } = opened.read(whose)?;
        if schema != BUNDLE_VERSION {
            let reason = UnsealError::NewerForm { found: schema, known: BUNDLE_VERSION };
            return Err(VaultError::Sealed { what: whose.into(), reason }.into());
        }
        let row = |ReadRow { record, tokens }| BundleRow {
            record,
            // The same memory, wiped from now on.
            tokens: tokens.map(|text| Sealable::from_bytes(text.into_bytes())),
        };
        Ok(Self { backup, rows: authorizations.into_iter().map(row).collect() })
    }
}

/// Records with the tokens of those that bring theirs, sealed.
pub(super) fn seal(
    rows: &[(&Authorization, Option<Sealable>)],
    backup: bool,
    recipients: &[String],
    armored: bool,
) -> Result<Vec<u8>> {
    let mut authorizations = Vec::with_capacity(rows.len());
    for (record, tokens) in rows {
        let text = tokens.as_ref().map(|it| str::from_utf8(it.bytes())).transpose();
        let tokens = text.map_err(|_| Error::Internal("a token set isn't text".into()))?;
        authorizations.push(WrittenRow { record: ExportedRecord(record), tokens });
    }
    seal_to(
        recipients,
        &Sealable::of(&BundleDocument { schema: BUNDLE_VERSION, backup, authorizations }),
        armored,
    )
}
