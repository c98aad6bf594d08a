//! Who calls: client authentication at the endpoints, and their errors (RFC 6749 2.3.1 and 5.2).

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use url::form_urlencoded;

use super::answers::ServerFailure;
use super::params::Params;
use super::shared_state::SharedState;
use crate::sandbox::log::LogSubject;
use crate::sandbox::{CLIENT_ID, CLIENT_SECRET};

/// An error answer of an endpoint.
pub(super) enum Refusal {
    /// `error` and `error_description` (RFC 6749 5.2).
    OAuth(&'static str, &'static str),
    Broken(ServerFailure),
}

impl From<ServerFailure> for Refusal {
    fn from(broken: ServerFailure) -> Self {
        Self::Broken(broken)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (error, description) = match self {
            Self::OAuth(error, description) => (error, description),
            Self::Broken(broken) => return broken.into_response(),
        };
        let body = json!({"error": error, "error_description": description}).to_string();
        let kind = [(header::CONTENT_TYPE, "application/json")];
        if error == "invalid_client" {
            let challenge = [(header::WWW_AUTHENTICATE, r#"Basic realm="sandbox""#)];
            (StatusCode::UNAUTHORIZED, challenge, kind, body).into_response()
        } else {
            (StatusCode::BAD_REQUEST, kind, body).into_response()
        }
    }
}

impl SharedState {
    /// The parameters of an authenticated request to an endpoint; a refusal is logged.
    pub(super) fn read(&self, headers: &HeaderMap, body: &Bytes) -> Result<Params, Refusal> {
        match read(headers, body) {
            Ok(params) => Ok(params),
            Err((error, description)) => self.refuse(error, description),
        }
    }

    pub(super) fn refuse<T>(&self, error: &'static str, description: &'static str) -> Result<T, Refusal> {
        let why = format!("{error}: {description}");
        self.act(|authority, now| authority.refuse(now, &why, LogSubject::default()))?;
        Err(Refusal::OAuth(error, description))
    }
}

fn read(headers: &HeaderMap, body: &Bytes) -> Result<Params, (&'static str, &'static str)> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(("invalid_request", "the body must be application/x-www-form-urlencoded"));
    }
    let params = Params::parse(body);
    if params.repeats_any() {
        return Err(("invalid_request", "a parameter came twice"));
    }
    let posted = params.get("client_id").zip(params.get("client_secret"));
    let good = match headers.get(header::AUTHORIZATION) {
        Some(_) if params.get("client_secret").is_some() => {
            return Err(("invalid_request", "the client authenticated in two ways"));
        }
        Some(value) => {
            let same = params.get("client_id").is_none_or(|id| id == CLIENT_ID);
            same && value.to_str().is_ok_and(is_basic)
        }
        None => posted == Some((CLIENT_ID, CLIENT_SECRET)),
    };
    if good { Ok(params) } else { Err(("invalid_client", "wrong or missing client_id or client_secret")) }
}

/// `Basic`, with id and secret form-encoded first (RFC 6749 2.3.1).
fn is_basic(value: &str) -> bool {
    let Some((scheme, encoded)) = value.split_once(' ') else { return false };
    let Ok(pair) = STANDARD.decode(encoded.trim()) else { return false };
    let Some(colon) = pair.iter().position(|byte| *byte == b':') else { return false };
    scheme.eq_ignore_ascii_case("basic")
        && decoded(&pair[..colon]) == CLIENT_ID
        && decoded(&pair[colon + 1..]) == CLIENT_SECRET
}

fn decoded(encoded: &[u8]) -> String {
    // A name without `=` is decoded whole.
    form_urlencoded::parse(encoded).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}
