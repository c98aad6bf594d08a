//! Every document that a command prints is held against the shipped schemas, by a validator that isn't ours.

use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

/// A shipped schema, and the members that it speaks of.
pub struct Schema {
    members: Vec<String>,
    validator: Validator,
}

/// All that are shipped, by their names.
pub static SCHEMAS: LazyLock<BTreeMap<String, Schema>> = LazyLock::new(|| {
    let shipped = shipped();
    shipped.into_iter().map(|(name, schema)| (name, Schema::of(&schema))).collect()
});

/// Those of single lines, which have a record of a document and the schema's number.
static LINES: LazyLock<BTreeMap<String, Schema>> = LazyLock::new(|| {
    let mut shipped = shipped();
    let mut line = |document: &str, record: &str| {
        let definitions = shipped.remove(document).unwrap()["$defs"].clone();
        let mut schema = definitions[record].clone();
        schema["$defs"] = definitions;
        schema["properties"]["schema"] = json!({"const": 2});
        schema["required"].as_array_mut().unwrap().push(json!("schema"));
        (format!("a line of {document}"), Schema::of(&schema))
    };
    [line("status", "AuthorizationJson"), line("history", "LinkJson")].into()
});

fn shipped() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|file| {
            let schema = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            (file.file_stem().unwrap().to_str().unwrap().to_owned(), schema)
        })
        .collect()
}

impl Schema {
    fn of(schema: &Value) -> Self {
        let members = schema["properties"].as_object().unwrap().keys().cloned().collect();
        let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
        Self { members, validator }
    }

    /// How many members the document has that this one speaks of, less those that it doesn't.
    fn likeness(&self, document: &Value) -> usize {
        let has = |member: &&String| document.get(member).is_some();
        let shared = self.members.iter().filter(has).count();
        // A number that is larger for the more alike.
        1000 + 2 * shared - self.members.len()
    }
}

/// Why a document fits no schema, by the one that is most like it; `None` where it fits one.
pub fn unfit(document: &Value) -> Option<String> {
    let all = || SCHEMAS.iter().chain(LINES.iter());
    if all().any(|(_, schema)| schema.validator.is_valid(document)) {
        return None;
    }
    let (name, like) = all().max_by_key(|(_, schema)| schema.likeness(document)).unwrap();
    let errors: Vec<_> = like.validator.iter_errors(document).map(|e| e.to_string()).collect();
    Some(format!("{name}: {}", errors.join("; ")))
}

/// What a run printed, where it's JSON: one document, or one a line.
#[track_caller]
pub fn check(words: &[&str], out: &str) {
    let schema_itself = words.contains(&"--schema");
    if schema_itself || !out.trim_start().starts_with('{') {
        return;
    }
    let documents: Vec<Value> = match serde_json::from_str(out) {
        Ok(document) => vec![document],
        Err(_) => out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{words:?}: {e}: {line}")))
            .collect(),
    };
    for document in documents {
        if let Some(why) = unfit(&document) {
            panic!("{words:?} printed what fits no shipped schema: {why}\n{document:#}");
        }
    }
}
