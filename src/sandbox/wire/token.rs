//! `POST /oauth/token`: codes and refresh tokens become token answers (RFC 6749 4.1.3 and 6).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;

use super::answers::{ServerFailure, reply};
use super::client::Refusal;
use super::shared_state::SharedState;
use super::spoil::spoil;
use crate::sandbox::behavior::{Answer, Caller, GrantFacts, InvalidGrant, MintedTokens};
use crate::sandbox::mishaps::Mishap;

/// The success answer (RFC 6749 5.1), with the dates and facts of the grant.
#[derive(Serialize)]
struct TokenAnswer {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: String,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_date: Option<Timestamp>,
    #[serde(flatten)]
    facts: GrantFacts,
}

pub(super) async fn token(
    State(house): State<Arc<SharedState>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    serve(&house, &headers, &body).await.unwrap_or_else(IntoResponse::into_response)
}

async fn serve(house: &SharedState, headers: &HeaderMap, body: &Bytes) -> Result<Response, ServerFailure> {
    let caller = house.caller("token", body)?;
    if let Some(limited) = house.limited(caller.as_ref())? {
        return Ok(limited);
    }
    let no_expiry = house.fails(Mishap::NoExpiry, caller.as_ref().map(Caller::turn));
    let response = match answer(house, headers, body, no_expiry) {
        Ok(answer) => reply(&answer).into_response(),
        Err(refusal) => refusal.into_response(),
    };
    // The state has changed and the log says so: what follows is lost on the way.
    spoil(house, caller.as_ref(), response).await
}

fn answer(
    house: &SharedState,
    headers: &HeaderMap,
    body: &Bytes,
    no_expiry: bool,
) -> Result<TokenAnswer, Refusal> {
    let params = house.read(headers, body)?;
    let minted = MintedTokens::fresh()?;
    let answer = match params.get("grant_type") {
        Some("authorization_code") => {
            let Some(((code, redirect_uri), verifier)) =
                params.get("code").zip(params.get("redirect_uri")).zip(params.get("code_verifier"))
            else {
                return house.refuse("invalid_request", "code, redirect_uri or code_verifier is missing");
            };
            house.act(|authority, now| authority.exchange(now, code, redirect_uri, verifier, minted))?
        }
        Some("refresh_token") => {
            let Some(token) = params.get("refresh_token") else {
                return house.refuse("invalid_request", "refresh_token is missing");
            };
            house.act(|authority, now| authority.refresh(now, token, minted))?
        }
        Some(_) => {
            let words = "grant_type must be authorization_code or refresh_token";
            return house.refuse("unsupported_grant_type", words);
        }
        None => return house.refuse("invalid_request", "grant_type is missing"),
    };
    match answer {
        Ok(answer) => Ok(TokenAnswer::new(answer, no_expiry)),
        Err(InvalidGrant(why)) => Err(Refusal::OAuth("invalid_grant", why)),
    }
}

impl TokenAnswer {
    fn new(answer: Answer, no_expiry: bool) -> Self {
        Self {
            access_token: answer.access,
            token_type: "Bearer",
            expires_in: answer.expires_in,
            refresh_token: answer.refresh,
            created_at: answer.created_at,
            expiration_date: (!no_expiry).then_some(answer.expires_at),
            facts: answer.facts,
        }
    }
}
