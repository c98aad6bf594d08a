//! What an exchange will need is tried before anybody consents: each endpoint answers, and the client is accepted.

use super::ask::{code, parameters};
use super::client::ProviderClient;
use super::endpoints::Endpoints;
use super::strict_http::whole;
use super::token_client::client;
use crate::error::{Error, ProviderError, Result};
use crate::model::ids::{LicenseId, Username};
use crate::model::provider::{Pkce, Provider, RevocationScope, host_of};
use crate::model::secret::Secret;
use crate::system::{Http, HttpFault};
use oauth2::http::Request;
use oauth2::{
    AsyncHttpClient, HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl, RequestTokenError, TokenUrl,
};
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// No longer is waited for an endpoint, whatever the profile's deadline: a person waits for the browser.
const LONGEST: Duration = Duration::from_secs(10);

/// What stands before the random part of the code that a test request sends: whoever reads the provider's log knows it.
pub const TEST_CODE: &str = "biotrack-auth-preflight-not-a-code-";

impl Endpoints {
    /// Each address, with the setting that names it, in the order of a consent.
    pub fn all(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("authorize_url", Some(&self.authorize)),
            ("token_url", Some(&self.token)),
            ("revocation_url", self.revocation.as_ref()),
            ("introspection_url", self.introspection.as_ref()),
        ];
        all.into_iter().filter_map(|(setting, address)| Some((setting, address?.clone()))).collect()
    }

    /// Those that a consent needs: no revocation where none follows, because one would end the new grant, too; and no
    /// introspection where no grant is looked up.
    fn of_a_consent(&self, provider: &Provider) -> Vec<(&'static str, String)> {
        let is_needed = |setting: &str| match setting {
            "revocation_url" => provider.revocation_scope == RevocationScope::Token,
            "introspection_url" => provider.introspect,
            _ => true,
        };
        self.all().into_iter().filter(|(setting, _)| is_needed(setting)).collect()
    }
}

impl ProviderClient {
    /// Sees that each address answers that a consent will need; the first that doesn't is the error.
    pub async fn try_endpoints(&self) -> Result<()> {
        let limit = self.provider.deadline.min(LONGEST);
        let needed = self.endpoints.of_a_consent(&self.provider);
        silent_endpoints(&self.http, needed, limit).await.into_iter().next().map_or(Ok(()), Err)
    }

    /// Sends a code that can't be right, with all that a real exchange has. `true`: the client is accepted, as the refusal of
    /// the code shows; `false`: whether it's accepted can't be told by that answer. A wrong client is an error.
    pub async fn test_client(
        &self,
        (key, username): (&LicenseId, &Username),
        redirect_uri: String,
        unlike_any: &str,
        next: String,
    ) -> Result<bool> {
        let provider = &self.provider;
        let (Ok(token), Ok(redirect)) =
            (TokenUrl::new(self.endpoints.token.clone()), RedirectUrl::new(redirect_uri))
        else {
            return Ok(false);
        };
        let client = client(provider, self.secret.as_ref()).set_token_uri(token).set_redirect_uri(redirect);
        let mut request = client.exchange_code(code(&Secret::new(format!("{TEST_CODE}{unlike_any}"))));
        if provider.pkce == Pkce::S256 {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(unlike_any.to_owned()));
        }
        for (name, value) in parameters(provider, &provider.token_parameters, key, username) {
            request = request.add_extra_param(name, value);
        }
        let heard = Status { http: &self.http, status: AtomicU16::new(0) };
        let Ok(answer) = timeout(provider.deadline.min(LONGEST), request.request_async(&heard)).await else {
            return Ok(false);
        };
        let status = heard.status.load(Ordering::Relaxed);
        let refused = match &answer {
            Err(RequestTokenError::ServerResponse(refused)) => match refused.error().as_ref() {
                "invalid_grant" => return Ok(true),
                "invalid_client" => true,
                // What some servers call it.
                "unauthorized_client" => status == 401,
                _ => false,
            },
            Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => status == 401,
            Ok(_) | Err(RequestTokenError::Request(_)) => false,
        };
        let is_refusal = matches!(&answer, Err(RequestTokenError::ServerResponse(_)));
        if is_nothing_there(status) && !is_refusal {
            return Err(nothing_there("token_url", &self.endpoints.token, status));
        }
        match refused {
            false => Ok(false),
            true => Err(ProviderError::WrongClient {
                host: host_of(&self.endpoints.token),
                client_id: crate::error::clean(&provider.client_id),
                has_secret: self.secret.is_some(),
                next,
            }
            .into()),
        }
    }
}

/// What is wrong with each of these addresses that doesn't answer, in their order. All are tried at once.
pub async fn silent_endpoints(
    http: &Http,
    endpoints: Vec<(&'static str, String)>,
    limit: Duration,
) -> Vec<Error> {
    let mut tries = JoinSet::new();
    for (place, (setting, address)) in endpoints.into_iter().enumerate() {
        let http = http.clone();
        tries.spawn(async move { (place, try_endpoint(&http, setting, &address, limit).await) });
    }
    let tried = tries.join_all().await.into_iter();
    let mut silent: Vec<_> = tried.filter_map(|(place, it)| Some((place, it.err()?))).collect();
    silent.sort_by_key(|(place, _)| *place);
    silent.into_iter().map(|(_, e)| e).collect()
}

/// Whether an address answers anything at all. A gateway that says that what is behind it doesn't is no answer.
async fn try_endpoint(http: &Http, setting: &'static str, address: &str, limit: Duration) -> Result<()> {
    let host = host_of(address);
    let unreachable =
        |reason: String| Err(ProviderError::Unreachable { host: host.clone(), setting, reason }.into());
    // It has no effect, whatever stands there (RFC 9110 9.3.2).
    let request = match Request::head(address).body(Vec::new()) {
        Ok(request) => request,
        Err(e) => return unreachable(e.to_string()),
    };
    match timeout(limit, http.send(request)).await {
        Ok(Err(HttpFault::Status { status: status @ 502..=504, .. })) => {
            unreachable(format!("HTTP {status}"))
        }
        // Browsers ask there by GET, and some servers know no other method.
        Ok(Ok(answer)) if setting == "authorize_url" && is_gone(answer.status().as_u16()) => {
            let Ok(request) = Request::get(address).body(Vec::new()) else { return Ok(()) };
            match timeout(limit, http.send(request)).await {
                Ok(Ok(answer)) if is_gone(answer.status().as_u16()) => {
                    Err(nothing_there(setting, address, answer.status().as_u16()))
                }
                _ => Ok(()),
            }
        }
        Ok(Ok(_) | Err(HttpFault::Status { .. } | HttpFault::TooLarge)) => Ok(()),
        Ok(Err(fault)) => unreachable(fault.to_string()),
        Err(_) => unreachable(HttpFault::Timeout.to_string()),
    }
}

/// Whether a status says that nothing is at an address (RFC 9110 15.5).
fn is_gone(status: u16) -> bool {
    matches!(status, 404 | 410)
}

/// The same of a POST, which a page that is there instead may not take.
fn is_nothing_there(status: u16) -> bool {
    is_gone(status) || status == 405
}

fn nothing_there(setting: &'static str, address: &str, status: u16) -> Error {
    ProviderError::NoEndpoint { host: host_of(address), setting, status }.into()
}

/// A client that remembers the status of its answer, which oauth2 doesn't tell.
struct Status<'h> {
    http: &'h Http,
    status: AtomicU16,
}

impl<'c> AsyncHttpClient<'c> for Status<'_> {
    type Error = HttpFault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async {
            let answer = self.http.send(request).await?;
            self.status.store(answer.status().as_u16(), Ordering::Relaxed);
            Ok(whole(answer))
        })
    }
}
