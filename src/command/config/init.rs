//! `config init`: asks for what a profile needs, settles the vault, keeps the secret, and writes the file last.

use super::globals::{Globals, answer_json};
use super::vaults::VaultChoice;
use super::{set_secret, vaults};
use crate::config::{Config, NewProfile, NewVault, Preset, add_profile, missing, needs_secret, preset_gives};
use crate::error::clean;
use crate::error::{ConfigError, Error, LedgerError, Result};
use crate::ledger::try_place;
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::model::server::LedgerPlace;
use crate::model::vault_kind::VaultKind;
use crate::report::DOCUMENT_VERSION;
use crate::system::{Env, files};
use clap::ValueEnum;
use serde::Serialize;

/// What a profile is made from; the rest is asked for.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Start from this preset
    #[arg(long)]
    preset: Option<Preset>,
    /// Set the base address of the provider
    #[arg(long)]
    url: Option<String>,
    /// Set the issuer of an RFC 8414 server, exactly as the server spells it
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Set the token address, if the preset has none; may begin with {url}
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// Set the client id that the provider gave the integrator
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Read the client secret from standard input into the vault
    #[arg(long)]
    client_secret_stdin: bool,
    /// Set the integrator's company name, as the Grant Access page shows it
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    company: Option<String>,
    /// Set the integrator's application, as the Grant Access page shows it
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    application: Option<String>,
    /// Keep secrets in this vault [default: the keyring if it works]
    #[arg(long)]
    vault: Option<VaultKind>,
}

/// What was made.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct InitDocument {
    schema: u8,
    profile: String,
    path: String,
    vault: VaultKind,
    /// Keys that must be set before access can be requested.
    missing: Vec<String>,
    /// It needs a client secret, and the vault has none yet.
    secret_missing: bool,
}

pub fn run(args: &Args, globals: Globals, env: &Env) -> Result<u8> {
    let _hidden = env.terminal.hide_typing();
    let existing = match Config::load(&env.paths) {
        Ok(config) => Some(config),
        Err(Error::Config(ConfigError::Missing { .. })) => None,
        Err(e) => return Err(e),
    };
    let settled = match &existing {
        Some(config) => settled_vault(config, args.vault)?,
        None => None,
    };
    let asked = vault_asked(args, existing.as_ref())?;
    // Before a person has typed anything in vain.
    files::check_usable_folder(&env.paths.data).map_err(|e| LedgerError::Open {
        path: env.paths.ledger().display().to_string(),
        reason: e.to_string(),
    })?;
    let attended = env.terminal.interactive();
    let begun = begin(args, globals, env, existing.as_ref())?;
    begun.check()?;
    // Ledger and vault may not work here: that's known before a person has answered anything. A script is told first what is missing.
    let first = match settled {
        None if attended => {
            try_place_of(existing.as_ref(), env)?;
            Some(vaults::choose(env, asked)?)
        }
        _ => None,
    };
    let new = gather(begun, args, env)?;
    let provider = new.check()?;
    let secret = secret(args, env, &provider)?;

    // From here on things are made; the file comes last, so that a failure leaves no half-made profile.
    if first.is_none() {
        try_place_of(existing.as_ref(), env)?;
    }
    let choice = match settled {
        None if first.is_none() => Some(vaults::choose(env, asked)?),
        _ => first,
    };
    let kind = choice.as_ref().map(|choice| choice.kind).or(settled).unwrap_or(VaultKind::Keyring);
    let known = existing.as_ref().map(|config| config.recipients.as_slice()).unwrap_or_default();
    let recipients = choice.as_ref().map_or(known, |choice| &choice.recipients);
    crate::command::make_ledger(env)?;
    if let Some(secret) = &secret {
        vaults::keep(env, kind, recipients, &provider, secret)?;
    }
    let vault = choice.as_ref().map(|choice| NewVault { kind, recipients: choice.recipients.clone() });
    let config = add_profile(&env.paths, &new, vault.as_ref())?;
    let provider = config.provider(&new.name)?;
    let lacking = missing(&provider);
    let secret_missing = needs_secret(&provider) && secret.is_none();
    tell(env, &provider, choice.as_ref(), &lacking, secret_missing);
    if globals.json {
        let path = clean(&config.file.display().to_string());
        let missing = lacking
            .into_iter()
            .filter_map(|lack| match lack {
                ConfigError::Incomplete { key, .. } => Some(key),
                _ => None,
            })
            .collect();
        answer_json(
            env,
            &InitDocument {
                schema: DOCUMENT_VERSION,
                profile: new.name,
                path,
                vault: kind,
                missing,
                secret_missing,
            },
        )?;
    }
    Ok(0)
}

/// Tries the place where the ledger is to be, where that is this host's own file and not on a server.
fn try_place_of(existing: Option<&Config>, env: &Env) -> Result<()> {
    let place = existing.map(|config| config.ledger_place(&env.variables, &env.who.user)).transpose()?;
    match place {
        None | Some(LedgerPlace::File) => try_place(&env.paths),
        Some(_) => Ok(()),
    }
}

/// The vault that is asked for. A ledger on a server leaves no choice.
fn vault_asked(args: &Args, existing: Option<&Config>) -> Result<Option<VaultKind>> {
    let is_on_a_server = existing.is_some_and(|config| config.ledger.is_some());
    match args.vault {
        Some(VaultKind::Keyring) if is_on_a_server => Err(Error::Usage {
            what: "the ledger is on a server and needs the sealed vault, because a keyring works on one machine only".into(),
            hint: "Use --vault sealed.".into(),
        }),
        None if is_on_a_server => Ok(Some(VaultKind::Sealed)),
        asked => Ok(asked),
    }
}

/// The vault that is settled already, by name or because profiles use the default; another one is refused.
fn settled_vault(config: &Config, asked: Option<VaultKind>) -> Result<Option<VaultKind>> {
    if !config.names_vault() && config.names().is_empty() {
        return Ok(None);
    }
    let current = config.vault;
    match asked {
        Some(asked) if asked != current => {
            Err(ConfigError::OtherVault { current: current.to_string() }.into())
        }
        _ => Ok(Some(current)),
    }
}

/// What is asked for: its key, its flag, the question, what was given, and whether a profile can't be without.
type InitQuestion<'a> = (&'static str, &'static str, &'static str, &'a Option<String>, bool);

fn wanted(args: &Args, preset: Preset) -> [InitQuestion<'_>; 5] {
    let generic = preset == Preset::Generic;
    [
        ("url", "--url", "Base address (https://…)", &args.url, !generic),
        ("issuer", "--issuer", "Issuer (https://…)", &args.issuer, generic),
        ("client_id", "--client-id", "Client id", &args.client_id, true),
        ("company", "--company", "Integrator's company (the page's Company)", &args.company, !generic),
        ("application", "--application", "Application (the page's Application)", &args.application, !generic),
    ]
    .map(|(key, flag, question, given, needed)| {
        (key, flag, question, given, needed && !preset_gives(preset, key))
    })
}

/// The profile with what the flags give. Where nobody is there to answer, all that is missing is named.
fn begin(args: &Args, globals: Globals, env: &Env, existing: Option<&Config>) -> Result<NewProfile> {
    let attended = env.terminal.interactive();
    let preset = match args.preset {
        Some(preset) => preset,
        None if attended => choose_preset(env)?,
        None => return Err(Error::MissingFlags { flags: vec!["--preset"] }),
    };
    let name = globals.profile.unwrap_or(preset.name()).to_owned();
    // Before a person has typed anything in vain.
    if existing.is_some_and(|config| config.names().contains(&name)) {
        let path = clean(&env.paths.config.display().to_string());
        return Err(ConfigError::ProfileExists { name, path }.into());
    }
    let wanted = wanted(args, preset);
    let lacking: Vec<_> = wanted
        .iter()
        .filter(|(.., given, needed)| *needed && given.is_none())
        .map(|(_, flag, ..)| *flag)
        .collect();
    if !attended && !lacking.is_empty() {
        return Err(Error::MissingFlags { flags: lacking });
    }
    let mut given: Vec<_> =
        wanted.iter().filter_map(|(key, _, _, given, _)| Some((*key, (*given).clone()?))).collect();
    given.extend(args.token_url.clone().map(|value| ("token_url", value)));
    Ok(NewProfile { name, preset, given })
}

/// The profile with a person's answers, each of which is checked before the next question.
fn gather(mut new: NewProfile, args: &Args, env: &Env) -> Result<NewProfile> {
    if !env.terminal.interactive() {
        return Ok(new);
    }
    let preset = new.preset;
    for (key, _, question, given, needed) in wanted(args, preset) {
        if needed && given.is_none() {
            let answer = asked(&new, key, env, || env.terminal.ask(question, None).map(Some))?;
            new.given.extend(answer);
        }
    }
    if args.token_url.is_none() && preset != Preset::Generic && !preset_gives(preset, "token_url") {
        let question = "Token address, from BioTrack's integrator documents ({url}/…)";
        let answer = asked(&new, "token_url", env, || {
            Ok(Some(env.terminal.ask(question, Some("later"))?).filter(|answer| answer != "later"))
        })?;
        new.given.extend(answer);
    }
    Ok(new)
}

/// An answer that can be right: another one is asked for again.
fn asked(
    new: &NewProfile,
    key: &'static str,
    env: &Env,
    ask: impl Fn() -> Result<Option<String>>,
) -> Result<Option<(&'static str, String)>> {
    loop {
        let Some(answer) = ask()? else { return Ok(None) };
        let mut tried = new.clone();
        tried.given.push((key, answer.clone()));
        match tried.check() {
            Ok(_) => return Ok(Some((key, answer))),
            Err(e) => env.terminal.error(&e),
        }
    }
}

fn choose_preset(env: &Env) -> Result<Preset> {
    let described = |preset: Preset| {
        let help = preset.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        format!("{:14} {}", preset.name(), help.unwrap_or_default())
    };
    let chosen = env.terminal.choose("Start from", &Preset::ALL.map(described))?;
    Ok(Preset::ALL.get(chosen).copied().unwrap_or(Preset::Ny))
}

fn secret(args: &Args, env: &Env, provider: &Provider) -> Result<Option<Secret>> {
    if args.client_secret_stdin {
        return match needs_secret(provider) {
            true => set_secret::checked(env.terminal.read_secret()?.into()).map(Some),
            false => Err(set_secret::unwanted(&provider.profile)),
        };
    }
    if !needs_secret(provider) || !env.terminal.interactive() {
        return Ok(None);
    }
    env.terminal.info("The client secret is stored in the vault. (Don't enter an admin's password: it belongs on BioTrack's own page.)");
    let secret = Secret::from(env.terminal.ask_secret("Client secret (leave empty to set it later)")?);
    if secret.expose().is_empty() { Ok(None) } else { set_secret::checked(secret).map(Some) }
}

fn tell(
    env: &Env,
    provider: &Provider,
    choice: Option<&VaultChoice>,
    lacking: &[ConfigError],
    secret_missing: bool,
) {
    let say = |line: &str| env.terminal.info(line);
    let profile = &provider.profile;
    say(&format!("Profile {profile} was added to {}.", clean(&env.paths.config.display().to_string())));
    if let Some(choice) = choice {
        say(&format!("Vault: {} ({}).", choice.kind, choice.why));
    }
    for lack in lacking {
        say(&format!("Still needed: {}", lack.hint().unwrap_or_else(|| lack.to_string())));
    }
    let named = if provider.other_profile { format!(" --profile {profile}") } else { String::new() };
    if secret_missing {
        say(&format!("Still needed: the client secret. Set it: biotrack-auth config set-secret{named}"));
    }
    if lacking.is_empty() && !secret_missing {
        say(&format!("Next: biotrack-auth register{named}"));
    }
}
