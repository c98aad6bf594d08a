//! `status`, as its users meet it.

use crate::support::{Rig, valid};
use biotrack_auth::model::authorization::ExportedRecord;
use biotrack_auth::model::transfer::ExportDocument;
use biotrack_auth::report;

#[test]
fn an_empty_ledger_says_what_to_do_next() {
    Rig::new().run(&["status"]).exits(0).answers("biotrack-auth register");
}

#[test]
fn without_a_configuration_it_says_how_to_make_one() {
    Rig::unconfigured(&[]).run(&["status"]).exits(2).answers_nothing().says("biotrack-auth config init");
}

#[test]
fn the_table_is_plain_where_it_is_piped() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    let run = rig.run(&["status"]).exits(0);
    assert!(!run.out.contains('\u{1b}'), "{}", run.out);
    assert!(run.out.contains("✓ active"));
}

#[test]
fn its_json_fits_the_shipped_schema() {
    let rig = Rig::new();
    rig.register("L-1").exits(0);
    valid("status", &rig.status());
    valid("error", &rig.run(&["renew", "L-1", "--json"]).exits(4).json());
    valid("results", &rig.run(&["deactivate", "L-1", "--yes", "--json"]).exits(0).json());
    valid("error", &rig.run(&["status", "--json", "nobody"]).exits(9).json());
}

#[test]
fn the_shipped_schemas_are_what_the_types_say() {
    let documents = [
        ("status", report::schema::<report::Document>()),
        ("results", report::schema::<report::Results>()),
        ("error", report::schema::<report::ErrorDocument>()),
        ("remind", report::schema::<report::Reminders>()),
        ("hook", report::schema::<report::HookEvent>()),
        ("event", report::schema::<report::RunEvent>()),
        ("plan", report::schema::<report::PlanDocument>()),
        ("doctor", report::schema::<report::DoctorDocument>()),
        ("export", report::schema::<ExportDocument<ExportedRecord<'_>>>()),
        ("import", report::schema::<report::ImportDocument>()),
        ("history", report::schema::<report::HistoryDocument>()),
        ("history-verify", report::schema::<report::VerifyDocument>()),
        ("history-prune", report::schema::<report::PruneDocument>()),
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
}
