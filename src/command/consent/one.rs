//! Has one license consented, while the person waits at the terminal.

use super::args::ConsentArgs;
use super::outcome::{outcome_of_left, settled};
use super::single_reporter::SingleReporter;
use crate::command::{Invocation, Workspace, online, outcome_or_error};
use crate::consent::{ConsentRun, RunOptions, finish_left_over};
use crate::error::{Error, Result};
use crate::model::outcome::Outcome;
use crate::model::pace::Pace;
use crate::model::plan::PlannedLicense;
use crate::oauth::ProviderClient;
use crate::web::ListeningSession;

/// Has one license consented, after what an earlier run had left of it is recovered.
pub(in crate::command) fn consent<'a>(
    call: &Invocation<'a>,
    bench: &mut Workspace<'a>,
    item: PlannedLicense,
    any_user: bool,
    waiting: &ConsentArgs,
) -> Result<Outcome> {
    waiting.handing_off.check(call.json, false)?;
    let key = item.key.clone();
    let timeout = waiting.timeout()?;
    let choice = waiting.choice(call, std::iter::once(key.license.to_string()));
    if choice.is_err() && !bench.custody.can_finish_alone(&key)? {
        // At once, before anything is touched.
        choice?;
        return Err(Error::Internal("nobody was asked".into()));
    }
    let ready = online::connect(call, &bench.provider, &bench.custody).and_then(|client| {
        bench.custody.connect(client.clone());
        let kept = finish_left_over(call.env, &mut bench.custody, &item)?;
        Ok((client, kept))
    });
    let asked = match ready {
        // Nobody is to be asked any more.
        Ok((_, Some(kept))) => Ok(outcome_of_left(call, bench, &item, kept, any_user)),
        Ok((client, None)) => {
            let (choice, run, worklist) = (choice?, None, None);
            let options =
                RunOptions { choice, timeout, any_user, run, keys: false, reopens: false, worklist };
            alone(call, bench, item, options, &client, waiting)
        }
        Err(e) => Err(e),
    };
    match asked {
        Ok(outcome) => settled(call, bench, outcome),
        Err(e) => outcome_or_error(bench, &key, bench.custody.standing(&key)?, e),
    }
}

/// A round of one.
fn alone<'a>(
    call: &Invocation<'a>,
    bench: &mut Workspace<'a>,
    item: PlannedLicense,
    options: RunOptions,
    client: &ProviderClient,
    waiting: &ConsentArgs,
) -> Result<Outcome> {
    bench.custody.probe()?;
    let mut session = ListeningSession::bind(call.env, client.clone(), waiting.port)?;
    bench.custody.rehearse(&item.key, &item.username)?;
    let provider = bench.provider.clone();
    let mut view = SingleReporter::new(call, &waiting.handing_off, &provider);
    let pace = Pace::new(1, false, vec![item.username.to_string()]);
    let items = [(0, item)];
    // An address that was sent back can be pasted meanwhile.
    let keys = call.env.terminal.interactive().then(|| session.keys(call.env)).flatten();
    let options = RunOptions { reopens: keys.is_some(), ..options };
    let round =
        ConsentRun::new(call.env, &mut bench.custody, client, &mut session, options, pace, &items, &mut view);
    let outcome = round.run().outcomes.pop().flatten();
    drop(keys);
    outcome.ok_or_else(|| Error::Internal("nothing was asked".into()))
}
