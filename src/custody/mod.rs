//! The order of writing: the one place where grant, vault and ledger meet.
//!
//! Before the browser: a probe in the vault, the intents in one synced commit, verifier and envelope, room on the disk.
//! After the redirect: the code sealed and noted; `sent` noted, then one POST; a new item in the vault; one synced
//! commit; the browser answered; only then what was superseded goes. Whatever can't be kept in its place is kept
//! sealed in the journal, and in the spool where the ledger itself can't: nothing is thrown away.

mod client;
mod edit;
mod flows;
mod grants;
mod moves;
mod recovery;
mod refresh;
mod revocation;
mod seals;
mod writer;

pub use client::client_secret::{client_secret_place, keep_client_secret};
pub use client::rehearsal::ClientRehearsal;
pub use edit::EditedRecord;
pub use flows::claim_flow::FoundFlow;
pub use flows::record_flows::{NewFlow, RecordUpdate, RecordedFlow};
pub use grants::live_grant::{AccessToken, GrantDoubt};
pub use grants::received_grant::GrantRemarks;
pub use grants::store_grant::StoreOutcome;
pub use moves::bundle::{Bundle, BundleRow};
pub use moves::export_records::{SealedExport, require_idle};
pub use moves::import_record::RecordToImport;
pub use moves::move_secrets::{move_ledger, move_secrets, reseal};
pub use recovery::abandoned::RecoveryOutcome;
pub use refresh::access_token::CachedToken;
pub use refresh::introspection::IntrospectionSummary;
pub use revocation::deactivate::{DeactivationResult, Revocation, RevocationMode, has_something_to_revoke};
pub use revocation::remove::RemovalResult;
pub use seals::labeler::{ClientRegistrations, SealLabeler};
pub use seals::listed_recipients::differs as recipients_differ;
pub use seals::renew_seals::{ResealSummary, SealApproval, is_out_of_place, note_new_seals, renew_seals};
pub use writer::Custody;
