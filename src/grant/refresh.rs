//! A refresh token for a new access token (RFC 6749 6): one POST, whose intent the ledger holds.

use super::ask::parameters;
use super::echo::{Shared, without_tokens};
use super::endpoints::{Endpoints, client};
use super::exchange::meaning;
use crate::edge::Http;
use crate::error::{ConfigError, Result};
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::{FlowId, Key, Username};
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use jiff::Timestamp;
use oauth2::{RefreshToken, TokenUrl};

/// A refresh token with all that its sending needs.
#[derive(Debug, Clone)]
pub struct Spent {
    /// Whose it is.
    pub key: Key,
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
    go: &Logged<(FlowId, Spent)>,
    now: impl Fn() -> Timestamp,
) -> Result<Granted> {
    const WHAT: &str = "the refresh";
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
    let sent = Shared::of(sent.into_iter().flatten().map(Secret::expose));
    match request.request_async(http).await {
        Ok(answer) => Ok(without_tokens(answer.granted(provider, now(), endpoints.skew), &sent)),
        Err(e) => Err(meaning(e, provider, WHAT, &sent)),
    }
}
