//! The shipped JSON Schemas are what the types say, and each document that a test makes any command print fits one of
//! them (the rig holds every answer against them).

use crate::rig::schema::{SCHEMAS, unfit};
use biotrack_auth::command::{completions, config, export, man, sandbox};
use biotrack_auth::model::authorization::ExportedRecord;
use biotrack_auth::model::transfer::ExportDocument;
use biotrack_auth::report;
use serde_json::json;

#[test]
fn the_shipped_schemas_are_what_the_types_say() {
    let documents = [
        ("completions", report::schema::<completions::CompletionsDocument<'_>>()),
        ("config-check", report::schema::<config::check::CheckDocument>()),
        ("config-init", report::schema::<config::init::InitDocument>()),
        ("config-ledger-move", report::schema::<config::ledger::LedgerDocument>()),
        ("config-path", report::schema::<config::PathAnswer>()),
        ("config-recipients", report::schema::<config::recipients::RecipientsDocument>()),
        ("config-set", report::schema::<config::set::SetDocument>()),
        ("config-set-secret", report::schema::<config::set_secret::SetSecretDocument>()),
        ("config-show", report::schema::<config::show::ShowDocument>()),
        ("config-vault", report::schema::<config::vault::VaultDocument>()),
        ("doctor", report::schema::<report::DoctorDocument>()),
        ("error", report::schema::<report::ErrorDocument>()),
        ("event", report::schema::<report::RunEvent>()),
        ("export", report::schema::<ExportDocument<ExportedRecord<'_>>>()),
        ("export-secrets", report::schema::<export::ExportAnswer>()),
        ("history", report::schema::<report::HistoryDocument>()),
        ("history-prune", report::schema::<report::PruneDocument>()),
        ("history-verify", report::schema::<report::VerifyDocument>()),
        ("hook", report::schema::<report::HookEvent>()),
        ("hook-digest", report::schema::<report::HookDigest>()),
        ("import", report::schema::<report::ImportDocument>()),
        ("man", report::schema::<man::ManDocument>()),
        ("plan", report::schema::<report::PlanDocument>()),
        ("remind", report::schema::<report::Reminders>()),
        ("results", report::schema::<report::Results>()),
        ("sandbox-seed", report::schema::<sandbox::Seeded>()),
        ("sandbox-serve", report::schema::<sandbox::Served>()),
        ("status", report::schema::<report::StatusDocument>()),
        ("token", report::schema::<report::TokenDocument<'_>>()),
    ];
    let stale: Vec<_> = documents
        .iter()
        .filter(|(name, schema)| {
            let path = format!("{}/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let stale = std::fs::read_to_string(&path).unwrap_or_default() != *schema;
            if stale {
                std::fs::write(&path, schema).unwrap();
            }
            stale
        })
        .map(|(name, _)| name)
        .collect();
    assert!(stale.is_empty(), "schemas {stale:?} were stale; they are written anew: look at them and commit");
    let mut shipped: Vec<_> = SCHEMAS.keys().collect();
    shipped.sort();
    assert_eq!(shipped, documents.map(|(name, _)| name).iter().collect::<Vec<_>>());
}

#[test]
fn a_document_that_lacks_a_key_or_has_one_more_is_noticed() {
    let whole = json!({"schema": 2, "profile": "ny", "asked": 3, "made": 2});
    assert_eq!(unfit(&whole), None);
    let mut lacking = whole.clone();
    lacking.as_object_mut().unwrap().remove("made");
    let mut further = whole.clone();
    further["more"] = json!(1);
    let mut wrong = whole;
    wrong["made"] = json!("2");
    for document in [lacking, further, wrong] {
        assert!(unfit(&document).unwrap().starts_with("sandbox-seed: "));
    }
}
