//! Consents for several licenses in one run: planned first, journaled, and gone on with after whatever ended it.

mod answer;
mod handoff;
mod reporter;
mod run;
mod start;

pub(super) use run::{ResumedRun, Run};

use super::consent::{ConsentArgs, from_afar};
use super::form::OutputFormat;
use super::hook_runner::HookRunner;
use super::{Invocation, Workspace};
use crate::consent::{ConsentRun, RunOptions, prepare_session};
use crate::error::{Error, ErrorCode, Result, clean};
use crate::ledger::{EventGrant, Ledger};
use crate::model::authorization::command_with;
use crate::model::consent::Fact;
use crate::model::outcome::{Outcome, OutcomeKind, exit_of, partial_of};
use crate::model::pace::Pace;
use crate::model::plan::{Plan, PlannedLicense};
use crate::model::provider::Provider;
use crate::model::reminder::GrantEventKey;
use crate::model::run_counts::RunCounts;
use crate::model::spread::SpreadProposal;
use crate::report::{EventLicense, PlanDocument, RunEvent, RunEventKind, plan};
use crate::system::{BrowserChoice, is_there};
use crate::web::{ListeningSession, Worklist, WorklistEntry, WorklistView};
use answer::{answer, partial, tell_of_unended_run};
use reporter::BulkReporter;
use start::{before, finish_earlier, skipped};
use std::time::Instant;
use url::Url;

/// How a run over several licenses is shown and paced.
#[derive(Debug, clap::Args)]
pub struct RunPresentation {
    /// With several licenses: keep N Grant Access pages open at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub tabs: u16,

    /// With several licenses: choose the output format [default: text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<OutputFormat>,
}

pub(super) fn run<'a>(
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    run: Run,
    args: &RunPresentation,
    waiting: &ConsentArgs,
) -> Result<u8> {
    let form = run.form;
    let provider = workspace.provider.clone();
    let Some(first) = run.plan.items.first().cloned() else {
        return nothing(call, workspace, run);
    };
    waiting.handing_off.check(form != OutputFormat::Text, true)?;
    if waiting.handing_off.no_wait {
        return handoff::run(call, workspace, run, &first, waiting);
    }
    let timeout = waiting.timeout()?;
    let choice = match waiting.choice(call, run.plan.items.iter().map(|item| item.key.to_string())) {
        Err(e @ Error::NeedsPerson { .. }) if form != OutputFormat::Text => {
            let left = run.plan.items.iter().map(|item| item.key.clone()).collect();
            let outcomes: Vec<_> = skipped(&run.known, &run.plan.left_out).collect();
            answer(call, workspace, form, &outcomes, left, e.exit(), Some(&e))?;
            return Ok(e.exit());
        }
        choice => choice?,
    };
    if let BrowserChoice::Command(words) = &choice
        && !is_there(words, &call.env.variables)
    {
        let program = words.first().map_or("", String::as_str);
        let problem = format!("can't be run: the program \"{}\" was not found", clean(program));
        return Err(Error::BadValue { name: "browser command", problem });
    }
    let client = workspace.connect(call)?;
    let mut session = prepare_session(call.env, &mut workspace.custody, &client, &first, waiting.port)?;
    let now = call.env.clock.now();
    let Run { plan, known, resumed, any_user, verb, .. } = run;
    let (id, places) = match resumed {
        Some(ResumedRun { run, places }) => (run, places),
        None => {
            let ledger = workspace.custody.ledger_mut();
            let id = ledger.begin_run(&provider.profile, &plan.items, now)?;
            (id, (0..plan.items.len()).collect())
        }
    };
    let attended = call.env.terminal.interactive();
    // With a person there and no browser, each page is opened from the worklist.
    let tabs = if attended && choice == BrowserChoice::None { 0 } else { usize::from(args.tabs) };
    let admins = plan.items.iter().map(|item| item.username.as_str().to_lowercase()).collect();
    let items: Vec<(usize, PlannedLicense)> = places.into_iter().zip(plan.items).collect();
    let all = items.iter().map(|(_, item)| &item.key).chain(plan.left_out.iter().map(|left| &left.key));
    let common = form.common(workspace.custody.ledger(), &provider, all)?;
    let mut watch = BulkReporter::new(call, &provider, common, verb, items.len());
    watch.hooks =
        Some(HookRunner::new(call, workspace.hooks.clone(), provider.clone(), None, session.waker()));
    for (_, item) in &items {
        watch.planned(item, known.get(&item.key));
    }
    before(&mut watch, &known, &plan.left_out);
    let left_over = finish_earlier(call, workspace, &known, &items);
    // Who may click there is who has the address: a person at this terminal, or whom they gave it.
    let worklist = match attended || choice == BrowserChoice::None {
        true => Some(worklist(call, &provider, &mut session, &items)?),
        false => None,
    };
    let keys = attended.then(|| session.keys(call.env)).flatten();
    watch.reads_keys = keys.is_some();
    let options = RunOptions {
        choice,
        timeout,
        any_user,
        run: Some(id),
        keys: keys.is_some(),
        reopens: keys.is_some(),
        worklist,
    };
    let mut pace = Pace::new(tabs, attended, admins);
    pace.on_answer(Instant::now());
    let mut run = ConsentRun::new(
        call.env,
        &mut workspace.custody,
        &client,
        &mut session,
        options,
        pace,
        &items,
        &mut watch,
    );
    for (at, kept) in left_over {
        run.stored(at, kept);
    }
    let ended = run.run();
    drop(keys);
    drop(session);
    watch.over();

    let unended = items.iter().zip(&ended.outcomes).filter(|(_, outcome)| outcome.is_none());
    let left: Vec<_> = unended.map(|((_, item), _)| item.key.clone()).collect();
    let mut outcomes: Vec<_> = ended.outcomes.into_iter().flatten().collect();
    outcomes.extend(skipped(&known, &plan.left_out));
    if left.is_empty() {
        tell_of_unended_run(call, workspace.custody.ledger_mut().end_run(id));
    }
    let error = if ended.interrupted && !left.is_empty() {
        Some(Error::Interrupted { next: Some(command_with("renew", &["--resume"], provider.other(), &[])) })
    } else {
        ended.stopped.or_else(|| partial(call, &provider, verb, &outcomes))
    };
    let exit = match &error {
        Some(Error::Interrupted { .. }) => ErrorCode::Interrupted.exit(),
        // What is left has failed of the same.
        Some(e) if exit_of(&outcomes) != e.exit() && !outcomes.is_empty() => ErrorCode::Partial.exit(),
        Some(e) => e.exit(),
        None => 0,
    };
    answer(call, workspace, form, &outcomes, left, exit, error.as_ref())?;
    if let Some(hooks) = watch.hooks.take() {
        hooks.finish(workspace.custody.ledger_mut());
    }
    Ok(exit)
}

/// Answers about licenses of which nobody was asked.
pub(super) fn finish(
    call: &Invocation<'_>,
    workspace: &Workspace<'_>,
    form: OutputFormat,
    outcomes: &[Outcome],
) -> Result<u8> {
    let (error, exit) = (partial_of(outcomes, call.line()), exit_of(outcomes));
    answer(call, workspace, form, outcomes, Vec::new(), exit, error.as_ref())?;
    Ok(exit)
}

/// Serves the page that a person keeps open beside the phone, and says where it is.
fn worklist(
    call: &Invocation<'_>,
    provider: &Provider,
    session: &mut ListeningSession,
    items: &[(usize, PlannedLicense)],
) -> Result<Worklist> {
    let entry = |item: &PlannedLicense| WorklistEntry {
        key: item.key.clone(),
        username: item.username.clone(),
        name: item.name.clone(),
        ocm_license: item.ocm_license.clone(),
        expires: item.expires_at.map(|at| provider.zone.day(at)),
        why: item.why.clone(),
    };
    let own = [Fact::Ubi, Fact::License];
    let common = Fact::ALL.iter().filter(|fact| !own.contains(fact));
    let facts = items.first().map_or_else(Vec::new, |(_, first)| {
        common.filter_map(|fact| Some((fact.label(), fact.shown(provider, &first.key)?.to_owned()))).collect()
    });
    let entries = items.iter().map(|(_, item)| entry(item)).collect();
    let view = WorklistView { profile: provider.profile.clone(), facts, entries };
    let worklist = Worklist::new(call.env.random.as_ref(), view)?;
    session.show_worklist(worklist.clone());
    if let Some(address) = session.worklist_address() {
        call.env
            .terminal
            .print_always(&format!("Open the worklist in a browser on this machine:\n\n  {address}\n"));
        // Where the answers come, and where the worklist is: the same port, unless the redirect's is always the same.
        let mut ports: Vec<_> = [session.redirect_uri(), address]
            .iter()
            .filter_map(|address| Url::parse(address).ok()?.port())
            .collect();
        ports.dedup();
        if let Some(advice) = from_afar(call.env, &ports) {
            call.env.terminal.info(&advice);
        }
    }
    Ok(worklist)
}

/// What would be done, and nothing is.
pub(super) fn dry_run(
    call: &Invocation<'_>,
    provider: &Provider,
    what: &Plan,
    proposal: Option<&SpreadProposal>,
    form: OutputFormat,
    ledger: Option<&Ledger>,
) -> Result<u8> {
    let now = call.env.clock.now();
    let text = match form {
        OutputFormat::Text => plan(what, proposal, &call.view(Some(&provider.profile)), &provider.zone),
        OutputFormat::Json => call.json_text(&PlanDocument::of(what, &provider.profile, now, proposal))?,
        OutputFormat::Jsonl => {
            let planned = what.items.iter().map(|item| (RunEventKind::Planned, &item.key, &item.why));
            let skipped = RunEventKind::Ended(OutcomeKind::Skipped);
            let left_out = what.left_out.iter().map(|left| (skipped, &left.key, &left.why));
            let lines = planned.chain(left_out).map(|(happening, key, why)| {
                let common = match ledger {
                    Some(ledger) => ledger.event_key(&provider.profile, key, EventGrant::Now)?,
                    None => GrantEventKey::of(&provider.profile, key, None),
                };
                let subject = EventLicense { key, common: &common, standing: None, provider };
                call.json_line(&RunEvent::about(happening, now, subject, Some(why.clone()), None))
            });
            let lines = lines.collect::<Result<String>>()?;
            let (planned, skipped) = (what.items.len() + what.left_out.len(), what.left_out.len());
            let counts = RunCounts { planned, skipped, left: what.items.len(), ..RunCounts::default() };
            lines + &call.json_line(&RunEvent::summary(now, counts, 0, None))?
        }
    };
    call.env.terminal.answer(&text)?;
    Ok(0)
}

/// Nobody is to be asked: said, and no error.
fn nothing<'a>(call: &Invocation<'a>, workspace: &mut Workspace<'a>, run: Run) -> Result<u8> {
    let Run { plan, known, verb, form, .. } = run;
    let provider = workspace.provider.clone();
    let common =
        form.common(workspace.custody.ledger(), &provider, plan.left_out.iter().map(|left| &left.key))?;
    before(&mut BulkReporter::new(call, &provider, common, verb, 0), &known, &plan.left_out);
    if form == OutputFormat::Text {
        // Cron isn't told what it needn't know.
        if call.env.terminal.interactive() {
            call.env.terminal.info(&format!("Nothing to {verb}."));
        }
        return Ok(0);
    }
    let outcomes: Vec<_> = skipped(&known, &plan.left_out).collect();
    answer(call, workspace, form, &outcomes, Vec::new(), 0, None)?;
    Ok(0)
}
