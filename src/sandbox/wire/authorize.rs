//! `GET /oauth`: the authorization request (RFC 6749 4.1.1), answered with the Grant Access page.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use url::{Host, Url};

use super::answers::{ServerFailure, back, html};
use super::params::Params;
use super::shared_state::SharedState;
use crate::sandbox::behavior::{PendingAuthorization, fresh};
use crate::sandbox::log::LogSubject;
use crate::sandbox::mishaps::{Mishap, MishapTarget};
use crate::sandbox::{CLIENT_ID, page};

/// The longest UBI or license, in characters.
const MOST_ID: usize = 64;

pub(super) async fn authorize(
    State(house): State<Arc<SharedState>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ServerFailure> {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let ask = match read(&params) {
        Ok(ask) => ask,
        Err(RequestFault::Page(message)) => {
            house.act(|authority, now| authority.refuse(now, &message, LogSubject::default()))?;
            return Ok(html(StatusCode::BAD_REQUEST, page::trouble("This link can’t be used", &message)));
        }
        Err(RequestFault::Redirect { redirect_uri, error, description }) => {
            house.act(|authority, now| authority.refuse(now, error, LogSubject::default()))?;
            let parameters = [("error", error), ("error_description", description)];
            let state = params.get("state");
            return Ok(back(&house.way_back(None, &redirect_uri, state, &parameters)));
        }
    };
    let id = fresh("request")?;
    let facts = house.shown(&ask, "");
    let username = ask.username.clone().unwrap_or_default();
    house.act(|authority, now| authority.ask(now, id.clone(), ask))?;
    let form = page::Form { request: &id, ubi: "", username: &username, faults: &[] };
    Ok(html(StatusCode::OK, page::consent(&facts, &form)))
}

enum RequestFault {
    /// Nobody can be sent back: a page says it.
    Page(String),
    /// The client is told (RFC 6749 4.1.2.1).
    Redirect { redirect_uri: String, error: &'static str, description: &'static str },
}

fn read(params: &Params) -> Result<PendingAuthorization, RequestFault> {
    let page = |message: &str| Err(RequestFault::Page(message.to_owned()));
    // First whom the answer goes to: never a redirect to somebody unknown.
    if params.get("client_id") != Some(CLIENT_ID) || params.repeats("client_id") {
        return page("The client_id is missing or isn’t the sandbox’s.");
    }
    let redirect_uri = match params.get("redirect_uri") {
        Some(uri) if may_return_to(uri) && !params.repeats("redirect_uri") => uri.to_owned(),
        _ => return page("The redirect_uri is missing, or isn't https or an address on this computer."),
    };
    let redirect = |error, description| {
        Err(RequestFault::Redirect { redirect_uri: redirect_uri.clone(), error, description })
    };
    if params.repeats_any() {
        return redirect("invalid_request", "a parameter came twice");
    }
    match params.get("response_type") {
        Some("code") => {}
        Some(_) => return redirect("unsupported_response_type", "response_type must be code"),
        None => return redirect("invalid_request", "response_type is missing"),
    }
    let code_challenge = match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (None, _) => return redirect("invalid_request", "code_challenge is missing: PKCE is required"),
        // Without a method it would be plain (RFC 7636 4.3).
        (_, method) if method != Some("S256") => {
            return redirect("invalid_request", "code_challenge_method must be S256");
        }
        (Some(challenge), _) if is_s256(challenge) => challenge.to_owned(),
        _ => return redirect("invalid_request", "code_challenge is no S256 challenge"),
    };
    let (ubi, license) = match (params.get("ubi"), params.get("license")) {
        (None, None) => return page("The ubi and the license are missing from this link."),
        (None, _) => return page("The ubi is missing from this link."),
        (_, None) => return page("The license is missing from this link."),
        (Some(ubi), Some(license)) => (ubi, license),
    };
    for (name, value) in [("ubi", ubi), ("license", license)] {
        if value.trim().is_empty() || value.chars().count() > MOST_ID || value.chars().any(char::is_control) {
            return page(&format!("The {name} in this link can’t be right."));
        }
    }
    Ok(PendingAuthorization {
        redirect_uri,
        state: params.get("state").map(str::to_owned),
        code_challenge,
        ubi: ubi.to_owned(),
        license: license.to_owned(),
        username: params.get("username").map(str::to_owned),
    })
}

/// https anywhere (a hand-off's public address), or http on loopback with any port and path (RFC 8252 7.3).
fn may_return_to(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    // RFC 6749 3.1.2: no fragment.
    scheme && url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
}

/// 32 bytes in unpadded base64url are 43 characters.
fn is_s256(challenge: &str) -> bool {
    challenge.len() == 43 && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl SharedState {
    /// The redirect address with the answer's parameters, `state` and `iss` (RFC 9207), or what mishaps make of them.
    pub(super) fn way_back(
        &self,
        turn: Option<MishapTarget<'_>>,
        to: &str,
        state: Option<&str>,
        parameters: &[(&str, &str)],
    ) -> String {
        // It was a good address when the request came in.
        let Ok(mut url) = Url::parse(to) else { return to.to_owned() };
        let state = if self.fails(Mishap::WrongState, turn) { Some("not-the-state-you-sent") } else { state };
        let iss = match (self.fails(Mishap::MissingIss, turn), self.fails(Mishap::WrongIss, turn)) {
            (true, _) => None,
            (_, true) => Some("https://other-issuer.example"),
            _ => Some(self.issuer.as_str()),
        };
        url.query_pairs_mut()
            .extend_pairs(parameters)
            .extend_pairs(state.map(|state| ("state", state)))
            .extend_pairs(iss.map(|iss| ("iss", iss)));
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_returns_to_loopback_and_https_only() {
        for good in [
            "http://127.0.0.1:1/callback",
            "http://[::1]:65535/x?y=z",
            "http://localhost/",
            "https://grants.example.com/back",
        ] {
            assert!(may_return_to(good), "{good}");
        }
        for bad in [
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
            "http://0.0.0.0/",
            "http://127.0.0.2/",
            "ftp://127.0.0.1/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "/callback",
            "http://127.0.0.1/#x",
            "https://a:b@example.com/",
            "",
        ] {
            assert!(!may_return_to(bad), "{bad}");
        }
    }
}
