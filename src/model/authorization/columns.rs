//! The record of one license: each of its columns told once. The struct, the ledger's statements, the reports, export and
//! import follow from the table at the end.
//!
//! A new column is a line of that table, a migration for each engine of the ledger, and what shows it to people.

use crate::model::column::{ColumnKind, ColumnReader, ColumnType, ColumnValue};
use crate::model::grant_before::PreviousGrant;
use crate::model::ids::{
    Contact, Generation, License, LicenseId, OcmLicense, Revision, StoreName, Tag, Ubi, Username,
};
use jiff::Timestamp;

/// What a column has to do with the license, which decides how far it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnScope {
    /// It tells one record from another.
    Key,
    /// Somebody told us. A file may change one without the others.
    Detail,
    /// It is known of the grant. A file has all of these or none.
    Fact,
    /// The same, but reports tell the state that follows from it, and not when that began.
    EndFact,
    /// It concerns this ledger alone, and never leaves it.
    Own,
}

impl ColumnScope {
    /// Whether the reports show it: `status` as JSON and CSV, results, events and what hooks get.
    pub fn is_reported(self) -> bool {
        matches!(self, Self::Key | Self::Detail | Self::Fact)
    }

    /// Whether `export` writes it and `import` reads it.
    pub fn is_carried(self) -> bool {
        self != Self::Own
    }
}

/// A column of the record, as it's declared.
#[derive(Debug)]
pub struct Column {
    /// Its name in the ledger, in CSV and in JSON.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub doc: &'static str,
    /// How far it goes.
    pub part: ColumnScope,
    /// What stands in it.
    pub kind: ColumnKind,
    /// Whether nothing may stand in it.
    pub optional: bool,
    value: fn(&Authorization) -> ColumnValue<'_>,
    copy: fn(&Authorization, &mut Authorization),
}

impl Column {
    /// What stands in it.
    pub fn value<'r>(&self, record: &'r Authorization) -> ColumnValue<'r> {
        (self.value)(record)
    }

    /// Makes it the same in another record.
    pub fn copy(&self, from: &Authorization, to: &mut Authorization) {
        (self.copy)(from, to);
    }
}

/// A column out of its declaration. `$field` is its path in the record.
macro_rules! column {
    ($name:expr, $doc:expr, $($field:ident).+: $type:ty [$part:ident]) => {
        Column {
            name: $name,
            doc: $doc.trim_ascii(),
            part: ColumnScope::$part,
            kind: <$type as ColumnType>::KIND,
            optional: <$type as ColumnType>::OPTIONAL,
            value: |record| record.$($field).+.value(),
            copy: |from, to| to.$($field).+.clone_from(&from.$($field).+),
        }
    };
}

/// What a column holds of a license that is asked for the first time: whom to ask, and nothing else yet.
macro_rules! at_first {
    (username, $username:ident) => {
        $username
    };
    ($other:ident, $username:ident) => {
        Default::default()
    };
}

/// The record, with its key and these columns behind it.
macro_rules! record {
    ($( $(#[doc = $doc:literal])+ $name:ident: $type:ty [$part:ident]; )+) => {
        /// What is kept of one license in one profile. No secrets; instants in UTC.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Authorization {
            /// The profile it belongs to.
            pub profile: String,
            /// UBI and license.
            pub key: LicenseId,
            $( $(#[doc = $doc])+ pub $name: $type, )+
        }

        impl Authorization {
            /// Every column, in the order in which all write them.
            pub const COLUMNS: &[Column] = &[
                column!("profile", "The profile it belongs to.", profile: String [Key]),
                column!("ubi", "The company's UBI.", key.ubi: Ubi [Key]),
                column!("license", "The location license.", key.license: License [Key]),
                $( column!(stringify!($name), concat!($($doc),+), $name: $type [$part]), )+
            ];

            /// Their names, as a statement lists them.
            pub const NAMES: &str = concat!("profile, ubi, license" $(, ", ", stringify!($name))+);

            /// A license that is asked for the first time.
            pub fn asked(profile: &str, key: LicenseId, username: Username) -> Self {
                Self { profile: profile.to_owned(), key, $( $name: at_first!($name, username), )+ }
            }

            /// A record out of its columns; `None` where one of them can't be had, which the source knows then. All are
            /// read before one is missed, so that each bad one can be named.
            pub fn read(from: &mut impl ColumnReader) -> Option<Self> {
                let profile = from.read("profile");
                let ubi = from.read("ubi");
                let license = from.read("license");
                $( let $name = from.read(stringify!($name)); )+
                let key = LicenseId { ubi: ubi?, license: license? };
                Some(Self { profile: profile?, key, $( $name: $name?, )+ })
            }
        }
    };
}

record! {
    //  column             type                  part
    /// The official OCM license, where noted.
    ocm_license:           Option<OcmLicense>    [Detail];
    /// The store's name.
    name:                  Option<StoreName>     [Detail];
    /// The admin user to ask.
    username:              Username              [Detail];
    /// The account that granted access, as the provider reported it (cleaned).
    granted_by:            Option<String>        [Fact];
    /// The e-mail address to write to.
    contact:               Option<Contact>       [Detail];
    /// The tags, sorted.
    tags:                  Vec<Tag>              [Detail];
    /// When it was first granted, since it was last registered: BioTrack's "Created At".
    created_at:            Option<Timestamp>     [Fact];
    /// When the current grant was given, if it was a renewal.
    renewed_at:            Option<Timestamp>     [Fact];
    /// When the living grant ends: BioTrack's "Expiration Date".
    expires_at:            Option<Timestamp>     [Fact];
    /// `expires_at` is an estimate, because the provider gave no expiry.
    expires_estimated:     bool                  [Fact];
    /// The facts that the provider did not confirm, in words.
    unconfirmed:           Vec<String>           [Fact];
    /// When it was deactivated.
    deactivated_at:        Option<Timestamp>     [EndFact];
    /// When the provider said that the grant is invalid.
    invalid_at:            Option<Timestamp>     [EndFact];
    /// When an access token of it was last handed out. Noted once a day at most.
    last_used_at:          Option<Timestamp>     [Fact];
    /// What the record said of the grant that the living one replaced, as long as that one waits for its proof.
    grant_before:          Option<PreviousGrant>   [Own];
    /// Since when it's unknown whether a request took effect.
    uncertain_at:          Option<Timestamp>     [Own];
    /// Deactivated here, but the provider hasn't revoked yet; the tokens are kept for that.
    revocation_pending:    bool                  [Own];
    /// Another admin than the one named granted; that grant is sealed aside, not live.
    held_by:               Option<String>        [Own];
    /// Exported with its secrets: refreshed and revoked elsewhere.
    held_elsewhere:        bool                  [Own];
    /// Counts the changes of the live secret.
    generation:            Generation            [Own];
    /// Counts the writes of the record, as it was read: nobody writes over what others wrote meanwhile.
    revision:              Revision              [Own];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// A record as a source of itself, but for the columns that it leaves out.
    struct PartialRecord<'r> {
        record: &'r Authorization,
        without: Option<&'static str>,
        asked: Vec<&'static str>,
        refused: Vec<&'static str>,
    }

    impl<'r> PartialRecord<'r> {
        fn of(record: &'r Authorization) -> Self {
            Self { record, without: None, asked: Vec::new(), refused: Vec::new() }
        }
    }

    impl ColumnReader for PartialRecord<'_> {
        fn value(&mut self, column: &'static str, kind: ColumnKind) -> Option<ColumnValue<'_>> {
            self.asked.push(column);
            let declared = Authorization::COLUMNS.iter().find(|it| it.name == column).unwrap();
            assert_eq!(declared.kind, kind, "{column}");
            Some(match self.without {
                Some(without) if without == column => ColumnValue::Nothing,
                _ => declared.value(self.record),
            })
        }

        fn refuse(&mut self, column: &'static str, _: Error) {
            self.refused.push(column);
        }
    }

    fn is_of(kind: ColumnKind, value: &ColumnValue<'_>) -> bool {
        matches!(
            (kind, value),
            (ColumnKind::Text, ColumnValue::Text(_))
                | (ColumnKind::List, ColumnValue::List(_))
                | (ColumnKind::Instant, ColumnValue::Instant(_))
                | (ColumnKind::Flag, ColumnValue::Flag(_))
                | (ColumnKind::Number, ColumnValue::Number(_))
        )
    }

    #[test]
    fn each_column_is_told_once_and_says_what_it_is() {
        let names: BTreeSet<_> = Authorization::COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), Authorization::COLUMNS.len());
        assert!(Authorization::NAMES.split(", ").eq(Authorization::COLUMNS.iter().map(|column| column.name)));
        for column in Authorization::COLUMNS {
            assert!(column.doc.ends_with('.') && !column.doc.starts_with(' '), "{column:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_record_is_what_its_columns_say(record: Authorization) {
            let mut again = PartialRecord::of(&record);
            let read = Authorization::read(&mut again);
            prop_assert_eq!(read.as_ref(), Some(&record));
            let declared: Vec<_> = Authorization::COLUMNS.iter().map(|column| column.name).collect();
            prop_assert_eq!(again.asked, declared);
            for column in Authorization::COLUMNS {
                let value = column.value(&record);
                prop_assert!(is_of(column.kind, &value) || column.optional && value == ColumnValue::Nothing);
            }
        }

        #[test]
        fn a_copied_column_changes_no_other(from: Authorization, to: Authorization) {
            for copied in Authorization::COLUMNS {
                let mut changed = to.clone();
                copied.copy(&from, &mut changed);
                for column in Authorization::COLUMNS {
                    let whose = if column.name == copied.name { &from } else { &to };
                    prop_assert_eq!(column.value(&changed), column.value(whose), "{} of {}", column.name, copied.name);
                }
            }
        }

        #[test]
        fn what_a_record_cannot_do_without_is_named(record: Authorization) {
            for column in Authorization::COLUMNS {
                let mut again = PartialRecord { without: Some(column.name), ..PartialRecord::of(&record) };
                let read = Authorization::read(&mut again);
                match column.name {
                    "ubi" | "license" | "username" => prop_assert_eq!((read, &again.refused[..]), (None, &[column.name][..])),
                    _ => prop_assert!(read.is_some() && again.refused.is_empty()),
                }
            }
        }
    }

    #[test]
    fn a_license_asked_for_the_first_time_says_whom_to_ask_and_nothing_else() {
        let key = LicenseId { ubi: "604001".parse().unwrap(), license: "L-1".parse().unwrap() };
        let record = Authorization::asked("ny", key, "ann@example.com".parse().unwrap());
        for column in Authorization::COLUMNS {
            match column.value(&record) {
                ColumnValue::Nothing | ColumnValue::Flag(false) | ColumnValue::Number(0) => {}
                ColumnValue::List(items) => assert!(items.is_empty()),
                ColumnValue::Text(text) => {
                    assert!(["ny", "604001", "L-1", "ann@example.com"].contains(&text))
                }
                other => panic!("{} is {other:?}", column.name),
            }
        }
    }
}
