//! Ending and testing tokens: revocation (RFC 7009), introspection (RFC 7662), and a call that needs one (RFC 6750).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::answers::{ServerFailure, reply};
use super::client::Refusal;
use super::shared_state::SharedState;
use crate::sandbox::CLIENT_ID;
use crate::sandbox::log::LogSubject;
use crate::sandbox::mishaps::Mishap;

pub(super) async fn revoke(
    State(house): State<Arc<SharedState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    if house.fails(Mishap::RevocationUnsupported, None) {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let caller = house.caller("revoke", &body)?;
    if let Some(limited) = house.limited(caller.as_ref())? {
        return Ok(limited);
    }
    let params = house.read(&headers, &body)?;
    let Some(token) = params.get("token") else {
        return house.refuse("invalid_request", "token is missing");
    };
    house.act(|authority, now| authority.revoke(now, token))?;
    Ok(StatusCode::OK.into_response())
}

pub(super) async fn introspect(
    State(house): State<Arc<SharedState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let params = house.read(&headers, &body)?;
    let Some(token) = params.get("token") else {
        return house.refuse("invalid_request", "token is missing");
    };
    let answer = match house.act(|authority, now| authority.introspect(now, token))? {
        None => json!({"active": false}),
        Some(live) => json!({
            "active": true,
            "iss": house.issuer,
            "client_id": CLIENT_ID,
            "token_type": if live.access { "Bearer" } else { "refresh_token" },
            "exp": live.expires_at.as_second(),
            "username": live.facts.username,
            "ubi": live.facts.ubi,
            "license": live.facts.location,
            "location": live.facts.location,
        }),
    };
    Ok(reply(&answer)?)
}

pub(super) async fn ping(
    State(house): State<Arc<SharedState>>,
    headers: HeaderMap,
) -> Result<Response, ServerFailure> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| {
        // The scheme's case doesn't count (RFC 9110 11.1).
        scheme.eq_ignore_ascii_case("bearer")
    });
    let facts = match token {
        Some((_, token)) => house.act(|authority, now| {
            let facts = authority.access(now, token.trim());
            if facts.is_none() {
                authority.refuse(now, "invalid_token", LogSubject::default());
            }
            facts
        })?,
        None => None,
    };
    Ok(match facts {
        Some(facts) => {
            reply(&json!({"ubi": facts.ubi, "license": facts.location, "username": facts.username}))?
        }
        None => {
            let challenge = [(header::WWW_AUTHENTICATE, r#"Bearer realm="sandbox", error="invalid_token""#)];
            (StatusCode::UNAUTHORIZED, challenge, reply(&json!({"error": "invalid_token"}))?).into_response()
        }
    })
}
