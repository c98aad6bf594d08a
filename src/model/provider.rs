//! One provider environment as a profile describes it, every value settled.

use super::fact::Fact;
use super::instant::Zone;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// How the client proves itself at the token endpoint (RFC 6749 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// `client_secret_post`: id and secret in the form.
    #[default]
    Post,
    /// `client_secret_basic`: in the Authorization header.
    Basic,
    /// A public client: the id alone.
    None,
}

/// Whether PKCE is used (RFC 7636). There is no `plain`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pkce {
    #[default]
    S256,
    /// Off: only for a provider that breaks on it.
    #[serde(rename = "off")]
    Off,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateLocation {
    /// In the `state` parameter (RFC 6749 4.1.1).
    #[default]
    Query,
    /// As the last part of the redirect path, for a provider that drops `state`.
    Path,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationScope {
    /// The consent that the token came from, and no other.
    Token,
    /// Perhaps every grant of that account to this client: the careful default.
    #[default]
    Grant,
}

/// The host of the loopback redirect (RFC 8252 7.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedirectHost {
    /// `127.0.0.1`
    #[serde(rename = "127.0.0.1")]
    #[default]
    Ipv4Literal,
    /// `localhost`, in both families.
    #[serde(rename = "localhost")]
    Localhost,
}

impl RedirectHost {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4Literal => "127.0.0.1",
            Self::Localhost => "localhost",
        }
    }
}

/// Where the browser is sent back to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redirect {
    pub host: RedirectHost,
    /// A fixed port, where the provider wants one registered.
    pub port: Option<u16>,
    /// The path, beginning with a slash.
    pub path: String,
    /// The address in front of `listen`, for hand-offs.
    pub public_url: Option<String>,
}

/// The names of the token response's fields that carry what was granted; `None` where the provider doesn't report it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactFields {
    pub facts: Vec<(Fact, String)>,
    pub username: Option<String>,
}

/// One provider environment. What holds where a profile says nothing is the configuration's to know: a default one is
/// empty.
#[derive(Debug, Clone, Default)]
pub struct Provider {
    pub profile: String,
    /// It isn't the profile that a bare command uses, so a suggested command must name it.
    pub other_profile: bool,
    pub preset: String,
    /// Its base address; also the API's.
    pub url: String,
    /// The issuer, where the provider has one: metadata and `iss` are compared with it, to the letter.
    pub issuer: Option<String>,
    /// Whether RFC 8414 metadata is read before a browser opens.
    pub metadata: bool,
    pub authorize_url: Option<String>,
    /// The address that exchanges codes and refresh tokens.
    pub token_url: Option<String>,
    /// Where tokens are revoked (RFC 7009); `None`: deactivation is local, and says so.
    pub revocation_url: Option<String>,
    /// The address that introspects tokens (RFC 7662).
    pub introspection_url: Option<String>,
    /// A new grant is looked up before it's stored.
    pub introspect: bool,
    pub client_id: String,
    pub client_auth: ClientAuth,
    /// The published secret of the local sandbox; every other secret is in the vault.
    pub published_secret: Option<&'static str>,
    pub scopes: Vec<String>,
    /// Further parameters of the authorize address; templates.
    pub authorize_parameters: Vec<(String, String)>,
    /// Further parameters of the token request; templates.
    pub token_parameters: Vec<(String, String)>,
    /// Before the first browser of a day, a token request that can't succeed tells whether the client is accepted.
    pub preflight: bool,
    pub pkce: Pkce,
    pub state_in: StateLocation,
    /// The redirect must name the issuer (RFC 9207), whatever the metadata say.
    pub iss_required: bool,
    /// The integrator's company name, as the page shows it.
    pub company: String,
    pub application: String,
    /// "Integrator".
    pub access_type: String,
    /// "*".
    pub resource: String,
    /// "`read_write`".
    pub operation: String,
    pub fact_fields: FactFields,
    /// Where the answer reports the grant's end.
    pub grant_expiry: Option<String>,
    /// How long a grant is valid, where the provider doesn't say.
    pub lifetime: SignedDuration,
    pub rolling: bool,
    pub revocation_scope: RevocationScope,
    /// The zone that dates are shown and counted in.
    pub zone: Zone,
    /// How long before its expiry a grant is due.
    pub due_window: SignedDuration,
    pub redirect: Redirect,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The total time that one request may take.
    pub deadline: Duration,
}

impl Provider {
    /// Its profile, where a command must name it: it isn't the default one.
    pub fn other(&self) -> Option<&String> {
        self.other_profile.then_some(&self.profile)
    }

    /// Whether every address that this program itself calls is on this machine, so that no certificate store is needed.
    pub fn on_loopback(&self) -> bool {
        let further = [&self.issuer, &self.token_url, &self.revocation_url, &self.introspection_url];
        // The configuration lets plain http through to loopback alone.
        let here = |address: &str| address.starts_with("http://");
        here(&self.url) && further.into_iter().flatten().all(|address| here(address))
    }

    /// Whether it's any RFC 6749 server, which may know neither UBI nor the page's facts.
    pub fn is_generic(&self) -> bool {
        self.preset == "generic"
    }

    pub fn host(&self) -> String {
        host_of(&self.url)
    }
}

/// The host of an address, with its port where it names one.
pub fn host_of(address: &str) -> String {
    url::Url::parse(address)
        .ok()
        .and_then(|url| {
            let host = url.host_str()?.to_owned();
            Some(url.port().map_or(host.clone(), |port| format!("{host}:{port}")))
        })
        .unwrap_or_else(|| address.to_owned())
}

/// The placeholders that a parameter's template may hold.
pub const PLACEHOLDERS: [&str; 5] = ["ubi", "license", "username", "company", "application"];

/// Fills a template's `{…}` placeholders in one pass: what a value holds is never a placeholder again.
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        let known = rest.find('}').and_then(|end| Some((end, value(&rest[1..end])?)));
        match known {
            Some((end, value)) => {
                filled.push_str(&value);
                rest = &rest[end + 1..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn a_value_that_looks_like_a_placeholder_stays_as_it_is() {
        let value = |name: &str| match name {
            "ubi" => Some("{license}".to_owned()),
            "license" => Some("L".to_owned()),
            _ => None,
        };
        assert_eq!(fill("{ubi}-{license}-{other}-{", value), "{license}-L-{other}-{");
    }
}
