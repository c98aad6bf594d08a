//! The answers that all handlers give: JSON, a page, a redirect, and that the machine failed.

use std::io;

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::Markup;
use serde::Serialize;

/// The machine failed (no room for the log, no randomness): the answer is 500.
pub(super) struct ServerFailure(io::Error);

impl From<io::Error> for ServerFailure {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for ServerFailure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("sandbox: {}\n", self.0)).into_response()
    }
}

/// 200 with JSON.
pub(super) fn reply(value: &impl Serialize) -> Result<Response, ServerFailure> {
    let body = serde_json::to_vec(value).map_err(io::Error::from)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

pub(super) fn html(status: StatusCode, page: Markup) -> Response {
    (status, Html(page.into_string())).into_response()
}

/// 303, so that a browser comes back with a GET whatever it posted.
pub(super) fn back(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}
