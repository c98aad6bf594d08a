//! `status`: what there is, from the ledger alone: no keyring, no network.

use super::Call;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::model::authorization::{Standing, State};
use crate::model::selection;
use crate::report::{View, document, table};

/// Show every authorization, or one as a card
///
/// Reads the ledger and nothing else: no keyring, no network.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth status
  biotrack-auth status 101-X0007-D1
  biotrack-auth status --state expired --json")]
pub struct Args {
    /// Only these: a licence, UBI/LICENSE, an OCM licence or a store's name
    #[arg(value_name = "SELECTOR")]
    selectors: Vec<String>,

    /// Only those in this state; may be given several times
    #[arg(long = "state", value_name = "STATE", value_enum)]
    states: Vec<State>,

    /// Only those with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,

    /// Only those that hang on this admin user
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
}

pub(super) fn run(args: Args, call: &Call<'_>) -> Result<u8> {
    let (_, provider) = call.provider()?;
    let ledger = Ledger::read(call.env)?;
    let all = match &ledger {
        Some(ledger) => ledger.standings(&provider.profile)?,
        None => Vec::new(),
    };
    let view = call.view(&provider);
    let chosen = chosen(&args, all, &view)?;
    if call.json {
        call.answer_json(&document(&chosen, &view))?;
        return Ok(0);
    }
    let said = match (&chosen[..], &ledger) {
        ([], _) if narrowed(&args) => "No authorization is like that.\n".to_owned(),
        ([], _) => {
            "Nothing is registered yet.\nNext: biotrack-auth register --ubi UBI --license LICENSE --username EMAIL\n".to_owned()
        }
        ([one], Some(ledger)) if !args.selectors.is_empty() => call.card(ledger, &provider, one)?,
        (several, _) => table(several, &view),
    };
    call.env.terminal.answer(&said)?;
    Ok(0)
}

fn narrowed(args: &Args) -> bool {
    !args.selectors.is_empty() || !args.states.is_empty() || args.tag.is_some() || args.user.is_some()
}

fn chosen(args: &Args, all: Vec<Standing>, view: &View<'_>) -> Result<Vec<Standing>> {
    let provider = view.provider;
    let mut named: Vec<Standing> = match args.selectors[..] {
        [] => all,
        _ => {
            let found = args
                .selectors
                .iter()
                .map(|selector| selection::one(selector, &provider.profile, &all, |it| &it.record).cloned());
            found.collect::<Result<_>>()?
        }
    };
    named.retain(|it| {
        let record = &it.record;
        let state = record.state(view.now, provider.due_window, &provider.zone);
        (args.states.is_empty() || args.states.contains(&state))
            && args.tag.as_ref().is_none_or(|tag| record.tags.iter().any(|one| one.as_str() == tag))
            && args.user.as_ref().is_none_or(|user| {
                record.username.same_as(user)
                    || record
                        .granted_by
                        .as_ref()
                        .is_some_and(|who| who.to_lowercase() == user.trim().to_lowercase())
            })
    });
    Ok(named)
}
