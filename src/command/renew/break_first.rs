//! Where a provider allows one grant at a time, the old one goes before the new one is asked for (DOMAIN.md, Renewal with
//! new credentials). Everywhere else make comes before break.

use super::args::Args;
use crate::command::consent::consent;
use crate::command::{Invocation, Workspace, deactivate};
use crate::consent::{outcome_of_grant, prepare_without_session};
use crate::custody::{GrantRemarks, RecoveryOutcome, Revocation, RevocationMode, StoreOutcome};
use crate::error::Result;
use crate::model::authorization::{Authorization, AuthorizationWithFlows};
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::plan::PlannedLicense;
use crate::oauth::RetryPolicy;

/// Break before make: the old grant goes, once all that the new one needs was tried. Until somebody grants, the license is
/// expired, and its record names the admin who is to be asked.
pub(super) fn renew<'a>(
    item: PlannedLicense,
    record: &Authorization,
    standings: &[AuthorizationWithFlows],
    args: &Args,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    let (terminal, key, provider) = (&call.env.terminal, &item.key, workspace.provider.clone());
    args.waiting.choice(call, std::iter::once(key.license.to_string()))?;
    deactivate::warnings(record, standings, &provider, call.env.clock.now())
        .iter()
        .for_each(|warning| terminal.info(warning));
    let question =
        format!("Really end the current grant of {} before {} grants access?", key.license, item.username);
    terminal
        .require_yes(args.yes, &question, || format!("to end the current grant of {} first", key.license))?;
    workspace.connect(call)?;
    prepare_without_session(&mut workspace.custody, &item)?;
    let recovered = workspace.custody.recover(key)?;
    let finished = |it: &RecoveryOutcome| matches!(it, RecoveryOutcome::Finished { kept: StoreOutcome::Live { .. }, username } if username.same_as(item.username.as_str()));
    if recovered.iter().any(finished) {
        // An earlier run broke, and all but stored what came after: that is what is wanted.
        terminal.info(&format!(
            "Stored the grant for {} that an earlier command had left unfinished.",
            key.license
        ));
        let outcome = outcome_of_grant(&mut workspace.custody, key, &GrantRemarks::default());
        return workspace.finish(call, outcome);
    }
    let reason = format!("ended before {} grants", item.username);
    let asking = RevocationMode::Provider(RetryPolicy::REVOCATION);
    let given_up = workspace.custody.revoke_before_renewal(key, &item.username, asking, &reason)?;
    if deactivate::is_in_doubt(record, &recovered, &given_up) {
        terminal.info(deactivate::LOST);
    }
    if let Revocation::Pending(e) = given_up.revocation {
        // Where one grant at a time is allowed, a new one has no chance yet.
        let outcome = Outcome {
            error: Some(e),
            ..Outcome::of(key.clone(), OutcomeKind::Failed, workspace.custody.standing_to_tell(key))
        };
        return workspace.finish(call, outcome);
    }
    terminal.info(&format!("The old grant of {} has ended. Now asking for the new one.", key.license));
    // It has ended: the next command on the license, whichever it is, says so and goes on.
    let item = PlannedLicense { expires_at: Some(call.env.clock.now()), ..item };
    let outcome = consent(call, workspace, item, false, &args.waiting)?;
    workspace.finish(call, outcome)
}
