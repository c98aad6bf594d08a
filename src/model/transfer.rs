//! Records that come from elsewhere, and what they change here: by licence, never over a newer grant.

use super::authorization::Authorization;
use super::ids::{Contact, Key, License, OcmLicense, StoreName, Tag, Ubi, Username};
use crate::error::{Complaint, Result, clean};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// What `export --format json` prints, and `import` reads: records without secrets, and nothing that time changes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportDocument {
    /// 1.
    pub schema: u8,
    /// By UBI and licence.
    pub authorizations: Vec<ExportedRecord>,
}

/// One record of an export.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportedRecord {
    /// The profile it belongs to.
    pub profile: String,
    /// The company.
    pub ubi: String,
    /// The location.
    pub license: String,
    /// The official OCM licence.
    pub ocm_license: Option<String>,
    /// The store's name.
    pub name: Option<String>,
    /// The admin who is asked to grant.
    pub username: String,
    /// The account that really granted.
    pub granted_by: Option<String>,
    /// Whom to write to.
    pub contact: Option<String>,
    /// Words to group it by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When it was first granted.
    #[serde(default, deserialize_with = "super::instant::optional")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub created_at: Option<Timestamp>,
    /// When the living grant was consented, if that was a renewal.
    #[serde(default, deserialize_with = "super::instant::optional")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub renewed_at: Option<Timestamp>,
    /// When the living grant ends.
    #[serde(default, deserialize_with = "super::instant::optional")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires_at: Option<Timestamp>,
    /// The end is an estimate.
    #[serde(default)]
    pub expires_estimated: bool,
    /// When it was deactivated.
    #[serde(default, deserialize_with = "super::instant::optional")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub deactivated_at: Option<Timestamp>,
    /// When the provider itself said that the grant is dead.
    #[serde(default, deserialize_with = "super::instant::optional")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub invalid_at: Option<Timestamp>,
}

impl ExportedRecord {
    /// A record's own.
    pub fn of(record: &Authorization) -> Self {
        fn some(it: Option<&impl Display>) -> Option<String> {
            it.map(ToString::to_string)
        }
        Self {
            profile: record.profile.clone(),
            ubi: record.key.ubi.to_string(),
            license: record.key.license.to_string(),
            ocm_license: some(record.ocm_license.as_ref()),
            name: some(record.name.as_ref()),
            username: record.username.to_string(),
            granted_by: record.granted_by.clone(),
            contact: some(record.contact.as_ref()),
            tags: record.tags.iter().map(ToString::to_string).collect(),
            created_at: record.created_at,
            renewed_at: record.renewed_at,
            expires_at: record.expires_at,
            expires_estimated: record.expires_estimated,
            deactivated_at: record.deactivated_at,
            invalid_at: record.invalid_at,
        }
    }

    /// As it comes in; `number` is its place in the file, for what is wrong with it.
    ///
    /// # Errors
    /// The first value that can't be right.
    pub fn incoming(self, number: usize) -> Result<Incoming, Complaint> {
        let license = clean(&self.license);
        self.parsed().map_err(|e| Complaint {
            line: None,
            column: None,
            problem: format!("authorization {number} ({license}): {e}"),
        })
    }

    fn parsed(self) -> Result<Incoming> {
        let second = |at: Option<Timestamp>| at.and_then(|at| Timestamp::from_second(at.as_second()).ok());
        let mut tags = self.tags.iter().map(|tag| Tag::parse(tag)).collect::<Result<Vec<_>>>()?;
        tags.sort();
        tags.dedup();
        Ok(Incoming {
            line: None,
            profile: super::ids::profile(&self.profile)?,
            key: Key { ubi: Ubi::parse(&self.ubi)?, license: License::parse(&self.license)? },
            username: Username::parse(&self.username)?,
            ocm_license: Some(self.ocm_license.as_deref().map(OcmLicense::parse).transpose()?),
            name: Some(self.name.as_deref().map(StoreName::parse).transpose()?),
            contact: Some(self.contact.as_deref().map(Contact::parse).transpose()?),
            tags: Some(tags),
            facts: Some(Facts {
                granted_by: self.granted_by.map(|who| clean(who.trim())).filter(|who| !who.is_empty()),
                created_at: second(self.created_at),
                renewed_at: second(self.renewed_at),
                expires_at: second(self.expires_at),
                expires_estimated: self.expires_estimated,
                deactivated_at: second(self.deactivated_at),
                invalid_at: second(self.invalid_at),
            }),
        })
    }
}

/// What a file says of a licence. `None` in the outer place: the file doesn't say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The line of the file, where it has lines.
    pub line: Option<u64>,
    /// The profile it belongs to.
    pub profile: String,
    /// UBI and licence.
    pub key: Key,
    /// The admin who is asked to grant.
    pub username: Username,
    /// The official OCM licence.
    pub ocm_license: Option<Option<OcmLicense>>,
    /// The store's name.
    pub name: Option<Option<StoreName>>,
    /// Whom to write to.
    pub contact: Option<Option<Contact>>,
    /// Words to group it by.
    pub tags: Option<Vec<Tag>>,
    /// What it says of the grant.
    pub facts: Option<Facts>,
}

/// What is known of a grant besides its tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The account that really granted.
    pub granted_by: Option<String>,
    /// When it was first granted.
    pub created_at: Option<Timestamp>,
    /// When the living grant was consented, if that was a renewal.
    pub renewed_at: Option<Timestamp>,
    /// When the living grant ends.
    pub expires_at: Option<Timestamp>,
    /// The end is an estimate.
    pub expires_estimated: bool,
    /// When it was deactivated.
    pub deactivated_at: Option<Timestamp>,
    /// When the provider itself said that the grant is dead.
    pub invalid_at: Option<Timestamp>,
}

impl Facts {
    /// A record's own.
    pub fn of(record: &Authorization) -> Self {
        Self {
            granted_by: record.granted_by.clone(),
            created_at: record.created_at,
            renewed_at: record.renewed_at,
            expires_at: record.expires_at,
            expires_estimated: record.expires_estimated,
            deactivated_at: record.deactivated_at,
            invalid_at: record.invalid_at,
        }
    }

    /// How new the grant is: when it was consented, then when it ends, then what became of it.
    fn age(&self) -> impl Ord {
        let consented = self.renewed_at.max(self.created_at);
        (consented, self.renewed_at, self.expires_at, self.deactivated_at.max(self.invalid_at))
    }

    fn living(&self) -> bool {
        self.expires_at.is_some() && self.deactivated_at.is_none()
    }
}

/// One field that would be changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FieldChange {
    /// Its name, as the columns have it.
    pub field: &'static str,
    /// What stands here; `null`: nothing.
    pub before: Option<String>,
    /// What the file says.
    pub after: Option<String>,
}

/// What becomes of a licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It wasn't here.
    Add,
    /// Something of it changes.
    Change,
    /// Nothing of it changes.
    Same,
}

/// A record as it would be.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The record.
    pub record: Authorization,
    /// What becomes of it.
    pub effect: Effect,
    /// Field by field.
    pub changes: Vec<FieldChange>,
    /// Why the file's grant was left, where it was.
    pub left: Option<&'static str>,
    /// The file's tokens are to be taken, where it has any.
    pub takes_tokens: bool,
}

/// What the file's tokens are worth here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// The file has none of it.
    None,
    /// They move here: nobody else has them any more.
    Move,
    /// They come from a backup: they may still live elsewhere.
    Backup,
}

/// Merges what a file says into what is here. `kept`: the tokens of a living grant are here.
pub fn merge(ours: Option<&Authorization>, theirs: &Incoming, kept: bool, tokens: Tokens) -> Merged {
    let mut record = ours.cloned().unwrap_or_else(|| {
        Authorization::asked(&theirs.profile, theirs.key.clone(), theirs.username.clone())
    });
    let before = ours.cloned();
    record.username = theirs.username.clone();
    if let Some(it) = &theirs.ocm_license {
        record.ocm_license = it.clone();
    }
    if let Some(it) = &theirs.name {
        record.name = it.clone();
    }
    if let Some(it) = &theirs.contact {
        record.contact = it.clone();
    }
    if let Some(it) = &theirs.tags {
        record.tags = it.clone();
    }
    let mut left = None;
    let mut takes_tokens = false;
    if let Some(facts) = &theirs.facts {
        let known = before.as_ref().map(Facts::of);
        let order = known.as_ref().map(|known| facts.age().cmp(&known.age()));
        match order {
            Some(std::cmp::Ordering::Less) => {
                left = Some("the grant here is newer");
                // Who is asked goes with the grant.
                record.username = before.as_ref().map_or(record.username, |it| it.username.clone());
            }
            Some(std::cmp::Ordering::Equal) if kept => {
                put(&mut record, facts);
                if tokens != Tokens::None {
                    left = Some("its tokens are here already");
                }
            }
            order => {
                put(&mut record, facts);
                takes_tokens = tokens != Tokens::None && facts.living();
                let new = order != Some(std::cmp::Ordering::Equal);
                if new {
                    record.uncertain_at = None;
                }
                // A living grant whose tokens aren't here is refreshed and revoked elsewhere.
                record.held_elsewhere = facts.living() && !(takes_tokens && tokens == Tokens::Move);
            }
        }
    }
    let changes = differences(before.as_ref(), &record);
    let effect = match (&before, changes.is_empty() && !takes_tokens) {
        (None, _) => Effect::Add,
        (Some(_), false) => Effect::Change,
        (Some(_), true) => Effect::Same,
    };
    Merged { record, effect, changes, left, takes_tokens }
}

fn put(record: &mut Authorization, facts: &Facts) {
    let Facts {
        granted_by,
        created_at,
        renewed_at,
        expires_at,
        expires_estimated,
        deactivated_at,
        invalid_at,
    } = facts.clone();
    record.granted_by = granted_by;
    record.created_at = created_at;
    record.renewed_at = renewed_at;
    record.expires_at = expires_at;
    record.expires_estimated = expires_estimated;
    record.deactivated_at = deactivated_at;
    record.invalid_at = invalid_at;
}

/// Field by field, as the columns of an export have them.
pub fn differences(before: Option<&Authorization>, after: &Authorization) -> Vec<FieldChange> {
    let before = before.map(texts).unwrap_or_default();
    let mut changes = Vec::new();
    for (at, (field, after)) in texts(after).into_iter().enumerate() {
        let before = before.get(at).and_then(|(_, text)| text.clone());
        if before != after {
            changes.push(FieldChange { field, before, after });
        }
    }
    changes
}

fn texts(record: &Authorization) -> Vec<(&'static str, Option<String>)> {
    fn some(it: Option<&impl Display>) -> Option<String> {
        it.map(ToString::to_string)
    }
    let tags = super::rows::tags_cell(&record.tags);
    vec![
        ("username", Some(record.username.to_string())),
        ("name", some(record.name.as_ref())),
        ("ocm_license", some(record.ocm_license.as_ref())),
        ("contact", some(record.contact.as_ref())),
        ("tags", (!tags.is_empty()).then_some(tags)),
        ("granted_by", record.granted_by.clone()),
        ("created_at", some(record.created_at.as_ref())),
        ("renewed_at", some(record.renewed_at.as_ref())),
        ("expires_at", some(record.expires_at.as_ref())),
        ("expires_estimated", record.expires_estimated.then(|| "true".to_owned())),
        ("deactivated_at", some(record.deactivated_at.as_ref())),
        ("invalid_at", some(record.invalid_at.as_ref())),
        ("held_elsewhere", record.held_elsewhere.then(|| "true".to_owned())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{License, Ubi};

    fn record(consented: &str, expires: &str) -> Authorization {
        let key = Key { ubi: Ubi::parse("604001").unwrap(), license: License::parse("L-1").unwrap() };
        Authorization {
            created_at: Some(consented.parse().unwrap()),
            expires_at: Some(expires.parse().unwrap()),
            ..Authorization::asked("ny", key, Username::parse("ann@example.com").unwrap())
        }
    }

    fn said(record: &Authorization) -> Incoming {
        Incoming {
            line: None,
            profile: record.profile.clone(),
            key: record.key.clone(),
            username: record.username.clone(),
            ocm_license: None,
            name: Some(Some("Hudson".parse().unwrap())),
            contact: None,
            tags: None,
            facts: Some(Facts::of(record)),
        }
    }

    #[test]
    fn a_profile_with_a_character_that_cannot_be_written_again_is_refused() {
        for (profile, problem) in
            [("a\\u0000b", "has a control character or an invisible one: a\u{fffd}b"), (" ", "is empty")]
        {
            let json =
                format!(r#"{{"profile":"{profile}","ubi":"604001","license":"L-1","username":"ann"}}"#);
            let written: ExportedRecord = serde_json::from_str(&json).unwrap();
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
        for tokens in [Tokens::None, Tokens::Move, Tokens::Backup] {
            let merged = merge(Some(&new), &said(&old), true, tokens);
            assert_eq!(Facts::of(&merged.record), Facts::of(&new));
            assert!(merged.left.is_some() && !merged.takes_tokens && !merged.record.held_elsewhere);
            assert_eq!(merged.changes.len(), 1, "the name: {:?}", merged.changes);
            let merged = merge(Some(&old), &said(&new), true, tokens);
            assert_eq!(Facts::of(&merged.record), Facts::of(&new));
            assert_eq!(merged.takes_tokens, tokens != Tokens::None);
            assert_eq!(merged.record.held_elsewhere, tokens != Tokens::Move);
        }
    }

    #[test]
    fn the_same_grant_brings_its_tokens_only_where_they_are_missing() {
        let it = record("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z");
        let merged = merge(Some(&it), &said(&it), true, Tokens::Move);
        assert!(!merged.takes_tokens && merged.left.is_some());
        let gone = Authorization { held_elsewhere: true, ..it.clone() };
        let merged = merge(Some(&gone), &said(&it), false, Tokens::Move);
        assert!(merged.takes_tokens && !merged.record.held_elsewhere);
    }

    #[test]
    fn what_a_file_does_not_say_stays_and_what_is_empty_goes() {
        let it = Authorization {
            contact: Some("bob@example.com".parse().unwrap()),
            name: Some("Hudson".parse().unwrap()),
            ..record("2026-01-01T00:00:00Z", "2026-04-11T00:00:00Z")
        };
        let merged = merge(Some(&it), &Incoming { name: Some(None), ..said(&it) }, true, Tokens::None);
        assert_eq!(
            (merged.record.name.as_ref(), merged.record.contact.as_ref()),
            (None, it.contact.as_ref())
        );
        assert_eq!(merge(Some(&it), &said(&it), true, Tokens::None).effect, Effect::Same);
    }
}
