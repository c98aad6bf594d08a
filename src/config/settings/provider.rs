//! A profile's settings that say what the provider is like and who the integrator is. They hold for whoever uses that
//! provider; nothing here names a file, a command or an address of this installation.

use super::setting::DeclaredValue::{Is, Open};
use super::setting::SettingKind::{
    Address, Base, Flag, Parameters, Port, Preset, Read, Text, Texts, Time, Words,
};
use super::setting::{QueryRule, Setting, by};
use crate::config::presets::Preset::{Fl, Generic, LocalSandbox, Ny, NySandbox};
use crate::config::read;
use crate::model::consent::Fact;
use crate::model::provider::{ClientAuth, Pkce, Provider, RedirectHost, RevocationScope, StateLocation};

pub(in crate::config) const PROVIDER: &[Setting<Provider>] = &[
    Setting {
        key: "preset",
        doc: "The preset that gives the values of settings that aren't set.",
        kind: Preset(|provider, preset| provider.preset = preset.name().into()),
        default: Open("…"),
        presets: &[],
    },
    Setting {
        key: "url",
        doc: "The provider's base address, which replaces `{url}` in other addresses; https, except on loopback.",
        kind: Base(|provider, url| provider.url = url.trim_end_matches('/').into()),
        default: Open("https://…"),
        presets: &[
            by(&[Ny], Open("https://…"), "needed: BioTrack's production address for New York isn't public"),
            by(
                &[NySandbox],
                Is("https://licensee-api.sandbox-ny.biotr.ac"),
                "unverified: named in public code",
            ),
            by(&[Fl], Is("https://api.licensee.fl.biotr.ac"), "unverified: named in public code"),
            by(
                &[LocalSandbox],
                Open("http://127.0.0.1:8990"),
                "needed: the first line that `biotrack-auth sandbox serve` prints",
            ),
        ],
    },
    Setting {
        key: "issuer",
        doc: "The server's issuer, exactly as the server spells it.",
        kind: Address(QueryRule::Refused, |provider, issuer| provider.issuer = Some(issuer)),
        default: Open("https://…"),
        presets: &[
            by(&[LocalSandbox], Is("{url}"), ""),
            by(&[Generic], Open("https://…"), "needed: the server's issuer, exactly as the server spells it"),
        ],
    },
    Setting {
        key: "metadata",
        doc: "Whether addresses are read from the issuer's RFC 8414 metadata.",
        kind: Flag(|provider, on| provider.metadata = on),
        default: Is("false"),
        presets: &[by(&[LocalSandbox, Generic], Is("true"), "")],
    },
    Setting {
        key: "authorize_url",
        doc: "The address of the Grant Access page.",
        kind: Address(QueryRule::Allowed, |provider, url| provider.authorize_url = Some(url)),
        default: Open("{url}/…"),
        presets: &[
            by(&[Ny], Is("{url}/oauth"), "unverified: as public code for the sandbox has it"),
            by(&[NySandbox, Fl], Is("{url}/oauth"), "unverified: named in public code"),
            by(&[LocalSandbox], Is("{url}/oauth"), ""),
        ],
    },
    Setting {
        key: "token_url",
        doc: "The address that exchanges codes and refresh tokens.",
        kind: Address(QueryRule::Allowed, |provider, url| provider.token_url = Some(url)),
        default: Open("{url}/…"),
        presets: &[
            by(
                &[Ny, NySandbox, Fl],
                Open("{url}/…"),
                "needed: not public; BioTrack's integrator documents name it",
            ),
            by(&[LocalSandbox], Is("{url}/oauth/token"), ""),
        ],
    },
    Setting {
        key: "revocation_url",
        doc: "The address that revokes tokens (RFC 7009); without it, `deactivate` works locally only and says so.",
        kind: Address(QueryRule::Allowed, |provider, url| provider.revocation_url = Some(url)),
        default: Open("{url}/…"),
        presets: &[by(
            &[Ny, NySandbox, Fl],
            Open("{url}/…"),
            "not known; without it, `deactivate` works locally only and says so",
        )],
    },
    Setting {
        key: "introspection_url",
        doc: "The address that introspects tokens (RFC 7662).",
        kind: Address(QueryRule::Allowed, |provider, url| provider.introspection_url = Some(url)),
        default: Open("{url}/…"),
        presets: &[],
    },
    Setting {
        key: "introspect",
        doc: "Whether a new grant is introspected; until it is verified, the old grant stays.",
        kind: Flag(|provider, on| provider.introspect = on),
        default: Is("false"),
        presets: &[],
    },
    Setting {
        key: "client_id",
        doc: "The integrator's client id; the secret is in the vault (`biotrack-auth config set-secret`).",
        kind: Text(|provider, id| provider.client_id = id),
        default: Open("…"),
        presets: &[
            by(&[Ny, NySandbox, Fl], Open("…"), "needed"),
            by(&[LocalSandbox], Is("biotrack-auth-sandbox"), ""),
        ],
    },
    Setting {
        key: "client_auth",
        doc: "How the client authenticates: with its secret in the form, in a header, or without a secret for a public client.",
        kind: Words(&[
            ("post", |provider| provider.client_auth = ClientAuth::Post),
            ("basic", |provider| provider.client_auth = ClientAuth::Basic),
            ("none", |provider| provider.client_auth = ClientAuth::None),
        ]),
        default: Is("post"),
        presets: &[by(&[Ny, NySandbox, Fl], Is("post"), "unverified: public code posts the client secret")],
    },
    Setting {
        key: "scopes",
        doc: "The scope to request; an answer with less is refused.",
        kind: Texts(|_| Ok(()), |provider, scopes| provider.scopes = scopes),
        default: Is("[]"),
        presets: &[],
    },
    Setting {
        key: "pkce",
        doc: "Whether PKCE (RFC 7636) binds the code to its request; turn it off only for a provider that fails with it.",
        kind: Words(&[
            ("S256", |provider| provider.pkce = Pkce::S256),
            ("off", |provider| provider.pkce = Pkce::Off),
        ]),
        default: Is("S256"),
        presets: &[by(
            &[Ny, NySandbox, Fl],
            Is("S256"),
            "unverified: if BioTrack refuses the further parameters, \"off\"",
        )],
    },
    Setting {
        key: "preflight",
        doc: "Whether a test request with an invalid code checks the client id and secret before the first browser of a day.",
        kind: Flag(|provider, on| provider.preflight = on),
        default: Is("true"),
        presets: &[],
    },
    Setting {
        key: "state_in",
        doc: "Where the state is sent; use the path for a provider that drops `state` from the query.",
        kind: Words(&[
            ("query", |provider| provider.state_in = StateLocation::Query),
            ("path", |provider| provider.state_in = StateLocation::Path),
        ]),
        default: Is("query"),
        presets: &[],
    },
    Setting {
        key: "iss",
        doc: "Whether the redirect must name the issuer (RFC 9207).",
        kind: Words(&[
            ("required", |provider| provider.iss_required = true),
            ("optional", |provider| provider.iss_required = false),
        ]),
        default: Is("optional"),
        presets: &[by(&[LocalSandbox], Is("required"), "")],
    },
    Setting {
        key: "company",
        doc: "The integrator's company, as the Grant Access page must show it.",
        kind: Text(|provider, company| provider.company = company),
        default: Open("…"),
        presets: &[by(&[Ny, NySandbox, Fl], Open("…"), "needed"), by(&[LocalSandbox], Is("Treez Inc"), "")],
    },
    Setting {
        key: "application",
        doc: "The integrator's application, as the Grant Access page must show it.",
        kind: Text(|provider, application| provider.application = application),
        default: Open("…"),
        presets: &[by(&[Ny, NySandbox, Fl], Open("…"), "needed"), by(&[LocalSandbox], Is("Treez"), "")],
    },
    Setting {
        key: "access_type",
        doc: "The access type that the Grant Access page must show.",
        kind: Text(|provider, access_type| provider.access_type = access_type),
        default: Is("Integrator"),
        presets: &[],
    },
    Setting {
        key: "resource",
        doc: "The resource that the Grant Access page must show.",
        kind: Text(|provider, resource| provider.resource = resource),
        default: Is("*"),
        presets: &[],
    },
    Setting {
        key: "operation",
        doc: "The operation that the Grant Access page must show.",
        kind: Text(|provider, operation| provider.operation = operation),
        default: Is("read_write"),
        presets: &[],
    },
    Setting {
        key: "authorize_parameters.NAME",
        doc: "A further parameter of the authorize address.",
        kind: Parameters(
            &[
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
            ],
            |provider, name, template| provider.authorize_parameters.push((name, template)),
        ),
        default: Open(""),
        presets: &[
            by(
                &[Ny, NySandbox, Fl],
                Open("{ubi}"),
                "not known: how UBI, license and username reach the Grant Access page",
            )
            .named("ubi"),
            by(&[Ny, NySandbox, Fl], Open("{license}"), "").named("license"),
            by(&[Ny, NySandbox, Fl], Open("{username}"), "").named("username"),
            by(&[LocalSandbox], Is("{ubi}"), "").named("ubi"),
            by(&[LocalSandbox], Is("{license}"), "").named("license"),
            by(&[LocalSandbox], Is("{username}"), "").named("username"),
        ],
    },
    Setting {
        key: "token_parameters.NAME",
        doc: "A further parameter of the token request.",
        kind: Parameters(
            &[
                "grant_type",
                "code",
                "redirect_uri",
                "client_id",
                "client_secret",
                "code_verifier",
                "refresh_token",
                "scope",
                "password",
            ],
            |provider, name, template| provider.token_parameters.push((name, template)),
        ),
        default: Open(""),
        presets: &[],
    },
    Setting {
        key: "facts.company",
        doc: "The member of the token response that reports the company.",
        kind: Text(|provider, member| provider.fact_fields.facts.push((Fact::Company, member))),
        default: Open("…"),
        presets: &[by(&[LocalSandbox], Is("company"), "")],
    },
    Setting {
        key: "facts.application",
        doc: "The member of the token response that reports the application.",
        kind: Text(|provider, member| provider.fact_fields.facts.push((Fact::Application, member))),
        default: Open("…"),
        presets: &[by(&[LocalSandbox], Is("application"), "")],
    },
    Setting {
        key: "facts.ubi",
        doc: "The member of the token response that reports the UBI.",
        kind: Text(|provider, member| provider.fact_fields.facts.push((Fact::Ubi, member))),
        default: Open("…"),
        presets: &[by(&[LocalSandbox], Is("ubi"), "")],
    },
    Setting {
        key: "facts.access_type",
        doc: "The member of the token response that reports the access type.",
        kind: Text(|provider, member| provider.fact_fields.facts.push((Fact::AccessType, member))),
        default: Open("…"),
        presets: &[by(&[LocalSandbox], Is("access_type"), "")],
    },
    Setting {
        key: "facts.license",
        doc: "The member of the token response that reports the location.",
        kind: Text(|provider, member| provider.fact_fields.facts.push((Fact::License, member))),
        default: Open("…"),
        presets: &[
            by(
                &[Ny, NySandbox, Fl],
                Open("location"),
                "not known: the answer's fields; a fact without one is shown as not confirmed",
            ),
            by(&[LocalSandbox], Is("location"), ""),
        ],
    },
    Setting {
        key: "facts.resource",
        doc: "The member of the token response that reports the resource.",
        kind: Text(|provider, member| provider.fact_fields.facts.push((Fact::Resource, member))),
        default: Open("…"),
        presets: &[by(&[LocalSandbox], Is("resource"), "")],
    },
    Setting {
        key: "facts.operation",
        doc: "The member of the token response that reports the operation.",
        kind: Text(|provider, member| provider.fact_fields.facts.push((Fact::Operation, member))),
        default: Open("…"),
        presets: &[by(&[LocalSandbox], Is("operation"), "")],
    },
    Setting {
        key: "facts.username",
        doc: "The member of the token response that reports the account that granted access.",
        kind: Text(|provider, member| provider.fact_fields.username = Some(member)),
        default: Open("…"),
        presets: &[by(&[LocalSandbox], Is("username"), "")],
    },
    Setting {
        key: "grant_expiry",
        doc: "The member of the token response that reports the grant's expiry: RFC 3339, epoch seconds or milliseconds, or seconds from now; without it, the expiry is estimated.",
        kind: Text(|provider, member| provider.grant_expiry = Some(member)),
        default: Open("…"),
        presets: &[
            by(
                &[Ny, NySandbox, Fl],
                Open("expiration_date"),
                "not known: the answer's field with the grant's expiry; without it, the expiry is estimated",
            ),
            by(&[LocalSandbox], Is("expiration_date"), ""),
            by(&[Generic], Open("…"), "the answer's field with the grant's expiry"),
        ],
    },
    Setting {
        key: "lifetime",
        doc: "How long a grant is valid if the provider doesn't say.",
        kind: Time(|provider, time| provider.lifetime = time),
        default: Is("100d"),
        presets: &[
            by(&[Ny, NySandbox], Is("100d"), "what New York licensees are told"),
            by(&[Fl], Is("100d"), "unverified: as in New York"),
        ],
    },
    Setting {
        key: "rolling",
        doc: "Whether a refresh extends the grant.",
        kind: Flag(|provider, on| provider.rolling = on),
        default: Is("false"),
        presets: &[],
    },
    Setting {
        key: "revocation_scope",
        doc: "What the revocation of a token ends: only its grant, or perhaps every grant of that account.",
        kind: Words(&[
            ("token", |provider| provider.revocation_scope = RevocationScope::Token),
            ("grant", |provider| provider.revocation_scope = RevocationScope::Grant),
        ]),
        default: Is("grant"),
        presets: &[by(&[LocalSandbox], Is("token"), "")],
    },
    Setting {
        key: "time_zone",
        doc: "The time zone for displayed times, calendar days and weekends.",
        kind: Read("a zone such as `America/New_York`", |provider, name| {
            provider.zone = read::zone(name)?;
            Ok(())
        }),
        default: Is("America/New_York"),
        presets: &[],
    },
    Setting {
        key: "redirect.host",
        doc: "The host of the redirect address on this machine, as it is registered with the provider.",
        kind: Words(&[
            ("127.0.0.1", |provider| provider.redirect.host = RedirectHost::Ipv4Literal),
            ("localhost", |provider| provider.redirect.host = RedirectHost::Localhost),
        ]),
        default: Is("127.0.0.1"),
        presets: &[],
    },
    Setting {
        key: "redirect.port",
        doc: "The port of the redirect address, if the provider needs a fixed one; 0 means any free port.",
        kind: Port(|provider, port| {
            provider.redirect.port = Some(port).filter(|port| *port != 0);
        }),
        default: Open("8912"),
        presets: &[],
    },
    Setting {
        key: "redirect.path",
        doc: "The path of the redirect address, as it is registered with the provider.",
        kind: Read("a path such as `/callback`", |provider, path| {
            read::path(path)?;
            provider.redirect.path = path.into();
            Ok(())
        }),
        default: Is("/callback"),
        presets: &[],
    },
];
