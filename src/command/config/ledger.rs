//! `config ledger move`: the whole ledger moves to a server that several hosts share, or back.

use super::globals::{Globals, answer_json};
use crate::config::{Config, change_ledger, server_at};
use crate::custody::move_ledger;
use crate::error::{Error, Result, clean, counted, licenses};
use crate::model::server::LedgerPlace;
use crate::model::vault_kind::VaultKind;
use crate::report::DOCUMENT_VERSION;
use crate::system::Env;
use serde::Serialize;

/// What to do with the ledger.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Move the whole ledger, and set its new address in the configuration
    #[command(after_help = "\
Examples:
  biotrack-auth config ledger move 'postgres://ann@db.example/ledger?sslrootcert=/etc/ssl/company.crt'
  biotrack-auth config ledger move sqlite")]
    Move(MoveArgs),
}

/// Where it shall be.
#[derive(Debug, clap::Args)]
pub struct MoveArgs {
    /// Move to `sqlite`, the file of this host, or to postgres://USER@HOST/DATABASE
    #[arg(value_name = "PLACE")]
    to: String,
}

/// What was moved.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct LedgerDocument {
    schema: u8,
    ledger: String,
    /// The number of records.
    records: usize,
    /// The number of history entries.
    links: usize,
}

pub fn run(Action::Move(args): &Action, globals: Globals, env: &Env) -> Result<u8> {
    let config = Config::load(&env.paths)?;
    let from = config.ledger_place(&env.variables, &env.who.user)?;
    let address = (args.to != "sqlite").then_some(args.to.as_str());
    let to = match address {
        Some(address) => server_at(address, &env.variables, &env.who.user)?,
        None => LedgerPlace::File,
    };
    if address == config.ledger.as_deref() {
        env.terminal.info(&format!("The ledger is already at {}.", clean(&args.to)));
        return Ok(0);
    }
    if address.is_some() && config.vault == VaultKind::Keyring {
        return Err(Error::Usage {
            what: "a ledger on a server needs the sealed vault, because a keyring works on one machine only"
                .into(),
            hint: "Move the secrets first: biotrack-auth config vault sealed".into(),
        });
    }
    let carried = move_ledger(env, &from, &to, &mut || change_ledger(&env.paths, address))?;
    let (records, links) = (carried.records, carried.links);
    env.terminal.info(&format!(
        "The ledger is now at {}, with {} and {}. The old ledger stays as it is, but is no longer used.",
        clean(&args.to),
        licenses(records),
        counted(links, "history entry", "history entries")
    ));
    if globals.json {
        answer_json(
            env,
            &LedgerDocument { schema: DOCUMENT_VERSION, ledger: clean(&args.to), records, links },
        )?;
    }
    Ok(0)
}
