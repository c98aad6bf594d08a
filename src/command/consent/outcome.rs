//! What became of a consent, as the command reports it: a grant from an earlier run or from elsewhere, one that another admin
//! gave, and facts that nobody confirmed.

use crate::command::{Invocation, Workspace, error_of_license};
use crate::consent::{answer, outcome_of, outcome_of_grant};
use crate::custody::{GrantRemarks, StoreOutcome};
use crate::error::{Error, LedgerError, Result};
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::plan::PlannedLicense;
use crate::oauth::{PastedCandidates, ProviderClient};

/// What an answer from elsewhere comes to.
pub(in crate::command) fn answered<'a>(
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    pasted: &PastedCandidates,
    client: &ProviderClient,
) -> Result<Outcome> {
    let (item, kept) = answer(call.env, &mut workspace.custody, client, pasted)?;
    Ok(outcome_of_left(call, workspace, &item, kept, false))
}

/// What a grant means that came without a run: from an earlier run, or from elsewhere.
pub(super) fn outcome_of_left(
    call: &Invocation<'_>,
    workspace: &mut Workspace<'_>,
    item: &PlannedLicense,
    kept: StoreOutcome,
    any_user: bool,
) -> Outcome {
    let outcome = outcome_of(&mut workspace.custody, item, Ok(kept), |_| any_user);
    outcome.remarks.iter().for_each(|remark| call.env.terminal.print_always(remark));
    outcome
}

/// Another admin's grant is asked about where a person is; an error about the call itself stays the call's.
pub(in crate::command) fn settled<'a>(
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    mut outcome: Outcome,
) -> Result<Outcome> {
    let terminal = &call.env.terminal;
    match outcome.error.take() {
        Some(Error::OtherAdmin { license, granted_by, username, accept, discard })
            if terminal.interactive() =>
        {
            // What is asked about is what is accepted, whatever others do meanwhile.
            let shown =
                workspace.custody.awaiting(&outcome.key)?.filter(|grant| grant.granted_by == granted_by);
            let Some(shown) = shown else {
                outcome.error = Some(LedgerError::Changed { license }.into());
                return Ok(outcome);
            };
            let question =
                format!("{license} was granted by {granted_by}, not {username}. Accept this grant?");
            outcome.error = match terminal.confirm(&question) {
                Ok(true) => match workspace.custody.accept(&shown) {
                    Ok(()) => {
                        let custody = &mut workspace.custody;
                        return Ok(outcome_of_grant(custody, &outcome.key, &GrantRemarks::default()));
                    }
                    Err(e) => Some(e),
                },
                Ok(false) => Some(Error::OtherAdmin { license, granted_by, username, accept, discard }),
                Err(Error::Interrupted { .. }) => {
                    terminal.info(&format!("\nThe grant of {granted_by} awaits approval."));
                    Some(Error::Interrupted { next: Some(accept) })
                }
                Err(e) => return Err(e),
            };
            Ok(outcome)
        }
        Some(error) if outcome.ending == OutcomeKind::Failed => {
            let error = error_of_license(workspace, &outcome.key, error)?;
            Ok(Outcome { error: Some(error), ..outcome })
        }
        error => Ok(Outcome { error, ..outcome }),
    }
}
