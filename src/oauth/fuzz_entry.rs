//! The readers of what others send, as `fuzz/` reaches them: bytes in, what they mean out. Nothing is sent.

use super::ask::code;
use super::endpoints::{Endpoints, settled};
use super::introspect::{self, GrantValidity};
use super::redact::KnownSecrets;
use super::strict_http::{well_formed, whole};
use super::token_client::client;
use super::{exchange, refresh};
use crate::error::{Error, Result};
use crate::model::granted::Granted;
use crate::model::ids::License;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::system::HttpFault;
use jiff::Timestamp;
use oauth2::http::Response;
use oauth2::{AccessToken, HttpRequest, HttpResponse, IntrospectionUrl, RefreshToken, TokenUrl};

/// An answer as it comes from the network.
#[derive(Debug, Clone)]
pub struct RawResponse<'b> {
    pub status: u16,
    pub content_type: Option<&'b str>,
    pub body: &'b [u8],
}

impl RawResponse<'_> {
    fn answer(&self) -> Result<HttpResponse> {
        let mut answer = Response::builder().status(self.status);
        if let Some(kind) = self.content_type {
            answer = answer.header("content-type", kind);
        }
        answer.body(self.body.to_vec()).map_err(|e| Error::Internal(e.to_string()))
    }
}

/// What stands in the place of every address.
const ADDRESS: &str = "http://127.0.0.1/";

/// What the answer to a code means; `sent` is the code.
pub fn exchanged(
    provider: &Provider,
    license: &License,
    sent: &Secret,
    heard: &RawResponse<'_>,
    now: Timestamp,
) -> Result<Granted> {
    let answer = whole(well_formed(heard.answer()?));
    let client = client(provider, None).set_token_uri(address(TokenUrl::new)?);
    let answer = client.exchange_code(code(sent)).request(&answering(answer));
    exchange::parse_response(
        answer,
        provider,
        ADDRESS,
        license,
        &KnownSecrets::of([sent.expose()]),
        || now,
        None,
    )
}

/// What the answer to a refresh token means; `sent` is the token.
pub fn refreshed(
    provider: &Provider,
    sent: &Secret,
    heard: &RawResponse<'_>,
    now: Timestamp,
) -> Result<Granted> {
    let answer = whole(well_formed(heard.answer()?));
    let client = client(provider, None).set_token_uri(address(TokenUrl::new)?);
    let token = RefreshToken::new(sent.expose().to_owned());
    let answer = client.exchange_refresh_token(&token).request(&answering(answer));
    refresh::parse_response(answer, provider, ADDRESS, &KnownSecrets::of([sent.expose()]), || now, None)
}

pub fn looked_up(provider: &Provider, heard: &RawResponse<'_>) -> Result<GrantValidity> {
    let answer = introspect::only_active(whole(heard.answer()?));
    let client = client(provider, None).set_introspection_url(address(IntrospectionUrl::new)?);
    let token = AccessToken::new("token".into());
    Ok(introspect::parse_response(client.introspect(&token).request(&answering(answer))))
}

/// The addresses that metadata of the provider's issuer lead to.
pub fn described(provider: &Provider, body: &[u8]) -> Result<Endpoints> {
    settled(Endpoints::of(provider), provider.issuer.as_deref().unwrap_or_default(), provider, body)
}

fn answering(answer: HttpResponse) -> impl Fn(HttpRequest) -> Result<HttpResponse, HttpFault> {
    move |_| Ok(answer.clone())
}

fn address<T, E: std::fmt::Display>(new: impl Fn(String) -> Result<T, E>) -> Result<T> {
    new(ADDRESS.into()).map_err(|e| Error::Internal(e.to_string()))
}
