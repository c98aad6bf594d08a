//! A profile's Provider: its settings, taken one by one, and the rules that join several of them.

use super::address::{self, InvalidValue};
use super::presets::Preset;
use super::profile_validator::ProfileValidator;
use super::settings;
use super::suggest::did_you_mean;
use crate::model::blocked_ports::blocked_port_of;
use crate::model::provider::{ClientAuth, Pkce, Provider};
use url::Url;

/// The preset that a profile names; a profile always names one, so that sandbox and production can't be mixed up.
pub(super) fn preset(settling: &mut ProfileValidator) -> Option<Preset> {
    let names = Preset::ALL.map(Preset::name);
    let wrong = match settling.text("preset") {
        None => InvalidValue::new("is missing", &format!("Choose one of {}.", names.join(", "))),
        Some(text) => match Preset::of(text) {
            Some(preset) => return Some(preset),
            None => InvalidValue::new(format!("can't be \"{text}\""), &did_you_mean(text, &names)),
        },
    };
    settling.refuse("preset", wrong);
    None
}

pub(super) fn settle(settling: &mut ProfileValidator, name: &str, preset: Preset) -> Provider {
    let mut provider = Provider { profile: name.to_owned(), ..Provider::default() };
    for setting in settings::profile() {
        settling.apply(setting, &mut provider);
    }
    if let (true, Some(issuer)) = (provider.url.is_empty(), &provider.issuer) {
        // A generic server needs no base address of its own.
        provider.url.clone_from(issuer);
    }
    join(settling, preset, &provider);
    provider.published_secret = published_secret(preset, &provider);
    provider
}

/// What can be right one by one and wrong together.
fn join(s: &mut ProfileValidator, preset: Preset, provider: &Provider) {
    if provider.pkce == Pkce::Off && provider.client_auth == ClientAuth::None {
        let right = "A client without a secret needs PKCE: pkce = \"S256\".";
        s.refuse("pkce", InvalidValue::new("can't be off where client_auth is none", right));
    }
    let (page, public) = (&provider.authorize_url, &provider.redirect.public_url);
    for (key, address) in [("authorize_url", page), ("redirect.public_url", public)] {
        let address = address.as_deref().and_then(|it| Url::parse(it).ok());
        if let Some(port) = address.as_ref().and_then(blocked_port_of) {
            let problem = format!("is at port {port}");
            s.refuse(key, InvalidValue::new(problem, "Admin users open it, and browsers refuse that port."));
        }
    }
    for (key, address) in addresses(provider) {
        let Ok(parsed) = Url::parse(address) else { continue };
        let Some(host) = parsed.host() else { continue };
        match preset {
            Preset::LocalSandbox if !address::is_loopback(&host) => {
                let right = "The local sandbox runs on this machine. For another server, use another preset.";
                s.refuse(key, InvalidValue::new(format!("is at {host}"), right));
            }
            Preset::Ny | Preset::Fl if host.to_string().to_lowercase().contains("sandbox") => {
                let problem = format!("is at {host}, but the preset {} is for production", preset.name());
                s.refuse(
                    key,
                    InvalidValue::new(problem, "Create a separate profile with preset = \"ny-sandbox\"."),
                );
            }
            _ => continue,
        }
        // They mostly share one host: one refusal says it.
        break;
    }
}

fn addresses(provider: &Provider) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("url", Some(&provider.url)),
        ("issuer", provider.issuer.as_ref()),
        ("authorize_url", provider.authorize_url.as_ref()),
        ("token_url", provider.token_url.as_ref()),
        ("revocation_url", provider.revocation_url.as_ref()),
        ("introspection_url", provider.introspection_url.as_ref()),
    ]
    .into_iter()
    .filter_map(|(key, address)| Some((key, address?.as_str())))
}

/// The stand-in's secret goes with its own client id only.
fn published_secret(preset: Preset, provider: &Provider) -> Option<&'static str> {
    let own = settings::preset_layer(preset)
        .get("client_id")
        .is_some_and(|id| id.value.as_str() == Some(&provider.client_id));
    preset.published_secret().filter(|_| own && provider.client_auth != ClientAuth::None)
}
