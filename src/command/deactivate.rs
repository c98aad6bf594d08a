//! `deactivate`: revoke at the provider, forget the tokens, keep the history; the two results told apart.

use super::{Bench, Call, outcome_or_error};
use crate::custody::{Asking, Extent, Revocation};
use crate::error::{Error, ProviderError, Result, clean};
use crate::model::authorization::{Authorization, Condition, Standing, State};
use crate::model::ids::{Key, same_account};
use crate::model::outcome::{Ending, Outcome};
use crate::model::provider::{Provider, RevocationScope};
use crate::model::selection;
use jiff::Timestamp;

/// The hours of the profile's zone in which stores sell.
const BUSINESS_HOURS: std::ops::Range<i8> = 8..22;

/// Give a licence up: revoke its grant at BioTrack, forget the tokens, keep the history
///
/// The store's reporting through this integrator stops at once. During business hours (8:00 to 22:00 in the profile's
/// zone) that is warned about, unless the grant has expired or is invalid already.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth deactivate 101-X0007-D1
  biotrack-auth deactivate 101-X0007-D1 --yes --reason \"store closed\"")]
pub struct Args {
    /// Which: a licence, UBI/LICENSE, an OCM licence or a store's name
    #[arg(value_name = "SELECTOR", required = true)]
    selector: String,

    /// Don't ask
    #[arg(long)]
    yes: bool,

    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Forget the tokens here and don't ask BioTrack to revoke: the grant stays valid there until it lapses
    #[arg(long)]
    local_only: bool,

    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
}

pub(super) fn run<'a>(args: Args, call: &Call<'a>) -> Result<u8> {
    call.bench()?.work(call, |bench| deactivate(&args, call, bench))
}

fn deactivate<'a>(args: &Args, call: &Call<'a>, bench: &mut Bench<'a>) -> Result<u8> {
    let (terminal, provider) = (&call.env.terminal, bench.provider.clone());
    let standings = bench.custody.ledger().standings(&provider.profile)?;
    let standing = selection::one(&args.selector, &provider.profile, &standings, |it| &it.record)?;
    let record = &standing.record;
    let key = &record.key;
    if record.deactivated_at.is_some() && !bench.custody.has_left(key)? {
        let outcome = Outcome::of(key.clone(), Ending::Unchanged, Some(standing.clone()));
        return call.finish(
            &provider,
            &[outcome],
            &format!("{} is deactivated already: nothing to do.\n", key.license),
        );
    }
    let extent = Extent::of(record);
    let (intent, warnings) =
        (intent(record, extent), warnings(record, extent, &standings, &provider, call.env.clock.now()));
    warnings.iter().for_each(|warning| terminal.say(warning));
    if args.dry_run {
        let outcome = Outcome::of(key.clone(), Ending::Skipped, Some(standing.clone()));
        return call.finish(&provider, &[outcome], &format!("Would {intent}.\n"));
    }
    confirm(args, &intent, call)?;
    match give_up(args, call, bench, key, extent) {
        Ok((outcome, said)) => call.finish(&provider, &[outcome], &said),
        Err(e) => call.finish(&provider, &[outcome_or_error(key, bench.custody.standing(key)?, e)?], ""),
    }
}

fn give_up<'a>(
    args: &Args,
    call: &Call<'a>,
    bench: &mut Bench<'a>,
    key: &Key,
    extent: Extent,
) -> Result<(Outcome, String)> {
    let (provider, custody) = (bench.provider.clone(), &mut bench.custody);
    let before = custody.standing(key)?;
    let uncertain =
        before.as_ref().is_some_and(|it| it.conditions(call.env.clock.now()).contains(&Condition::Uncertain));
    let asking = match args.local_only {
        true => {
            custody.abandon(key)?;
            Asking::Nobody
        }
        false => match super::online::exchange(call, &provider, custody) {
            Ok(exchange) => {
                custody.connect(exchange);
                custody.recover(key)?;
                Asking::Provider
            }
            // Given up here all the same; what an earlier run left must be finished first, though.
            Err(e) if away(&e) && before.is_some_and(|it| it.flows.is_empty()) => Asking::Later(e),
            Err(e) => return Err(e),
        },
    };
    let reason = clean(args.reason.trim());
    let revocation = custody.surrender(key, extent, asking, &reason)?;
    let said = in_words(key, extent, &revocation, uncertain);
    let ending = if extent == Extent::Licence { Ending::Deactivated } else { Ending::Unchanged };
    let mut outcome = Outcome::of(key.clone(), ending, custody.standing(key)?);
    if let Revocation::Pending(e) = revocation {
        outcome.error = Some(e);
    }
    Ok((outcome, said))
}

fn confirm(args: &Args, intent: &str, call: &Call<'_>) -> Result<()> {
    if args.yes {
        Ok(())
    } else if !call.env.terminal.attended() {
        Err(Error::NeedsYes { action: format!("to {intent}") })
    } else {
        let question = format!("Really {intent}?");
        match call.env.terminal.confirm(&question)? {
            true => Ok(()),
            false => Err(Error::NotConfirmed { what: question }),
        }
    }
}

/// What will be given up, after "to".
fn intent(record: &Authorization, extent: Extent) -> String {
    let license = &record.key.license;
    match extent {
        Extent::Licence => format!("deactivate {license}"),
        Extent::Held => {
            let other = record.held_by.as_deref().unwrap_or("another admin");
            format!("throw away the held grant of {other} for {license}, whose own grant stays")
        }
        Extent::Unwanted => format!("revoke the unwanted grant for {license}, whose own grant stays"),
    }
}

/// What a person should know before saying yes.
fn warnings(
    record: &Authorization,
    extent: Extent,
    all: &[Standing],
    provider: &Provider,
    now: Timestamp,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if extent != Extent::Licence {
        return warnings;
    }
    let state = record.state(now, provider.due_window, &provider.zone);
    if matches!(state, State::Active | State::Due) {
        let local = now.to_zoned(provider.zone.clone());
        let during = if BUSINESS_HOURS.contains(&local.hour()) {
            format!(" It's {} in {}: business hours.", local.strftime("%A %H:%M"), provider.zone_name)
        } else {
            String::new()
        };
        warnings.push(format!(
            "Warning: {} stops reporting to the state through {} as soon as it's deactivated.{during}",
            record.key.license, provider.company
        ));
    }
    let account = record.granted_by.as_deref().unwrap_or(record.username.as_str());
    if provider.revocation_scope == RevocationScope::Grant
        && (provider.revocation_url.is_some() || provider.metadata)
    {
        let of_the_account = |other: &&Authorization| {
            let granted_by = other.granted_by.as_deref().unwrap_or(other.username.as_str());
            other.username.same_as(account) || same_account(granted_by, account)
        };
        let sharing: Vec<_> = all
            .iter()
            .map(|it| &it.record)
            .filter(|other| {
                other.key != record.key && other.deactivated_at.is_none() && other.expires_at.is_some()
            })
            .filter(of_the_account)
            .map(|other| other.key.to_string())
            .collect();
        if !sharing.is_empty() {
            warnings.push(format!(
                "Warning: BioTrack may end every grant of {account} with this one: {}.",
                sharing.join(", ")
            ));
        }
    }
    warnings
}

/// Whether the provider can't be reached now.
fn away(e: &Error) -> bool {
    e.answer_lost() || matches!(e, Error::Provider(ProviderError::Unreachable { .. }))
}

/// The two results, apart. `uncertain`: an answer of the provider had been lost.
fn in_words(key: &Key, extent: Extent, revocation: &Revocation, uncertain: bool) -> String {
    let license = &key.license;
    let here = match extent {
        Extent::Licence => format!("{license} is deactivated here; its history is kept."),
        Extent::Held => {
            format!("{license}: the held grant is thrown away; the licence's own grant is untouched.")
        }
        Extent::Unwanted => format!("{license}: the licence's own grant is untouched."),
    };
    let there = match revocation {
        Revocation::Revoked => "At BioTrack: revoked.",
        Revocation::NotOffered if extent != Extent::Licence => {
            "At BioTrack: not revoked, because that could end the licence's own grant too; it stays valid there until it lapses."
        }
        Revocation::NotOffered => {
            "At BioTrack: not revoked, because it offers no way to; the grant stays valid there until it lapses or the admin removes it."
        }
        Revocation::NotAsked => {
            "At BioTrack: not asked (--local-only); the grant stays valid there until it lapses or the admin removes it."
        }
        Revocation::Nothing if uncertain => {
            "At BioTrack: a grant may still stand. Its answer was lost, so there is no token to revoke it with; the admin can remove it."
        }
        Revocation::Nothing => "At BioTrack: there was nothing left to revoke.",
        Revocation::Pending(_) => {
            "At BioTrack: NOT revoked yet; the tokens are kept for it. Run the same command again to try once more."
        }
    };
    format!("{here}\n{there}\n")
}
