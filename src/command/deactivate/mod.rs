//! `deactivate`: revoke at the provider, forget the tokens, keep the history; the two results told apart.

mod messages;
mod reporter;
mod targets;
mod warnings;

use super::context::reading;
use super::form::{self, OutputFormat};
use super::{Invocation, Workspace, outcome_or_error};
use crate::custody::{
    DeactivationResult, RecoveryOutcome, Revocation, RevocationMode, has_something_to_revoke,
};
use crate::error::{Error, LedgerError, ProviderError, Result, clean};
use crate::ledger::Ledger;
use crate::model::authorization::{Authorization, AuthorizationWithFlows, discard_waiting, selector};
use crate::model::ids::LicenseId;
use crate::model::outcome::{Outcome, OutcomeKind};
use crate::model::provider::Provider;
use crate::model::selection;
use crate::oauth::RetryPolicy;
use crate::report::results;
use jiff::Timestamp;
pub(super) use messages::LOST;
use reporter::DeactivateReporter;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use targets::{DeactivationScope, DeactivationTarget};

/// Up to so many licenses are named in the question; for more, their number must be typed.
const NAMED: usize = 10;

/// Deactivate licenses: revoke their grants at BioTrack, forget the tokens, keep the history
///
/// The stores stop reporting through this integrator at once. During business hours (8:00 to 22:00 in the profile's zone)
/// the command warns about that, unless the grant has expired or is already invalid.
///
/// If one of several licenses fails, the others continue; run the same command again for the rest. For more than 10
/// licenses, you confirm by typing their number. If BioTrack is too busy to revoke a grant, the command retries a few
/// times; after that it keeps the tokens, and the next `deactivate` tries again.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("which").args(["selectors", "tag"]).required(true).multiple(true))]
#[command(after_help = "\
Examples:
  biotrack-auth deactivate 101-X0007-D1
  biotrack-auth deactivate 101-X0007-D1 --yes --reason \"store closed\"
  biotrack-auth deactivate 101-X0007-D1 101-X0012-D1 --dry-run
  biotrack-auth deactivate 101-X0007-D1 --awaiting             # discard only the grant that awaits approval
  biotrack-auth deactivate --tag downstate                     # every license with the tag
  biotrack-auth deactivate --tag downstate --yes --format jsonl")]
pub struct Args {
    /// Select a license by license, UBI/LICENSE, OCM license or store name; may be given several times
    #[arg(value_name = "SELECTOR")]
    selectors: Vec<String>,

    /// Select every license with this tag; with SELECTOR, only licenses that match both
    #[arg(long, value_name = "TAG", allow_hyphen_values = true)]
    tag: Option<String>,

    /// Discard only the grant that awaits approval, and keep the license and its own grant
    #[arg(long)]
    awaiting: bool,

    /// Don't ask for confirmation
    #[arg(long)]
    yes: bool,

    /// Show what the command would do, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Forget the tokens here without asking BioTrack to revoke: the grant stays valid there until it expires
    #[arg(long)]
    local_only: bool,

    /// Note this reason in the history
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    reason: String,

    /// Choose the output format [default: text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<OutputFormat>,
}

/// Who is asked to revoke, found out once for all.
enum RevocationTarget {
    /// Nobody: `--local-only`.
    Nobody,
    /// The provider, again and again with this patience; but not while it wants to be left alone.
    Provider { patience: RetryPolicy, rest: Option<(Instant, ProviderError)> },
    /// The provider, but not now: it's away.
    Away(ProviderError),
}

pub(super) fn run<'a>(args: Args, call: &Invocation<'a>) -> Result<u8> {
    let form = OutputFormat::of(args.format, call.json)?;
    let done = match args.dry_run {
        true => dry_run(&args, form, call),
        false => call
            .workspace()
            .and_then(|workspace| workspace.work(call, |workspace| deactivate(&args, form, call, workspace))),
    };
    done.or_else(|e| form::refused(form, call, e))
}

/// What would be done: nothing is, and nothing is written.
fn dry_run(args: &Args, form: OutputFormat, call: &Invocation<'_>) -> Result<u8> {
    let (provider, ledger) = reading(call)?;
    let standings = ledger.standings(&provider.profile)?;
    let chosen = chosen(args, &ledger, &provider, &standings)?;
    let mut telling = DeactivateReporter::new(form, call, &provider, &chosen, &ledger, args.awaiting)?;
    warn(&chosen, &standings, &ledger, &provider, call)?;
    telling.would(&chosen)?;
    telling.close()
}

fn deactivate<'a>(
    args: &Args,
    form: OutputFormat,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    let provider = workspace.provider.clone();
    let standings = workspace.custody.ledger().standings(&provider.profile)?;
    let chosen = chosen(args, workspace.custody.ledger(), &provider, &standings)?;
    let ledger = workspace.custody.ledger();
    let mut telling = DeactivateReporter::new(form, call, &provider, &chosen, ledger, args.awaiting)?;
    let going = warn(&chosen, &standings, workspace.custody.ledger(), &provider, call)?;
    let done = confirm(args, &going, call)
        .and_then(|()| give_up_all(args, call, workspace, &chosen, &mut telling))
        .and_then(|()| telling.close());
    match (done, &chosen[..]) {
        (Err(e), [only]) if form == OutputFormat::Json => {
            workspace.refused(call, &only.standing.record.key, e)
        }
        (Err(e), several) if form == OutputFormat::Json => {
            let keys = several.iter().map(|it| it.standing.record.key.clone());
            let document = results(&[], &provider, call.env.clock.now()).with_left(keys, &e);
            call.env.terminal.answer(&call.json_text(&document)?)?;
            call.env.terminal.error(&e);
            Ok(e.exit())
        }
        (done, _) => done,
    }
}

/// Says what a person should know of what is going to be given up.
fn warn<'s>(
    chosen: &[DeactivationTarget<'s>],
    standings: &[AuthorizationWithFlows],
    ledger: &Ledger,
    provider: &Provider,
    call: &Invocation<'_>,
) -> Result<Vec<(&'s AuthorizationWithFlows, DeactivationScope)>> {
    let going: Vec<_> = chosen.iter().filter_map(|it| Some((it.standing, it.extent.clone()?))).collect();
    let doubted = ledger.possibly_spent(&provider.profile)?;
    warnings::of(&going, standings, &doubted, provider, call.env.clock.now())
        .iter()
        .for_each(|warning| call.env.terminal.info(warning));
    Ok(going)
}

/// What a person should know before one license's grant is given up.
pub(super) fn warnings(
    record: &Authorization,
    all: &[AuthorizationWithFlows],
    provider: &Provider,
    now: Timestamp,
) -> Vec<String> {
    let of_it = all.iter().find(|it| it.record.key == record.key);
    of_it.map_or_else(Vec::new, |it| {
        warnings::of(&[(it, DeactivationScope::License)], all, &BTreeSet::new(), provider, now)
    })
}

/// Whether a grant may still stand that nobody here has a token of: the answer to a code or a refresh was lost. A revocation
/// of an earlier run isn't meant: its tokens are here, and were tried again.
pub(super) fn is_in_doubt(
    before: &Authorization,
    recovered: &[RecoveryOutcome],
    given_up: &DeactivationResult,
) -> bool {
    given_up.lost_tokens
        || before.uncertain_at.is_some() && !(before.deactivated_at.is_some() && before.revocation_pending)
        || recovered.iter().any(|it| matches!(it, RecoveryOutcome::Uncertain | RecoveryOutcome::Lost(_)))
}

/// What the arguments mean, by UBI and license. A tag alone passes over what has nothing left.
fn chosen<'s>(
    args: &Args,
    ledger: &Ledger,
    provider: &Provider,
    standings: &'s [AuthorizationWithFlows],
) -> Result<Vec<DeactivationTarget<'s>>> {
    let awaiting = if args.awaiting { ledger.awaiting(&provider.profile, None)? } else { Vec::new() };
    let left = |standing: &AuthorizationWithFlows| match standing.record.deactivated_at {
        Some(_) => has_something_to_revoke(ledger, standing),
        None => Ok(true),
    };
    let named = match args.selectors[..] {
        [] => standings.iter().collect(),
        _ => selection::resolve_all(&args.selectors, &provider.profile, standings, |it| &it.record)?,
    };
    let mut chosen = Vec::with_capacity(named.len());
    for standing in named {
        let record = &standing.record;
        let tagged = args.tag.as_ref().is_none_or(|tag| record.tags.iter().any(|it| it.as_str() == tag));
        if !tagged {
            continue;
        }
        let extent = match args.awaiting {
            true => DeactivationScope::awaiting(record, &awaiting),
            false => left(standing)?.then(|| DeactivationScope::of(record)),
        };
        if extent.is_some() || !args.selectors.is_empty() {
            chosen.push(DeactivationTarget { standing, extent });
        }
    }
    Ok(chosen)
}

fn confirm(
    args: &Args,
    going: &[(&AuthorizationWithFlows, DeactivationScope)],
    call: &Invocation<'_>,
) -> Result<()> {
    if args.yes || going.is_empty() {
        return Ok(());
    }
    let (terminal, count, intent) = (&call.env.terminal, going.len(), messages::intents(going, NAMED));
    if !terminal.interactive() {
        return Err(Error::NeedsYes { action: format!("to {intent}") });
    }
    let (question, sure) = if count > NAMED {
        let question = format!("Type {count} to {intent}");
        let typed = terminal.ask_exactly(&question)?;
        (question, typed.trim() == count.to_string())
    } else {
        let question = format!("Really {intent}?");
        let sure = terminal.confirm(&question)?;
        (question, sure)
    };
    if sure { Ok(()) } else { Err(Error::NotConfirmed { what: question }) }
}

/// One after the other; each ends for itself. Ctrl-C leaves those untouched whose turn hasn't come.
fn give_up_all<'a>(
    args: &Args,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    chosen: &[DeactivationTarget<'_>],
    telling: &mut DeactivateReporter<'_, '_>,
) -> Result<()> {
    let going = chosen.iter().filter(|it| it.extent.is_some()).count();
    let mut reach = None;
    if going > 1 {
        // What is amiss is amiss for all of them, and nothing was done yet.
        reach = Some(RevocationTarget::find(args, call, workspace)?);
        workspace.custody.finish_what_is_under_way(call.env.interrupts()?);
    }
    telling.planned(chosen)?;
    for DeactivationTarget { standing, extent } in chosen {
        let key = &standing.record.key;
        let ended = match extent {
            None => {
                let outcome = Outcome::of(key.clone(), OutcomeKind::Unchanged, Some((*standing).clone()));
                Ok((outcome, messages::nothing_left(key, args.awaiting)))
            }
            Some(_) if workspace.custody.is_interrupted() => {
                telling.untouched(standing);
                continue;
            }
            Some(extent) => give_up(args, call, workspace, key, extent, &mut reach),
        };
        let ended = ended.map_err(|e| e.for_license(&selector(key, workspace.provider.other())));
        let (outcome, said) = match ended {
            Ok(ended) => ended,
            Err(e) if going > 1 => {
                let said = messages::failed(key, &e);
                let standing = workspace.custody.standing_to_tell(key);
                let ending = OutcomeKind::Failed;
                (Outcome { error: Some(e), ..Outcome::of(key.clone(), ending, standing) }, said)
            }
            Err(e) => (outcome_or_error(workspace, key, e)?, String::new()),
        };
        telling.ended(outcome, &said)?;
    }
    Ok(())
}

impl RevocationTarget {
    /// Prepares what all of them need. A provider that is away is no error: it's asked later.
    fn find<'a>(args: &Args, call: &Invocation<'a>, workspace: &mut Workspace<'a>) -> Result<Self> {
        if args.local_only {
            return Ok(Self::Nobody);
        }
        match workspace.connect(call) {
            Ok(_) => Ok(Self::Provider { patience: RetryPolicy::REVOCATION, rest: None }),
            Err(Error::Provider(e)) if away(&e) => Ok(Self::Away(e)),
            Err(e) => Err(e),
        }
    }

    /// Once an outage has shown, the others are asked once, until one succeeds again; while the provider wants to be
    /// left alone, not at all.
    fn learn(&mut self, revocation: &Revocation) {
        let Self::Provider { patience, rest } = self else { return };
        match revocation {
            Revocation::Revoked => (*patience, *rest) = (RetryPolicy::REVOCATION, None),
            Revocation::Pending(e) if e.is_outage() => {
                *patience = RetryPolicy::NONE;
                if let (Error::Provider(why), Some(until)) = (e, e.retry_after().and_then(from_now)) {
                    *rest = Some((until, why.clone()));
                }
            }
            _ => {}
        }
    }

    /// Who is asked about the next one, once what an earlier run left of it is finished.
    fn asking(&self) -> RevocationMode {
        match self {
            Self::Nobody => RevocationMode::Nobody,
            Self::Provider { rest: Some((until, why)), .. } if Instant::now() < *until => {
                RevocationMode::Later(why.clone().into())
            }
            Self::Provider { patience, .. } => RevocationMode::Provider(*patience),
            Self::Away(why) => RevocationMode::Later(why.clone().into()),
        }
    }
}

/// The end of a wait; none for one that no clock can count.
fn from_now(wait: Duration) -> Option<Instant> {
    Instant::now().checked_add(wait)
}

fn give_up<'a>(
    args: &Args,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    key: &LicenseId,
    extent: &DeactivationScope,
    reach: &mut Option<RevocationTarget>,
) -> Result<(Outcome, String)> {
    let reach = match reach {
        Some(reach) => reach,
        None => reach.insert(RevocationTarget::find(args, call, workspace)?),
    };
    if *extent != DeactivationScope::License {
        return discard(args, call, workspace, key, extent, reach);
    }
    let custody = &mut workspace.custody;
    let before = custody.standing(key)?;
    let recovered = match reach {
        RevocationTarget::Nobody => custody.close_abandoned(key)?,
        RevocationTarget::Provider { .. } => custody.recover(key)?,
        // Given up here all the same; what an earlier run left must be finished first, though.
        RevocationTarget::Away(_) if before.as_ref().is_some_and(|it| !it.has_open_flow()) => Vec::new(),
        RevocationTarget::Away(why) => return Err(why.clone().into()),
    };
    let reason = clean(args.reason.trim());
    // Its own tokens live elsewhere, and aren't revoked from here; what awaits approval is here, and nowhere else.
    if let Some(elsewhere) = before.as_ref().filter(|it| it.record.held_elsewhere) {
        let shown = custody.awaiting(key)?;
        let kept = match &shown {
            Some(shown) => custody.discard(shown, !matches!(reach, RevocationTarget::Nobody), &reason)?,
            None => elsewhere.record.revocation_pending,
        };
        if kept && let Revocation::Pending(e) = custody.revoke_discarded(key, reach.asking())? {
            let said = messages::failed(key, &e);
            let outcome = Outcome::of(key.clone(), OutcomeKind::Failed, custody.standing_to_tell(key));
            return Ok((Outcome { error: Some(e), ..outcome }, said));
        }
    }
    let given_up = custody.deactivate(key, reach.asking(), &reason)?;
    let in_doubt = before.is_some_and(|it| is_in_doubt(&it.record, &recovered, &given_up));
    let revocation = given_up.revocation;
    reach.learn(&revocation);
    let said = messages::results(key, &revocation, in_doubt);
    let mut outcome = Outcome::of(key.clone(), OutcomeKind::Deactivated, custody.standing_to_tell(key));
    if let Revocation::Pending(e) = revocation {
        outcome.error = Some(e.for_license(&selector(key, workspace.provider.other())));
    }
    Ok((outcome, said))
}

/// Gives up only what stands beside the license's own grant: the grant that awaits approval, or what is left to be revoked.
fn discard<'a>(
    args: &Args,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
    key: &LicenseId,
    extent: &DeactivationScope,
    reach: &mut RevocationTarget,
) -> Result<(Outcome, String)> {
    let custody = &mut workspace.custody;
    if let RevocationTarget::Provider { .. } = reach {
        custody.recover(key)?;
    }
    let (asking, reason) = (reach.asking(), clean(args.reason.trim()));
    let revokes = !matches!(asking, RevocationMode::Nobody);
    let left = match extent {
        DeactivationScope::Awaiting(shown) => match custody.discard(shown, revokes, &reason) {
            Ok(kept) => kept,
            Err(e @ Error::Ledger(LedgerError::Changed { .. })) => {
                let said = messages::failed(key, &e);
                let outcome = Outcome::of(key.clone(), OutcomeKind::Skipped, custody.standing_to_tell(key));
                return Ok((Outcome { error: Some(e), ..outcome }, said));
            }
            Err(e) => return Err(e),
        },
        _ => true,
    };
    let revocation = match left {
        true => custody.revoke_discarded(key, asking)?,
        false if revokes => Revocation::NotOffered,
        false => Revocation::NotAsked,
    };
    reach.learn(&revocation);
    let standing = custody.standing_to_tell(key);
    let again = standing.as_ref().map(|it| discard_waiting(&it.record, workspace.provider.other_profile));
    let lives = standing.as_ref().is_some_and(|it| it.record.has_valid_grant(call.env.clock.now()));
    let said = messages::discarded(key, extent, &revocation, lives, &again.unwrap_or_default());
    let mut outcome = Outcome::of(key.clone(), OutcomeKind::Unchanged, standing);
    if let Revocation::Pending(e) = revocation {
        outcome.error = Some(e);
    }
    Ok((outcome, said))
}

/// Whether the provider can't be reached now.
fn away(e: &ProviderError) -> bool {
    use ProviderError::{Lost, Overloaded, Unreachable, Useless};
    matches!(e, Lost { .. } | Overloaded { .. } | Unreachable { .. } | Useless { .. })
}
