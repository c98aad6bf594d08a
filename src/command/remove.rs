//! `remove`: a license's record is taken out of the ledger; its history stays.

use super::{Invocation, Workspace};
use crate::custody::RemovalResult;
use crate::error::{Error, Result, counted};
use crate::model::authorization::command_for;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::selection;

/// Remove a license that was never granted or is deactivated
///
/// The command removes the record with its name, contact and tags, and keeps the history. It refuses a license that has a
/// grant, or that needs something finished or revoked first, and names the command for that. An open link stops working. The
/// license can be registered again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth remove 101-X0070-D1                        # registered by mistake
  biotrack-auth deactivate 101-X0031-D1 --reason \"store sold\" && biotrack-auth remove 101-X0031-D1
  biotrack-auth history 604001234/101-X0031-D1             # its history stays")]
pub struct Args {
    /// Select a license by license, UBI/LICENSE, OCM license or store name
    #[arg(value_name = "SELECTOR")]
    selector: String,
}

pub(super) fn run(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    call.workspace()?.work(call, |workspace| remove(&args.selector, call, workspace))
}

fn remove<'a>(selector: &str, call: &Invocation<'a>, workspace: &mut Workspace<'a>) -> Result<u8> {
    let provider = workspace.provider.clone();
    let selectors = [selector.to_owned()];
    let standings = workspace.custody.ledger().find_by_selectors(&provider.profile, &selectors)?;
    let key = selection::resolve_one(selector, Some(&provider.profile), &standings, |it| &it.record)?
        .record
        .key
        .clone();
    let (outcome, said) = match workspace.custody.remove(&key) {
        Ok(removal) => {
            note(&removal, call);
            let history = command_for("history", &removal.before.record, provider.other_profile);
            let said = format!("{key} is removed from the ledger. Its history is kept: {history}\n");
            (Outcome::of(key, OutcomeKind::Removed, None), said)
        }
        Err(e @ Error::NotFound { .. }) => return Err(e),
        Err(e) => {
            // Where the ledger itself fails, the record isn't told.
            let standing = workspace.custody.standing_to_tell(&key);
            (Outcome { error: Some(e), ..Outcome::of(key, OutcomeKind::Failed, standing) }, String::new())
        }
    };
    call.finish(&provider, &[outcome], &said)
}

/// What went with the record, and what may be left elsewhere.
fn note(removal: &RemovalResult, call: &Invocation<'_>) {
    let RemovalResult { before, hooks } = removal;
    let terminal = &call.env.terminal;
    let now = call.env.clock.now();
    let links = before.flows.iter().filter(|flow| flow.waits_for_anybody() && now < flow.deadline).count();
    if links > 0 {
        let links = counted(links, "open link no longer works", "open links no longer work");
        terminal.info(&format!("Note: {links}."));
    }
    if *hooks > 0 {
        let hooks = counted(*hooks, "failed hook won't be", "failed hooks won't be");
        terminal.print_always(&format!("Note: {hooks} run again."));
    }
    if before.record.uncertain_at.is_some() {
        terminal.print_always(
            "Note: BioTrack may still have a grant for this license, without tokens here. The admin user can end that grant on BioTrack's own page.",
        );
    }
}
