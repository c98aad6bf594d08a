//! Taking a grant back (RFC 7009).

use super::endpoints::useless;
use super::exchange::failed;
use crate::error::Result;
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::provider::{ClientAuth, Provider, host_of};
use crate::model::secret::Secret;
use crate::system::{Http, HttpFault};
use base64::{Engine, prelude::BASE64_STANDARD};
use oauth2::HttpRequest;
use oauth2::http::Request;
use url::form_urlencoded::{Serializer, byte_serialize};

/// Revokes a grant by its refresh token, or its access token where there is no other. An unknown token counts as
/// revoked (RFC 7009 2.2). `Logged`: the ledger holds the question, or the grant in a role that says it's to go.
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
    const WHAT: &str = "the revocation";
    const SETTING: &str = "revocation_url";
    let host = host_of(address);
    let request = request(provider, address, secret, granted)
        .map_err(|e| failed(&host, SETTING, WHAT, HttpFault::Connect(e.to_string())))?;
    let answer = http.send(request).await.map_err(|fault| failed(&host, SETTING, WHAT, fault))?;
    match answer.status().as_u16() {
        200..300 => Ok(()),
        status => Err(useless(&host, WHAT, format!("HTTP {status}"))),
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
