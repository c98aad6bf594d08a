//! `history`: what happened, whether the chain is whole, and what may go after five years.

use super::form::{ByteOrderMark, format_of};
use super::{Invocation, as_json, ledger_of, ledger_to_read, read_ledger};
use crate::config::Config;
use crate::error::{Error, LedgerError, Result, counted};
use crate::ledger::Ledger;
use crate::model::duration::ago;
use crate::model::history::{Chain, ChainLink};
use crate::model::instant::Zone;
use crate::model::provider::Provider;
use crate::model::selection;
use crate::report::{
    HistoryDocument, PruneDocument, VerifyDocument, history_csv, history_lines, history_table,
};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeSet;

/// For how long a history is kept, unless someone decides otherwise.
const KEPT_YEARS: i64 = 5;

/// Show the history of authorizations, oldest event first
///
/// The history is append-only, and each entry holds the hash of the previous one: `history verify` finds the first entry that
/// was changed or is missing. Without SELECTOR, the command also shows events of the whole ledger.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  biotrack-auth history --since 30d
  biotrack-auth history 101-X0007-D1 --json
  biotrack-auth history verify
  biotrack-auth history prune --before 2021-11-23 --yes"
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,

    /// Select only these, by license, UBI/LICENSE, OCM license or store name
    #[arg(value_name = "SELECTOR")]
    selectors: Vec<String>,

    /// Show only events since TIME: 30d, an instant (RFC 3339) or a day
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Choose the output format [default: table]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,

    #[command(flatten)]
    bom: ByteOrderMark,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Verify the whole chain; exit with 1 and the first broken entry if it is broken
    ///
    /// The command prints the last entry's hash: keep it elsewhere to prove later that nothing was rewritten.
    #[command(after_help = "\
Examples:
  biotrack-auth history verify
  biotrack-auth history verify --json | jq -r .head >> /mnt/elsewhere/heads")]
    Verify,
    /// Remove old entries, and leave an anchor to verify the rest from
    ///
    /// The command removes the entries of all profiles before TIME. It keeps entries younger than five years unless you add
    /// --yes. The anchor holds the last removed entry's number, hash and time, and who removed it.
    #[command(after_help = "\
Examples:
  biotrack-auth history prune                              # older than five years
  biotrack-auth history prune --before 2021-01-01 --yes")]
    Prune(Prune),
}

#[derive(Debug, clap::Args)]
struct Prune {
    /// Remove entries before TIME: 2000d (that long ago), an instant (RFC 3339) or a day [default: five years ago]
    #[arg(long, value_name = "TIME")]
    before: Option<String>,

    /// Don't ask, and also remove entries newer than five years
    #[arg(long)]
    yes: bool,
}

/// How the history is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One document
    Json,
    /// One JSON line for each entry
    Jsonl,
    /// For spreadsheets
    Csv,
}

pub(super) fn run(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    match &args.action {
        None => show(args, call),
        Some(Action::Verify) => verify(call),
        Some(Action::Prune(args)) => prune(args, call),
    }
}

fn show(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    let format = format_of(args.format, call.json.then_some(Format::Json), Format::Table)?;
    let mark = args.bom.before(format == Format::Csv, call.env.terminal.out_is_terminal())?;
    let now = call.env.clock.now();
    let since = args.since.as_ref().map(|text| ago("time", text, now)).transpose()?;
    let config = Config::load(&call.env.paths)?;
    let (profile, _) = config.profile_name(call.profile.as_deref(), &call.env.variables)?;
    let provider = config.provider(&profile)?;
    let links = chosen(args, &read_ledger(call.env, &config)?, &provider, since)?;
    let text = match format {
        Format::Table if links.is_empty() => "No events.\n".into(),
        Format::Table => history_table(&links, &provider.zone, &call.view(Some(&profile))),
        Format::Json => call.json_text(&HistoryDocument::of(&profile, &links))?,
        Format::Jsonl => as_json(history_lines(&links))?,
        Format::Csv => format!("{mark}{}", history_csv(&links)?),
    };
    call.env.terminal.answer(&text)?;
    Ok(0)
}

fn chosen(
    args: &Args,
    ledger: &Ledger,
    provider: &Provider,
    since: Option<Timestamp>,
) -> Result<Vec<ChainLink>> {
    let standings = ledger.find_by_selectors(&provider.profile, &args.selectors)?;
    let (mut named, mut gone) = (BTreeSet::new(), Vec::new());
    for selector in &args.selectors {
        match selection::resolve_one(selector, Some(&provider.profile), &standings, |it| &it.record) {
            Ok(it) => drop(named.insert((it.record.key.ubi.to_string(), it.record.key.license.to_string()))),
            // Its record may be removed; what happened stays.
            Err(e @ Error::NotFound { .. }) => gone.push((selector.trim(), e)),
            Err(e) => return Err(e),
        }
    }
    let of_the_past = match gone.is_empty() {
        true => Vec::new(),
        false => ledger.links(&provider.profile, |link| gone.iter().any(|(it, _)| names(it, link)))?,
    };
    let is_unknown = |it: &str| !of_the_past.iter().any(|link| names(it, link));
    if let Some((_, e)) = gone.into_iter().find(|(it, _)| is_unknown(it)) {
        return Err(e);
    }
    named.extend(of_the_past.into_iter().map(|link| (link.ubi, link.license)));
    let of = |link: &ChainLink| {
        named.is_empty() || named.iter().any(|(ubi, license)| *ubi == link.ubi && *license == link.license)
    };
    ledger.links(&provider.profile, |link| {
        of(link) && since.is_none_or(|since| link.instant().is_none_or(|at| at >= since))
    })
}

fn names(selector: &str, link: &ChainLink) -> bool {
    link.license == selector || selector.split_once('/') == Some((&link.ubi, &link.license))
}

/// The zone of the profile that would be acted on; the history is the whole ledger's, and so there need be none.
fn zone(call: &Invocation<'_>) -> Zone {
    call.provider().map(|(_, provider)| provider.zone.clone()).unwrap_or_default()
}

fn verify(call: &Invocation<'_>) -> Result<u8> {
    let chain = ledger_to_read(call.env)?.verify_history()?;
    let document = VerifyDocument::of(&chain);
    let text = if call.json { call.json_text(&document)? } else { document.in_words(&zone(call)) };
    call.env.terminal.answer(&text)?;
    Ok(u8::from(chain.broken.is_some()))
}

fn prune(args: &Prune, call: &Invocation<'_>) -> Result<u8> {
    let now = call.env.clock.now();
    let kept_since = now
        .to_zoned(TimeZone::UTC)
        .checked_sub(KEPT_YEARS.years())
        .map_or(Timestamp::MIN, |at| at.timestamp());
    let before = match &args.before {
        Some(text) => ago("time", text, now)?,
        None => kept_since,
    };
    let (terminal, zone) = (&call.env.terminal, zone(call));
    if before > kept_since && !args.yes {
        return Err(Error::Usage {
            what: format!(
                "{} is less than five years ago, and history must be kept for five years",
                zone.time(before)
            ),
            hint: "Remove --before, or add --yes if nobody needs these entries.".into(),
        });
    }
    let mut ledger = ledger_of(call.env)?;
    if ledger.verify_history()?.broken.is_some() {
        return Err(LedgerError::BrokenHistory.into());
    }
    let would = ledger.prunable(before)?;
    if would.links > 0 && !args.yes {
        let links = counted(would.links, "entry", "entries");
        let action = format!("remove {links} from the history, up to {}", zone.time(before));
        if !terminal.interactive() {
            return Err(Error::NeedsYes { action: format!("to {action}") });
        }
        let question = format!("Really {action}?");
        if !terminal.confirm(&question)? {
            return Err(Error::NotConfirmed { what: question });
        }
    }
    if before > kept_since && would.links > 0 {
        terminal.info("Note: some of these entries are less than five years old.");
    }
    let Some(pruned) = ledger.prune_history(before, now)? else {
        return Err(LedgerError::BrokenHistory.into());
    };
    told(call, pruned.links, before, &ledger.verify_history()?)
}

fn told(call: &Invocation<'_>, pruned: u64, before: Timestamp, chain: &Chain) -> Result<u8> {
    if call.json {
        call.env.terminal.answer(&call.json_text(&PruneDocument::of(pruned, before, chain))?)?;
        return Ok(0);
    }
    let zone = zone(call);
    let said = match pruned {
        0 => format!("No history entry is older than {}.\n", zone.time(before)),
        _ => format!("{} removed.\n", counted(pruned, "entry was", "entries were")),
    };
    call.env.terminal.answer(&(said + &VerifyDocument::of(chain).in_words(&zone)))?;
    Ok(0)
}
