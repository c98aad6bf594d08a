//! A record as JSON: those of its columns that a kind of document has, and their schema.

use super::{Authorization, Column, ColumnScope};
use crate::model::column::{ColumnKind, ColumnValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serializer;
use serde::ser::{Serialize, SerializeMap};
use serde_json::{Map, Value as Json, json};
use std::borrow::Cow;

/// The one column that reports leave empty though something stands for it in the key: a company that nobody knows.
const UBI: &str = "ubi";

/// What the reports have of a record: `status`, results, events and what hooks get.
#[derive(Debug, Clone)]
pub struct ReportedRecord<'r>(pub Cow<'r, Authorization>);

#[derive(Debug, Clone, Copy)]
pub struct ExportedRecord<'r>(pub &'r Authorization);

impl ReportedRecord<'_> {
    /// Writes the members that are wanted, by their names, in the order of the columns.
    ///
    /// # Errors
    /// The document can't be written.
    pub fn write<M: SerializeMap>(
        &self,
        members: &mut M,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<(), M::Error> {
        for column in columns(ColumnScope::is_reported).filter(|column| is_wanted(column.name)) {
            let value = match column.name {
                UBI if self.0.key.ubi.number().is_none() => ColumnValue::Nothing,
                _ => column.value(&self.0),
            };
            members.serialize_entry(column.name, &value)?;
        }
        Ok(())
    }
}

impl Serialize for ExportedRecord<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut members = to.serialize_map(None)?;
        for column in columns(ColumnScope::is_carried) {
            members.serialize_entry(column.name, &column.value(self.0))?;
        }
        members.end()
    }
}

impl JsonSchema for ReportedRecord<'_> {
    fn schema_name() -> Cow<'static, str> {
        "ReportedRecord".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = schema(ColumnScope::is_reported);
        if let Some(ubi) = schema.pointer_mut(&format!("/properties/{UBI}/type")) {
            *ubi = json!(["string", "null"]);
        }
        schema
    }
}

impl JsonSchema for ExportedRecord<'_> {
    fn schema_name() -> Cow<'static, str> {
        "ExportedRecord".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = schema(ColumnScope::is_carried);
        schema.insert("description".into(), "One record of an export.".into());
        schema.insert("additionalProperties".into(), false.into());
        schema
    }
}

fn columns(wanted: fn(ColumnScope) -> bool) -> impl Iterator<Item = &'static Column> {
    Authorization::COLUMNS.iter().filter(move |column| wanted(column.part))
}

/// As it's written: each key is always there, also where it's null.
fn schema(wanted: fn(ColumnScope) -> bool) -> Schema {
    let properties: Map<_, _> =
        columns(wanted).map(|column| (column.name.to_owned(), property(column))).collect();
    let required: Vec<_> = columns(wanted).map(|column| column.name).collect();
    json_schema!({ "type": "object", "properties": properties, "required": required })
}

fn property(column: &Column) -> Json {
    let name = match column.kind {
        ColumnKind::Text | ColumnKind::Instant => "string",
        ColumnKind::List => "array",
        ColumnKind::Flag => "boolean",
        ColumnKind::Number => "integer",
    };
    let mut property = json!({
        "description": column.doc,
        "type": if column.optional { json!([name, "null"]) } else { name.into() },
    });
    match column.kind {
        ColumnKind::Instant => property["format"] = "date-time".into(),
        ColumnKind::List => property["items"] = json!({ "type": "string" }),
        ColumnKind::Text | ColumnKind::Flag | ColumnKind::Number => {}
    }
    property
}
