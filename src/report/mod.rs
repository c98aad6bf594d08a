//! What people and scripts see of records: records in, text out; no I/O but into a writer that is given, where the text is long.

mod calendar;
mod card;
mod check;
mod csv;
mod doctor;
mod history;
mod json;
mod message;
mod plan;
mod prometheus;
mod row;
mod run;
mod table;
mod transfer;

pub use calendar::calendar;

pub use card::{card, consent_card};
pub use check::{CheckVerdict, Threshold, check, unknown};
pub use csv::csv;
pub use doctor::{DoctorDocument, Finding, FindingLevel};
pub use history::{
    HistoryDocument, PruneDocument, VerifyDocument, history_csv, history_lines, history_table,
};
pub use json::{
    AuthorizationJson, DOCUMENT_VERSION, ErrorDocument, EventLicense, Expires, HookCause, HookDigest,
    HookEvent, InHand, Invitation, Reminders, ResultJson, Results, RunEvent, RunEventKind, StatusDocument,
    Summary, TokenDocument, VerificationMethod, document, lines, results, schema, token_document,
};
pub use message::{Message, MessageLink, message, qr};
pub use plan::{PlanDocument, plan};
pub use prometheus::prometheus;
pub use row::{ReportRow, View};
pub use run::run_summary;
pub use table::table;
pub use transfer::{ImportDocument, export_csv, export_json};
