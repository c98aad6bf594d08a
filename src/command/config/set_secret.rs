//! `config set-secret`: a client secret on its only way, from a hidden prompt or standard input into the vault.

use super::globals::{Globals, answer_json};
use super::vaults;
use crate::config::{Config, needs_secret};
use crate::error::{Error, Result};
use crate::model::secret::Secret;
use crate::model::vault_kind::VaultKind;
use crate::report::DOCUMENT_VERSION;
use crate::system::Env;
use serde::Serialize;

/// Where the secret is now.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SetSecretDocument {
    schema: u8,
    profile: String,
    vault: VaultKind,
}

pub fn run(globals: Globals, env: &Env) -> Result<u8> {
    let _hidden = env.terminal.hide_typing();
    let config = Config::load(&env.paths)?;
    let (profile, _) = config.profile_name(globals.profile, &env.variables)?;
    let provider = config.provider(&profile)?;
    if !needs_secret(&provider) {
        return Err(unwanted(&profile));
    }
    let secret = match env.terminal.interactive() {
        true => env.terminal.ask_secret(&format!("Client secret of {profile}"))?,
        false => env.terminal.read_secret()?,
    };
    let secret = checked(secret.into())?;
    let vault = config.vault;
    vaults::keep(env, vault, &config.recipients, &provider, &secret)?;
    env.terminal.info(&format!("The client secret of {profile} is in the vault ({vault})."));
    if globals.json {
        answer_json(env, &SetSecretDocument { schema: DOCUMENT_VERSION, profile, vault })?;
    }
    Ok(0)
}

/// The refusal of a secret that a profile has no use for.
pub(super) fn unwanted(profile: &str) -> Error {
    Error::Usage {
        what: format!("profile {profile} needs no client secret"),
        hint: "The local sandbox's secret is public, and a client with client_auth = \"none\" has no secret."
            .into(),
    }
}

/// Refuses what can't be a client secret, without saying what it was.
pub(super) fn checked(secret: Secret) -> Result<Secret> {
    let problem = match secret.expose() {
        "" => "is empty",
        text if text.contains(char::is_control) => "contains a line break or another control character",
        text if text.trim() != text => "begins or ends with a space",
        _ => return Ok(secret),
    };
    Err(Error::BadValue { name: "client secret", problem: problem.into() })
}
