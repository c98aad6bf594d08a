//! A request for consent: an authorize address with a fresh state and verifier, bound to one license.

use super::endpoints::Endpoints;
use crate::error::{ConfigError, Result};
use crate::model::ids::{FlowId, LicenseId, Username};
use crate::model::provider::{Pkce, Provider, StateLocation, fill};
use crate::model::secret::{Sealable, Secret, SecretText};
use crate::system::Random;
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
};
use serde::{Deserialize, Serialize};

/// A consent request that is ready to be shown to an admin.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    pub flow: FlowId,
    pub key: LicenseId,
    pub username: Username,
    /// The address to open: no secret is in it but the state.
    pub address: String,
    pub redirect_uri: String,
    /// What only the rightful answer knows, and what its exchange needs.
    pub memo: FlowSecrets,
}

/// What must be remembered until the answer comes: never outside memory and the vault.
#[derive(Debug, Clone)]
pub struct FlowSecrets {
    /// 256 random bits, used once (RFC 6749 10.12).
    pub state: Secret,
    /// The PKCE verifier (RFC 7636 4.1).
    pub verifier: Option<Secret>,
}

#[derive(Serialize, Deserialize)]
struct Form {
    state: SecretText,
    verifier: Option<SecretText>,
}

impl FlowSecrets {
    /// As one item for the vault.
    pub fn to_sealable(&self) -> Sealable {
        Sealable::of(&Form { state: (&self.state).into(), verifier: self.verifier.as_ref().map(Into::into) })
    }

    pub fn from_sealable(sealed: &Sealable, whose: &str) -> Result<Self> {
        let form: Form = sealed.read(whose)?;
        Ok(Self { state: form.state.into_secret(), verifier: form.verifier.map(SecretText::into_secret) })
    }
}

/// The path that the redirect comes to; the state may be its last part.
pub fn callback_path(provider: &Provider) -> &str {
    provider.redirect.path.trim_end_matches('/')
}

/// The redirect address of a listener's port, or of the public address in front of one.
pub fn redirect_uri(provider: &Provider, port: u16) -> String {
    format!("http://{}:{port}{}", provider.redirect.host.as_str(), provider.redirect.path)
}

/// Where nobody listens: the port of a hand-off's loopback address, where the profile names none. Below the ports that
/// systems give out, and nobody's by IANA's list.
pub const HANDOFF_PORT: u16 = 18_273;

/// The redirect address of a hand-off: the public one in front of `listen`, else one on the admin's own machine, where
/// nobody listens.
pub fn handoff_uri(provider: &Provider, port: Option<u16>) -> String {
    match &provider.redirect.public_url {
        Some(public) => public.clone(),
        None => redirect_uri(provider, port.or(provider.redirect.port).unwrap_or(HANDOFF_PORT)),
    }
}

/// Makes the request. `base` is where the browser is sent back to.
pub fn ask(
    provider: &Provider,
    endpoints: &Endpoints,
    key: &LicenseId,
    username: &Username,
    base: &str,
    random: &dyn Random,
) -> Result<AuthorizationRequest> {
    let state = random.token()?;
    let verifier = match provider.pkce {
        Pkce::S256 => Some(random.token()?),
        Pkce::Off => None,
    };
    let redirect_uri = match provider.state_in {
        StateLocation::Query => base.to_owned(),
        StateLocation::Path => format!("{}/{state}", base.trim_end_matches('/')),
    };
    let unfit = |key: &'static str| {
        move |e: url::ParseError| ConfigError::Unfit {
            profile: provider.profile.clone(),
            key: key.to_owned(),
            problem: format!("isn't an address: {e}"),
        }
    };
    let authorize = AuthUrl::new(endpoints.authorize.clone()).map_err(unfit("authorize_url"))?;
    let redirect = RedirectUrl::new(redirect_uri.clone()).map_err(unfit("redirect"))?;
    let client = oauth2::basic::BasicClient::new(ClientId::new(provider.client_id.clone()))
        .set_auth_uri(authorize)
        .set_redirect_uri(redirect);
    let shown_state = state.clone();
    let mut request = client.authorize_url(move || CsrfToken::new(shown_state));
    if let Some(verifier) = &verifier {
        // defense: S26 verifier-stays-here
        request = request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(
            &PkceCodeVerifier::new(verifier.clone()),
        ));
    }
    for scope in &provider.scopes {
        request = request.add_scope(Scope::new(scope.clone()));
    }
    for (name, value) in parameters(provider, &provider.authorize_parameters, key, username) {
        request = request.add_extra_param(name, value);
    }
    let (address, _) = request.url();
    Ok(AuthorizationRequest {
        flow: FlowId(random.name()?),
        key: key.clone(),
        username: username.clone(),
        address: address.into(),
        redirect_uri,
        memo: FlowSecrets { state: Secret::new(state), verifier: verifier.map(Secret::new) },
    })
}

/// Further parameters, their templates filled.
pub(super) fn parameters(
    provider: &Provider,
    templates: &[(String, String)],
    key: &LicenseId,
    username: &Username,
) -> Vec<(String, String)> {
    let value = |name: &str| {
        Some(match name {
            "ubi" => key.ubi.to_string(),
            "license" => key.license.to_string(),
            "username" => username.to_string(),
            "company" => provider.company.clone(),
            "application" => provider.application.clone(),
            _ => return None,
        })
    };
    // Of a company that the provider doesn't know, nothing is sent.
    let meant = |(_, template): &&(String, String)| key.ubi.number().is_some() || !template.contains("{ubi}");
    templates.iter().filter(meant).map(|(name, template)| (name.clone(), fill(template, value))).collect()
}

/// The code as oauth2 wants it.
pub(super) fn code(secret: &Secret) -> AuthorizationCode {
    AuthorizationCode::new(secret.expose().to_owned())
}
