//! Looking a grant up at the provider (RFC 7662). Only a clear "inactive" means dead; anything else means unknown.

use super::token_client::client;
use super::whole::Whole;
use crate::model::granted::Granted;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::system::{Http, HttpFault};
use oauth2::basic::{BasicErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{AccessToken, IntrospectionUrl, RequestTokenError, TokenIntrospectionResponse};

/// What the provider says of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It's active.
    Active,
    /// The provider says that it isn't.
    Inactive,
    /// No clear answer: an outage, a refusal, something unreadable.
    Unknown,
}

/// Asks the provider about a grant's access token.
pub async fn introspect(
    http: &Http,
    provider: &Provider,
    address: &str,
    secret: Option<&Secret>,
    granted: &Granted,
) -> Liveness {
    ask(http, provider, address, secret, &granted.access, "access_token").await
}

/// Asks the provider about a grant's refresh token, which lives as long as the grant. A provider that looks no refresh
/// token up calls each inactive (RFC 7662 2.2): whoever asks must know better.
pub async fn introspect_refresh(
    http: &Http,
    provider: &Provider,
    address: &str,
    secret: Option<&Secret>,
    granted: &Granted,
) -> Liveness {
    match &granted.refresh {
        Some(token) => ask(http, provider, address, secret, token, "refresh_token").await,
        None => Liveness::Unknown,
    }
}

async fn ask(
    http: &Http,
    provider: &Provider,
    address: &str,
    secret: Option<&Secret>,
    token: &Secret,
    hint: &'static str,
) -> Liveness {
    let Ok(address) = IntrospectionUrl::new(address.to_owned()) else { return Liveness::Unknown };
    let client = client(provider, secret).set_introspection_url(address);
    let token = AccessToken::new(token.expose().to_owned());
    understood(client.introspect(&token).set_token_type_hint(hint).request_async(&Whole(http)).await)
}

/// What an answer says of the grant.
pub(super) fn understood(
    answer: Result<BasicTokenIntrospectionResponse, RequestTokenError<HttpFault, BasicErrorResponse>>,
) -> Liveness {
    match answer {
        Ok(answer) if answer.active() => Liveness::Active,
        Ok(_) => Liveness::Inactive,
        // defense: S12 unclear-is-not-inactive
        Err(_) => Liveness::Unknown,
    }
}
