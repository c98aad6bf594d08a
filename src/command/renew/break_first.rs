//! Where a provider allows one grant at a time, the old one goes before the new one is asked for (DOMAIN.md, Renewal with
//! new credentials). Everywhere else make comes before break.

use super::args::Args;
use crate::command::consent::consent;
use crate::command::{Invocation, Workspace, deactivate, online};
use crate::custody::{RecoveryOutcome, Revocation, RevocationMode, StoreOutcome};
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
    bench: &mut Workspace<'a>,
) -> Result<u8> {
    let (terminal, key, provider) = (&call.env.terminal, &item.key, bench.provider.clone());
    args.waiting.choice(call, std::iter::once(key.license.to_string()))?;
    deactivate::warnings(record, standings, &provider, call.env.clock.now())
        .iter()
        .for_each(|warning| terminal.info(warning));
    let question = format!("Really give {}'s grant up before {} grants?", key.license, item.username);
    terminal.agreed(args.yes, &question, || format!("to give {}'s grant up first", key.license))?;
    let client = online::connect(call, &provider, &bench.custody)?;
    bench.custody.connect(client);
    bench.custody.probe()?;
    bench.custody.rehearse(key, &item.username)?;
    let recovered = bench.custody.recover(key)?;
    let finished = |it: &RecoveryOutcome| matches!(it, RecoveryOutcome::Finished { kept: StoreOutcome::Live { .. }, username } if username.same_as(item.username.as_str()));
    if recovered.iter().any(finished) {
        // An earlier run broke, and all but stored what came after: that is what is wanted.
        terminal.info(&format!("Finished the grant of {} that an earlier run had left.", key.license));
        let outcome = Outcome::of(key.clone(), OutcomeKind::Granted, bench.custody.standing(key)?);
        return bench.finish(call, outcome);
    }
    let reason = format!("given up before {} grants", item.username);
    let asking = RevocationMode::Provider(RetryPolicy::REVOCATION);
    let given_up = bench.custody.break_first(key, &item.username, asking, &reason)?;
    if deactivate::is_in_doubt(record, &recovered, &given_up) {
        terminal.info(deactivate::LOST);
    }
    if let Revocation::Pending(e) = given_up.revocation {
        // Where one grant at a time is allowed, a new one has no chance yet.
        let outcome = Outcome {
            error: Some(e),
            ..Outcome::of(key.clone(), OutcomeKind::Failed, bench.custody.standing(key)?)
        };
        return bench.finish(call, outcome);
    }
    terminal.info(&format!("{}'s old grant is given up. The new one is asked for now.", key.license));
    // It has ended: the next command on the license, whichever it is, says so and goes on.
    let item = PlannedLicense { expires_at: Some(call.env.clock.now()), ..item };
    let outcome = consent(call, bench, item, false, &args.waiting)?;
    bench.finish(call, outcome)
}
