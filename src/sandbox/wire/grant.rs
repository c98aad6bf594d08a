//! `POST /oauth/grant`: the admin's click, answered with the way back or the page again.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::answers::{ServerFailure, back, html};
use super::params::Params;
use super::shared_state::SharedState;
use crate::sandbox::behavior::{ConsentClick, PendingAuthorization, SignIn, fresh};
use crate::sandbox::mishaps::Mishap;
use crate::sandbox::page;

pub(super) async fn decide(
    State(house): State<Arc<SharedState>>,
    body: Bytes,
) -> Result<Response, ServerFailure> {
    let params = Params::parse(&body);
    let field = |name: &str| params.get(name).unwrap_or_default().to_owned();
    let id = field("request");
    let sign_in = SignIn { ubi: field("ubi"), username: field("username"), password: field("password") };
    let code = fresh("code")?;
    let decision = match params.get("decision") {
        _ if params.repeats_any() => return Ok(unclear()),
        Some("refuse") => house.act(|authority, now| authority.deny(now, &id))?,
        Some("grant") => house.act(|authority, now| {
            let denied = |ask: &PendingAuthorization| house.fails(Mishap::Denied, Some(ask.turn()));
            let facts = |ask: &PendingAuthorization, username: &str| house.granted(ask, username);
            authority.grant(now, &id, &sign_in, &code, denied, facts)
        })?,
        _ => return Ok(unclear()),
    };
    Ok(match decision {
        ConsentClick::Granted(ask) => {
            let turn = Some(ask.turn());
            back(&house.way_back(turn, &ask.redirect_uri, ask.state.as_deref(), &[("code", &code)]))
        }
        ConsentClick::Denied(ask) => {
            let parameters =
                [("error", "access_denied"), ("error_description", "the admin refused to grant access")];
            back(&house.way_back(Some(ask.turn()), &ask.redirect_uri, ask.state.as_deref(), &parameters))
        }
        ConsentClick::Again(ask, faults) => {
            let facts = house.shown(&ask, "");
            let form =
                page::Form { request: &id, ubi: &sign_in.ubi, username: &sign_in.username, faults: &faults };
            html(StatusCode::UNPROCESSABLE_ENTITY, page::consent(&facts, &form))
        }
        ConsentClick::Gone => html(
            StatusCode::BAD_REQUEST,
            page::trouble(
                "This page is no longer good",
                "It was answered already, or has been open for more than 15 minutes. Open the link that you were \
                 given again.",
            ),
        ),
    })
}

fn unclear() -> Response {
    let message = "The form came back without a decision, or with a field twice. Open the link again.";
    html(StatusCode::BAD_REQUEST, page::trouble("That wasn’t understood", message))
}
