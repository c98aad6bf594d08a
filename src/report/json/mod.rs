//! JSON, schema 2: arrays, never dynamic keys; every key always present, null where unknown.

mod events;
mod form;
mod record;
mod results;
mod status;
mod token;
mod weeks;

pub use events::{EventLicense, HookCause, HookDigest, HookEvent, Reminders, RunEvent, RunEventKind};
pub(super) use form::line;
pub use form::{DOCUMENT_VERSION, schema};
pub use record::{AuthorizationJson, Expires, InHand, Invitation, VerificationMethod};
pub use results::{ErrorDocument, ResultJson, Results, results};
pub use status::{StatusDocument, Summary, document, lines};
pub use token::{TokenDocument, token_document};
