//! `renew`: a person consents again; the old grant stays until the new one is stored.

use super::Call;
use super::consent::{Waiting, consent, told};
use crate::error::{Error, Result};
use crate::model::authorization::{Authorization, State, register_again};
use crate::model::flow::Purpose;
use crate::model::ids::Username;
use crate::model::outcome::{Ending, Outcome};
use crate::model::selection;

/// Renew a licence's grant: its admin user consents again
///
/// The old grant stays in use until the new one is proven and stored, whatever its days left.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth renew 101-X0007-D1
  biotrack-auth renew 604001234/101-X0007-D1 --no-browser
  biotrack-auth renew 101-X0007-D1 --username bob@store.example")]
pub struct Args {
    /// Which: a licence, UBI/LICENSE, an OCM licence or a store's name
    #[arg(value_name = "SELECTOR", required = true)]
    selector: String,

    /// Another admin user than before; their password belongs on BioTrack's page only
    #[arg(long, value_name = "EMAIL")]
    username: Option<Username>,

    /// Take the held grant of another admin than the one named, without a new consent
    #[arg(long, conflicts_with = "username")]
    any_user: bool,

    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run(args: Args, call: &Call<'_>) -> Result<u8> {
    let (provider, mut custody) = call.custody()?;
    let standings = custody.ledger().standings(&provider.profile)?;
    let record =
        selection::one(&args.selector, &provider.profile, &standings, |it| &it.record)?.record.clone();
    if args.any_user && record.held_by.is_some() {
        custody.take_held(&record.key)?;
        custody.forget_loose();
        let outcome = Outcome {
            key: record.key.clone(),
            ending: Ending::Granted,
            authorize_url: None,
            standing: custody.standing(&record.key)?,
            error: None,
        };
        let said = told(call, &custody, &provider, &outcome)?;
        return call.finish(&provider, &[outcome], &said);
    }
    match record.state(call.env.clock.now(), provider.due_window, &provider.zone) {
        state @ (State::Pending | State::Deactivated) => Err(Error::NotRenewable {
            license: record.key.license.to_string(),
            state: state.word().into(),
            next: register_again(&record, provider.other_profile),
        }),
        _ => {
            let username = chosen(&args, &record, call)?;
            let key = record.key.clone();
            let same = |known: Option<Authorization>| known.unwrap_or(record);
            let outcome = consent(call, &mut custody, &key, same, Purpose::Renew, &username, &args.waiting)?;
            let said = told(call, &custody, &provider, &outcome)?;
            call.finish(&provider, &[outcome], &said)
        }
    }
}

/// Who is asked: another admin than before is confirmed at a terminal, and recorded with the new grant.
fn chosen(args: &Args, record: &Authorization, call: &Call<'_>) -> Result<Username> {
    let Some(new) = args.username.clone().filter(|new| !new.same_as(record.username.as_str())) else {
        return Ok(record.username.clone());
    };
    let question =
        format!("{} was granted by {} so far. Ask {new} from now on?", record.key.license, record.username);
    if call.env.terminal.attended() && !call.env.terminal.confirm(&question)? {
        return Err(Error::NotConfirmed { what: "the other admin user".into() });
    }
    Ok(new)
}
