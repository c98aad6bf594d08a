//! How a run over several licenses ends and answers.

use crate::command::form::OutputFormat;
use crate::command::{Invocation, Workspace};
use crate::error::{Error, Result};
use crate::model::authorization::command_with;
use crate::model::ids::LicenseId;
use crate::model::outcome::{Outcome, OutcomeKind, partial_of};
use crate::model::provider::Provider;
use crate::model::run_counts::RunCounts;
use crate::report::{RunEvent, results, run_summary};

/// What the run ends with where some failed: the command that tries those again, and no other.
pub(super) fn partial(
    call: &Invocation<'_>,
    provider: &Provider,
    verb: &str,
    outcomes: &[Outcome],
) -> Option<Error> {
    const NAMED: usize = 50;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.error.is_some()).collect();
    // A grant that awaits approval isn't asked for again: it's there to be accepted.
    let (held, to_ask): (Vec<&Outcome>, Vec<_>) =
        failed.iter().partition(|outcome| outcome.ending == OutcomeKind::AwaitingApproval);
    let renewing = |which: &[&Outcome], flags: &[&str]| {
        let keys: Vec<_> = which.iter().map(|outcome| &outcome.key).collect();
        command_with("renew", flags, provider.other(), &keys)
    };
    let take = (1..=NAMED).contains(&held.len()).then(|| renewing(&held, &["--awaiting"]));
    let ask = match to_ask.len() {
        0 => None,
        1..=NAMED if verb == "renew" => Some(renewing(&to_ask, &[])),
        // It leaves out what has been granted.
        _ => Some(call.line()),
    };
    let again = match (ask, take) {
        (Some(ask), Some(take)) => format!("{ask}\nAccept the grants that await approval: {take}"),
        (ask, take) => ask.or(take).unwrap_or_else(|| call.line()),
    };
    partial_of(outcomes, again)
}

/// What came of the run, in the form that was asked for; `left` are those whose turn didn't come before its error.
pub(super) fn answer(
    call: &Invocation<'_>,
    workspace: &Workspace<'_>,
    form: OutputFormat,
    outcomes: &[Outcome],
    left: Vec<LicenseId>,
    exit: u8,
    error: Option<&Error>,
) -> Result<()> {
    let terminal = &call.env.terminal;
    let counts = RunCounts::of(outcomes, left.len());
    let now = call.env.clock.now();
    match form {
        OutputFormat::Text => terminal.answer(&run_summary(outcomes, counts))?,
        OutputFormat::Json => {
            let mut document = results(outcomes, &workspace.provider, now);
            if let Some(error) = error {
                document = document.with_left(left, error);
            }
            terminal.answer(&call.json_text(&document)?)?;
        }
        OutputFormat::Jsonl => {
            terminal.answer(&call.json_line(&RunEvent::summary(now, counts, exit, error))?)?
        }
    }
    if let Some(error) = error {
        terminal.error(error);
    }
    Ok(())
}

/// A run whose end can't be noted has ended all the same: what it brought is told, and whoever goes on with it finds nothing to do.
pub(super) fn tell_of_unended_run(call: &Invocation<'_>, ended: Result<()>) {
    if let Err(e) = ended {
        call.env.terminal.print_always(&format!("Note: the end of this run couldn't be recorded: {e}."));
    }
}
