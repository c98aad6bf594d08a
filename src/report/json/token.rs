//! What `token` prints: the one document that holds a secret.

use super::form::DOCUMENT_VERSION;
use crate::model::authorization::Authorization;
use crate::model::instant::whole_second;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// What `token --json` prints. This is the only document that contains a secret.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TokenDocument<'t> {
    schema: u8,
    profile: &'t str,
    ubi: Option<&'t str>,
    license: &'t str,
    /// The access token.
    token: &'t str,
    /// "Bearer", as the provider wrote it.
    token_type: &'t str,
    /// When the access token expires; `null` if the provider didn't say. RFC 3339, UTC.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Timestamp>,
    /// When the grant expires; only a new consent extends it.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    grant_expires_at: Option<Timestamp>,
    /// It was refreshed by this command.
    refreshed: bool,
}

pub fn token_document<'t>(
    record: &'t Authorization,
    token: &'t str,
    token_type: &'t str,
    expires_at: Option<Timestamp>,
    refreshed: bool,
) -> TokenDocument<'t> {
    TokenDocument {
        schema: DOCUMENT_VERSION,
        profile: &record.profile,
        ubi: record.key.ubi.number(),
        license: record.key.license.as_str(),
        token,
        token_type,
        // Down to the whole second, as all instants here: early, never late.
        expires_at: expires_at.map(whole_second),
        grant_expires_at: record.expires_at,
        refreshed,
    }
}
