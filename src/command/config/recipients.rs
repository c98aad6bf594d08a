//! `config recipients`: who may read the sealed token sets.

use super::globals::{Globals, answer_json};
use super::retry::on_what_is_named;
use crate::command::{identity, open_ledger, read_ledger, vault};
use crate::config::{Config, NewVault, change_vault};
use crate::custody::{SealLabeler, reseal};
use crate::error::{Error, Result, clean, counted};
use crate::model::vault_kind::VaultKind;
use crate::report::DOCUMENT_VERSION;
use crate::system::Env;
use crate::vault::{check_recipient, recipient_of};
use serde::Serialize;

/// What to do with the recipients.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Let another host read the tokens
    ///
    /// In a team's ledger, all hosts share one list of recipients: the command changes it for all of them, and applies other
    /// hosts' changes here.
    #[command(after_help = "\
Examples:
  biotrack-auth config recipients add age1…")]
    Add(RecipientArgs),
    /// Stop a host from reading new tokens and finishing new hand-offs
    ///
    /// The host keeps the tokens that it has already read; renew licenses to replace those tokens. A host that runs `listen` can
    /// also finish hand-offs (biotrack-auth doctor lists such hosts): it can still finish open links, but no new ones. The host is
    /// listed again when it runs `listen` again.
    #[command(after_help = "\
Examples:
  biotrack-auth config recipients remove age1…")]
    Remove(RecipientArgs),
    /// Show who may read the tokens, and mark this host
    #[command(after_help = "\
Examples:
  biotrack-auth config recipients list --json")]
    List,
}

/// Which.
#[derive(Debug, clap::Args)]
pub struct RecipientArgs {
    /// Name these recipients (age1…)
    #[arg(value_name = "RECIPIENT", required = true)]
    recipients: Vec<String>,
}

/// The recipients.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RecipientsDocument {
    schema: u8,
    recipients: Vec<ShownRecipient>,
    /// How many token sets were resealed.
    resealed: usize,
}

/// One recipient.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ShownRecipient {
    recipient: String,
    /// This host's own recipient.
    own: bool,
}

pub fn run(action: &Action, globals: Globals, env: &Env) -> Result<u8> {
    on_what_is_named(|| run_once(action, globals, env))
}

fn run_once(action: &Action, globals: Globals, env: &Env) -> Result<u8> {
    let config = Config::load(&env.paths)?;
    if config.vault != VaultKind::Sealed {
        return Err(Error::Usage {
            what: "the vault is the keyring, which has no recipients".into(),
            hint: "To move the secrets to the sealed vault: biotrack-auth config vault sealed".into(),
        });
    }
    let own = recipient_of(identity(env))?;
    // Where none are named it's this host alone.
    let current = match config.recipients[..] {
        [] => vec![own.clone()],
        _ => config.recipients.clone(),
    };
    if matches!(action, Action::List) {
        return told(&current, &own, 0, globals, env);
    }
    let ledger = read_ledger(env, &config)?;
    let listed = if ledger.is_shared() { ledger.recipients()? } else { Vec::new() };
    // What other hosts have listed since is in force here, too: nothing of it is taken back by what is named now.
    let mut known = current.clone();
    known.extend(listed.iter().map(|it| it.recipient.clone()).filter(|it| !current.contains(it)));
    let wanted = match action {
        Action::List => known,
        Action::Add(RecipientArgs { recipients }) => added(&known, recipients)?,
        Action::Remove(RecipientArgs { recipients }) => {
            let taken_off = taken_off_the_list(recipients, &config, env)?;
            let is_done = |it: &&String| taken_off.contains(it) && !known.contains(it);
            let rest: Vec<_> = recipients.iter().filter(|it| !is_done(it)).cloned().collect();
            if rest.is_empty() {
                return told(&current, &own, 0, globals, env);
            }
            removed(&known, &rest)?
        }
    };
    if !wanted.contains(&own) {
        env.terminal.print_always(
            "Note: this host is not one of the recipients, so commands that read tokens (refresh, revoke) fail here.",
        );
    }
    let to = vault(env, VaultKind::Sealed, &wanted);
    to.probe("", env.random.as_ref())?;
    let is_listed = !listed.is_empty()
        && listed.len() == wanted.len()
        && listed.iter().all(|it| wanted.contains(&it.recipient));
    drop(ledger);
    let resealed = match is_listed {
        // Every token set is sealed to these already, and this host alone didn't know.
        true => 0,
        false => {
            let detail = format!("to {}", wanted.join(", "));
            let mut ledger = open_ledger(env, &config)?;
            let seals = SealLabeler::of(&ledger, config.registrations());
            // As the one that sealed them opens them: whom this host trusts changes with the commit alone.
            let from = vault(env, VaultKind::Sealed, &config.recipients);
            reseal(&mut ledger, &from, (&to, &wanted), &seals, &detail, env.clock.now())?
        }
    };
    // The file last: cut short before, the same command seals them all again.
    let named = NewVault { kind: VaultKind::Sealed, recipients: wanted.clone() };
    change_vault(&env.paths, &config, &named)?;
    env.terminal.info(&format!(
        "Sealed to {}: {}.",
        counted(wanted.len(), "recipient", "recipients"),
        counted(resealed, "token set", "token sets")
    ));
    told(&wanted, &own, resealed, globals, env)
}

/// Takes hosts off the ledger's list of those that listen; which of them were listed.
fn taken_off_the_list(recipients: &[String], config: &Config, env: &Env) -> Result<Vec<String>> {
    let listed = read_ledger(env, config)?.listening_hosts(env.clock.now())?;
    let hosts: Vec<_> =
        recipients.iter().filter(|it| listed.iter().any(|host| host.recipient == it.trim())).collect();
    if hosts.is_empty() {
        return Ok(Vec::new());
    }
    let mut ledger = open_ledger(env, config)?;
    for host in &hosts {
        if let Some(name) = ledger.unlist_host(host.trim())? {
            env.terminal.info(&format!(
                "{} is no longer listed as a listening host: new hand-offs aren't sealed to it. It is listed again when it runs listen.",
                clean(&name)
            ));
        }
    }
    Ok(hosts.into_iter().cloned().collect())
}

fn added(current: &[String], new: &[String]) -> Result<Vec<String>> {
    let mut wanted = current.to_vec();
    for recipient in new.iter().map(|it| it.trim()) {
        check_recipient(recipient).map_err(|e| Error::Usage {
            what: e.to_string(),
            hint: "To see that host's recipient, run there: biotrack-auth config recipients list".into(),
        })?;
        if !wanted.iter().any(|it| it == recipient) {
            wanted.push(recipient.to_owned());
        }
    }
    Ok(wanted)
}

fn removed(current: &[String], old: &[String]) -> Result<Vec<String>> {
    let old: Vec<_> = old.iter().map(|it| it.trim()).collect();
    if let Some(stranger) = old.iter().find(|it| !current.iter().any(|one| one == *it)) {
        return Err(Error::Usage {
            what: format!("{} is not one of the recipients", clean(stranger)),
            hint: "To see the recipients: biotrack-auth config recipients list".into(),
        });
    }
    let wanted: Vec<_> = current.iter().filter(|it| !old.contains(&it.as_str())).cloned().collect();
    if wanted.is_empty() {
        return Err(Error::Usage {
            what: "this would remove the last recipient, and no host could read the tokens".into(),
            hint: "Add another recipient first (config recipients add).".into(),
        });
    }
    Ok(wanted)
}

fn told(recipients: &[String], own: &str, resealed: usize, globals: Globals, env: &Env) -> Result<u8> {
    if globals.json {
        let shown = |it: &String| ShownRecipient { recipient: it.clone(), own: it == own };
        answer_json(
            env,
            &RecipientsDocument {
                schema: DOCUMENT_VERSION,
                recipients: recipients.iter().map(shown).collect(),
                resealed,
            },
        )?;
        return Ok(0);
    }
    let mut lines = String::new();
    for recipient in recipients {
        lines += recipient;
        lines += if recipient == own { "  # this host\n" } else { "\n" };
    }
    env.terminal.answer(&lines)?;
    Ok(0)
}
