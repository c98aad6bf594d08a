//! What all documents share: the number of their form, and how their schema is written.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

pub const DOCUMENT_VERSION: u8 = 2;

/// One record as a line of JSON, with the schema's number.
pub(in crate::report) fn line(record: &impl Serialize) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Line<'r, T> {
        schema: u8,
        #[serde(flatten)]
        record: &'r T,
    }
    Ok(serde_json::to_string(&Line { schema: DOCUMENT_VERSION, record })? + "\n")
}

/// The JSON Schema of one of the documents, as it's shipped.
pub fn schema<T: JsonSchema>() -> String {
    // As written, not as read: a key that may be null is always there all the same.
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
