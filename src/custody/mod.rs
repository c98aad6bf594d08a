//! The order of writing: the one place where grant, vault and ledger meet.
//!
//! Before the browser: a probe in the vault, the intents in one synced commit, verifier and envelope, room on the disk.
//! After the redirect: the code sealed and noted; `sent` noted, then one POST; a new item in the vault; one synced
//! commit; the browser answered; only then what was superseded goes. Whatever can't be kept in its place is kept
//! sealed in the journal, and in the spool where the ledger itself can't: nothing is thrown away.

mod access_token;
mod bundle;
mod claim_flow;
mod deactivate;
mod introspection;
mod move_secrets;
mod recovery;
mod refresh_request;
mod store_grant;
mod store_refresh;
mod writer;

pub use access_token::{AtHand, Fresh};
pub use bundle::{Bundle, Bundled, HandedOver, Taking, quiet};
pub use claim_flow::Found;
pub use deactivate::{Asking, Extent, Revocation, Surrendered};
pub use introspection::Looked;
pub use move_secrets::{move_ledger, move_secrets, reseal};
pub use recovery::Recovered;
pub use writer::{Asked, Custody, Decision, Kept, Question, client_secret_place, keep_client_secret};
use writer::{InFlight, anew_where_changed, event, unknown};
