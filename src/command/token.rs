//! `token`: the access token of a living grant, refreshed first where it wouldn't last.

use super::{Invocation, Workspace};
use crate::custody::{AccessToken, CachedToken, GrantDoubt};
use crate::error::{Error, ErrorCode, LedgerError, ProviderError, Result, clean};
use crate::model::authorization::selector as selector_of;
use crate::model::duration::parse;
use crate::model::ids::LicenseId;
use crate::model::selection;
use crate::report::token_document;
use jiff::SignedDuration;
use secrecy::zeroize::Zeroizing;

/// Print the access token of a valid grant, and refresh it first if it expires soon
///
/// One process at a time refreshes a license; the others wait for it and print the same token. The new tokens are stored
/// before the access token is printed. If BioTrack doesn't say how long an access token is valid, one hour is assumed. The
/// ledger notes once a day that a token was used; `status` shows the last use.
///
/// If there is no valid grant, or BioTrack calls the grant invalid, the exit code is 4, and the message names the command to
/// get a new grant. A token isn't printed on a terminal unless you add --reveal. To pass a token to a program, use `exec`,
/// which keeps it out of the shell history and the scrollback.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth token 101-X0007-D1 | report-sales --token-stdin
  biotrack-auth token 101-X0007-D1 --format header | curl -H @- https://…/api/v1/inventory
  biotrack-auth token 101-X0007-D1 --min-valid 30m --json")]
pub struct Args {
    /// Select a license by license, UBI/LICENSE, OCM license or store name
    #[arg(value_name = "SELECTOR")]
    selector: String,

    /// Refresh the token if it's valid for less than TIME [default: 10m]
    // defense: S52 no-option-takes-a-secret
    #[arg(long, value_name = "TIME")]
    min_valid: Option<String>,

    /// Choose the output format [default: raw]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,

    /// Print the token even on a terminal
    #[arg(long)]
    reveal: bool,
}

/// What a long request may need.
pub(super) const MIN_VALID: &str = "10m";

/// How a token is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The token, followed by a newline
    Raw,
    /// An HTTP header: Authorization: Bearer …
    Header,
    /// One JSON document with the token, its expiry and its license
    Json,
}

pub(super) fn run<'a>(args: Args, call: &Invocation<'a>) -> Result<u8> {
    let terminal = &call.env.terminal;
    if terminal.out_is_terminal() && !args.reveal {
        return Err(Error::Usage {
            what: "a token isn't printed on a terminal".into(),
            hint: "Pipe it into a program, pass it with the command exec, or add --reveal.".into(),
        });
    }
    let format = match (args.format, call.json) {
        (None | Some(Format::Json), true) => Format::Json,
        (format, false) => format.unwrap_or(Format::Raw),
        _ => {
            return Err(Error::Usage {
                what: "--json can't be combined with another --format".into(),
                hint: "Remove one of them.".into(),
            });
        }
    };
    let wanted = args.min_valid.as_deref().map(|text| parse("time", text)).transpose()?;
    let min = wanted.map_or_else(|| parse("time", MIN_VALID), Ok)?;
    call.workspace()?.work(call, |workspace| {
        let fresh = fresh(call, workspace, &args.selector, min)?;
        if let (Some(_), Some(ends)) = (wanted, fresh.expires_at)
            && fresh.life.is_some_and(|life| life < min)
            && !fresh.is_unsettled
        {
            let until = workspace.provider.zone.time(ends);
            terminal.info(&format!(
                "Note: no access token for {} stays valid as long as --min-valid requires; this one is valid until {until}.",
                clean(&workspace.provider.host())
            ));
        }
        terminal.answer(&printed(call, &fresh, format)?)?;
        workspace.custody.note_use(&fresh.record);
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

/// Whether the tokens from before a refresh that failed are as good as they were: it says nothing against the grant, and this
/// host's own vault and ledger are as they should be.
fn leaves_the_grant(error: &Error) -> bool {
    use ErrorCode::{Busy, Config, Denied, Network, Provider, Timeout};
    matches!(error.kind(), Network | Provider | Busy | Config | Denied | Timeout)
        || matches!(error, Error::Ledger(LedgerError::MayBeSpent { .. }))
}

/// What to do about a refresh that failed for a reason that doesn't pass by itself.
fn lasting_hint(error: &Error) -> String {
    let passes = matches!(error.kind(), ErrorCode::Network | ErrorCode::Provider | ErrorCode::Busy);
    let is_refused = matches!(error, Error::Provider(ProviderError::TokenRefused { .. }));
    let hint = if passes && !is_refused { None } else { error.hint() };
    hint.map_or_else(String::new, |hint| format!("\n  {hint}"))
}

/// The access token of what a selector names; the provider is asked only where it must be.
pub(super) fn fresh<'a>(
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    selector: &str,
    min: SignedDuration,
) -> Result<AccessToken> {
    let provider = workspace.provider.clone();
    let standings =
        workspace.custody.ledger().find_by_selectors(&provider.profile, &[selector.to_owned()])?;
    let key = selection::resolve_one(selector, Some(&provider.profile), &standings, |it| &it.record)?
        .record
        .key
        .clone();
    drop(standings);
    let fresh = of_record(call, workspace, &key, min)
        .map_err(|e| e.for_license(&selector_of(&key, provider.other())))?;
    // Once is enough.
    if let Some(doubt) = fresh.doubt.filter(|_| !fresh.is_unsettled) {
        tell_of_doubt(call, workspace, &key, doubt)?;
    }
    if fresh.life.is_some_and(|life| life <= SignedDuration::ZERO) {
        call.env.terminal.info(&format!(
            "Note: the access tokens of {} expire at once (expires_in is 0): each call refreshes the grant.",
            clean(&provider.host())
        ));
    }
    Ok(fresh)
}

/// The token is handed out all the same, for reporting goes on; but whoever uses it should know.
fn tell_of_doubt<'a>(
    call: &Invocation<'a>,
    workspace: &Workspace<'a>,
    key: &LicenseId,
    doubt: GrantDoubt,
) -> Result<()> {
    let why = match doubt {
        GrantDoubt::RevocationLost => "BioTrack's answer to a revocation was lost",
        GrantDoubt::Outdated => "the ledger went back in time",
    };
    let provider = &workspace.provider;
    let standing = workspace.custody.record(key)?;
    let next = standing.next_command(
        call.env.clock.now(),
        provider.due_window,
        &provider.zone,
        provider.other_profile,
    );
    let next = next.map(|next| format!(" Next: {next}")).unwrap_or_default();
    call.env.terminal.info(&format!("Note: {why}, so the grant of {} may have ended.{next}", key.license));
    Ok(())
}

fn of_record<'a>(
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    key: &LicenseId,
    min: SignedDuration,
) -> Result<AccessToken> {
    let provider = workspace.provider.clone();
    if let CachedToken::Lasts(fresh) = workspace.custody.at_hand(key, min)? {
        return Ok(fresh);
    }
    let asked = workspace.connect(call).and_then(|_| workspace.custody.fresh(key, min));
    if workspace.custody.is_interrupted() {
        // The tokens are stored; whoever pressed Ctrl-C doesn't want this one used.
        return Err(Error::Interrupted { next: None });
    }
    match asked {
        // Reporting goes on while BioTrack is away, refuses, or doesn't say what became of a refresh, or somebody else is long
        // at it; and where the ledger went back in time.
        Err(e) if leaves_the_grant(&e) => {
            let fresh = match workspace.custody.at_hand(key, min) {
                Ok(CachedToken::Unsettled(fresh)) => fresh,
                // Another process was quicker.
                Ok(CachedToken::Lasts(fresh)) => return Ok(fresh),
                _ => return Err(e),
            };
            let until =
                fresh.expires_at.map_or_else(String::new, |at| format!(", until {}", provider.zone.time(at)));
            let hint = lasting_hint(&e);
            call.env.terminal.info(&format!("Note: {e}. The previous token is still valid{until}.{hint}"));
            Ok(AccessToken { is_unsettled: true, ..fresh })
        }
        asked => asked,
    }
}
