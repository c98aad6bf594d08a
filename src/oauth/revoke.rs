//! Taking a grant back (RFC 7009).

use super::endpoints::useless;
use super::exchange::failed;
use super::members::members;
use super::redact::KnownSecrets;
use super::server_text::short;
use crate::error::{ProviderError, Result};
use crate::model::authorization::set_secret_command;
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::provider::{ClientAuth, Provider, host_of};
use crate::model::secret::Secret;
use crate::system::{Http, HttpFault};
use base64::{Engine, prelude::BASE64_STANDARD};
use oauth2::http::Request;
use oauth2::{HttpRequest, HttpResponse};
use url::form_urlencoded::{Serializer, byte_serialize};

const WHAT: &str = "the revocation";

/// Revokes a grant by its refresh token, or its access token where there is no other. An unknown token counts as
/// revoked (RFC 7009 2.2), also where the provider calls that an error. `Logged`: the ledger holds the flow, or the grant in a role that says it's to go.
///
/// oauth2's own revocation refuses `http`, on loopback too, so the form is made here.
pub async fn revoke<T>(
    http: &Http,
    provider: &Provider,
    address: &str,
    secret: Option<&Secret>,
    granted: &Granted,
    _go: &Logged<T>,
) -> Result<()> {
    const SETTING: &str = "revocation_url";
    let host = host_of(address);
    let request = request(provider, address, secret, granted)
        .map_err(|e| failed(&host, SETTING, WHAT, HttpFault::Connect(e.to_string())))?;
    let answer = http.send(request).await.map_err(|fault| failed(&host, SETTING, WHAT, fault))?;
    let sent = [granted.refresh.as_ref(), Some(&granted.access), secret];
    parse_response(
        &answer,
        provider,
        &host,
        &KnownSecrets::of(sent.into_iter().flatten().map(Secret::expose)),
    )
}

/// What an answer means. A refusal is told as the provider's word: asking again later doesn't help against it.
fn parse_response(
    answer: &HttpResponse,
    provider: &Provider,
    host: &str,
    sent: &KnownSecrets<'_>,
) -> Result<()> {
    let status = answer.status();
    let members = members(answer.body()).unwrap_or_default();
    let text = |name: &str| Some(members.get(name)?.as_str()?.to_owned()).filter(|text| !text.is_empty());
    let code = match text("error") {
        Some(code) if code == "invalid_token" => return Ok(()),
        Some(code) if matches!(code.as_str(), "server_error" | "temporarily_unavailable") => {
            return Err(useless(host, WHAT, format!("the error {code}")));
        }
        // A refusal with the status of success, too, is one.
        Some(code) => code,
        None if status.is_success() => return Ok(()),
        // Without a word, too, it says that it doesn't know the client (RFC 9110 15.5.2).
        None if status.as_u16() == 401 => "invalid_client".to_owned(),
        None => {
            let said =
                format!("HTTP {}, and {}", status.as_u16(), what_came(answer.body(), !members.is_empty()));
            return Err(useless(host, WHAT, said));
        }
    };
    Err(ProviderError::TokenRefused {
        host: host.to_owned(),
        what: WHAT,
        code: short(&sent.hidden_in(&code)),
        description: text("error_description").map(|words| short(&sent.hidden_in(&words))),
        set_secret: set_secret_command(provider),
    }
    .into())
}

/// What a body is that names no error.
fn what_came(body: &[u8], is_json: bool) -> &'static str {
    match body.trim_ascii_start() {
        [] => "no body",
        _ if is_json => "JSON without an error code",
        [b'<', ..] => "a page",
        _ => "no JSON",
    }
}

fn request(
    provider: &Provider,
    address: &str,
    secret: Option<&Secret>,
    granted: &Granted,
) -> oauth2::http::Result<HttpRequest> {
    let (token, hint) = match &granted.refresh {
        // defense: S11 revoke-the-refresh-token
        Some(refresh) => (refresh, "refresh_token"),
        None => (&granted.access, "access_token"),
    };
    let mut form = Serializer::new(String::new());
    form.append_pair("token", token.expose()).append_pair("token_type_hint", hint);
    let mut request = Request::post(address)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json");
    match (provider.client_auth, secret) {
        (ClientAuth::Basic, Some(secret)) => {
            // RFC 6749 2.3.1: both are form-encoded first.
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&provider.client_id), encoded(secret.expose()));
            request = request.header("authorization", format!("Basic {}", BASE64_STANDARD.encode(pair)));
        }
        (ClientAuth::Post, Some(secret)) => {
            form.append_pair("client_id", &provider.client_id).append_pair("client_secret", secret.expose());
        }
        (ClientAuth::None, _) | (_, None) => {
            form.append_pair("client_id", &provider.client_id);
        }
    }
    request.body(form.finish().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> String {
        let mut answer = HttpResponse::new(body.as_bytes().to_vec());
        *answer.status_mut() = status.try_into().unwrap();
        match parse_response(
            &answer,
            &Provider::default(),
            "biotrack.example",
            &KnownSecrets::of(["a-refresh-token"]),
        ) {
            Ok(()) => "revoked".into(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn a_token_that_is_unknown_or_gone_counts_as_revoked() {
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, r#"{"revoked":true}"#),
            (200, r#"{"error":""}"#),
            (200, r#"{"error":"invalid_token"}"#),
            (204, ""),
            (400, r#"{"error":"invalid_token"}"#),
        ] {
            assert_eq!(said(status, body), "revoked", "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_is_told_as_the_providers_word_and_repeats_no_token() {
        for status in [400, 200] {
            assert_eq!(
                said(status, r#"{"error":"unsupported_token_type"}"#),
                "biotrack.example refused the revocation: it doesn't revoke tokens of this kind"
            );
        }
        for (status, body) in [(401, ""), (401, r#"{"error":"invalid_client"}"#), (401, "<html>")] {
            let client = "biotrack.example refused the revocation: it doesn't accept the client id or secret";
            assert_eq!(said(status, body), client, "{status} {body}");
        }
        assert_eq!(
            said(403, r#"{"error":"access_denied","error_description":"not a-refresh-token"}"#),
            "biotrack.example refused the revocation: error \"access_denied\" (\"not (secret)\")"
        );
    }

    #[test]
    fn what_says_nothing_of_the_token_is_no_refusal() {
        for (status, body, what) in [
            (400, "", "HTTP 400, and no body"),
            (404, "<html>", "HTTP 404, and a page"),
            (405, "no", "HTTP 405, and no JSON"),
            (400, r#"{"message":"no"}"#, "HTTP 400, and JSON without an error code"),
            (400, r#"{"error":"temporarily_unavailable"}"#, "the error temporarily_unavailable"),
            (200, r#"{"error":"server_error"}"#, "the error server_error"),
        ] {
            let told = format!("biotrack.example answered the revocation with {what}");
            assert_eq!(said(status, body), told, "{body}");
        }
    }
}
