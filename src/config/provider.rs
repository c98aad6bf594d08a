//! A profile's Provider, value by value, and the rules that join several of them.

use super::address::{self, Wrong};
use super::keys::did_you_mean;
use super::presets::Preset;
use super::settle::Settling;
use crate::model::consent::Fact;
use crate::model::provider::{
    ClientAuth, FactFields, Pkce, Provider, Redirect, RedirectHost, RevocationScope, StateIn,
};
use std::path::Path;
use url::Url;

const AUTHORIZE_RESERVED: [&str; 10] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "password",
    "request",
];
const TOKEN_RESERVED: [&str; 9] = [
    "grant_type",
    "code",
    "redirect_uri",
    "client_id",
    "client_secret",
    "code_verifier",
    "refresh_token",
    "scope",
    "password",
];
const FACTS: [(&str, Fact); 7] = [
    ("facts.company", Fact::Company),
    ("facts.application", Fact::Application),
    ("facts.ubi", Fact::Ubi),
    ("facts.access_type", Fact::AccessType),
    ("facts.license", Fact::License),
    ("facts.resource", Fact::Resource),
    ("facts.operation", Fact::Operation),
];

/// The preset that a profile names; a profile always names one, so that sandbox and production can't be mixed up.
pub(super) fn preset(settling: &mut Settling) -> Option<Preset> {
    let names = Preset::ALL.map(Preset::name);
    let wrong = match settling.text("preset") {
        None => Wrong::new("isn't given", &format!("Say what it starts from: one of {}.", names.join(", "))),
        Some(text) => match Preset::ALL.into_iter().find(|preset| preset.name() == text) {
            Some(preset) => return Some(preset),
            None => Wrong::new(format!("can't be \"{text}\""), &did_you_mean(&text, &names)),
        },
    };
    settling.refuse("preset", wrong);
    None
}

/// Settles every value.
pub(super) fn settle(settling: &mut Settling, name: &str, preset: Preset, folder: &Path) -> Provider {
    let s = settling;
    // A slash at the end would be doubled in every address.
    let url = s.base("url").map(|url| url.trim_end_matches('/').to_owned());
    let issuer = s.address("issuer", url.as_deref(), true);
    let (zone, zone_name) = s.zone();
    let provider = Provider {
        profile: name.to_owned(),
        other_profile: false,
        preset: preset.name().into(),
        metadata: s.flag("metadata"),
        authorize_url: s.address("authorize_url", url.as_deref(), false),
        token_url: s.address("token_url", url.as_deref(), false),
        revocation_url: s.address("revocation_url", url.as_deref(), false),
        introspection_url: s.address("introspection_url", url.as_deref(), false),
        introspect: s.flag("introspect"),
        // A generic server needs no base address of its own.
        url: url.or_else(|| issuer.clone()).unwrap_or_default(),
        issuer,
        client_id: s.text_or_empty("client_id"),
        client_auth: s.choice(
            "client_auth",
            ("post", ClientAuth::Post),
            &[("basic", ClientAuth::Basic), ("none", ClientAuth::None)],
        ),
        published_secret: None,
        scopes: s.texts("scopes"),
        authorize_parameters: s.parameters("authorize_parameters", &AUTHORIZE_RESERVED),
        token_parameters: s.parameters("token_parameters", &TOKEN_RESERVED),
        pkce: s.choice("pkce", ("S256", Pkce::S256), &[("off", Pkce::Off)]),
        state_in: s.choice("state_in", ("query", StateIn::Query), &[("path", StateIn::Path)]),
        iss_required: s.choice("iss", ("required", true), &[("optional", false)]),
        company: s.text_or_empty("company"),
        application: s.text_or_empty("application"),
        access_type: s.text_or_empty("access_type"),
        resource: s.text_or_empty("resource"),
        operation: s.text_or_empty("operation"),
        fact_fields: FactFields {
            facts: FACTS.iter().filter_map(|(key, fact)| Some((*fact, s.text(key)?))).collect(),
            username: s.text("facts.username"),
        },
        grant_expiry: s.text("grant_expiry"),
        lifetime: s.time("lifetime", false),
        rolling: s.flag("rolling"),
        revocation_scope: s.choice(
            "revocation_scope",
            ("grant", RevocationScope::Grant),
            &[("token", RevocationScope::Token)],
        ),
        zone,
        zone_name,
        due_window: s.time("due_window", true),
        redirect: redirect(s),
        ca_file: s.text("ca_file").map(|file| folder.join(file)),
        deadline: s.time("timeout", false).unsigned_abs(),
    };
    join(s, preset, &provider);
    Provider { published_secret: published_secret(preset, &provider), ..provider }
}

fn redirect(s: &mut Settling) -> Redirect {
    let path = s.text_or_empty("redirect.path");
    // What a browser would send otherwise than it's written never matches.
    let as_written = Url::parse(&format!("http://127.0.0.1{path}"))
        .is_ok_and(|url| url.path() == path && url.query().is_none() && url.fragment().is_none());
    if !path.starts_with('/') || path.starts_with("//") || path.contains(['{', '}']) || !as_written {
        let right = "It begins with a slash and holds no blank, ? or #: /callback.";
        s.refuse("redirect.path", Wrong::new(format!("can't be \"{path}\""), right));
    }
    let port = s.values.get("redirect.port").and_then(|entry| entry.value.as_integer());
    let port = match port.map(u16::try_from) {
        None | Some(Ok(0)) => None,
        Some(Ok(port)) => Some(port),
        Some(Err(_)) => {
            s.refuse("redirect.port", Wrong::new("is no port", "Give 1 to 65535, or 0 for any free one."));
            None
        }
    };
    let hosts = [("localhost", RedirectHost::Localhost)];
    Redirect {
        host: s.choice("redirect.host", ("127.0.0.1", RedirectHost::Ipv4Literal), &hosts),
        port,
        path,
        public_url: s.base("redirect.public_url"),
    }
}

/// What can be right one by one and wrong together.
fn join(s: &mut Settling, preset: Preset, provider: &Provider) {
    if provider.pkce == Pkce::Off && provider.client_auth == ClientAuth::None {
        let right = "A client without a secret needs PKCE: pkce = \"S256\".";
        s.refuse("pkce", Wrong::new("can't be off where client_auth is none", right));
    }
    for (key, address) in addresses(provider) {
        let Ok(parsed) = Url::parse(address) else { continue };
        let Some(host) = parsed.host() else { continue };
        match preset {
            Preset::LocalSandbox if !address::is_loopback(&host) => {
                let right = "The local sandbox is on this machine; for another server, use another preset.";
                s.refuse(key, Wrong::new(format!("is at {host}"), right));
            }
            Preset::Ny | Preset::Fl if host.to_string().to_lowercase().contains("sandbox") => {
                let problem = format!("is at {host}, and the preset {} is for production", preset.name());
                s.refuse(key, Wrong::new(problem, "Make a profile of its own with preset = \"ny-sandbox\"."));
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
    let own =
        preset.layer().get("client_id").is_some_and(|id| id.value.as_str() == Some(&provider.client_id));
    preset.published_secret().filter(|_| own && provider.client_auth != ClientAuth::None)
}
