//! `renew`: a person consents again; the old grant stays until the new one is stored.

use super::consent::{Asked, Waiting, consent};
use super::{Bench, Call};
use crate::error::{Error, Result};
use crate::model::authorization::{Authorization, State, next, register_again};
use crate::model::flow::Purpose;
use crate::model::ids::Username;
use crate::model::outcome::{Ending, Outcome};
use crate::model::provider::Provider;
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

    /// Whichever admin user grants will do; a grant that is held already is taken without a new consent
    #[arg(long, conflicts_with = "username")]
    any_user: bool,

    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run<'a>(args: Args, call: &Call<'a>) -> Result<u8> {
    call.bench()?.work(call, |bench| renew(&args, call, bench))
}

fn renew<'a>(args: &Args, call: &Call<'a>, bench: &mut Bench<'a>) -> Result<u8> {
    let provider = bench.provider.clone();
    let standings = bench.custody.ledger().standings(&provider.profile)?;
    let record = &selection::one(&args.selector, &provider.profile, &standings, |it| &it.record)?.record;
    let key = record.key.clone();
    if args.any_user && record.held_by.is_some() {
        bench.custody.take_held(&key)?;
        let outcome = Outcome::of(key.clone(), Ending::Granted, bench.custody.standing(&key)?);
        return bench.finish(call, outcome);
    }
    renewable(record, call, &provider)?;
    let username = chosen(args, record, call)?;
    let wanted = |known: Option<Authorization>| match known {
        Some(record) => renewable(&record, call, &provider).map(|()| record),
        None => Err(Error::Failed("the record vanished".into())),
    };
    let asked = Asked { key: &key, username: &username, purpose: Purpose::Renew, any_user: args.any_user };
    let outcome = consent(call, bench, &asked, wanted, &args.waiting)?;
    bench.finish(call, outcome)
}

/// A pending or deactivated licence has `register`.
fn renewable(record: &Authorization, call: &Call<'_>, provider: &Provider) -> Result<()> {
    match record.state(call.env.clock.now(), provider.due_window, &provider.zone) {
        state @ (State::Pending | State::Deactivated) => Err(Error::NotRenewable {
            license: record.key.license.to_string(),
            state: state.word().into(),
            next: match record.held_by {
                // A grant waits: a consent is never wasted.
                Some(_) => format!("{} --any-user", next("renew", record, provider.other_profile)),
                None => register_again(record, provider.other_profile),
            },
        }),
        _ => Ok(()),
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
        return Err(Error::NotConfirmed { what: question });
    }
    Ok(new)
}
