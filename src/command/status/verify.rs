//! `status --online`: the provider is asked before the ledger is shown.

use super::args::Args;
use super::reader::FoundRecords;
use crate::command::{Invocation, Workspace};
use crate::custody::IntrospectionSummary;
use crate::error::{Error, Result, clean, counted, first_few};
use crate::model::authorization::{Authorization, State};
use crate::model::ids::LicenseId;

/// How many are named in a note.
const NAMED: usize = 10;

/// Asks each profile's provider about those grants that are shown and live. What can't be found out is told, and
/// changes nothing.
pub(super) fn look(args: &Args, call: &Invocation<'_>, shown: &[FoundRecords<'_>]) -> Result<()> {
    let now = call.env.clock.now();
    for FoundRecords { provider, standings } in shown {
        let living = |record: &&Authorization| {
            let state = record.state(now, provider.due_window, &provider.zone);
            matches!(state, State::Active | State::Due) && !record.held_elsewhere
        };
        let records = standings.iter().map(|it| &it.record);
        let keys: Vec<LicenseId> = records.filter(living).map(|record| record.key.clone()).collect();
        if keys.is_empty() {
            continue;
        }
        let asked = call.workspace_of(&provider.profile).and_then(|workspace| ask(call, workspace, &keys));
        match asked {
            Ok(looked) => tell(args, call, &looked),
            // Its ledger is what is shown: what is wrong with it isn't passed over.
            Err(e @ Error::Ledger(_)) => return Err(e),
            Err(e) => {
                let profile = &provider.profile;
                call.env.terminal.info(&format!("Note: could not check {profile}'s grants: {e}."));
            }
        }
    }
    Ok(())
}

fn ask<'a>(
    call: &Invocation<'a>,
    workspace: Workspace<'a>,
    keys: &[LicenseId],
) -> Result<IntrospectionSummary> {
    let mut looked = IntrospectionSummary::default();
    workspace.work(call, |workspace| {
        workspace.connect(call)?;
        let progress = call.env.terminal.progress_lines();
        looked = workspace.custody.introspect_all(keys, |done| {
            progress.show(format!("Checking grants {done}/{}", keys.len()));
        })?;
        Ok(0)
    })?;
    Ok(looked)
}

fn tell(args: &Args, call: &Invocation<'_>, looked: &IntrospectionSummary) {
    let say = |line: &str| call.env.terminal.info(line);
    let grants = |count: usize| counted(count, "grant", "grants");
    if !looked.invalid.is_empty() && !args.check {
        let named: Vec<_> = looked.invalid.iter().map(|key| key.license.to_string()).collect();
        say(&format!("The provider calls {} inactive: {}.", grants(named.len()), first_few(&named, NAMED)));
    }
    let mut unknown = looked.unknown.iter();
    for (key, why) in unknown.by_ref().take(NAMED) {
        say(&format!("Note: could not check {}: {}.", key.license, clean(why)));
    }
    match unknown.count() {
        0 => {}
        more => say(&format!("Note: could not check {} more.", grants(more))),
    }
}
