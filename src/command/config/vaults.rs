//! The vaults behind `config`: which one works here, and where a client's secret goes.

use crate::command::{identity, ledger_of, vault};
use crate::custody::keep_client_secret;
use crate::error::{Error, Result, VaultError};
use crate::model::provider::Provider;
use crate::model::secret::Secret;
use crate::model::vault_kind::VaultKind;
use crate::system::Env;
use crate::vault::{Vault, find_or_create_identity};

pub(super) struct VaultChoice {
    pub(super) kind: VaultKind,
    /// The sealed vault's recipients: this host's own, made now if it had none.
    pub(super) recipients: Vec<String>,
    pub(super) why: String,
}

/// Probes the kind that was asked for, or finds one that works. Called only where the file names no vault yet.
pub(super) fn choose(env: &Env, asked: Option<VaultKind>) -> Result<VaultChoice> {
    match asked {
        Some(VaultKind::Sealed) => sealed(env, "as requested"),
        Some(VaultKind::Keyring) => keyring(env, "as requested; a test item was written, read and deleted"),
        None => match keyring(env, "a test item was written, read and deleted") {
            Err(Error::Vault(e)) => instead(env, e),
            chosen => chosen,
        },
    }
}

/// Keeps a profile's client secret, in place of an earlier one.
pub(super) fn keep(
    env: &Env,
    kind: VaultKind,
    recipients: &[String],
    provider: &Provider,
    secret: &Secret,
) -> Result<()> {
    let vault = vault(env, kind, recipients);
    keep_client_secret(&vault, &mut ledger_of(env)?, provider, secret, env.random.as_ref())
}

fn keyring(env: &Env, why: &str) -> Result<VaultChoice> {
    probe(env, &vault(env, VaultKind::Keyring, &[])).map_err(|e| match e {
        Error::Vault(VaultError::Locked | VaultError::Asks { .. }) => e,
        Error::Vault(e) => VaultError::Unchosen(Box::new(e)).into(),
        e => e,
    })?;
    Ok(VaultChoice { kind: VaultKind::Keyring, recipients: Vec::new(), why: why.into() })
}

fn sealed(env: &Env, why: &str) -> Result<VaultChoice> {
    let recipients = vec![find_or_create_identity(identity(env))?];
    probe(env, &Vault::sealed(identity(env), recipients.clone()))?;
    Ok(VaultChoice { kind: VaultKind::Sealed, recipients, why: why.into() })
}

/// No keyring works: never a quiet downgrade. A person may say yes; a script must name the vault.
fn instead(env: &Env, e: VaultError) -> Result<VaultChoice> {
    if !env.terminal.interactive() {
        return Err(e.into());
    }
    env.terminal.info(&format!("The keyring can't be used here: {e}."));
    match env.terminal.confirm("Use the sealed vault instead, with an age identity file on this host?")? {
        true => sealed(env, "no keyring works here, and you chose it"),
        false => Err(e.into()),
    }
}

fn probe(env: &Env, vault: &Vault) -> Result<()> {
    let random = env.random.as_ref();
    vault.probe(&format!("probe/{}", random.name()?), random)
}
