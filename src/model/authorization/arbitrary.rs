//! Any record at all, for tests: made from the declaration of its columns, so that none is left out.

use super::Authorization;
use crate::error::Error;
use crate::model::column::{ColumnKind, ColumnReader, ColumnValue};
use crate::model::ids::License;
use crate::model::odd_cell::{OddText, suspicious_text};
use jiff::Timestamp;
use proptest::prelude::*;

/// What stands in a column, made up.
#[derive(Debug, Clone)]
enum Made {
    Nothing,
    Text(String),
    List(Vec<String>),
    Instant(Timestamp),
    Flag(bool),
    Number(i64),
}

impl Made {
    fn value(&self) -> ColumnValue<'_> {
        match self {
            Self::Nothing => ColumnValue::Nothing,
            Self::Text(text) => ColumnValue::Text(text),
            Self::List(items) => ColumnValue::List(items.iter().map(|item| item.as_str().into()).collect()),
            Self::Instant(at) => ColumnValue::Instant(*at),
            Self::Flag(flag) => ColumnValue::Flag(*flag),
            Self::Number(number) => ColumnValue::Number(*number),
        }
    }
}

/// Values in the order of the columns.
struct Row(std::vec::IntoIter<Made>, Made);

impl ColumnReader for Row {
    fn value(&mut self, _: &'static str, _: ColumnKind) -> Option<ColumnValue<'_>> {
        self.1 = self.0.next()?;
        Some(self.1.value())
    }

    fn refuse(&mut self, column: &'static str, why: Error) {
        panic!("{column} can't be {:?}: {why}", self.1);
    }
}

/// A text that every type of name takes as it is; formulas, quotes and separators among them.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[=+@'\\-\t]{1,3}[ -~]{1,20}", "\\PC{1,30}", "[a-c;\\\\\",' ]{1,20}", "[A-Z0-9-]{1,12}"]
        .prop_filter("a name", |text| License::parse(text).is_ok_and(|it| it.as_str() == text))
        .prop_filter("what a file may hold", |text| {
            ["license", "username"]
                .iter()
                .all(|column| !matches!(suspicious_text(column, text), Some(OddText::Wrong(_))))
        })
}

fn made(kind: ColumnKind) -> BoxedStrategy<Made> {
    // Down to the second, in our era.
    let instant = (0i64..16_725_225_600).prop_map(|at| Made::Instant(Timestamp::from_second(at).unwrap()));
    match kind {
        ColumnKind::Text => text().prop_map(Made::Text).boxed(),
        ColumnKind::List => prop::collection::btree_set(text(), 0..4)
            .prop_map(|items| Made::List(items.into_iter().collect()))
            .boxed(),
        ColumnKind::Instant => instant.boxed(),
        ColumnKind::Flag => any::<bool>().prop_map(Made::Flag).boxed(),
        ColumnKind::Number => (0..i64::MAX).prop_map(Made::Number).boxed(),
    }
}

impl Arbitrary for Authorization {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let columns: Vec<_> = Self::COLUMNS
            .iter()
            .map(|column| match column.optional {
                true => prop_oneof![Just(Made::Nothing), made(column.kind)].boxed(),
                false => made(column.kind),
            })
            .collect();
        columns
            .prop_map(|values| {
                Self::read(&mut Row(values.into_iter(), Made::Nothing)).expect("a value for each column")
            })
            .boxed()
    }
}
