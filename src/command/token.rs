//! `token`: the access token of a living grant, refreshed first where it wouldn't last.

use super::{Invocation, Workspace, online};
use crate::custody::{AccessToken, CachedToken};
use crate::error::{Error, Kind, LedgerError, Result, clean};
use crate::model::authorization::selector as selector_of;
use crate::model::duration::parse;
use crate::model::ids::Key;
use crate::model::selection;
use crate::report::token_document;
use jiff::SignedDuration;
use secrecy::zeroize::Zeroizing;

/// Print the access token of a living grant, refreshed first where it wouldn't last
///
/// One process at a time refreshes a license: the others wait for it, and print what it got. The new tokens are stored
/// before the access token is printed. Where BioTrack doesn't say how long an access token lives, an hour is assumed. The
/// ledger notes once a day that a token was used: `status` shows when that was last.
///
/// Where there is no living grant, or BioTrack says that it's dead, the exit code is 4, and the command that has it
/// consented again is named. A token isn't printed on a terminal unless --reveal is given; to hand it to a program, `exec`
/// keeps it out of shell histories and scrollback.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth token 101-X0007-D1 | report-sales --token-stdin
  biotrack-auth token 101-X0007-D1 --format header | curl -H @- https://…/api/v1/inventory
  biotrack-auth token 101-X0007-D1 --min-valid 30m --json")]
pub struct Args {
    /// Which: a license, UBI/LICENSE, an OCM license or a store's name
    #[arg(value_name = "SELECTOR")]
    selector: String,

    /// Refresh it unless it's valid for this much longer [default: 10m]
    // defense: S52 no-option-takes-a-secret
    #[arg(long, value_name = "TIME")]
    min_valid: Option<String>,

    /// How to print it [default: raw]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,

    /// Print it even on a terminal
    #[arg(long)]
    reveal: bool,
}

/// What a long request may need.
pub(super) const MIN_VALID: &str = "10m";

/// How a token is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The token, and a line's end
    Raw,
    /// An HTTP header: Authorization: Bearer …
    Header,
    /// One document, with its end and its license
    Json,
}

pub(super) fn run<'a>(args: Args, call: &Invocation<'a>) -> Result<u8> {
    let terminal = &call.env.terminal;
    if terminal.out_is_terminal() && !args.reveal {
        return Err(Error::Usage {
            what: "a token isn't printed on a terminal".into(),
            hint: "Pipe it into what needs it, or have the command exec hand it over; or add --reveal."
                .into(),
        });
    }
    let format = match (args.format, call.json) {
        (None | Some(Format::Json), true) => Format::Json,
        (format, false) => format.unwrap_or(Format::Raw),
        _ => {
            return Err(Error::Usage {
                what: "--json doesn't go with another --format".into(),
                hint: "Leave one of them out.".into(),
            });
        }
    };
    let wanted = args.min_valid.as_deref().map(|text| parse("time", text)).transpose()?;
    let min = wanted.map_or_else(|| parse("time", MIN_VALID), Ok)?;
    call.bench()?.work(call, |bench| {
        let fresh = fresh(call, bench, &args.selector, min)?;
        if let (Some(_), Some(ends)) = (wanted, fresh.expires_at)
            && fresh.life.is_some_and(|life| life < min)
            && !fresh.is_unsettled
        {
            let until = bench.provider.zone.time(ends);
            terminal.info(&format!(
                "Note: no access token of {} is valid for as long as --min-valid asks; this one is until {until}.",
                clean(&bench.provider.host())
            ));
        }
        terminal.answer(&printed(call, &fresh, format)?)?;
        bench.custody.note_use(&fresh.record);
        Ok(0)
    })
}

fn printed(call: &Invocation<'_>, fresh: &AccessToken, format: Format) -> Result<Zeroizing<String>> {
    let token = fresh.token.expose();
    Ok(Zeroizing::new(match format {
        Format::Raw => format!("{token}\n"),
        // Whatever the case it was told in, RFC 6750 2.1 writes it so.
        Format::Header => format!("Authorization: Bearer {token}\n"),
        Format::Json => call.json_text(&token_document(
            &fresh.record,
            token,
            &fresh.token_type,
            fresh.expires_at,
            fresh.refreshed,
        ))?,
    }))
}

fn may_be_spent(error: &Error) -> bool {
    matches!(error, Error::Ledger(LedgerError::MayBeSpent { .. }))
}

/// The access token of what a selector names; the provider is asked only where it must be.
pub(super) fn fresh<'a>(
    call: &Invocation<'a>,
    bench: &mut Workspace<'a>,
    selector: &str,
    min: SignedDuration,
) -> Result<AccessToken> {
    let provider = bench.provider.clone();
    let standings = bench.custody.ledger().find_by_selectors(&provider.profile, &[selector.to_owned()])?;
    let key =
        selection::one(selector, Some(&provider.profile), &standings, |it| &it.record)?.record.key.clone();
    drop(standings);
    of_record(call, bench, &key, min).map_err(|e| e.of_license(&selector_of(&key, provider.other())))
}

fn of_record<'a>(
    call: &Invocation<'a>,
    bench: &mut Workspace<'a>,
    key: &Key,
    min: SignedDuration,
) -> Result<AccessToken> {
    let provider = bench.provider.clone();
    if let CachedToken::Lasts(fresh) = bench.custody.at_hand(key, min)? {
        return Ok(fresh);
    }
    let asked = online::connect(call, &provider, &bench.custody).and_then(|client| {
        bench.custody.connect(client);
        bench.custody.fresh(key, min)
    });
    if bench.custody.is_interrupted() {
        // The tokens are stored; whoever pressed Ctrl-C doesn't want this one used.
        return Err(Error::Interrupted { next: None });
    }
    match asked {
        // Reporting goes on while BioTrack is away, or doesn't say what became of a refresh, or somebody else is long at it;
        // and where the ledger went back in time.
        Err(e) if matches!(e.kind(), Kind::Network | Kind::Provider | Kind::Busy) || may_be_spent(&e) => {
            let CachedToken::Unsettled(fresh) = bench.custody.at_hand(key, min)? else { return Err(e) };
            let until =
                fresh.expires_at.map_or_else(String::new, |at| format!(", until {}", provider.zone.time(at)));
            call.env.terminal.info(&format!("Note: {e}. The token from before is still valid{until}."));
            Ok(AccessToken { is_unsettled: true, ..fresh })
        }
        asked => asked,
    }
}
