//! Consents, from the question to the stored grant: what register and renew share.

mod link;
mod single_reporter;

pub(super) use link::{HandingOff, messages, one as hand_off, say_what_comes};

use super::{Bench, Call, outcome_or_error};
use crate::consent::{ConsentRun, RunOptions, answer, finish_left_over, outcome_of};
use crate::custody::Kept;
use crate::error::{Error, Result};
use crate::model::duration::parse;
use crate::model::outcome::{Ending, Outcome};
use crate::model::pace::Pace;
use crate::model::plan::Planned;
use crate::oauth::{ProviderClient, Returned};
use crate::system::{BrowserChoice, Env};
use crate::web::Session;
use jiff::SignedDuration;
use single_reporter::SingleReporter;

/// What a person at a terminal without a display is told: only a browser that reaches this machine's own address can come
/// back to the port that waits here. `$BROWSER` names one that does.
pub(super) fn from_afar(env: &Env, port: Option<u16>) -> Option<String> {
    let around = env.surroundings();
    let port = port
        .filter(|_| env.terminal.attended() && !around.display && env.variables.get("BROWSER").is_none())?;
    let place = if around.ssh { "This is an SSH session" } else { "There is no display here" };
    Some(format!(
        "{place}: forward the port from where the browser is (ssh -L {port}:127.0.0.1:{port} …), then open the address there. \
         For an admin elsewhere: Ctrl-C, then --no-wait."
    ))
}

/// How to reach the person, and how long to wait.
#[derive(Debug, clap::Args)]
pub struct Waiting {
    /// Print the address and wait; open no browser
    #[arg(long, conflicts_with = "browser")]
    pub no_browser: bool,

    /// Have CMD open the address, which becomes its last argument (no shell is used)
    #[arg(long, value_name = "CMD")]
    pub browser: Option<String>,

    /// Listen for the answer on this port [default: any free one, or the profile's]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Wait this long for the consent
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub timeout: String,

    #[command(flatten)]
    pub handing_off: HandingOff,
}

impl Waiting {
    /// Which browser opens the address; an error where a person is needed and none can be asked here.
    pub(super) fn choice(
        &self,
        call: &Call<'_>,
        licenses: impl Iterator<Item = String>,
    ) -> Result<BrowserChoice> {
        if self.no_browser {
            return Ok(BrowserChoice::None);
        }
        if let Some(command) = &self.browser {
            let words =
                shlex::split(command).filter(|words| !words.is_empty()).ok_or_else(|| Error::BadValue {
                    name: "browser command",
                    problem: "can't be read: a quote isn't closed, or it's empty".into(),
                })?;
            return Ok(BrowserChoice::Command(words));
        }
        match call.env.terminal.attended() {
            true => Ok(BrowserChoice::System),
            false => Err(Error::NeedsPerson { licenses: licenses.collect(), command: call.line.clone() }),
        }
    }

    /// How long a person may take.
    pub(super) fn timeout(&self) -> Result<SignedDuration> {
        let timeout = parse("timeout", &self.timeout)?;
        match timeout.is_zero() {
            true => Err(Error::BadValue { name: "timeout", problem: "leaves nobody any time".into() }),
            false => Ok(timeout),
        }
    }
}

/// Has one license consented, after what an earlier run had left of it is recovered.
pub(super) fn consent<'a>(
    call: &Call<'a>,
    bench: &mut Bench<'a>,
    item: Planned,
    any_user: bool,
    waiting: &Waiting,
) -> Result<Outcome> {
    waiting.handing_off.check(call.json, false)?;
    let key = item.key.clone();
    let timeout = waiting.timeout()?;
    let choice = waiting.choice(call, std::iter::once(key.license.to_string()));
    if choice.is_err() && !bench.custody.can_finish_alone(&key)? {
        // At once, before anything is touched.
        choice?;
        return Err(Error::Internal("nobody was asked".into()));
    }
    let ready = super::online::exchange(call, &bench.provider, &bench.custody).and_then(|exchange| {
        bench.custody.connect(exchange.clone());
        let kept = finish_left_over(call.env, &mut bench.custody, &item)?;
        Ok((exchange, kept))
    });
    let asked = match ready {
        // Nobody is to be asked any more.
        Ok((_, Some(kept))) => Ok(outcome_of_left(call, bench, &item, kept, any_user)),
        Ok((exchange, None)) => {
            let options =
                RunOptions { choice: choice?, timeout, any_user, run: None, keys: false, worklist: None };
            alone(call, bench, item, options, &exchange, waiting)
        }
        Err(e) => Err(e),
    };
    match asked {
        Ok(outcome) => settled(call, bench, outcome),
        Err(e) => outcome_or_error(&key, bench.custody.standing(&key)?, e),
    }
}

/// What an answer from elsewhere comes to.
pub(super) fn answered<'a>(
    call: &Call<'a>,
    bench: &mut Bench<'a>,
    returned: Returned,
    client: &ProviderClient,
) -> Result<Outcome> {
    let (item, kept) = answer(call.env, &mut bench.custody, client, returned)?;
    Ok(outcome_of_left(call, bench, &item, kept, false))
}

/// What a grant means that came without a round: from an earlier run, or from elsewhere.
fn outcome_of_left(
    call: &Call<'_>,
    bench: &mut Bench<'_>,
    item: &Planned,
    kept: Kept,
    any_user: bool,
) -> Outcome {
    if let Kept::Live { unconfirmed } = &kept {
        told_unconfirmed(call, unconfirmed);
    }
    outcome_of(&mut bench.custody, item, Ok(kept), |_| any_user)
}

/// Facts that the provider didn't report are told, never passed off as verified.
fn told_unconfirmed(call: &Call<'_>, unconfirmed: &[String]) {
    if !unconfirmed.is_empty() {
        call.env.terminal.say(&format!("Not confirmed by BioTrack's answer: {}.", unconfirmed.join(", ")));
    }
}

/// A round of one.
fn alone<'a>(
    call: &Call<'a>,
    bench: &mut Bench<'a>,
    item: Planned,
    options: RunOptions,
    exchange: &ProviderClient,
    waiting: &Waiting,
) -> Result<Outcome> {
    bench.custody.probe()?;
    let mut session = Session::bind(call.env, exchange.clone(), waiting.port)?;
    let provider = bench.provider.clone();
    let mut view = SingleReporter::new(call, &waiting.handing_off, &provider);
    let pace = Pace::new(1, false, vec![item.username.to_string()]);
    let items = [(0, item)];
    // An address that was sent back can be pasted meanwhile.
    let keys = call.env.terminal.attended().then(|| session.keys(call.env)).flatten();
    let round = ConsentRun::new(
        call.env,
        &mut bench.custody,
        exchange,
        &mut session,
        options,
        pace,
        &items,
        &mut view,
    );
    let outcome = round.run().outcomes.pop().flatten();
    drop(keys);
    outcome.ok_or_else(|| Error::Internal("nothing was asked".into()))
}

/// A held grant is asked about where a person is; an error about the call itself stays the call's.
pub(super) fn settled<'a>(call: &Call<'a>, bench: &mut Bench<'a>, mut outcome: Outcome) -> Result<Outcome> {
    let terminal = &call.env.terminal;
    match outcome.error.take() {
        Some(Error::OtherAdmin { license, granted_by, username, take, throw_away })
            if terminal.attended() =>
        {
            let question = format!("{license} was granted by {granted_by}, not {username}. Take this grant?");
            match terminal.confirm(&question) {
                Ok(true) => {
                    bench.custody.take_held(&outcome.key)?;
                    let standing = bench.custody.standing(&outcome.key)?;
                    return Ok(Outcome::of(outcome.key, Ending::Granted, standing));
                }
                Ok(false) => {
                    outcome.error =
                        Some(Error::OtherAdmin { license, granted_by, username, take, throw_away });
                }
                Err(Error::Interrupted { .. }) => {
                    terminal.say(&format!("\nThe grant of {granted_by} is held, not live."));
                    outcome.error = Some(Error::Interrupted { next: Some(take) });
                }
                Err(e) => return Err(e),
            }
            Ok(outcome)
        }
        Some(error) if outcome.ending == Ending::Failed => {
            outcome_or_error(&outcome.key, outcome.standing, error)
        }
        error => Ok(Outcome { error, ..outcome }),
    }
}
