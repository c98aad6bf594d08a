//! Has one license consented, while the person waits at the terminal.

use super::args::ConsentArgs;
use super::outcome::{outcome_of_left, settled};
use super::single_reporter::SingleReporter;
use crate::command::{Invocation, Workspace, outcome_or_error};
use crate::consent::{ConsentRun, RunOptions, finish_left_over, prepare_session};
use crate::error::{Error, Result};
use crate::model::outcome::Outcome;
use crate::model::pace::Pace;
use crate::model::plan::PlannedLicense;
use crate::oauth::ProviderClient;

/// Has one license consented, after what an earlier run had left of it is recovered.
pub(in crate::command) fn consent<'a>(
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    item: PlannedLicense,
    any_user: bool,
    waiting: &ConsentArgs,
) -> Result<Outcome> {
    waiting.handing_off.check(call.json, false)?;
    let key = item.key.clone();
    let timeout = waiting.timeout()?;
    let choice = waiting.choice(call, std::iter::once(key.license.to_string()));
    if choice.is_err() && !workspace.custody.can_finish_alone(&key)? {
        // At once, before anything is touched.
        choice?;
        return Err(Error::Internal("no admin was asked".into()));
    }
    let ready = workspace.connect(call).and_then(|client| {
        let kept = finish_left_over(call.env, &mut workspace.custody, &item)?;
        Ok((client, kept))
    });
    let asked = match ready {
        // Nobody is to be asked any more.
        Ok((_, Some(kept))) => Ok(outcome_of_left(call, workspace, &item, kept, any_user)),
        Ok((client, None)) => {
            let (choice, run, worklist) = (choice?, None, None);
            let options =
                RunOptions { choice, timeout, any_user, run, keys: false, reopens: false, worklist };
            alone(call, workspace, item, options, &client, waiting)
        }
        Err(e) => Err(e),
    };
    match asked {
        Ok(outcome) => settled(call, workspace, outcome),
        Err(e) => outcome_or_error(workspace, &key, e),
    }
}

/// A run of one.
fn alone<'a>(
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    item: PlannedLicense,
    options: RunOptions,
    client: &ProviderClient,
    waiting: &ConsentArgs,
) -> Result<Outcome> {
    let mut session = prepare_session(call.env, &mut workspace.custody, client, &item, waiting.port)?;
    let provider = workspace.provider.clone();
    let pace = Pace::new(1, false, vec![item.username.to_string()]);
    let items = [(0, item)];
    // An address that was sent back can be pasted meanwhile.
    let keys = call.env.terminal.interactive().then(|| session.keys(call.env)).flatten();
    let options = RunOptions { reopens: keys.is_some(), ..options };
    let mut view = SingleReporter::new(call, &waiting.handing_off, &provider, keys.is_some());
    let run = ConsentRun::new(
        call.env,
        &mut workspace.custody,
        client,
        &mut session,
        options,
        pace,
        &items,
        &mut view,
    );
    let outcome = run.run().outcomes.pop().flatten();
    drop(keys);
    outcome.ok_or_else(|| Error::Internal("nothing was asked".into()))
}
