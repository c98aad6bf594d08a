//! What a column of a record holds, in the one form that the ledger, CSV and JSON read and write; and how each type of
//! ours stands in a column.

use super::ids::{Contact, Generation, License, OcmLicense, Revision, StoreName, Tag, Ubi, Username};
use super::instant::{for_machines, whole_second};
use crate::error::{Error, Result};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq)]
pub enum ColumnValue<'a> {
    Nothing,
    Text(&'a str),
    List(Vec<Cow<'a, str>>),
    Instant(Timestamp),
    /// Whether something holds.
    Flag(bool),
    Number(i64),
}

impl Serialize for ColumnValue<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => to.serialize_none(),
            Self::Text(text) => to.serialize_str(text),
            Self::List(items) => items.serialize(to),
            Self::Instant(at) => whole_second(*at).serialize(to),
            Self::Flag(flag) => to.serialize_bool(*flag),
            Self::Number(number) => to.serialize_i64(*number),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    List,
    Instant,
    Flag,
    Number,
}

impl ColumnKind {
    /// What is wrong with something that stands where one of this kind should.
    pub fn isnt(self) -> &'static str {
        match self {
            Self::Text => "isn't text",
            Self::List => "isn't a list of strings",
            Self::Instant => "isn't an instant such as 2026-01-31T12:00:00Z",
            Self::Flag => "is neither true nor false",
            Self::Number => "isn't a whole number",
        }
    }
}

impl ColumnValue<'_> {
    /// As a cell of a CSV. Several texts are separated by semicolons; one inside a text has a backslash before it, and so
    /// has a backslash before either.
    pub fn cell(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Text(text) => (*text).to_owned(),
            Self::List(items) => {
                let escaped = items.iter().map(|item| item.replace('\\', "\\\\").replace(';', "\\;"));
                escaped.collect::<Vec<_>>().join(";")
            }
            Self::Instant(at) => for_machines(*at),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// The texts of a cell that has several; what is blank is none.
pub fn split(cell: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut signs = cell.chars().peekable();
    while let Some(sign) = signs.next() {
        let escaped = if sign == '\\' { signs.next_if(|next| matches!(next, ';' | '\\')) } else { None };
        match (sign, escaped, words.last_mut()) {
            (';', None, _) => words.push(String::new()),
            (sign, escaped, Some(word)) => word.push(escaped.unwrap_or(sign)),
            (_, _, None) => {}
        }
    }
    words.retain(|word| !word.trim().is_empty());
    words
}

pub trait ColumnType: Sized {
    const KIND: ColumnKind;
    /// Whether nothing may stand for it.
    const OPTIONAL: bool = false;

    fn value(&self) -> ColumnValue<'_>;

    /// What a value stands for. Storage knows texts and numbers alone: there a list is a text with an item on each line,
    /// an instant the seconds since 1970, a flag 0 or 1.
    ///
    /// # Errors
    /// The value can't be right.
    fn of(value: ColumnValue<'_>) -> Result<Self>;
}

/// Where a record's columns are read from: a row of the ledger, a line of a file, a document.
pub trait ColumnReader {
    /// What stands in a column; `None` where that can't be read, which the source keeps in mind. Asked for in the
    /// declaration's order, each column once.
    fn value(&mut self, column: &'static str, kind: ColumnKind) -> Option<ColumnValue<'_>>;

    /// What stood in that column can't be right.
    fn refuse(&mut self, column: &'static str, why: Error);

    /// A column as its type; `None` where it can't be had, which the source knows then.
    fn read<T: ColumnType>(&mut self, column: &'static str) -> Option<T> {
        let read = T::of(self.value(column, T::KIND)?);
        read.map_err(|e| self.refuse(column, e)).ok()
    }
}

impl ColumnType for String {
    const KIND: ColumnKind = ColumnKind::Text;

    fn value(&self) -> ColumnValue<'_> {
        ColumnValue::Text(self)
    }

    fn of(value: ColumnValue<'_>) -> Result<Self> {
        text(value).map(str::to_owned)
    }
}

macro_rules! names {
    ($($name:ident)*) => {$(
        impl ColumnType for $name {
            const KIND: ColumnKind = ColumnKind::Text;

            fn value(&self) -> ColumnValue<'_> {
                ColumnValue::Text(self.as_str())
            }

            fn of(value: ColumnValue<'_>) -> Result<Self> {
                Self::parse(text(value)?)
            }
        }
    )*};
}

names!(Ubi License OcmLicense StoreName Username Contact);

impl ColumnType for Vec<Tag> {
    const KIND: ColumnKind = ColumnKind::List;

    fn value(&self) -> ColumnValue<'_> {
        ColumnValue::List(self.iter().map(|tag| tag.as_str().into()).collect())
    }

    /// Sorted, each once.
    fn of(value: ColumnValue<'_>) -> Result<Self> {
        let mut tags = match value {
            ColumnValue::Nothing => Vec::new(),
            ColumnValue::Text(lines) => lines.lines().map(Tag::parse).collect::<Result<Self>>()?,
            ColumnValue::List(items) => {
                items.iter().map(|item| Tag::parse(item)).collect::<Result<Self>>()?
            }
            _ => return Err(of_another_kind(ColumnKind::List)),
        };
        tags.sort();
        tags.dedup();
        Ok(tags)
    }
}

impl ColumnType for Vec<String> {
    const KIND: ColumnKind = ColumnKind::List;

    fn value(&self) -> ColumnValue<'_> {
        ColumnValue::List(self.iter().map(|item| item.as_str().into()).collect())
    }

    /// In their order.
    fn of(value: ColumnValue<'_>) -> Result<Self> {
        match value {
            ColumnValue::Nothing => Ok(Self::new()),
            ColumnValue::Text(lines) => Ok(lines.lines().map(str::to_owned).collect()),
            ColumnValue::List(items) => Ok(items.into_iter().map(Cow::into_owned).collect()),
            _ => Err(of_another_kind(ColumnKind::List)),
        }
    }
}

impl ColumnType for Timestamp {
    const KIND: ColumnKind = ColumnKind::Instant;

    fn value(&self) -> ColumnValue<'_> {
        ColumnValue::Instant(*self)
    }

    /// Down to the whole second, as the ledger keeps it.
    fn of(value: ColumnValue<'_>) -> Result<Self> {
        let no_instant = || Error::BadValue { name: "instant", problem: "is out of range".into() };
        match value {
            ColumnValue::Instant(at) => Ok(whole_second(at)),
            ColumnValue::Number(seconds) => Self::from_second(seconds).map_err(|_| no_instant()),
            _ => Err(of_another_kind(ColumnKind::Instant)),
        }
    }
}

impl ColumnType for bool {
    const KIND: ColumnKind = ColumnKind::Flag;

    fn value(&self) -> ColumnValue<'_> {
        ColumnValue::Flag(*self)
    }

    fn of(value: ColumnValue<'_>) -> Result<Self> {
        match value {
            ColumnValue::Nothing => Ok(false),
            ColumnValue::Flag(flag) => Ok(flag),
            ColumnValue::Number(number) => Ok(number != 0),
            _ => Err(of_another_kind(ColumnKind::Flag)),
        }
    }
}

macro_rules! counts {
    ($($name:ident)*) => {$(
        impl ColumnType for $name {
            const KIND: ColumnKind = ColumnKind::Number;

            fn value(&self) -> ColumnValue<'_> {
                ColumnValue::Number(self.0)
            }

            fn of(value: ColumnValue<'_>) -> Result<Self> {
                match value {
                    ColumnValue::Nothing => Ok(Self::default()),
                    ColumnValue::Number(number) => Ok(Self(number)),
                    _ => Err(of_another_kind(ColumnKind::Number)),
                }
            }
        }
    )*};
}

counts!(Generation Revision);

impl<T: ColumnType> ColumnType for Option<T> {
    const KIND: ColumnKind = T::KIND;
    const OPTIONAL: bool = true;

    fn value(&self) -> ColumnValue<'_> {
        self.as_ref().map_or(ColumnValue::Nothing, T::value)
    }

    fn of(value: ColumnValue<'_>) -> Result<Self> {
        match value {
            ColumnValue::Nothing => Ok(None),
            value => T::of(value).map(Some),
        }
    }
}

/// Nothing is no text, and whoever needs one refuses that.
#[inline]
fn text(value: ColumnValue<'_>) -> Result<&str> {
    match value {
        ColumnValue::Nothing => Ok(""),
        ColumnValue::Text(text) => Ok(text),
        _ => Err(of_another_kind(ColumnKind::Text)),
    }
}

fn of_another_kind(wanted: ColumnKind) -> Error {
    Error::BadValue { name: "value", problem: wanted.isnt().into() }
}
