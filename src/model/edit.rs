//! What an operator changes of a record by hand, and whose name a changed one is already.

use super::authorization::Authorization;
use super::ids::{Contact, License, LicenseId, OcmLicense, StoreName, Tag, Username, near_duplicates};
use super::transfer::{FieldChange, differences};
use crate::error::Result;
use std::str::FromStr;

/// A text that takes the place of another one; an empty one takes it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement<T>(Option<T>);

impl<T: FromStr<Err = crate::error::Error>> FromStr for Replacement<T> {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.trim().is_empty() { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

/// What is to be changed; what isn't given stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    pub name: Option<Replacement<StoreName>>,
    pub username: Option<Username>,
    /// The e-mail address to write to.
    pub contact: Option<Replacement<Contact>>,
    pub ocm_license: Option<Replacement<OcmLicense>>,
    /// Words that it's grouped by from now on, too.
    pub tags: Vec<Tag>,
    /// Words that it's grouped by no more.
    pub untags: Vec<Tag>,
}

impl Edit {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Changes a record: field by field what that was, in the order of the columns.
    pub fn apply(&self, record: &mut Authorization) -> Vec<FieldChange> {
        let before = record.clone();
        if let Some(Replacement(name)) = &self.name {
            record.name.clone_from(name);
        }
        if let Some(username) = &self.username {
            record.username.clone_from(username);
        }
        if let Some(Replacement(contact)) = &self.contact {
            record.contact.clone_from(contact);
        }
        if let Some(Replacement(ocm_license)) = &self.ocm_license {
            record.ocm_license.clone_from(ocm_license);
        }
        record.tags.retain(|tag| !self.untags.contains(tag));
        record.tags.extend(self.tags.iter().cloned());
        record.tags.sort();
        record.tags.dedup();
        differences(Some(&before), record)
    }
}

/// Changes in a sentence: each field, what it was, and what it is.
pub fn in_words(changes: &[FieldChange]) -> String {
    let shown = |it: &Option<String>| it.clone().unwrap_or_else(|| "(none)".into());
    let told = changes
        .iter()
        .map(|change| format!("{} {} → {}", change.field, shown(&change.before), shown(&change.after)));
    told.collect::<Vec<_>>().join("; ")
}

/// Where a record's name or OCM license is another record's, too: a sentence each. A selector that both have names neither.
pub fn shared_names<'r>(
    name: Option<&StoreName>,
    ocm_license: Option<&OcmLicense>,
    own: &LicenseId,
    others: impl Iterator<Item = &'r Authorization>,
) -> Vec<String> {
    let texts = [("name", name.map(StoreName::as_str)), ("OCM license", ocm_license.map(OcmLicense::as_str))];
    let mut told = Vec::new();
    for other in others.filter(|other| other.key != *own) {
        let theirs = [
            ("license", Some(other.key.license.as_str())),
            ("name", other.name.as_ref().map(StoreName::as_str)),
            ("OCM license", other.ocm_license.as_ref().map(OcmLicense::as_str)),
        ];
        for (what, text) in texts {
            let Some(text) = text else { continue };
            let is_theirs = |theirs: &&str| theirs.to_lowercase() == text.to_lowercase();
            let same = theirs.iter().find(|(_, theirs)| theirs.as_ref().is_some_and(is_theirs));
            if let Some((whose, _)) = same {
                told.push(format!("the {what} \"{text}\" is also the {whose} of {}", other.key));
            } else if what == "OCM license"
                && let Some(near) = theirs
                    .iter()
                    .filter(|(whose, _)| *whose != "name")
                    .find(|(_, theirs)| is_like(text, *theirs))
            {
                let like = near.1.unwrap_or_default();
                told.push(format!(
                    "the {what} \"{text}\" is very similar to the {} \"{like}\" of {}",
                    near.0, other.key
                ));
            }
        }
    }
    told
}

/// Whether one license may be a slip of the other.
fn is_like(one: &str, other: Option<&str>) -> bool {
    let (one, other) = (License::parse(one), other.map(License::parse));
    matches!((one, other), (Ok(one), Some(Ok(other))) if near_duplicates(&one, &other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(license: &str) -> Authorization {
        let key = LicenseId { ubi: "604001".parse().unwrap(), license: license.parse().unwrap() };
        Authorization {
            name: Some("Hudson St".parse().unwrap()),
            ocm_license: Some("OCM-RETL-24-000064".parse().unwrap()),
            contact: Some("desk@example.com".parse().unwrap()),
            tags: vec!["downstate".parse().unwrap(), "new".parse().unwrap()],
            ..Authorization::asked("ny", key, "ann@example.com".parse().unwrap())
        }
    }

    #[test]
    fn what_is_not_given_stays_and_an_empty_text_clears() {
        let before = record("L-1");
        let mut after = before.clone();
        assert_eq!(Edit::default().apply(&mut after), []);
        assert_eq!(after, before);
        let edit = Edit {
            name: Some("Hudson Street".parse().unwrap()),
            contact: Some(" ".parse().unwrap()),
            tags: vec!["flagship".parse().unwrap(), "downstate".parse().unwrap()],
            untags: vec!["new".parse().unwrap(), "never".parse().unwrap()],
            ..Edit::default()
        };
        let told = in_words(&edit.apply(&mut after));
        assert_eq!(
            told,
            "name Hudson St → Hudson Street; contact desk@example.com → (none); tags downstate;new → downstate;flagship"
        );
        assert_eq!((&after.username, &after.ocm_license), (&before.username, &before.ocm_license));
        assert_eq!(edit.apply(&mut after), [], "a second time it changes nothing");
    }

    #[test]
    fn a_name_that_is_another_records_is_told_in_any_case_and_its_own_is_not() {
        let told = |name: Option<&str>, ocm: Option<&str>| {
            let (name, ocm) = (name.map(|it| it.parse().unwrap()), ocm.map(|it| it.parse().unwrap()));
            let others = [record("L-1"), record("101-X0007-D1")];
            shared_names(name.as_ref(), ocm.as_ref(), &record("L-1").key, others.iter())
        };
        let of = "of 604001/101-X0007-D1";
        assert_eq!(told(Some("HUDSON ST"), None), [format!("the name \"HUDSON ST\" is also the name {of}")]);
        assert_eq!(
            told(Some("101-x0007-d1"), None),
            [format!("the name \"101-x0007-d1\" is also the license {of}")]
        );
        assert_eq!(
            told(None, Some("OCM-RETL-24-000064")),
            [format!("the OCM license \"OCM-RETL-24-000064\" is also the OCM license {of}")]
        );
        assert_eq!(
            told(None, Some("OCM-RETL-24-000064-D1")),
            [format!(
                "the OCM license \"OCM-RETL-24-000064-D1\" is very similar to the OCM license \"OCM-RETL-24-000064\" {of}"
            )]
        );
        assert!(told(Some("Elm St"), Some("OCM-RETL-24-000065")).is_empty() && told(None, None).is_empty());
    }
}
