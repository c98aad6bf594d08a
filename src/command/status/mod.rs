//! `status`: what there is, from the ledger alone: no keyring, no network, unless `--online` asks the provider first.

mod args;
mod reader;
mod verify;

pub use args::Args;

use super::{Invocation, as_json, blind_spots, read_ledger};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::model::blind_spot::BlindSpot;
use crate::model::duration::parse;
use crate::model::provider::Provider;
use crate::model::selection::Filter;
use crate::report::{
    CheckVerdict, ReportRow, StatusDocument, Threshold, View, calendar, check, csv, document, lines,
    prometheus, schema, table,
};
use crate::system::files;
use args::Format;
use jiff::SignedDuration;
use reader::{StatusMatches, StatusReader};
use std::io::{self, Write};
use std::mem::ManuallyDrop;

pub(super) fn run(args: Args, call: &Invocation<'_>) -> Result<u8> {
    if args.schema {
        call.env.terminal.answer(&schema::<StatusDocument>())?;
        return Ok(0);
    }
    let format = format(&args, call)?;
    let to_terminal = args.output.is_none() && call.env.terminal.out_is_terminal();
    let mark = args.bom.before(format == Format::Csv, to_terminal)?;
    let thresholds =
        (Threshold::parse("warning", &args.warning)?, Threshold::parse("critical", &args.critical)?);
    let window = args.due.clone().flatten().map(|text| parse("window", &text)).transpose()?;
    let config = Config::load(&call.env.paths)?;
    let (profile, providers) = providers(&args, call, &config)?;
    let now = args.at.unwrap_or_else(|| call.env.clock.now());
    let view = View { now, ..call.view(profile.as_deref()) };
    let ledger = read_ledger(call.env, &config)?;
    let reader = StatusReader {
        args: &args,
        ledger: &ledger,
        profile: profile.as_deref(),
        providers: &providers,
        now,
        guesses: format == Format::Table && !args.check,
    };
    if args.online {
        verify::look(&args, call, &reader.all_meant()?)?;
    }
    let narrowings: Vec<_> = providers.iter().map(|provider| narrowing(&args, window, provider)).collect();
    let checked = args.check.then(|| thresholds.0.window().zip(thresholds.1.window())).flatten();
    let StatusMatches { found, beside, guessed } =
        reader.meant(&narrowings, checked.map(|(warning, critical)| warning.max(critical)))?;
    // The process ends with the answer: ten thousand records needn't be given back one by one before.
    let found = ManuallyDrop::new(found);
    let rows: Vec<ReportRow<'_>> = found
        .iter()
        .flat_map(|it| it.standings.iter().map(|standing| ReportRow::at(now, standing, it.provider)))
        .collect();
    let unseen = blind_spots(&args, call, &config, &ledger)?;
    if args.check {
        let CheckVerdict { exit, text } =
            check(&rows, beside, &unseen, thresholds.0, thresholds.1, args.allow_empty, now);
        deliver(&args, call, whole(text))?;
        return Ok(exit);
    }
    blind_spots::tell(&unseen, call);
    if !guessed.is_empty() {
        let texts: Vec<_> = guessed.iter().map(|text| format!("\"{text}\"")).collect();
        let these = if rows.is_empty() { "" } else { " These contain the text." };
        call.env.terminal.info(&format!("No authorization is named {}.{these}", texts.join(" or ")));
    }
    let answer = match format {
        Format::Table => for_people(&args, call, &ledger, &rows, &view, guessed.is_empty())?,
        Format::Json => Box::new(|out: &mut dyn Write| {
            serde_json::to_writer_pretty(&mut *out, &document(&rows, &view))?;
            out.write_all(b"\n")
        }),
        Format::Jsonl => whole(as_json(lines(&rows))?),
        Format::Csv => whole(format!("{mark}{}", csv(&rows)?)),
        Format::Prometheus => {
            let profiles: Vec<_> = providers.iter().map(|provider| provider.profile.clone()).collect();
            whole(prometheus(&rows, &profiles, &unseen, now))
        }
        Format::Ics => whole(calendar(&rows, &config.hooks.days, now)),
    };
    deliver(&args, call, answer)?;
    Ok(0)
}

/// Writes an answer: a long one is never whole in memory.
type WriteReport<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

fn whole<'a>(text: impl Into<String>) -> WriteReport<'a> {
    let text = text.into();
    Box::new(move |out| out.write_all(text.as_bytes()))
}

/// The profile that is reported on, or all of them.
fn providers(args: &Args, call: &Invocation<'_>, config: &Config) -> Result<(Option<String>, Vec<Provider>)> {
    if args.all_profiles {
        let all = config.names().iter().map(|name| config.provider(name)).collect::<Result<_>>()?;
        return Ok((None, all));
    }
    let (name, _) = config.profile_name(call.profile.as_deref(), &call.env.variables)?;
    let provider = config.provider(&name)?;
    Ok((Some(name), vec![provider]))
}

/// What this look can't see: of licenses that are named, and at an instant that is, nothing.
fn blind_spots(
    args: &Args,
    call: &Invocation<'_>,
    config: &Config,
    ledger: &Ledger,
) -> Result<Vec<BlindSpot>> {
    let mut found = match args.all_profiles && args.selectors.is_empty() {
        true => blind_spots::of_all_profiles(ledger, config)?,
        false => Vec::new(),
    };
    if args.at.is_none() {
        found.extend(blind_spots::of_the_clock(ledger, call)?);
    }
    Ok(found)
}

/// `--json` is `--format json`, and neither goes with `--check`.
fn format(args: &Args, call: &Invocation<'_>) -> Result<Format> {
    match (args.format, call.json) {
        (None, false) => Ok(Format::Table),
        (None | Some(Format::Json), true) if !args.check => Ok(Format::Json),
        (Some(format), false) => Ok(format),
        _ => Err(Error::Usage {
            what: "--json can't be combined with --check or another --format".into(),
            hint: "Remove one of them.".into(),
        }),
    }
}

fn narrowing(args: &Args, window: Option<SignedDuration>, provider: &Provider) -> Filter {
    Filter {
        due: args.due.as_ref().map(|_| window.unwrap_or(provider.due_window)),
        states: args.states.clone(),
        tag: args.tag.clone(),
        user: args.user.clone(),
    }
}

/// The table; the card, where one license was named; what to do next, where there is nothing.
fn for_people<'a>(
    args: &Args,
    call: &Invocation<'_>,
    ledger: &Ledger,
    rows: &'a [ReportRow<'_>],
    view: &'a View,
    named: bool,
) -> Result<WriteReport<'a>> {
    let narrowed = args.due.is_some() || !args.states.is_empty() || args.tag.is_some() || args.user.is_some();
    Ok(match rows {
        // So that cron mails only when someone must act.
        [] if call.quiet => whole(""),
        [] if args.due.is_some() => whole("No licenses are due.\n"),
        [] if narrowed => whole("No matching authorizations.\n"),
        [] => whole("No licenses are registered yet.\nNext: biotrack-auth register\n"),
        [one] if named && !args.selectors.is_empty() => whole(call.card(ledger, one, view.now)?),
        several => Box::new(|out| table(several, view, out)),
    })
}

fn deliver(args: &Args, call: &Invocation<'_>, answer: WriteReport<'_>) -> Result<()> {
    const FOR_ALL: u32 = 0o644;
    let Some(file) = args.output.as_ref().filter(|file| file.as_os_str() != "-") else {
        return call.env.terminal.answer_by(answer);
    };
    let mut text = Vec::new();
    answer(&mut text).map_err(Error::Output)?;
    files::replace(file, &text, FOR_ALL)
}
