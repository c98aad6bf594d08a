use super::*;
use std::fmt::Write as _;

const STARTERS: [Starter; 3] = [Starter::One, Starter::Run, Starter::Server];

/// The stage that the table has behind another one, or first. A new stage doesn't compile before it has its place here.
fn stage_after(stage: Option<ProcessStage>) -> Option<ProcessStage> {
    Some(match stage {
        None => ProcessStage::Asked,
        Some(ProcessStage::Asked) => ProcessStage::Arrived,
        Some(ProcessStage::Arrived) => ProcessStage::Sent,
        Some(ProcessStage::Sent) => ProcessStage::Deferred,
        Some(ProcessStage::Deferred) => ProcessStage::Left,
        Some(ProcessStage::Left) => ProcessStage::Ended,
        Some(ProcessStage::Ended) => return None,
    })
}

/// The same for events.
fn event_after(event: Option<FlowEvent>) -> Option<FlowEvent> {
    Some(match event {
        None => FlowEvent::CodeCame,
        Some(FlowEvent::CodeCame) => FlowEvent::Refused,
        Some(FlowEvent::Refused) => FlowEvent::SlotFree,
        Some(FlowEvent::SlotFree) => FlowEvent::Unnoted,
        Some(FlowEvent::Unnoted) => FlowEvent::NeverLeft,
        Some(FlowEvent::NeverLeft) => FlowEvent::WantedLater,
        Some(FlowEvent::WantedLater) => FlowEvent::WrongClient,
        Some(FlowEvent::WrongClient) => FlowEvent::Settled,
        Some(FlowEvent::Settled) => FlowEvent::Spent,
        Some(FlowEvent::Spent) => FlowEvent::SpentInSight,
        Some(FlowEvent::SpentInSight) => FlowEvent::Overtaken,
        Some(FlowEvent::Overtaken) => FlowEvent::TimeOver,
        Some(FlowEvent::TimeOver) => FlowEvent::Retry,
        Some(FlowEvent::Retry) => FlowEvent::Stopped,
        Some(FlowEvent::Stopped) => FlowEvent::Canceled,
        Some(FlowEvent::Canceled) => FlowEvent::Disowned,
        Some(FlowEvent::Disowned) => return None,
    })
}

fn stages() -> impl Iterator<Item = ProcessStage> {
    std::iter::successors(stage_after(None), |stage| stage_after(Some(*stage)))
}

fn events() -> impl Iterator<Item = FlowEvent> {
    std::iter::successors(event_after(None), |event| event_after(Some(*event)))
}

fn all() -> impl Iterator<Item = (ProcessStage, FlowEvent, Starter)> {
    stages().flat_map(|stage| {
        events().flat_map(move |event| STARTERS.into_iter().map(move |it| (stage, event, it)))
    })
}

/// A name in the words of the table: `NeverLeft` is "never left".
fn words(name: &impl std::fmt::Debug) -> String {
    let mut words = String::new();
    for c in format!("{name:?}").chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

fn table() -> String {
    let mut table =
        String::from("| stage | event | starter | next stage | effects |\n|---|---|---|---|---|\n");
    for stage in stages() {
        for event in events() {
            let decided = STARTERS.map(|starter| (starter, decide(starter, stage, event)));
            let mut told: Vec<Option<(ProcessStage, &[FlowEffect])>> = Vec::new();
            for (_, decision) in decided {
                if decision.is_none() || told.contains(&decision) {
                    continue;
                }
                told.push(decision);
                let whose: Vec<_> =
                    decided.iter().filter(|(_, it)| *it == decision).map(|(it, _)| words(it)).collect();
                let whose = if whose.len() == STARTERS.len() { "any".into() } else { whose.join(", ") };
                let Some((next, effects)) = decision else { continue };
                let effects: Vec<_> = effects.iter().map(words).collect();
                let (stage, event, next, effects) =
                    (words(&stage), words(&event), words(&next), effects.join(", "));
                writeln!(table, "| {stage} | {event} | {whose} | {next} | {effects} |").unwrap();
            }
        }
    }
    table
}

#[test]
fn the_whole_table_stands_in_the_documents() {
    const BEGIN: &str = "<!-- The engine's table, written by its test. -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/architecture.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let after = rest.find("\n\n").map_or("", |end| &rest[end + 1..]);
    let written = format!("{before}{BEGIN}{}{after}", table());
    if written != document {
        std::fs::write(path, written).unwrap();
        panic!("docs/architecture.md was stale and is written anew: look at it and commit");
    }
}

#[test]
fn a_code_is_noted_before_it_waits_and_sent_only_from_there() {
    for (stage, event, starter) in all() {
        let Some((next, effects)) = decide(starter, stage, event) else { continue };
        if next == ProcessStage::Arrived {
            // Both are of a code that is noted.
            assert!(matches!(event, FlowEvent::CodeCame | FlowEvent::Retry), "{event:?}");
        }
        assert_eq!(
            effects.contains(&FlowEffect::Send),
            (stage, next) == (ProcessStage::Arrived, ProcessStage::Sent)
        );
    }
}

#[test]
fn a_browser_is_answered_only_once_the_end_is_in_the_ledger() {
    for (stage, event, starter) in all() {
        let Some((_, effects)) = decide(starter, stage, event) else { continue };
        let at = |which| effects.iter().position(|it| *it == which);
        if let (Some(closed), Some(replied)) = (at(FlowEffect::EndInLedger), at(FlowEffect::Reply)) {
            assert!(closed < replied, "{stage:?} {event:?}");
        }
    }
}

#[test]
fn what_was_answered_is_never_stopped_or_canceled() {
    for starter in STARTERS {
        for stage in [ProcessStage::Arrived, ProcessStage::Sent] {
            assert_eq!(decide(starter, stage, FlowEvent::Stopped), None);
            assert_eq!(decide(starter, stage, FlowEvent::Canceled), None);
        }
    }
}

#[test]
fn what_ended_stays_ended_and_its_starter_hears_once_of_what_isnt_waited_for_any_more() {
    let is_waited_for = |stage| !matches!(stage, ProcessStage::Left | ProcessStage::Ended);
    for (stage, event, starter) in all() {
        let Some((next, effects)) = decide(starter, stage, event) else { continue };
        assert_ne!(stage, ProcessStage::Ended, "{event:?}");
        let told = effects.iter().filter(|it| matches!(it, FlowEffect::Report | FlowEffect::Leave)).count();
        // Who cancels knows, and who was overtaken is told of what overtook it.
        let knows = matches!(event, FlowEvent::Canceled | FlowEvent::Disowned | FlowEvent::Overtaken);
        let expected = usize::from(is_waited_for(stage) && !is_waited_for(next) && !knows);
        assert_eq!(told, expected, "{starter:?} {stage:?} {event:?}");
    }
}

#[test]
fn nothing_but_its_grant_or_a_refusal_closes_a_flow() {
    for (stage, event, starter) in all() {
        let Some((_, effects)) = decide(starter, stage, event) else { continue };
        // A code that was sent and brought nothing is judged by custody, which opens the flow again.
        if effects.contains(&FlowEffect::EndInLedger) {
            assert!(
                event == FlowEvent::Refused || stage == ProcessStage::Sent,
                "{starter:?} {stage:?} {event:?}"
            );
        }
        if matches!(event, FlowEvent::TimeOver | FlowEvent::Stopped | FlowEvent::Canceled)
            && stage == ProcessStage::Asked
        {
            let left_open = [FlowEffect::LeaveOpen, FlowEffect::LeaveOpenWithReason];
            assert!(effects.iter().any(|it| left_open.contains(it)), "{starter:?} {event:?}");
        }
    }
}

#[test]
fn why_nobody_waits_any_more_is_in_the_history_where_its_starter_is_told_so() {
    for (stage, event, starter) in all() {
        let Some((_, effects)) = decide(starter, stage, event) else { continue };
        let tells = effects.contains(&FlowEffect::Report);
        assert!(!effects.contains(&FlowEffect::LeaveOpen) || !tells, "{starter:?} {stage:?} {event:?}");
        assert!(
            !effects.contains(&FlowEffect::LeaveOpenWithReason) || tells,
            "{starter:?} {stage:?} {event:?}"
        );
    }
}

#[test]
fn a_server_that_goes_on_opens_again_what_ends_with_its_code() {
    for (stage, event, starter) in all() {
        let Some((next, effects)) = decide(starter, stage, event) else { continue };
        let expected = starter == Starter::Server
            && matches!(stage, ProcessStage::Arrived | ProcessStage::Sent)
            && next == ProcessStage::Ended;
        assert_eq!(effects.last() == Some(&FlowEffect::Reopen), expected, "{starter:?} {stage:?} {event:?}");
    }
    let events = [FlowEvent::CodeCame, FlowEvent::SlotFree];
    let (mut engine, flow, _) = driven(Starter::Server, &events);
    assert!(engine.on(&flow, FlowEvent::Settled, Instant::now()).contains(&FlowEffect::Reopen));
    let (mut engine, flow, _) = driven(Starter::Server, &events);
    engine.stop();
    assert!(!engine.on(&flow, FlowEvent::Settled, Instant::now()).contains(&FlowEffect::Reopen));
}

/// A flow whose code came, after these events, and what each of them led to.
fn driven(starter: Starter, events: &[FlowEvent]) -> (FlowEngine, FlowId, Vec<Vec<FlowEffect>>) {
    let (mut engine, flow, now) = (FlowEngine::new(starter), FlowId("flow".into()), Instant::now());
    engine.asked(flow.clone(), 0, "https://biotrack.example/grant".into(), Some(now));
    engine.code_arrived(&flow, Secret::new("a code"), BrowserReply::nobody("L-1".into()), now);
    let effects = events.iter().map(|event| {
        let effects = engine.on(&flow, *event, now);
        if effects.contains(&FlowEffect::Send) {
            assert_eq!(engine.next_to_send().as_ref(), Some(&flow));
        }
        effects
    });
    let effects = effects.collect();
    (engine, flow, effects)
}

#[test]
fn a_run_that_loses_the_provider_sends_the_code_when_it_is_back() {
    use FlowEvent::{CodeCame, NeverLeft, Retry, Settled, SlotFree};
    let (engine, flow, effects) =
        driven(Starter::Run, &[CodeCame, SlotFree, NeverLeft, Retry, SlotFree, Settled]);
    let expected: [&[FlowEffect]; 6] =
        [&[], &[FlowEffect::Send], &[], &[], &[FlowEffect::Send], &[FlowEffect::Reply, FlowEffect::Report]];
    assert_eq!(effects, expected);
    assert_eq!(engine.get(&flow).map(|flow| flow.stage), Some(ProcessStage::Ended));
}

#[test]
fn a_server_retries_for_as_long_as_a_code_lives_and_not_while_it_ends() {
    let (mut engine, flow, _) =
        driven(Starter::Server, &[FlowEvent::CodeCame, FlowEvent::SlotFree, FlowEvent::NeverLeft]);
    let came = engine.get(&flow).and_then(|flow| flow.came).unwrap();
    let again = engine.soonest().unwrap();
    assert_eq!(again, came + RETRY);
    assert_eq!(engine.due(again), std::slice::from_ref(&flow));
    assert!(engine.due(came).is_empty());
    assert!(engine.may_defer(&flow, came + CODE_LIVES - RETRY));
    assert!(!engine.may_defer(&flow, came + CODE_LIVES));
    engine.stop();
    assert!(!engine.may_defer(&flow, came));
}

#[test]
fn an_admins_browser_is_told_at_once_what_is_tried_again_and_never_that_it_was_refused() {
    for event in [FlowEvent::Unnoted, FlowEvent::NeverLeft, FlowEvent::WantedLater] {
        let (engine, flow, effects) =
            driven(Starter::Server, &[FlowEvent::CodeCame, FlowEvent::SlotFree, event]);
        assert_eq!(effects.last().unwrap(), &[FlowEffect::Assure], "{event:?}");
        assert_eq!(engine.get(&flow).map(|flow| flow.stage), Some(ProcessStage::Deferred));
    }
}

#[test]
fn a_code_that_is_wanted_later_waits_for_as_long_as_it_lives_whoever_started_it() {
    for starter in STARTERS {
        let (mut engine, flow, _) =
            driven(starter, &[FlowEvent::CodeCame, FlowEvent::SlotFree, FlowEvent::WantedLater]);
        let came = engine.get(&flow).and_then(|flow| flow.came).unwrap();
        let (later, second) = (came + CODE_LIVES / 2, Duration::from_secs(1));
        assert!(engine.lives_until(&flow, later) && !engine.lives_until(&flow, came + CODE_LIVES));
        engine.wait_until(&flow, later);
        assert_eq!(engine.soonest(), Some(later));
        assert!(engine.deferred(later - second).is_empty(), "never sooner than the provider wants it");
        assert_eq!(engine.deferred(later), std::slice::from_ref(&flow));
        engine.on(&flow, FlowEvent::Retry, later);
        assert_eq!(engine.next_to_send().as_ref(), Some(&flow));
        engine.stop();
        assert!(!engine.lives_until(&flow, later));
    }
}

#[test]
fn what_a_wrong_client_sent_is_left_to_the_next_command_and_a_server_tries_it_itself() {
    let events = [FlowEvent::CodeCame, FlowEvent::SlotFree, FlowEvent::WrongClient];
    for (starter, told) in [(Starter::One, FlowEffect::Report), (Starter::Run, FlowEffect::Leave)] {
        let (_, _, effects) = driven(starter, &events);
        assert_eq!(effects.last().unwrap(), &[FlowEffect::Reply, told]);
    }
    let (engine, flow, effects) = driven(Starter::Server, &events);
    assert_eq!(effects.last().unwrap(), &[FlowEffect::Assure, FlowEffect::WaitAgain]);
    let came = engine.get(&flow).and_then(|flow| flow.came).unwrap();
    assert_eq!(engine.soonest(), Some(came + CODE_LIVES - RETRY));
}

#[test]
fn whoever_ends_with_a_code_in_hand_tells_its_browser_that_it_is_kept() {
    for starter in STARTERS {
        let (_, effects) = decide(starter, ProcessStage::Deferred, FlowEvent::Stopped).unwrap();
        assert_eq!(effects.first(), Some(&FlowEffect::Keep), "{starter:?}");
    }
}

#[test]
fn codes_are_sent_in_the_order_in_which_they_came() {
    let (mut engine, now) = (FlowEngine::new(Starter::Run), Instant::now());
    let flows = ["c", "a", "b"].map(|name| FlowId(name.into()));
    for (item, flow) in flows.iter().enumerate() {
        engine.asked(flow.clone(), item, String::new(), None);
        engine.on(flow, FlowEvent::CodeCame, now);
    }
    assert_eq!(engine.at(ProcessStage::Arrived), flows, "in their licenses' order");
    let sent: Vec<_> = std::iter::from_fn(|| engine.next_to_send()).collect();
    assert_eq!(sent, flows);
}
