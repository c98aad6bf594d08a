//! Records that come from elsewhere, and what they change here: by license, never over a newer grant.

use super::authorization::{Authorization, Column, ColumnScope};
use super::column::{ColumnKind, ColumnReader, ColumnValue};
use super::odd_cell::{OddText, suspicious_text};
use crate::error::{Error, Result, RowProblem, clean};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// What `export --format json` prints and `import` reads: records without secrets, and no values that change with time.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExportDocument")]
pub struct ExportDocument<R = WrittenRecord> {
    /// 2; a file of 0.2.0 has 1, and can be imported, too.
    pub schema: u8,
    /// By UBI and license.
    pub authorizations: Vec<R>,
}

/// One record of an export as it's found in a file, where nothing of it has been judged yet.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct WrittenRecord(Map<String, Json>);

impl WrittenRecord {
    /// As it comes in; `number` is its place in the file, for what is wrong with it.
    ///
    /// # Errors
    /// The first value that can't be right.
    pub fn incoming(&self, number: usize) -> Result<ImportedRow, RowProblem> {
        let license = self.license();
        self.read().map_err(|e| RowProblem {
            line: None,
            column: None,
            problem: format!("authorization {number} ({license}): {e}"),
        })
    }

    pub fn license(&self) -> String {
        self.0.get("license").and_then(Json::as_str).map(clean).unwrap_or_default()
    }

    /// What is odd about its texts: the column, and a sentence without its subject. None of it is refused, for whatever stands in
    /// one ledger can move to another.
    pub fn odd(&self) -> Vec<(&'static str, String)> {
        let columns = Authorization::COLUMNS
            .iter()
            .filter(|it| matches!(it.part, ColumnScope::Key | ColumnScope::Detail));
        let texts = columns.filter_map(|it| Some((it.name, self.0.get(it.name)?.as_str()?)));
        texts
            .filter_map(|(column, text)| match suspicious_text(column, text)? {
                OddText::Wrong(why) => Some((column, why)),
                OddText::Unusual(why) => Some((column, why.to_owned())),
            })
            .collect()
    }

    fn read(&self) -> Result<ImportedRow> {
        let mut says = BTreeSet::new();
        for name in self.0.keys() {
            let column = Authorization::COLUMNS.iter().find(|it| it.part.is_carried() && it.name == name);
            says.insert(column.ok_or_else(|| unknown(name))?.name);
        }
        let mut members = Members { all: &self.0, refused: None };
        match Authorization::read(&mut members) {
            Some(record) => {
                let profile = super::ids::profile(&record.profile)?;
                Ok(ImportedRow::of(None, Authorization { profile, ..record }, says))
            }
            None => Err(members.refused.unwrap_or_else(|| unknown("authorization"))),
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::BadValue { name: "record", problem: format!("has an unknown key \"{}\"", clean(name)) }
}

/// A JSON object's members, as columns.
struct Members<'d> {
    all: &'d Map<String, Json>,
    refused: Option<Error>,
}

impl ColumnReader for Members<'_> {
    fn value(&mut self, column: &'static str, kind: ColumnKind) -> Option<ColumnValue<'_>> {
        let said = self.all.get(column).unwrap_or(&Json::Null);
        let value = match (kind, said) {
            (_, Json::Null) => Some(ColumnValue::Nothing),
            (ColumnKind::Text, Json::String(text)) => Some(ColumnValue::Text(text)),
            (ColumnKind::Instant, Json::String(text)) => {
                super::instant::parse(text).map(ColumnValue::Instant)
            }
            (ColumnKind::Flag, Json::Bool(flag)) => Some(ColumnValue::Flag(*flag)),
            (ColumnKind::Number, Json::Number(number)) => number.as_i64().map(ColumnValue::Number),
            (ColumnKind::List, Json::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(Into::into));
                texts.collect::<Option<Vec<_>>>().map(ColumnValue::List)
            }
            _ => None,
        };
        if value.is_none() {
            self.refuse(column, Error::BadValue { name: column, problem: kind.isnt().into() });
        }
        value
    }

    fn refuse(&mut self, _: &'static str, why: Error) {
        self.refused.get_or_insert(why);
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ImportedRow {
    /// The line of the file, where it has lines.
    pub line: Option<u64>,
    pub record: Authorization,
    /// The columns that the file has: of others it doesn't say anything.
    says: BTreeSet<&'static str>,
}

impl ImportedRow {
    /// A record that was read from a file which has these columns.
    pub(super) fn of(line: Option<u64>, mut record: Authorization, says: BTreeSet<&'static str>) -> Self {
        record.granted_by = record.granted_by.map(|who| clean(who.trim())).filter(|who| !who.is_empty());
        Self { line, record, says }
    }

    /// Whether the file says anything of the grant: then it says all.
    fn tells_the_grant(&self) -> bool {
        self.says.contains("expires_at")
    }

    fn copy(&self, wanted: impl Fn(&Column) -> bool, to: &mut Authorization) {
        for column in Authorization::COLUMNS.iter().filter(|column| wanted(column)) {
            column.copy(&self.record, to);
        }
    }
}

/// How new a grant is: when it was consented, then when it ends, then what became of it.
fn age(record: &Authorization) -> impl Ord + use<> {
    let consented = record.renewed_at.max(record.created_at);
    (consented, record.renewed_at, record.expires_at, record.deactivated_at.max(record.invalid_at))
}

/// One field that would be changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FieldChange {
    /// The field's name, as in the CSV columns.
    pub field: &'static str,
    /// The value here; `null`: none.
    pub before: Option<String>,
    /// What the file says.
    pub after: Option<String>,
}

/// What becomes of a license.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportEffect {
    /// The record is new here.
    Add,
    /// The record changes.
    Change,
    /// The record doesn't change.
    Same,
}

/// A record as it would be.
#[derive(Debug, Clone)]
pub struct MergedRecord {
    pub record: Authorization,
    pub effect: ImportEffect,
    pub changes: Vec<FieldChange>,
    /// Why the file's grant was left, where it was.
    pub left: Option<&'static str>,
    /// The file's tokens are to be taken, where it has any.
    pub takes_tokens: bool,
}

/// What the file's tokens are worth here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTokens {
    /// The file has none of it.
    None,
    /// They move here: nobody else has them any more.
    Move,
    /// They come from a backup: they may still live elsewhere.
    Backup,
}

/// Which tokens of a grant are here, beside the file's of the very same consent: each refresh makes newer ones, and the older
/// are spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokensHere {
    /// None, or none that the vault gives back.
    None,
    /// Older ones than the file's.
    Older,
    /// The same, or some whose age can't be told here.
    Same,
    /// Newer ones.
    Newer,
}

/// Merges what a file says into what is here.
pub fn merge(
    ours: Option<&Authorization>,
    theirs: &ImportedRow,
    here: TokensHere,
    tokens: FileTokens,
) -> MergedRecord {
    let said = &theirs.record;
    let mut record = ours
        .cloned()
        .unwrap_or_else(|| Authorization::asked(&said.profile, said.key.clone(), said.username.clone()));
    theirs.copy(|it| it.part == ColumnScope::Detail && theirs.says.contains(it.name), &mut record);
    let mut left = None;
    let mut takes_tokens = false;
    if theirs.tells_the_grant() {
        let order = ours.map(|known| age(said).cmp(&age(known)));
        match (order, ours) {
            (Some(Ordering::Less), Some(known)) => {
                left = Some("the grant here is newer");
                // Who is asked goes with the grant.
                record.username.clone_from(&known.username);
            }
            (order, _) => {
                theirs.copy(|it| matches!(it.part, ColumnScope::Fact | ColumnScope::EndFact), &mut record);
                // It was used here, too, whether or not the file knows of that.
                record.last_used_at = record.last_used_at.max(ours.and_then(|known| known.last_used_at));
                let same = order == Some(Ordering::Equal);
                // Tokens out of a backup aren't used until the grant moves here, which it does with those that are the same.
                let arrives = tokens == FileTokens::Move && ours.is_some_and(|known| known.held_elsewhere);
                let stays = same && (here == TokensHere::Newer || here == TokensHere::Same && !arrives);
                if stays {
                    left = (tokens != FileTokens::None).then_some(match here {
                        TokensHere::Newer => "newer tokens are here",
                        _ => "its tokens are already here",
                    });
                } else {
                    takes_tokens = tokens != FileTokens::None && said.is_granted();
                    // A living grant whose tokens aren't here is refreshed and revoked elsewhere.
                    record.held_elsewhere =
                        said.is_granted() && !(takes_tokens && tokens == FileTokens::Move);
                }
                if !same {
                    record.uncertain_at = None;
                    record.grant_before = None;
                }
            }
        }
    }
    let changes = differences(ours, &record);
    let effect = match (ours, changes.is_empty() && !takes_tokens) {
        (None, _) => ImportEffect::Add,
        (Some(_), false) => ImportEffect::Change,
        (Some(_), true) => ImportEffect::Same,
    };
    MergedRecord { record, effect, changes, left, takes_tokens }
}

/// Field by field, in the order of the columns.
pub(super) fn differences(before: Option<&Authorization>, after: &Authorization) -> Vec<FieldChange> {
    let columns = Authorization::COLUMNS.iter().filter(|column| column.part != ColumnScope::Key);
    columns
        .map(|column| FieldChange {
            field: column.name,
            before: before.and_then(|record| in_words(&column.value(record))),
            after: in_words(&column.value(after)),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// What a person is shown of a value; nothing where there is nothing to tell.
fn in_words(value: &ColumnValue<'_>) -> Option<String> {
    match value {
        ColumnValue::Nothing | ColumnValue::Flag(false) | ColumnValue::Number(0) => None,
        value => Some(value.cell()).filter(|text| !text.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{License, LicenseId, Ubi, Username};

    fn record(consented: &str, expires: &str) -> Authorization {
        let key = LicenseId { ubi: Ubi::parse("604001").unwrap(), license: License::parse("L-1").unwrap() };
        Authorization {
            created_at: Some(consented.parse().unwrap()),
            expires_at: Some(expires.parse().unwrap()),
            ..Authorization::asked("ny", key, Username::parse("ann@example.com").unwrap())
        }
    }

    /// What a file says that has this record's key and grant, and a name.
    fn said(record: &Authorization) -> ImportedRow {
        let record = Authorization { name: Some("Hudson".parse().unwrap()), ..record.clone() };
        let says =
            Authorization::COLUMNS.iter().filter(|it| !["ocm_license", "contact", "tags"].contains(&it.name));
        ImportedRow { line: None, record, says: says.map(|it| it.name).collect() }
    }

    fn grant(record: &Authorization) -> Vec<ColumnValue<'_>> {
        let facts = Authorization::COLUMNS
            .iter()
            .filter(|it| matches!(it.part, ColumnScope::Fact | ColumnScope::EndFact));
        facts.map(|column| column.value(record)).collect()
    }

    #[test]
    fn a_profile_with_a_character_that_cannot_be_written_again_is_refused() {
        for (profile, problem) in
            [("a\\u0000b", "contains a control or invisible character: a\u{fffd}b"), (" ", "is empty")]
        {
            let json =
                format!(r#"{{"profile":"{profile}","ubi":"604001","license":"L-1","username":"ann"}}"#);
            let written: WrittenRecord = serde_json::from_str(&json).unwrap();
            let complaint = written.incoming(1).unwrap_err();
            assert!(complaint.problem.ends_with(&format!("profile {problem}")), "{}", complaint.problem);
        }
    }

    #[test]
    fn a_newer_grant_is_never_overwritten() {
        let old = record("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z");
        let new = Authorization {
            renewed_at: Some("2026-04-01T00:00:00Z".parse().unwrap()),
            ..record("2026-01-01T00:00:00Z", "2026-07-10T00:00:00Z")
        };
        for tokens in [FileTokens::None, FileTokens::Move, FileTokens::Backup] {
            let merged = merge(Some(&new), &said(&old), TokensHere::Same, tokens);
            assert_eq!(grant(&merged.record), grant(&new));
            assert!(merged.left.is_some() && !merged.takes_tokens && !merged.record.held_elsewhere);
            assert_eq!(merged.changes.len(), 1, "the name: {:?}", merged.changes);
            let merged = merge(Some(&old), &said(&new), TokensHere::Same, tokens);
            assert_eq!(grant(&merged.record), grant(&new));
            assert_eq!(merged.takes_tokens, tokens != FileTokens::None);
            assert_eq!(merged.record.held_elsewhere, tokens != FileTokens::Move);
        }
    }

    #[test]
    fn an_older_file_does_not_take_the_last_use_back() {
        let used = |at: &str| Authorization {
            last_used_at: Some(at.parse().unwrap()),
            name: Some("Hudson".parse().unwrap()),
            ..record("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z")
        };
        let (before, after) = (used("2026-02-01T00:00:00Z"), used("2026-03-01T00:00:00Z"));
        let merged = merge(Some(&after), &said(&before), TokensHere::Same, FileTokens::None);
        assert_eq!((merged.effect, merged.record.last_used_at), (ImportEffect::Same, after.last_used_at));
        let merged = merge(Some(&before), &said(&after), TokensHere::Same, FileTokens::None);
        assert_eq!((merged.effect, merged.record.last_used_at), (ImportEffect::Change, after.last_used_at));
    }

    #[test]
    fn the_same_grant_brings_its_tokens_only_where_they_are_missing() {
        let it = record("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z");
        let merged = merge(Some(&it), &said(&it), TokensHere::Same, FileTokens::Move);
        assert!(!merged.takes_tokens && merged.left.is_some());
        let gone = Authorization { held_elsewhere: true, ..it.clone() };
        let merged = merge(Some(&gone), &said(&it), TokensHere::None, FileTokens::Move);
        assert!(merged.takes_tokens && !merged.record.held_elsewhere);
    }

    #[test]
    fn of_two_token_sets_of_a_grant_the_newer_is_kept() {
        let it = record("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z");
        let unused = Authorization { held_elsewhere: true, ..it.clone() };
        for (ours, here, tokens, takes, elsewhere) in [
            // A rehearsed backup, then the move.
            (&unused, TokensHere::Older, FileTokens::Move, true, false),
            (&unused, TokensHere::Same, FileTokens::Move, true, false),
            (&unused, TokensHere::Newer, FileTokens::Move, false, true),
            // A newer backup.
            (&unused, TokensHere::Older, FileTokens::Backup, true, true),
            (&unused, TokensHere::Same, FileTokens::Backup, false, true),
            // Ours went back in time, or the file is old.
            (&it, TokensHere::Older, FileTokens::Move, true, false),
            (&it, TokensHere::Same, FileTokens::Move, false, false),
            (&it, TokensHere::Newer, FileTokens::Move, false, false),
            (&it, TokensHere::Older, FileTokens::Backup, true, true),
            (&it, TokensHere::Newer, FileTokens::Backup, false, false),
        ] {
            let merged = merge(Some(ours), &said(&it), here, tokens);
            let told = format!("{here:?} {tokens:?} {}", ours.held_elsewhere);
            assert_eq!((merged.takes_tokens, merged.record.held_elsewhere), (takes, elsewhere), "{told}");
            assert_eq!(merged.left.is_some(), !takes, "{told}");
        }
    }

    #[test]
    fn what_a_file_does_not_say_stays_and_what_is_empty_goes() {
        let it = Authorization {
            contact: Some("bob@example.com".parse().unwrap()),
            name: Some("Hudson".parse().unwrap()),
            ..record("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z")
        };
        let mut without_a_name = said(&it);
        without_a_name.record.name = None;
        let merged = merge(Some(&it), &without_a_name, TokensHere::Same, FileTokens::None);
        assert_eq!(
            (merged.record.name.as_ref(), merged.record.contact.as_ref()),
            (None, it.contact.as_ref())
        );
        assert_eq!(
            merge(Some(&it), &said(&it), TokensHere::Same, FileTokens::None).effect,
            ImportEffect::Same
        );
    }
    #[test]
    fn of_a_document_too_what_is_not_there_stays_and_a_member_that_is_unknown_is_named() {
        let it = Authorization {
            contact: Some("bob@example.com".parse().unwrap()),
            ..record("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z")
        };
        let read = |more: &str| {
            let json = format!(r#"{{"profile":"ny","ubi":"604001","license":"L-1","username":"ann"{more}}}"#);
            serde_json::from_str::<WrittenRecord>(&json).unwrap().incoming(1)
        };
        let merged =
            merge(Some(&it), &read(r#","tags":["b","a","b"]"#).unwrap(), TokensHere::Same, FileTokens::None);
        assert_eq!(merged.record.username.as_str(), "ann");
        assert_eq!(merged.record.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((merged.record.contact, merged.record.expires_at), (it.contact, it.expires_at));
        for (more, said) in [
            (r#","held_by":"eve""#, "the record has an unknown key \"held_by\""),
            (r#","created_at":"soon""#, "the created_at isn't an instant such as 2026-01-31T12:00:00Z"),
            (r#","expires_estimated":"yes""#, "the expires_estimated is neither true nor false"),
            (r#","tags":"a;b""#, "the tags isn't a list of strings"),
            (r#","name":7"#, "the name isn't text"),
            (r#","contact":"a\u0000b""#, "the contact contains a control or invisible character: a\u{fffd}b"),
        ] {
            assert_eq!(read(more).unwrap_err().problem, format!("authorization 1 (L-1): {said}"));
        }
    }
}
