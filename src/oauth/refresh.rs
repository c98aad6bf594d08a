//! A refresh token for a new access token (RFC 6749 6): one POST, whose intent the ledger holds.

use super::answer::TokenAnswer;
use super::ask::parameters;
use super::endpoints::Endpoints;
use super::exchange::{classify_error, not_doubtful};
use super::redact::{KnownSecrets, without_tokens};
use super::strict_http::StrictClient;
use super::token_client::client;
use crate::error::{ConfigError, Result};
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::{FlowId, LicenseId, Username};
use crate::model::provider::{Provider, host_of};
use crate::model::secret::Secret;
use crate::system::{Http, HttpFault};
use jiff::{SignedDuration, Timestamp};
use oauth2::basic::BasicErrorResponse;
use oauth2::{RefreshToken, RequestTokenError, TokenUrl};

/// A refresh token with all that its sending needs.
#[derive(Debug, Clone)]
pub struct RefreshRequest {
    pub key: LicenseId,
    /// Who was asked to consent: a provider may want the name in its parameters.
    pub username: Username,
    /// The token itself. Where the provider rotates, this POST uses it up.
    pub token: Secret,
}

/// Sends a refresh token. No scope is asked for: the answer's is then the grant's own, or it says otherwise.
///
/// `invalid_grant` comes back as [`ProviderError::TokenRefused`](crate::error::ProviderError::TokenRefused): only who
/// can re-read knows whether the grant is dead, or another process was quicker.
pub async fn refresh(
    http: &Http,
    provider: &Provider,
    endpoints: &Endpoints,
    secret: Option<&Secret>,
    go: &Logged<(FlowId, RefreshRequest)>,
    now: impl Fn() -> Timestamp,
) -> Result<Granted> {
    let (_, spent) = go.get();
    let address = TokenUrl::new(endpoints.token.clone()).map_err(|e| ConfigError::Unfit {
        profile: provider.profile.clone(),
        key: "token_url".into(),
        problem: format!("isn't an address: {e}"),
    })?;
    let client = client(provider, secret).set_token_uri(address);
    let token = RefreshToken::new(spent.token.expose().to_owned());
    let mut request = client.exchange_refresh_token(&token);
    for (name, value) in parameters(provider, &provider.token_parameters, &spent.key, &spent.username) {
        request = request.add_extra_param(name, value);
    }
    let sent = [Some(&spent.token), secret];
    let sent = KnownSecrets::of(sent.into_iter().flatten().map(Secret::expose));
    let host = host_of(&endpoints.token);
    parse_response(
        request.request_async(&StrictClient(http)).await,
        provider,
        &host,
        &sent,
        now,
        endpoints.skew,
    )
}

/// What the answer to a refresh token means; `sent` is never repeated from it.
pub(super) fn parse_response(
    answer: Result<TokenAnswer, RequestTokenError<HttpFault, BasicErrorResponse>>,
    provider: &Provider,
    host: &str,
    sent: &KnownSecrets<'_>,
    now: impl Fn() -> Timestamp,
    skew: Option<SignedDuration>,
) -> Result<Granted> {
    match answer {
        Ok(answer) => {
            not_doubtful(&answer, provider, host, "the refresh")?;
            Ok(without_tokens(answer.granted(provider, now(), skew), sent))
        }
        Err(e) => Err(classify_error(e, provider, host, "the refresh", sent)),
    }
}
