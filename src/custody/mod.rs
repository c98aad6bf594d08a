//! The order of writing: the one place where grant, vault and ledger meet.
//!
//! Before the browser: a probe in the vault, the intents in one synced commit, verifier and envelope, room on the disk.
//! After the redirect: the code sealed and noted; `sent` noted, then one POST; a new item in the vault; one synced
//! commit; the browser answered; only then what was superseded goes. Whatever can't be kept in its place is kept
//! sealed in the journal, and in the spool where the ledger itself can't: nothing is thrown away.

mod accept_grant;
mod access_token;
mod adopt;
mod bundle;
mod claim_flow;
mod clean_up;
mod client_secret;
mod deactivate;
mod discard_grant;
mod edit;
mod export_records;
mod finish_exports;
mod finish_own;
mod flow_stages;
mod granted_record;
mod import_record;
mod in_flight;
mod introspection;
mod listed_recipients;
mod listening_hosts;
mod live_grant;
mod move_secrets;
mod open_flow_cache;
mod open_flows;
mod proof;
mod quarantine;
mod received_grant;
mod record_flows;
mod recovery;
mod refresh_failure;
mod refresh_request;
mod refused_grant;
mod rehearsal;
mod reject_grant;
mod remove;
mod renew_seals;
mod revoke;
mod seals;
mod store_grant;
mod store_refresh;
mod token_sets;
mod writer;

pub use access_token::CachedToken;
pub use bundle::{Bundle, BundleRow};
pub use claim_flow::FoundFlow;
pub use client_secret::{client_secret_place, keep_client_secret};
pub use deactivate::{DeactivationResult, Revocation, RevocationMode, has_something_to_revoke};
pub use edit::EditedRecord;
pub use export_records::{SealedExport, require_idle};
pub use import_record::RecordToImport;
pub use introspection::IntrospectionSummary;
pub use listed_recipients::differs as recipients_differ;
pub use live_grant::{AccessToken, GrantDoubt};
pub use move_secrets::{move_ledger, move_secrets, reseal};
pub use received_grant::GrantRemarks;
pub use record_flows::{NewFlow, RecordUpdate, RecordedFlow};
pub use recovery::RecoveryOutcome;
pub use rehearsal::ClientRehearsal;
pub use remove::RemovalResult;
pub use renew_seals::{ResealSummary, SealApproval, is_out_of_place, note_new_seals, renew_seals};
pub use seals::{ClientRegistrations, SealLabeler};
pub use store_grant::StoreOutcome;
pub use writer::Custody;
