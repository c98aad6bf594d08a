//! `config vault`: every secret moves to the other vault; one that is there already is sealed anew where it has to be.

use super::globals::{Globals, answer_json};
use super::retry::on_what_is_named;
use crate::command::{identity, open_ledger, vault};
use crate::config::{Config, NewVault, change_vault};
use crate::custody::move_secrets;
use crate::custody::{ResealSummary, SealLabeler, note_new_seals, renew_seals};
use crate::error::{Error, Result, clean, counted};
use crate::ledger::Ledger;
use crate::model::vault_kind::VaultKind;
use crate::report::DOCUMENT_VERSION;
use crate::system::Env;
use crate::vault::Vault;
use crate::vault::find_or_create_identity;
use serde::Serialize;

/// Where the secrets shall be.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Move the secrets to this vault
    #[arg(value_name = "VAULT", value_enum)]
    kind: VaultKind,

    /// Without asking, take over secrets that were sealed for another provider or by another host
    #[arg(long)]
    yes: bool,
}

/// What was moved.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct VaultDocument {
    schema: u8,
    vault: VaultKind,
    /// How many secrets moved.
    moved: usize,
    /// How many secrets were resealed for the rows that they are in.
    renewed: usize,
    path: String,
}

pub fn run(args: &Args, globals: Globals, env: &Env) -> Result<u8> {
    on_what_is_named(|| run_once(args, globals, env))
}

fn run_once(args: &Args, globals: Globals, env: &Env) -> Result<u8> {
    let config = Config::load(&env.paths)?;
    if let (VaultKind::Keyring, Some(address)) = (args.kind, &config.ledger) {
        return Err(Error::Usage {
            what: format!("the ledger is on a server ({address}), but a keyring works on one machine only"),
            hint: "Move the ledger here first: biotrack-auth config ledger move sqlite".into(),
        });
    }
    let recipients = match args.kind {
        VaultKind::Sealed => sealed_recipients(&config, env)?,
        VaultKind::Keyring => config.recipients.clone(),
    };
    let to = vault(env, args.kind, &recipients);
    let other = match args.kind {
        VaultKind::Sealed => VaultKind::Keyring,
        VaultKind::Keyring => VaultKind::Sealed,
    };
    let from = vault(env, other, &recipients);
    let mut ledger = open_ledger(env, &config)?;
    ledger.mark_alive()?;
    if ledger.names_items()? {
        [&from, &to].into_iter().for_each(Vault::holds_secrets);
    }
    // Named after the ledger, so that `doctor` finds what a killed process left of it.
    to.probe(&format!("{}/probe-{}", ledger.id(), env.random.name()?), env.random.as_ref())?;
    let seals = SealLabeler::of(&ledger, config.registrations());
    let moved = move_secrets(&mut ledger, &from, &to, &seals, env.clock.now(), &mut || {
        change_vault(&env.paths, &config, &NewVault { kind: args.kind, recipients: recipients.clone() })
    })?;
    let renewed = renewed(&mut ledger, &to, &seals, args, env)?;
    env.terminal.info(&match moved {
        0 => format!("Vault: {}. Every secret was already there.", args.kind),
        _ => format!("Vault: {}. {} moved.", args.kind, counted(moved, "secret", "secrets")),
    });
    told(&renewed, env);
    if globals.json {
        let path = clean(&env.paths.config.display().to_string());
        answer_json(
            env,
            &VaultDocument {
                schema: DOCUMENT_VERSION,
                vault: args.kind,
                moved,
                renewed: renewed.renewed,
                path,
            },
        )?;
    }
    Ok(u8::from(!renewed.refused.is_empty()))
}

/// What is there already is sealed anew where an older version sealed it, and, where somebody agrees, where it was sealed for
/// another provider, or not here.
fn renewed(
    ledger: &mut Ledger,
    vault: &Vault,
    seals: &SealLabeler,
    args: &Args,
    env: &Env,
) -> Result<ResealSummary> {
    let mut agree = |question: &str| {
        env.terminal.require_yes(args.yes, question, || format!("to accept these secrets ({question})"))
    };
    let renewed = renew_seals(ledger, vault, seals, env.clock.now(), Some(&mut agree))?;
    if renewed.left == 0 {
        note_new_seals(ledger)?;
    }
    Ok(renewed)
}

fn told(renewed: &ResealSummary, env: &Env) {
    if renewed.renewed > 0 {
        let secrets = counted(renewed.renewed, "secret was", "secrets were");
        env.terminal.info(&format!("{secrets} resealed for the rows that they are in."));
    }
    if renewed.left > 0 {
        let secrets =
            counted(renewed.left, "secret from an older version is", "secrets from an older version are");
        env.terminal.print_always(&format!(
            "Note: {secrets} left, sealed to other hosts or recipients, or part of an open consent. Run this command on the other hosts, too."
        ));
    }
    for refused in &renewed.refused {
        env.terminal.print_always(&format!("Not used: {refused}."));
    }
}

/// Those configured, else this host alone; its identity is made where there is none.
fn sealed_recipients(config: &Config, env: &Env) -> Result<Vec<String>> {
    let own = find_or_create_identity(identity(env))?;
    if !config.recipients.is_empty() && !config.recipients.contains(&own) {
        return Err(Error::Usage {
            what: "this host is not one of the recipients, so it could not read the secrets that it seals"
                .into(),
            hint: format!("Add it to sealed.recipients in the configuration: {own}"),
        });
    }
    Ok(if config.recipients.is_empty() { vec![own] } else { config.recipients.clone() })
}
