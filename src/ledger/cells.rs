//! What several tables hold alike: a license's key, an instant, a secret's place, a flow's stage, tags.

use super::engine::{DbError, SqlRow, unexpected_value};
use crate::model::flow::{FlowStage, SealedBytes, SecretPlace};
use crate::model::ids::{License, LicenseId, Tag, Ubi};
use jiff::Timestamp;
use std::str::FromStr;

/// What stands beside `sent` for a refresh that was refused after its first answer was lost.
const REFUSED: &[u8] = b"refused";

/// A stage's columns.
pub(super) fn words(stage: &FlowStage) -> (&'static str, Option<&[u8]>) {
    match stage {
        FlowStage::Asked => ("asked", None),
        FlowStage::Arrived(code) => ("arrived", Some(&code.0)),
        FlowStage::Sent => ("sent", None),
        FlowStage::Refused => ("sent", Some(REFUSED)),
        FlowStage::Answered(answer) => ("answered", Some(&answer.0)),
    }
}

pub(super) fn stage(word: &str, sealed: Option<SealedBytes>) -> Option<FlowStage> {
    match (word, sealed) {
        ("asked", _) => Some(FlowStage::Asked),
        ("sent", Some(SealedBytes(said))) if said == REFUSED => Some(FlowStage::Refused),
        ("sent", _) => Some(FlowStage::Sent),
        ("arrived", Some(code)) => Some(FlowStage::Arrived(code)),
        ("answered", Some(answer)) => Some(FlowStage::Answered(answer)),
        _ => None,
    }
}

/// A text as it stands in the row: no copy is made of what is read into a type anyway.
pub(super) fn text<'r>(row: &'r SqlRow<'_>, column: usize) -> Result<&'r str, DbError> {
    row.get(column)
}

pub(super) fn key(row: &SqlRow<'_>, first: usize) -> Result<LicenseId, DbError> {
    Ok(LicenseId {
        ubi: Ubi::parse(text(row, first)?).map_err(|e| unexpected_value(first, e))?,
        license: License::parse(text(row, first + 1)?).map_err(|e| unexpected_value(first + 1, e))?,
    })
}

pub(super) fn instant(row: &SqlRow<'_>, column: usize) -> Result<Timestamp, DbError> {
    moment(row.get(column)?, column)
}

pub(super) fn moment(seconds: i64, column: usize) -> Result<Timestamp, DbError> {
    Timestamp::from_second(seconds).map_err(|e| unexpected_value(column, e))
}

/// A secret's place out of the columns `item` and `blob`.
pub(super) fn place(row: &SqlRow<'_>, first: usize) -> Result<Option<SecretPlace>, DbError> {
    if let Some(item) = row.get(first)? {
        return Ok(Some(SecretPlace::Item(item)));
    }
    Ok(row.get::<Option<Vec<u8>>>(first + 1)?.map(|bytes| SecretPlace::Blob(SealedBytes(bytes))))
}

pub(super) fn columns(place: &SecretPlace) -> (Option<&str>, Option<&[u8]>) {
    match place {
        SecretPlace::Item(item) => (Some(item), None),
        SecretPlace::Blob(sealed) => (None, Some(&sealed.0)),
    }
}

/// The mark of a secret that was sealed before seals said what they are for: the tag that a sealed blob ends with, or the
/// item's name. Schema 12 wrote it beside each; it holds for that very secret alone.
pub(super) fn old_mark(place: &SecretPlace) -> String {
    match place {
        SecretPlace::Item(item) => item.clone(),
        SecretPlace::Blob(sealed) => old_mark_of(sealed),
    }
}

pub(super) fn old_mark_of(SealedBytes(bytes): &SealedBytes) -> String {
    const TAG: usize = 16;
    hex::encode(&bytes[bytes.len().saturating_sub(TAG)..])
}

/// Whether a row's mark is this secret's.
pub(super) fn is_old(mark: Option<&str>, place: &SecretPlace) -> bool {
    mark.is_some_and(|mark| mark == old_mark(place))
}

pub(super) fn parsed<T: FromStr<Err = crate::error::Error>>(
    row: &SqlRow<'_>,
    column: usize,
) -> Result<Option<T>, DbError> {
    row.get::<Option<&str>>(column)?
        .map(|text| text.parse().map_err(|e| unexpected_value(column, e)))
        .transpose()
}

/// Tags, one a line.
pub(super) fn tags(row: &SqlRow<'_>, column: usize) -> Result<Vec<Tag>, DbError> {
    text(row, column)?.lines().map(|tag| tag.parse().map_err(|e| unexpected_value(column, e))).collect()
}

/// Tags as the column holds them.
pub(super) fn lines(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join("\n")
}
