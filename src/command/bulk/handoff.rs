//! Hand-offs for several licenses: their links are made in one commit, and nobody waits here.

use super::answer::{answer, partial, tell_of_unended_run};
use super::reporter::BulkReporter;
use super::run::{ResumedRun, Run};
use super::start::{before, finish_earlier, skipped};
use crate::command::consent::{ConsentArgs, messages, say_what_comes};
use crate::command::form::OutputFormat;
use crate::command::{Invocation, Workspace};
use crate::consent::{IssuedLink, hand_out, outcome_of, outcome_of_handed, prepare_without_session};
use crate::error::Result;
use crate::model::outcome::{Outcome, OutcomeKind, exit_of};
use crate::model::plan::{PlannedLicense, Progress};
use crate::model::run_counts::RunCounts;

pub(super) fn run<'a>(
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    run: Run,
    first: &PlannedLicense,
    waiting: &ConsentArgs,
) -> Result<u8> {
    let Run { plan, known, resumed, any_user, verb, form } = run;
    let (provider, handing) = (workspace.provider.clone(), &waiting.handing_off);
    let life = handing.life()?;
    let client = workspace.connect(call)?;
    prepare_without_session(&mut workspace.custody, first)?;
    // No moving line: nothing is waited for.
    let all = plan.items.iter().map(|item| &item.key).chain(plan.left_out.iter().map(|left| &left.key));
    let common = form.common(workspace.custody.ledger(), &provider, all)?;
    let mut watch = BulkReporter::new(call, &provider, common, verb, 0);
    for item in &plan.items {
        watch.planned(item, known.get(&item.key));
    }
    before(&mut watch, &known, &plan.left_out);
    let places = resumed.as_ref().map_or_else(|| (0..plan.items.len()).collect(), |it| it.places.clone());
    let items: Vec<(usize, PlannedLicense)> = places.into_iter().zip(plan.items).collect();
    let mut outcomes = Vec::new();
    let mut left_over = finish_earlier(call, workspace, &known, &items);
    let mut asked = Vec::with_capacity(items.len());
    for (at, (_, item)) in items.iter().enumerate() {
        match left_over.iter().position(|(found, _)| *found == at) {
            Some(found) => {
                let (_, kept) = left_over.swap_remove(found);
                let outcome = outcome_of(&mut workspace.custody, item, kept, |_| any_user);
                watch.ended_here(item, &outcome);
                outcomes.push(outcome);
            }
            None => asked.push(item.clone()),
        }
    }
    let mut handed: Vec<IssuedLink> = Vec::with_capacity(asked.len());
    for (item, made) in
        hand_out(call.env, &mut workspace.custody, &client.endpoints, asked, waiting.port, life)?
    {
        let standing = workspace.custody.standing_to_tell(&item.key);
        let outcome = match made {
            Ok(made) => {
                let outcome = outcome_of_handed(&made, standing);
                handed.push(made);
                outcome
            }
            Err(e) => {
                Outcome { error: Some(e), ..Outcome::of(item.key.clone(), OutcomeKind::Failed, standing) }
            }
        };
        watch.ended_here(&item, &outcome);
        outcomes.push(outcome);
    }
    if let Some(ResumedRun { run, .. }) = resumed {
        // Their links are out: the run itself has nothing left to do.
        let ledger = workspace.custody.ledger_mut();
        let noted = items.iter().try_for_each(|(place, item)| {
            let gone = handed.iter().any(|it| it.item.key == item.key);
            ledger.note_run(run, *place, if gone { Progress::HandedOff } else { Progress::Failed })
        });
        tell_of_unended_run(call, noted.and_then(|()| ledger.end_run(run)));
    }
    outcomes.extend(skipped(&known, &plan.left_out));
    let error = partial(call, &provider, verb, &outcomes);
    let exit = exit_of(&outcomes);
    let counts = RunCounts::of(&outcomes, 0);
    let text = match handing.message {
        true => messages(&handed, &provider, call.env.clock.now()),
        false => handed.iter().map(|it| format!("{}\t{}\n", it.item.key, it.address)).collect(),
    };
    match form {
        OutputFormat::Text => {
            call.env.terminal.answer(&text)?;
            call.env.terminal.info(crate::report::run_summary(&outcomes, counts).trim_end());
            if let Some(error) = &error {
                call.env.terminal.error(error);
            }
        }
        _ => answer(call, workspace, form, &outcomes, Vec::new(), exit, error.as_ref())?,
    }
    say_what_comes(call, &provider, &handed, life);
    for (at, it) in handed.iter().enumerate() {
        if handing.qr {
            call.env.terminal.print_always(&format!("{}:", it.item.key));
        }
        // One clipboard has room for all of them, once.
        handing.show(call, &it.address, (at + 1 == handed.len()).then(|| text.trim_end()));
    }
    Ok(exit)
}
