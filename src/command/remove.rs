//! `remove`: a license's record is taken out of the ledger; its history stays.

use super::{Invocation, Workspace};
use crate::custody::Removal;
use crate::error::{Error, Result, counted};
use crate::model::authorization::next;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::selection;

/// Remove a license that was never granted, or is deactivated
///
/// The record goes, and with it name, contact and tags; the history keeps what was known and what happened. A license that
/// has a grant, or of which anything is still to be finished or revoked, is refused with the command that comes first. A
/// link that is out counts no more. The license can be registered again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth remove 101-X0070-D1                        # registered by mistake
  biotrack-auth deactivate 101-X0031-D1 --reason \"store sold\" && biotrack-auth remove 101-X0031-D1
  biotrack-auth history 604001234/101-X0031-D1             # what is kept of it")]
pub struct Args {
    /// Which license: the license, UBI/LICENSE, an OCM license or a store's name
    #[arg(value_name = "SELECTOR")]
    selector: String,
}

pub(super) fn run(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    call.bench()?.work(call, |bench| remove(&args.selector, call, bench))
}

fn remove<'a>(selector: &str, call: &Invocation<'a>, bench: &mut Workspace<'a>) -> Result<u8> {
    let provider = bench.provider.clone();
    let selectors = [selector.to_owned()];
    let standings = bench.custody.ledger().find_by_selectors(&provider.profile, &selectors)?;
    let key =
        selection::one(selector, Some(&provider.profile), &standings, |it| &it.record)?.record.key.clone();
    let (outcome, said) = match bench.custody.remove(&key) {
        Ok(removal) => {
            note(&removal, call);
            let history = next("history", &removal.before.record, provider.other_profile);
            let said = format!("{key} is removed from the ledger. Its history is kept: {history}\n");
            (Outcome::of(key, OutcomeKind::Removed, None), said)
        }
        Err(e @ Error::NotFound { .. }) => return Err(e),
        Err(e) => {
            // Where the ledger itself fails, the record isn't told.
            let standing = bench.custody.standing(&key).ok().flatten();
            (Outcome { error: Some(e), ..Outcome::of(key, OutcomeKind::Failed, standing) }, String::new())
        }
    };
    call.finish(&provider, &[outcome], &said)
}

/// What went with the record, and what may be left elsewhere.
fn note(removal: &Removal, call: &Invocation<'_>) {
    let Removal { before, hooks } = removal;
    let terminal = &call.env.terminal;
    let now = call.env.clock.now();
    let links = before.flows.iter().filter(|flow| flow.waits_for_anybody() && now < flow.deadline).count();
    if links > 0 {
        let links = counted(links, "open link no longer works", "open links no longer work");
        terminal.info(&format!("Note: {links}."));
    }
    if *hooks > 0 {
        let hooks = counted(*hooks, "hook that had failed isn't", "hooks that had failed aren't");
        terminal.always(&format!("Note: {hooks} run again."));
    }
    if before.record.uncertain_at.is_some() {
        terminal.always(
            "Note: BioTrack may still have a grant of it whose tokens are not here. Its admin user can end it on BioTrack's own page.",
        );
    }
}
