//! What came, or didn't come, from the provider.

use super::ErrorCode;
use std::time::Duration;

/// A fact of the grant that differs from the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactDifference {
    /// BioTrack's name of the fact: "Location", "Company", …
    pub fact: &'static str,
    pub asked: String,
    /// What the provider reported, cleaned of control characters.
    pub reported: String,
}

impl std::fmt::Display for FactDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is \"{}\", not \"{}\"", self.fact, self.reported, self.asked)
    }
}

/// What came, or didn't come, from the provider. Server text in it is short and cleaned; never a body.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// No connection: no byte of the request left.
    #[error("{} can't be reached: {reason}", with_setting(host, setting))]
    Unreachable {
        host: String,
        /// The setting whose address it is: `url`, `token_url`, …
        setting: &'static str,
        reason: String,
    },
    #[error("the answer from {host} to {what} was lost: {reason}")]
    Lost {
        host: String,
        /// What was asked: "the code", "the refresh", "the revocation".
        what: &'static str,
        reason: String,
    },
    /// The provider answered, but with nothing that can be used.
    #[error("{host} answered {what} with {answer}")]
    Useless {
        host: String,
        what: &'static str,
        /// What came: "HTTP 503", "HTML instead of JSON", …
        answer: String,
    },
    /// The provider itself failed, or has too much to do: 5xx or 429.
    #[error("{host} answered {what} with HTTP {status}")]
    Overloaded {
        host: String,
        what: &'static str,
        status: u16,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The provider refused the request at its authorization endpoint (RFC 6749 4.1.2.1).
    #[error("{license}: {}", authorization_error(.code, .description))]
    Refused {
        license: String,
        code: String,
        /// The server's words, cleaned and cut.
        description: Option<String>,
    },
    /// The provider refused the request at its token endpoint (RFC 6749 5.2).
    #[error("{host} refused {what}: {}", token_error(.code, .description))]
    TokenRefused {
        host: String,
        what: &'static str,
        code: String,
        /// The server's words, cleaned and cut.
        description: Option<String>,
        /// The command that gives the vault another client secret, where the profile has one.
        set_secret: Option<String>,
    },
    /// The provider called a grant invalid, but an earlier refresh of it was never answered: the refusal may concern only the token that
    /// the lost answer replaced.
    #[error("{said}; that isn't certain, because the answer to an earlier try was lost")]
    RefusedInDoubt { said: String },
    /// A new grant that was refused before it was ever proven: the consent brought nothing.
    #[error("BioTrack issued a new grant and then refused it ({said}){}", if *.has_previous { "; the previous grant is used again" } else { "" })]
    NewGrantRefused {
        /// The provider's word, a clause.
        said: String,
        has_previous: bool,
    },
    /// The code had lapsed, was used or isn't ours (`invalid_grant` at the exchange).
    #[error("{license}: BioTrack refused the code, which had expired or was already used")]
    CodeLapsed { license: String },
    /// The provider doesn't accept the client, which a test request found before anybody was asked.
    #[error("{host} doesn't accept the client id {client_id}{}", if *.has_secret { " with the secret in the vault" } else { "" })]
    WrongClient { host: String, client_id: String, has_secret: bool, next: String },
    /// There is a host, and nothing at the address, which a request found before anybody was asked.
    #[error("{host} has no endpoint at {setting}: it answered with HTTP {status}")]
    NoEndpoint {
        host: String,
        /// The setting whose address it is: `token_url`, …
        setting: &'static str,
        status: u16,
    },
    /// The redirect doesn't name the issuer that was asked (RFC 9207).
    #[error("{license}: the redirect came from {found}, not from {expected}")]
    Issuer {
        license: String,
        expected: String,
        /// Who answered, cleaned; "an unnamed issuer" where it is missing.
        found: String,
    },
    /// The redirect is malformed: a parameter twice, or neither code nor error.
    #[error("{license}: the redirect is malformed ({problem})")]
    Redirect { license: String, problem: &'static str },
    #[error("{license}: the grant differs from the request: {}", .differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Mismatch { license: String, differences: Vec<FactDifference>, fate: &'static str },
    /// What a refresh brought isn't what was granted; the grant's own tokens were kept.
    #[error("{license}: the refreshed token differs from the grant: {}", .differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    OtherToken { license: String, differences: Vec<FactDifference> },
    /// The metadata doesn't fit (RFC 8414).
    #[error("the metadata of {host} {problem}")]
    Metadata { host: String, problem: String },
    #[error("{host} requires {what}, which biotrack-auth doesn't support")]
    Unsupported { host: String, what: &'static str },
    #[error("secure connections can't be set up: {reason}")]
    Setup { reason: String },
}

/// What helps where the client isn't accepted.
fn right_client(set_secret: Option<&String>) -> String {
    match set_secret {
        Some(set_secret) => format!("Set the secret that BioTrack gave you: {set_secret}"),
        None => "Check client_id and client_auth: biotrack-auth config show --origin".into(),
    }
}

/// What helps where no client for TLS can be made. Windows and macOS always have certificates of their own.
fn certificates_hint(system_has_its_own: bool) -> &'static str {
    match system_has_its_own {
        true => "Name a file of PEM certificates in the profile's ca_file or in SSL_CERT_FILE, or neither.",
        false => {
            "Install the system's CA certificates (Debian: ca-certificates), or name a file in the profile's ca_file or in SSL_CERT_FILE."
        }
    }
}

/// Whether a refusal at the token endpoint is about the client, and not about what it asked for: its code or token is as good as
/// before (RFC 6749 5.2). Keycloak says `unauthorized_client` where the secret is wrong.
fn is_of_the_client(code: &str) -> bool {
    matches!(code, "invalid_client" | "unauthorized_client")
}

/// A host, with the setting that names it where that isn't the base address.
fn with_setting(host: &str, setting: &str) -> String {
    match setting {
        "url" => host.to_owned(),
        _ => format!("{host} ({setting})"),
    }
}

fn authorization_error(code: &str, description: &Option<String>) -> String {
    let said = match code {
        "access_denied" => "the admin refused, or isn't allowed to grant this".into(),
        "invalid_request" => "BioTrack rejected the request as malformed".into(),
        "unauthorized_client" => "this client isn't allowed to request authorizations".into(),
        "unsupported_response_type" => "this client isn't allowed to receive codes".into(),
        "invalid_scope" => "BioTrack doesn't know the requested scope".into(),
        "server_error" => "BioTrack failed".into(),
        "temporarily_unavailable" => "BioTrack is overloaded or under maintenance".into(),
        other => format!("BioTrack answered with the error \"{other}\""),
    };
    with_description(said, description)
}

fn token_error(code: &str, description: &Option<String>) -> String {
    let said = match code {
        "invalid_client" => "it doesn't accept the client id or secret".into(),
        "invalid_grant" => "the grant is no longer valid".into(),
        "invalid_request" => "it rejected the request as malformed".into(),
        "unauthorized_client" => "this client isn't allowed to make this request".into(),
        "unsupported_grant_type" => "it doesn't support this kind of request".into(),
        "invalid_scope" => "it doesn't know the requested scope".into(),
        "unsupported_token_type" => "it doesn't revoke tokens of this kind".into(),
        other => format!("error \"{other}\""),
    };
    with_description(said, description)
}

fn with_description(said: String, description: &Option<String>) -> String {
    match description {
        Some(words) => format!("{said} (\"{words}\")"),
        None => said,
    }
}

/// Why a code is still usable although its exchange failed. Only such a code is ever sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeStillUsable {
    /// No byte of it left.
    NeverLeft,
    /// The provider has too much to do, and wants it later: after so long, where it says so.
    WantedLater(Option<Duration>),
    /// The provider doesn't accept the client, which it looks at before it looks at the code (RFC 6749 4.1.3).
    WrongClient,
}

impl ProviderError {
    /// What this failure of an exchange means for its code.
    pub fn unused_code(&self) -> Option<CodeStillUsable> {
        match self {
            Self::Unreachable { .. } => Some(CodeStillUsable::NeverLeft),
            Self::Overloaded { status: 429, retry_after, .. } => {
                Some(CodeStillUsable::WantedLater(*retry_after))
            }
            Self::TokenRefused { code, .. } if is_of_the_client(code) => Some(CodeStillUsable::WrongClient),
            _ => None,
        }
    }

    /// Whether an answer that brings this ends its flow: a refusal, which carries the flow's state. Whatever else is wrong with
    /// an answer leaves it open for the right one.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Its kind. A refusal that only says "try later" is the provider's failure, not a denial.
    pub fn kind(&self) -> ErrorCode {
        match self {
            Self::Unreachable { .. } | Self::Lost { .. } => ErrorCode::Network,
            Self::Useless { .. }
            | Self::Overloaded { .. }
            | Self::TokenRefused { .. }
            | Self::RefusedInDoubt { .. }
            | Self::NewGrantRefused { .. }
            | Self::Metadata { .. }
            | Self::Unsupported { .. } => ErrorCode::Provider,
            Self::Refused { code, .. } => match code.as_str() {
                "server_error" | "temporarily_unavailable" => ErrorCode::Provider,
                _ => ErrorCode::Denied,
            },
            Self::CodeLapsed { .. } => ErrorCode::Timeout,
            Self::Issuer { .. } | Self::Redirect { .. } | Self::Mismatch { .. } | Self::OtherToken { .. } => {
                ErrorCode::Mismatch
            }
            // No retry helps.
            Self::Setup { .. } | Self::WrongClient { .. } | Self::NoEndpoint { .. } => ErrorCode::Config,
        }
    }

    /// What to do about it, where it's known whose grant couldn't be revoked, or whose token was refused.
    pub fn hint_of(&self, selector: &str) -> Option<String> {
        match self {
            Self::Useless { what: "the revocation", .. } => Some(format!(
                "In a few minutes, run biotrack-auth deactivate {selector}. If it keeps failing, check the profile's revocation_url; to forget the tokens without revoking them: biotrack-auth deactivate --local-only {selector}"
            )),
            Self::TokenRefused { code, what: "the revocation", .. } if !is_of_the_client(code) => {
                Some(format!(
                    "The tokens are kept. Unless that is mended at BioTrack, ask the admin to end the access on BioTrack's page, then forget the tokens here: biotrack-auth deactivate --local-only {selector}"
                ))
            }
            Self::OtherToken { .. } => Some(format!(
                "The token was not handed out. If this happens again, ask the admin to grant access again: biotrack-auth renew {selector}"
            )),
            other => other.hint(None),
        }
    }

    /// What to do about it; `next`: the command that asks about the license at hand once more.
    pub fn hint(&self, next: Option<&str>) -> Option<String> {
        let again = next.unwrap_or("the command again");
        // A command at the end has no full stop behind it, which would be pasted with it.
        let last = next.unwrap_or("the command again.");
        Some(match self {
            Self::Unreachable { setting, .. } => {
                let doctor = if *setting == "url" { "" } else { " biotrack-auth doctor checks every endpoint." };
                format!("Check the network, the proxy and the profile's {setting}, then run {again}.{doctor}")
            }
            Self::WrongClient { has_secret, next, .. } => match has_secret {
                true => format!("No admin was asked. Check client_id, and set the secret that BioTrack gave you: {next}"),
                false => "No admin was asked. Check client_id and client_auth: biotrack-auth config show --origin".into(),
            },
            Self::NoEndpoint { setting, .. } => {
                format!("No admin was asked. Set the {setting} that BioTrack gave you; to see where it comes from: biotrack-auth config show --origin")
            }
            Self::Lost { .. } => {
                format!("The request may have taken effect; biotrack-auth status shows it. To ask again, run {last}")
            }
            Self::Overloaded { status: 429, what: "the code", .. } => {
                format!("Nothing was granted yet. In a few minutes, run {again}: it sends the same code again, without asking the admin again while the code is valid.")
            }
            Self::Useless { what: "the revocation", .. } => {
                format!("In a few minutes, run {again}. If it keeps failing, check the profile's revocation_url: biotrack-auth config show --origin")
            }
            Self::Useless { .. } | Self::Overloaded { .. } => format!("In a few minutes, run {again}. biotrack-auth status shows what is uncertain."),
            Self::Refused { code, .. } => match code.as_str() {
                "access_denied" => format!("Ask the admin whether they meant to refuse, then run {last}"),
                "server_error" | "temporarily_unavailable" => format!("In a few minutes, run {last}"),
                _ => "Compare the profile with the settings that BioTrack gave you: biotrack-auth config show --origin".into(),
            },
            Self::TokenRefused { code, what: "the code", set_secret, .. } if is_of_the_client(code) => {
                let right_client = right_client(set_secret.as_ref());
                format!("{right_client}. The consent is kept: run {again} within 10 minutes of the admin's click, and the admin need not click again.")
            }
            Self::TokenRefused { code, set_secret, .. } if is_of_the_client(code) => {
                right_client(set_secret.as_ref())
            }
            Self::TokenRefused { what: "the revocation", .. } => {
                "The tokens are kept. Unless that is mended at BioTrack, ask the admin to end the access on BioTrack's page; deactivate --local-only then forgets the tokens here.".into()
            }
            Self::TokenRefused { .. } => "Check the profile: biotrack-auth config show --origin".into(),
            Self::RefusedInDoubt { .. } => {
                format!("In a minute, run {again}: the grant counts as invalid only if BioTrack refuses it once more.")
            }
            Self::NewGrantRefused { .. } => format!("Ask the admin to grant access again: run {last}"),
            Self::CodeLapsed { .. } => {
                format!("The same link works for a while: ask the admin to click Grant Access there again. For a new link, run {last}")
            }
            Self::Issuer { .. } | Self::Redirect { .. } => {
                let anew = match next {
                    Some(next) => format!(" To ask again: {next}"),
                    None => " To paste the address that the browser shows after Grant Access: biotrack-auth complete -".into(),
                };
                format!("Nothing was sent, and the link still works. If this happens again, someone may be interfering.{anew}")
            }
            Self::Mismatch { fate, .. } => {
                format!("{fate} Ask the admin to grant exactly what the card shows, on the same link, or run {last}")
            }
            Self::OtherToken { .. } => {
                "The token was not handed out. If this happens again, ask the admin to grant access again.".into()
            }
            Self::Metadata { .. } | Self::Unsupported { .. } => {
                "Check the profile's url and issuer: biotrack-auth config show --origin".into()
            }
            Self::Setup { .. } => {
                certificates_hint(cfg!(any(windows, target_os = "macos"))).into()
            }
        })
    }
}
