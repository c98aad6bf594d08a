//! The code for the tokens (RFC 6749 4.1.3): one POST, never sent twice unless no byte of it left.

use super::answer::TokenAnswer;
use super::ask::{code, parameters};
use super::endpoints::{Endpoints, useless};
use super::redact::{KnownSecrets, without_tokens};
use super::server_text::short;
use super::strict_http::StrictClient;
use super::token_client::client;
use crate::error::{ConfigError, Error, ProviderError, Result};
use crate::model::authorization::set_secret_command;
use crate::model::flow::Logged;
use crate::model::granted::Granted;
use crate::model::ids::{FlowId, License, LicenseId, Username};
use crate::model::provider::{Provider, host_of};
use crate::model::secret::Secret;
use crate::system::{Http, HttpFault};
use jiff::{SignedDuration, Timestamp};
use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType};
use oauth2::{PkceCodeVerifier, RedirectUrl, RequestTokenError, TokenUrl};

#[derive(Debug, Clone)]
pub struct CodeExchange {
    pub key: LicenseId,
    pub username: Username,
    pub code: Secret,
    /// The verifier that proves that we asked.
    pub verifier: Option<Secret>,
    /// The exact redirect address of the authorization request.
    pub redirect_uri: String,
}

/// Exchanges a code whose sending the ledger knows of. `now` is asked when the answer is there.
pub async fn exchange(
    http: &Http,
    provider: &Provider,
    endpoints: &Endpoints,
    secret: Option<&Secret>,
    go: &Logged<(FlowId, CodeExchange)>,
    now: impl Fn() -> Timestamp,
) -> Result<Granted> {
    let (_, asked) = go.get();
    let unfit = |key: &'static str| {
        move |e: url::ParseError| ConfigError::Unfit {
            profile: provider.profile.clone(),
            key: key.into(),
            problem: format!("isn't an address: {e}"),
        }
    };
    let client = client(provider, secret)
        .set_token_uri(TokenUrl::new(endpoints.token.clone()).map_err(unfit("token_url"))?)
        .set_redirect_uri(RedirectUrl::new(asked.redirect_uri.clone()).map_err(unfit("redirect"))?);
    let mut request = client.exchange_code(code(&asked.code));
    if let Some(verifier) = &asked.verifier {
        request = request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
    }
    for (name, value) in parameters(provider, &provider.token_parameters, &asked.key, &asked.username) {
        request = request.add_extra_param(name, value);
    }
    let sent = [Some(&asked.code), asked.verifier.as_ref(), secret];
    let sent = KnownSecrets::of(sent.into_iter().flatten().map(Secret::expose));
    let answer = request.request_async(&StrictClient(http)).await;
    let host = host_of(&endpoints.token);
    parse_response(answer, provider, &host, &asked.key.license, &sent, now, endpoints.skew)
}

/// What the answer to a code means; `sent` is never repeated from it.
pub(super) fn parse_response(
    answer: Result<TokenAnswer, RequestTokenError<HttpFault, BasicErrorResponse>>,
    provider: &Provider,
    host: &str,
    license: &License,
    sent: &KnownSecrets<'_>,
    now: impl Fn() -> Timestamp,
    skew: Option<SignedDuration>,
) -> Result<Granted> {
    match answer {
        Ok(answer) => {
            not_doubtful(&answer, provider, host, "the code")?;
            tracing::info!("the token response has {}", sent.hidden_in(&answer.fields()));
            Ok(without_tokens(answer.granted(provider, now(), skew), sent))
        }
        Err(RequestTokenError::ServerResponse(refused))
            if *refused.error() == BasicErrorResponseType::InvalidGrant =>
        {
            Err(ProviderError::CodeLapsed { license: license.to_string() }.into())
        }
        // defense: S28 refusal-repeats-nothing-sent
        Err(e) => Err(classify_error(e, provider, host, "the code", sent)),
    }
}

/// An error where a member that this provider's answers are read by has two values.
pub(super) fn not_doubtful(
    answer: &TokenAnswer,
    provider: &Provider,
    host: &str,
    what: &'static str,
) -> Result<()> {
    match answer.doubtful_field(provider) {
        Some(field) => {
            let said = format!("something that isn't a token response: {field} has two values");
            Err(useless(host, what, said))
        }
        None => Ok(()),
    }
}

/// What a failed token request means. An outage is never a refusal.
pub(super) fn classify_error(
    e: RequestTokenError<HttpFault, BasicErrorResponse>,
    provider: &Provider,
    host: &str,
    what: &'static str,
    sent: &KnownSecrets<'_>,
) -> Error {
    match e {
        RequestTokenError::Request(fault) => failed(host, "token_url", what, fault),
        // Whatever the status says: what it did before it failed is unknown.
        RequestTokenError::ServerResponse(refused) if is_its_own_failure(refused.error()) => {
            let words = refused.error_description().map(|words| short(&sent.hidden_in(words)));
            let words = words.map_or_else(String::new, |words| format!(" (\"{words}\")"));
            useless(host, what, format!("the error {}{words}", refused.error().as_ref()))
        }
        RequestTokenError::ServerResponse(refused) => ProviderError::TokenRefused {
            host: host.to_owned(),
            what,
            code: short(&sent.hidden_in(refused.error().as_ref())),
            description: refused.error_description().map(|words| short(&sent.hidden_in(words))),
            set_secret: set_secret_command(provider),
        }
        .into(),
        // The body is never shown: it may hold a token.
        RequestTokenError::Parse(_, body) => useless(
            host,
            what,
            match TokenAnswer::problem(&body) {
                Some(problem) => format!("something that isn't a token response: {problem}"),
                None => "something that isn't a token response".into(),
            },
        ),
        RequestTokenError::Other(_) => useless(host, what, "something other than JSON".into()),
    }
}

/// Whether an error tells of the provider itself, and not of what was asked. RFC 6749 knows these only where consent is
/// asked (4.1.2.1); servers send them here, too.
fn is_its_own_failure(error: &BasicErrorResponseType) -> bool {
    // defense: S7 its-own-failure-is-uncertain
    matches!(error.as_ref(), "server_error" | "temporarily_unavailable")
}

/// What a failed request to the address of a setting means.
pub(super) fn failed(host: &str, setting: &'static str, what: &'static str, fault: HttpFault) -> Error {
    let host = host.to_owned();
    match fault {
        HttpFault::Connect(reason) => ProviderError::Unreachable { host, setting, reason },
        HttpFault::Status { status: status @ 300..400, .. } => ProviderError::Useless {
            host,
            what,
            answer: format!("HTTP {status}, a redirect to another address, which is never followed"),
        },
        HttpFault::Status { status, retry_after } => {
            ProviderError::Overloaded { host, what, status, retry_after }
        }
        fault @ (HttpFault::Timeout | HttpFault::TooLarge | HttpFault::Broken(_)) => {
            ProviderError::Lost { host, what, reason: fault.to_string() }
        }
    }
    .into()
}
