//! What a grant needs and a profile may still lack.

use super::settings;
use crate::error::{ConfigError, Result};
use crate::model::consent::Fact;
use crate::model::provider::{ClientAuth, Provider};

/// Whether everything that a grant needs is there; the error names the first key that isn't, and how to give it.
pub fn check_complete(provider: &Provider) -> Result<()> {
    missing(provider).into_iter().next().map_or(Ok(()), |lack| Err(lack.into()))
}

/// Every setting that a grant needs and that nothing gives.
pub fn missing(provider: &Provider) -> Vec<ConfigError> {
    let generic = provider.is_generic();
    let has_url = !provider.url.is_empty();
    let has_issuer = provider.issuer.is_some();
    let metadata = provider.metadata;
    let lacks = [
        ("url", !has_url && !generic),
        ("issuer", !has_issuer && (metadata || provider.iss_required || generic && !has_url)),
        // Without `url`, these aren't missing but unfilled.
        ("authorize_url", has_url && !metadata && provider.authorize_url.is_none()),
        ("token_url", has_url && !metadata && provider.token_url.is_none()),
        ("introspection_url", provider.introspect && !metadata && provider.introspection_url.is_none()),
        ("client_id", provider.client_id.is_empty()),
        ("company", provider.company.is_empty() && wanted(provider, Fact::Company, "{company}")),
        (
            "application",
            provider.application.is_empty() && wanted(provider, Fact::Application, "{application}"),
        ),
    ];
    let unread = provider.ca_file.as_ref().filter(|file| !file.is_file()).map(|file| ConfigError::Unfit {
        profile: provider.profile.clone(),
        key: "ca_file".into(),
        problem: format!("names {}, which isn't a file", file.display()),
    });
    lacks
        .into_iter()
        .filter(|(_, lacking)| *lacking)
        .map(|(key, _)| ConfigError::Incomplete {
            profile: provider.profile.clone(),
            key: key.into(),
            how: format!(
                "Add {key} = \"{}\" under [profiles.{}] in the file that `biotrack-auth config path` names.",
                settings::example(key),
                provider.profile
            ),
        })
        .chain(unread)
        .collect()
}

/// Whether the client proves itself with a secret that the vault must hold.
pub fn needs_secret(provider: &Provider) -> bool {
    provider.client_auth != ClientAuth::None && provider.published_secret.is_none()
}

/// BioTrack's page always shows company and application; another server's only where the profile says so.
fn wanted(provider: &Provider, fact: Fact, placeholder: &str) -> bool {
    let mut templates = provider.authorize_parameters.iter().chain(&provider.token_parameters);
    !provider.is_generic()
        || provider.fact_fields.facts.iter().any(|(field, _)| *field == fact)
        || templates.any(|(_, template)| template.contains(placeholder))
}
