//! `config init`, offered to whoever begins without a configuration.

use super::globals::Globals;
use super::init;
use crate::command::{Invocation, Workspace};
use crate::error::{ConfigError, Error, Result, clean};
use crate::system::Env;

impl<'a> Invocation<'a> {
    /// Vault and ledger of this call's profile for who may be new here: where nothing is configured yet, `config init` is offered.
    pub(in crate::command) fn first_bench(&self) -> Result<Workspace<'a>> {
        self.workspace_or_make().or_else(|nothing| {
            offer_init(nothing, self.globals(), self.env)?;
            self.workspace()
        })
    }
}

/// `init`, offered to whoever begins without it: a person who is there and says yes is asked for what it needs. Else the
/// error that there is nothing configured.
fn offer_init(nothing: Error, globals: Globals, env: &Env) -> Result<()> {
    let first = match &nothing {
        Error::Config(ConfigError::Missing { .. }) => true,
        Error::Config(ConfigError::NoProfile { known, .. }) => known.is_empty(),
        _ => false,
    };
    if !first || !env.terminal.interactive() {
        return Err(nothing);
    }
    let place = clean(&env.paths.config.display().to_string());
    if !env.terminal.confirm(&format!("There is no {place} yet. Create it now?"))? {
        return Err(nothing);
    }
    // The command that goes on has its own answer.
    let profile = globals.profile.or(env.variables.get("BIOTRACK_AUTH_PROFILE"));
    init::run(&init::Args::default(), Globals { json: false, profile, ..globals }, env).map(drop)
}
