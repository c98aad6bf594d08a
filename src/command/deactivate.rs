//! `deactivate`: revoke at the provider, forget the tokens, keep the history; the two results told apart.

use super::Call;
use crate::custody::{Revocation, Surrendered};
use crate::error::{Error, Result};
use crate::model::authorization::{Authorization, Standing, State};
use crate::model::outcome::{Ending, Outcome};
use crate::model::provider::{Provider, RevocationScope};
use crate::model::selection;
use jiff::Timestamp;

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
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) fn run(args: Args, call: &Call<'_>) -> Result<u8> {
    let (provider, mut custody) = call.custody()?;
    let standings = custody.ledger().standings(&provider.profile)?;
    let standing = selection::one(&args.selector, &provider.profile, &standings, |it| &it.record)?;
    let record = &standing.record;
    let now = call.env.clock.now();
    let mut outcome = Outcome {
        key: record.key.clone(),
        ending: Ending::Unchanged,
        authorize_url: None,
        standing: Some(standing.clone()),
        error: None,
    };
    if record.deactivated_at.is_some() && !record.revocation_pending {
        let said = format!("{} is deactivated already: nothing to do.\n", record.key.license);
        return call.finish(&provider, &[outcome], &said);
    }
    let warnings = warnings(record, &standings, &provider, now);
    if args.dry_run {
        let said = format!("Would deactivate {}.\n{}", record.key.license, warnings.concat());
        outcome.ending = Ending::Skipped;
        return call.finish(&provider, &[outcome], &said);
    }
    for warning in &warnings {
        call.env.terminal.say(warning.trim_end());
    }
    confirm(&args, record, call)?;
    let exchange = match args.local_only {
        true => None,
        false => Some(super::online::exchange(call, &provider, &custody)?),
    };
    match &exchange {
        Some(exchange) => drop(custody.recover(exchange, &record.key)?),
        None => custody.abandon(&record.key)?,
    }
    let reason = crate::error::clean(args.reason.trim());
    let surrendered = custody.surrender(exchange.as_ref(), &record.key, &reason)?;
    let said = in_words(record, &surrendered);
    outcome.standing = custody.standing(&record.key)?;
    outcome.ending = if surrendered.only_held { Ending::Unchanged } else { Ending::Deactivated };
    if let Revocation::Pending(e) = surrendered.revocation {
        outcome.error = Some(e);
    }
    call.finish(&provider, &[outcome], &said)
}

fn confirm(args: &Args, record: &Authorization, call: &Call<'_>) -> Result<()> {
    let action = format!("deactivating {}", record.key.license);
    if args.yes {
        Ok(())
    } else if !call.env.terminal.attended() {
        Err(Error::NeedsYes { action })
    } else if call.env.terminal.confirm(&format!("Deactivate {}?", record.key.license))? {
        Ok(())
    } else {
        Err(Error::NotConfirmed { what: action })
    }
}

/// What a person should know before saying yes.
fn warnings(record: &Authorization, all: &[Standing], provider: &Provider, now: Timestamp) -> Vec<String> {
    let mut warnings = Vec::new();
    let state = record.state(now, provider.due_window, &provider.zone);
    if matches!(state, State::Active | State::Due) {
        let local = now.to_zoned(provider.zone.clone());
        let during = if (8..22).contains(&local.hour()) {
            format!(" It's {} in {}: business hours.", local.strftime("%A %H:%M"), provider.zone_name)
        } else {
            String::new()
        };
        warnings.push(format!(
            "Warning: {} stops reporting to the state through {} as soon as it's deactivated.{during}\n",
            record.key.license, provider.company
        ));
    }
    if provider.revocation_scope == RevocationScope::Grant && provider.revocation_url.is_some() {
        let account = record.granted_by.as_deref().unwrap_or(record.username.as_str());
        let sharing: Vec<_> = all
            .iter()
            .map(|it| &it.record)
            .filter(|other| {
                other.key != record.key && other.deactivated_at.is_none() && other.expires_at.is_some()
            })
            .filter(|other| other.username.same_as(account) || other.granted_by.as_deref() == Some(account))
            .map(|other| other.key.to_string())
            .collect();
        if !sharing.is_empty() {
            warnings.push(format!(
                "Warning: BioTrack may end every grant of {account} with this one: {}.\n",
                sharing.join(", ")
            ));
        }
    }
    warnings
}

fn in_words(record: &Authorization, surrendered: &Surrendered) -> String {
    let license = &record.key.license;
    let here = if surrendered.only_held {
        format!(
            "{license}: the held grant is thrown away; the licence's own grant is untouched. To give that up too, run the command again."
        )
    } else {
        format!("{license} is deactivated here; its history is kept.")
    };
    let there = match &surrendered.revocation {
        Revocation::Revoked => "At BioTrack: revoked.",
        Revocation::NotOffered => {
            "At BioTrack: not revoked, because it offers no way to; the grant stays valid there until it lapses or the admin removes it."
        }
        Revocation::NotAsked => {
            "At BioTrack: not asked (--local-only); the grant stays valid there until it lapses or the admin removes it."
        }
        Revocation::Nothing => "At BioTrack: there was no grant to revoke.",
        Revocation::Pending(_) => {
            "At BioTrack: NOT revoked yet; the tokens are kept for it. Run the same command again to try once more."
        }
    };
    format!("{here}\n{there}\n")
}
