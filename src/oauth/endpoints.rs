//! Where the provider listens: by configuration, by its metadata (RFC 8414), and tried before a browser opens.

use super::members::members;
use super::server_text::short;
use crate::error::{ConfigError, Error, ProviderError, Result};
use crate::model::blocked_ports::blocked_port_of;
use crate::model::provider::{Pkce, Provider};
use crate::system::{Http, HttpFault, is_this_machine};
use jiff::{SignedDuration, Timestamp};
use oauth2::http::{HeaderValue, Request};
use serde::Deserialize;

/// The provider's addresses, and what it promises of its answers.
#[derive(Debug, Clone)]
pub struct Endpoints {
    pub authorize: String,
    pub token: String,
    pub revocation: Option<String>,
    pub introspection: Option<String>,
    /// Who must have sent a redirect that names its sender (RFC 9207).
    pub issuer: Option<String>,
    /// A redirect that doesn't name its sender is refused.
    pub iss_required: bool,
    /// The provider's clock against ours, where it told the time: theirs minus ours.
    pub skew: Option<SignedDuration>,
}

/// A clock that differs by more deserves a word: both sides judge lifetimes by their own.
pub const CLOCK_SKEW_TOLERATED: SignedDuration = SignedDuration::from_mins(5);

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// What is read of the metadata (RFC 8414 2, RFC 9207 3, RFC 9126 5, RFC 9449 5.1).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    require_pushed_authorization_requests: bool,
}

impl Endpoints {
    /// What the profile itself says.
    pub(super) fn of(provider: &Provider) -> Self {
        Self {
            authorize: provider.authorize_url.clone().unwrap_or_default(),
            token: provider.token_url.clone().unwrap_or_default(),
            revocation: provider.revocation_url.clone(),
            introspection: provider.introspection_url.clone(),
            issuer: provider.issuer.clone(),
            iss_required: provider.iss_required,
            skew: None,
        }
    }
}

/// Settles the addresses and sees that the provider answers. What the profile says goes before the metadata.
pub async fn prepare(http: &Http, provider: &Provider, now: Timestamp) -> Result<Endpoints> {
    let host = provider.host();
    let mut endpoints = Endpoints::of(provider);
    let issuer = match (&provider.issuer, provider.metadata) {
        (Some(issuer), true) => issuer,
        _ => {
            // Any answer will do: it is there.
            let (date, _) = get(http, &provider.url, &host, true).await?;
            endpoints.skew = skew(date, now);
            return complete(endpoints, provider);
        }
    };
    let (date, body) = metadata(http, issuer, &host).await?;
    endpoints.skew = skew(date, now);
    settled(endpoints, issuer, provider, &body)
}

/// The addresses, completed from the metadata of the issuer that was asked.
pub(super) fn settled(
    mut endpoints: Endpoints,
    issuer: &str,
    provider: &Provider,
    body: &[u8],
) -> Result<Endpoints> {
    let host = provider.host();
    let wrong = |problem: String| ProviderError::Metadata { host: host.clone(), problem };
    let found: Metadata = members(body)
        .and_then(|members| serde_json::from_value(members.into()))
        .map_err(|_| wrong("don't follow RFC 8414".into()))?;
    // defense: S4 metadata-of-our-issuer
    // defense: S4 metadata-issuer-to-the-letter
    if found.issuer != issuer {
        // To the letter: case, slash and port (RFC 8414 3.3).
        return Err(wrong(format!("name the issuer \"{}\", not \"{issuer}\"", short(&found.issuer))).into());
    }
    // defense: S1 metadata-offer-s256
    if provider.pkce == Pkce::S256
        && found
            .code_challenge_methods_supported
            .as_ref()
            .is_some_and(|all| !all.iter().any(|one| one == "S256"))
    {
        return Err(wrong("offer PKCE without S256".into()).into());
    }
    // defense: S13 no-provider-with-par
    if found.require_pushed_authorization_requests {
        return Err(ProviderError::Unsupported { host, what: "pushed authorization requests" }.into());
    }
    endpoints.iss_required |= found.authorization_response_iss_parameter_supported;
    // defense: S24 addresses-in-metadata
    let fit = |address: String| checked(&address, issuer, &host).map(|()| address);
    for (ours, theirs) in [
        (&mut endpoints.authorize, found.authorization_endpoint),
        (&mut endpoints.token, found.token_endpoint),
    ] {
        if ours.is_empty() {
            *ours = theirs.map(fit).transpose()?.unwrap_or_default();
        }
    }
    // What the profile itself says of it was looked at with the profile.
    if let Some(port) = url::Url::parse(&endpoints.authorize).ok().as_ref().and_then(blocked_port_of) {
        let problem = format!("name an authorization_endpoint at port {port}, which browsers refuse");
        return Err(wrong(problem).into());
    }
    for (ours, theirs) in [
        (&mut endpoints.revocation, found.revocation_endpoint),
        (&mut endpoints.introspection, found.introspection_endpoint),
    ] {
        if ours.is_none() {
            *ours = theirs.map(fit).transpose()?;
        }
    }
    complete(endpoints, provider)
}

fn complete(endpoints: Endpoints, provider: &Provider) -> Result<Endpoints> {
    for (key, address) in [("authorize_url", &endpoints.authorize), ("token_url", &endpoints.token)] {
        if address.is_empty() {
            return Err(ConfigError::Incomplete {
                profile: provider.profile.clone(),
                key: key.into(),
                how: format!(
                    "Set {key} under [profiles.{}]: BioTrack gives it to integrators.",
                    provider.profile
                ),
            }
            .into());
        }
    }
    Ok(endpoints)
}

/// An address out of metadata is https; where the issuer itself is on this machine, it may be http and on this machine, too.
/// Nothing else is ever called or opened: a server elsewhere has no say in what is asked of this machine.
fn checked(address: &str, issuer: &str, host: &str) -> Result<()> {
    let wrong = |problem: String| ProviderError::Metadata { host: host.to_owned(), problem };
    crate::system::check_safe_to_open(address)
        .map_err(|problem| wrong(format!("contain an address that can't be used: {problem}")))?;
    let is_here = |address: &str| {
        url::Url::parse(address).is_ok_and(|url| url.host().is_some_and(|it| is_this_machine(&it)))
    };
    // defense: S59 no-way-back-to-this-machine
    if is_here(address) && !is_here(issuer) {
        return Err(wrong(format!(
            "contain an address on this machine, {}, but the issuer is elsewhere",
            short(address)
        ))
        .into());
    }
    // defense: S59 https-stays-https
    if issuer.starts_with("https://") && !address.starts_with("https://") {
        return Err(wrong(format!(
            "contain an address without https, {}, but the issuer uses https",
            short(address)
        ))
        .into());
    }
    Ok(())
}

/// The well-known part goes between host and path (RFC 8414 3.1).
fn metadata_address(issuer: &str) -> String {
    let after_scheme = issuer.find("://").map_or(0, |at| at + 3);
    match issuer[after_scheme..].find('/') {
        Some(slash) => {
            let (host, path) = issuer.split_at(after_scheme + slash);
            format!("{host}{WELL_KNOWN}{}", path.trim_end_matches('/'))
        }
        None => format!("{issuer}{WELL_KNOWN}"),
    }
}

/// Where servers with a path have it that know no other mount, django-oauth-toolkit among them. The issuer that it names
/// is compared all the same.
fn below(issuer: &str) -> Option<String> {
    let has_path = issuer.split_once("://").is_some_and(|(_, rest)| rest.trim_end_matches('/').contains('/'));
    has_path.then(|| format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/')))
}

async fn metadata(http: &Http, issuer: &str, host: &str) -> Result<(Option<Timestamp>, Vec<u8>)> {
    let first = get(http, &metadata_address(issuer), host, false).await;
    match (&first, below(issuer)) {
        // defense: S4 metadata-below-a-path
        (Err(Error::Provider(ProviderError::Useless { .. })), Some(address)) => {
            get(http, &address, host, false).await.or(first)
        }
        _ => first,
    }
}

async fn get(http: &Http, address: &str, host: &str, anything: bool) -> Result<(Option<Timestamp>, Vec<u8>)> {
    let request =
        Request::get(address).header("accept", "application/json").body(Vec::new()).map_err(|e| {
            ProviderError::Metadata { host: host.to_owned(), problem: format!("can't be read: {e}") }
        })?;
    match http.send(request).await {
        Ok(answer) if anything || answer.status().is_success() => {
            Ok((answer.headers().get("date").and_then(date), answer.into_body()))
        }
        Ok(answer) => {
            Err(useless(host, "the request for its metadata", format!("HTTP {}", answer.status().as_u16())))
        }
        // A redirect to a welcome page is an answer too.
        Err(HttpFault::Status { status, .. }) if anything && status < 500 => Ok((None, Vec::new())),
        Err(fault) => Err(unanswered(host, fault)),
    }
}

fn date(header: &HeaderValue) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(header.to_str().ok()?).ok()?).ok()
}

fn skew(theirs: Option<Timestamp>, now: Timestamp) -> Option<SignedDuration> {
    theirs.map(|theirs| theirs.duration_since(now))
}

/// An answer that can't be used.
pub(super) fn useless(host: &str, what: &'static str, answer: String) -> Error {
    ProviderError::Useless { host: host.to_owned(), what, answer }.into()
}

/// No answer to a question that has no effect.
fn unanswered(host: &str, fault: HttpFault) -> Error {
    match fault {
        HttpFault::Status { status, retry_after } => {
            let what = "the request for its metadata";
            ProviderError::Overloaded { host: host.to_owned(), what, status, retry_after }.into()
        }
        other => {
            ProviderError::Unreachable { host: host.to_owned(), setting: "url", reason: other.to_string() }
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s59_an_issuer_elsewhere_has_no_say_in_what_is_asked_of_this_machine() {
        const HERE: [&str; 9] = [
            "https://127.0.0.1/t",
            "https://127.9.9.9:8443/t",
            "https://[::1]/t",
            "https://[::ffff:127.0.0.1]/t",
            "https://0.0.0.0/t",
            "https://[::]/t",
            "https://localhost/t",
            "https://localhost./t",
            "https://biotr.ac.LOCALHOST/t",
        ];
        let may = |issuer: &str, address: &str| checked(address, issuer, "host").is_ok();
        for address in
            HERE.into_iter().chain(["http://127.0.0.1:1/t", "http://localhost/t", "http://[::1]/t"])
        {
            assert!(!may("https://biotr.ac", address), "{address}");
            assert!(!may("https://biotr.ac/o/127.0.0.1", address), "{address}");
        }
        for issuer in ["https://biotr.ac", "https://localhost:8443", "http://127.0.0.1:8990"] {
            assert!(may(issuer, "https://other.example/t"), "{issuer}");
            assert!(!may(issuer, "http://other.example/t"), "{issuer}");
        }
        // One on this machine may stay there, and https stays https.
        assert!(may("http://127.0.0.1:8990", "http://127.0.0.1:8990/t"));
        assert!(may("https://localhost:8443", "https://127.0.0.1:8443/t"));
        assert!(!may("https://localhost:8443", "http://127.0.0.1:8443/t"));
        let said = checked("http://127.0.0.1:1/t", "https://biotr.ac", "biotr.ac").unwrap_err().to_string();
        assert!(said.contains("biotr.ac") && said.contains("http://127.0.0.1:1/t"), "{said}");
    }

    #[test]
    fn the_well_known_part_goes_between_host_and_path() {
        assert_eq!(
            metadata_address("https://a.example"),
            "https://a.example/.well-known/oauth-authorization-server"
        );
        assert_eq!(
            metadata_address("https://a.example/o"),
            "https://a.example/.well-known/oauth-authorization-server/o"
        );
        assert_eq!(
            metadata_address("https://a.example/o/"),
            "https://a.example/.well-known/oauth-authorization-server/o"
        );
        let found = Some("https://a.example/o/.well-known/oauth-authorization-server".to_owned());
        assert_eq!((below("https://a.example/o"), below("https://a.example/o/")), (found.clone(), found));
        assert_eq!((below("https://a.example"), below("https://a.example/")), (None, None));
    }
}
