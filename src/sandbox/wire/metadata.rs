//! `GET /.well-known/oauth-authorization-server`: what a client can find out (RFC 8414 3.2).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::answers::{ServerFailure, reply};
use super::shared_state::SharedState;
use crate::sandbox::mishaps::Mishap;

#[derive(Serialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint: Option<String>,
    introspection_endpoint: String,
    response_types_supported: &'static [&'static str],
    grant_types_supported: &'static [&'static str],
    code_challenge_methods_supported: &'static [&'static str],
    token_endpoint_auth_methods_supported: &'static [&'static str],
    authorization_response_iss_parameter_supported: bool,
}

pub(super) async fn metadata(State(house): State<Arc<SharedState>>) -> Result<Response, ServerFailure> {
    let at = |path: &str| format!("{}{path}", house.issuer);
    reply(&Metadata {
        issuer: house.issuer.clone(),
        authorization_endpoint: at("/oauth"),
        token_endpoint: at("/oauth/token"),
        revocation_endpoint: (!house.fails(Mishap::RevocationUnsupported, None)).then(|| at("/oauth/revoke")),
        introspection_endpoint: at("/oauth/introspect"),
        response_types_supported: &["code"],
        grant_types_supported: &["authorization_code", "refresh_token"],
        code_challenge_methods_supported: &["S256"],
        token_endpoint_auth_methods_supported: &["client_secret_post", "client_secret_basic"],
        // Promised under `missing-iss` too: that is what makes its absence wrong.
        authorization_response_iss_parameter_supported: true,
    })
}
