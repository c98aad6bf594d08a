//! One person's consent, from the question to the stored grant: what register and renew share.

use super::Call;
use crate::custody::{Custody, Kept, Question, Recovered};
use crate::edge::{BrowserChoice, Opened};
use crate::error::{Error, Result};
use crate::grant;
use crate::model::authorization::{Authorization, next};
use crate::model::duration::{in_words, parse};
use crate::model::flow::Purpose;
use crate::model::ids::{FlowId, Key, Username};
use crate::model::outcome::{Ending, Outcome};
use crate::model::provider::Provider;
use crate::report::{Row, consent_card};
use crate::session::{Exchange, Reply, Session, Step};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use jiff::SignedDuration;
use std::fmt::Write;
use std::time::{Duration, Instant};

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
}

impl Waiting {
    /// Which browser opens the address; an error where a person is needed and none can be asked here.
    fn choice(&self, call: &Call<'_>, license: &str) -> Result<BrowserChoice> {
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
            false => Err(Error::NeedsPerson { license: license.to_owned() }),
        }
    }
}

/// Has one licence consented. `wanted` makes the record as it shall be while the question is open out of the one
/// that there is, after what an earlier run had left is recovered.
pub(super) fn consent(
    call: &Call<'_>,
    custody: &mut Custody<'_>,
    key: &Key,
    wanted: impl FnOnce(Option<Authorization>) -> Authorization,
    purpose: Purpose,
    username: &Username,
    waiting: &Waiting,
) -> Result<Outcome> {
    let terminal = &call.env.terminal;
    let timeout = parse("timeout", &waiting.timeout)?;
    let license = key.license.to_string();
    let choice = waiting.choice(call, &license);
    let left_over = custody.has_unfinished(key)?;
    if !left_over {
        // At once, before anything is touched.
        choice.as_ref().map_err(again)?;
    }
    let provider = custody.provider();
    let exchange = super::online::exchange(call, &provider, custody)?;
    if let Some(outcome) = finish_left_over(call, custody, &exchange, key)? {
        return Ok(outcome);
    }
    let choice = choice?;
    custody.probe()?;
    let mut session = Session::bind(call.env, exchange.clone(), waiting.port)?;
    let now = call.env.clock.now();
    let deadline = now.saturating_add(timeout).unwrap_or(now);
    let base = session.redirect_uri();
    let random = call.env.random.as_ref();
    let ask = grant::ask(&provider, &exchange.endpoints, key, username, &base, random)?;
    let record = wanted(custody.standing(key)?.map(|standing| standing.record));
    let question = Question { ask, record, purpose, deadline };
    let asked =
        custody.ask(vec![question])?.pop().ok_or_else(|| Error::Failed("nothing was asked".into()))??;

    terminal.say(&consent_card(&provider, key, username));
    terminal
        .insist(&format!("Open this address in a browser on this machine:\n\n  {}\n", asked.get().1.address));
    match session.open(call.env, &asked, &choice) {
        Some(Opened::Failed(why)) => {
            terminal.insist(&format!("No browser could be opened ({why}). Open the address above by hand."));
        }
        Some(Opened::Started) => terminal.say("A browser has been asked to open it."),
        None => {}
    }
    let flow = asked.get().0.clone();
    let mut wait =
        Wait { call, custody, exchange: &exchange, session: &session, license, timeout, renewing: purpose };
    let ended = wait.until_stored(&flow);
    custody.tidy(&exchange, key);
    outcome_of(call, custody, key, ended?)
}

/// An error that is told twice must be made twice.
fn again(e: &Error) -> Error {
    match e {
        Error::NeedsPerson { license } => Error::NeedsPerson { license: license.clone() },
        Error::BadValue { name, problem } => Error::BadValue { name, problem: problem.clone() },
        other => Error::Failed(other.to_string()),
    }
}

/// The waiting itself.
struct Wait<'w, 'e> {
    call: &'w Call<'w>,
    custody: &'w mut Custody<'e>,
    exchange: &'w Exchange,
    session: &'w Session,
    license: String,
    timeout: SignedDuration,
    renewing: Purpose,
}

impl Wait<'_, '_> {
    /// Waits for the one question's end; the browser is answered after the grant is durable.
    fn until_stored(&mut self, flow: &FlowId) -> Result<Kept> {
        let patience: Duration = self.timeout.unsigned_abs();
        let mut until = Instant::now() + patience;
        let spinner = self.spinner(until);
        let mut waiting_browser: Option<Reply> = None;
        let ended = loop {
            match self.session.next(until) {
                Some(Step::Arrived { flow: answered, code, reply }) if answered == *flow => {
                    spinner.set_message("BioTrack answered; storing the grant");
                    match self.custody.arrived(flow, &code) {
                        Ok(go) => self.session.exchange(go),
                        Err(e) => {
                            reply.failed(&e);
                            break Err(e);
                        }
                    }
                    waiting_browser = Some(reply);
                    // The exchange has its own deadline, a few tries of it at most.
                    until = Instant::now() + self.exchange.provider.deadline * 4;
                }
                Some(Step::Refused { flow: answered, error, reply }) if answered == *flow => {
                    let error = self.custody.ended(flow, error);
                    reply.failed(&error);
                    break Err(error);
                }
                Some(Step::Exchanged { flow: answered, result }) if answered == *flow => {
                    let kept = self.custody.exchanged(self.exchange, flow, *result);
                    if let Some(reply) = waiting_browser.take() {
                        match &kept {
                            Ok(Kept::Live) => reply.granted(),
                            Ok(Kept::Held { granted_by }) => reply.held(granted_by),
                            Err(e) => reply.failed(e),
                        }
                    }
                    break kept;
                }
                Some(Step::Interrupted) if waiting_browser.is_some() => {
                    spinner.suspend(|| {
                        self.call
                            .env
                            .terminal
                            .say("One moment: a grant has just arrived, and is being stored.")
                    });
                }
                Some(Step::Interrupted) => {
                    let next = match self.renewing {
                        Purpose::Renew => "run the same command again; the old grant is untouched",
                        _ => "run the same command again",
                    };
                    break Err(self.custody.ended(flow, Error::Interrupted { next: Some(next.into()) }));
                }
                Some(_) => {}
                None => {
                    let timeout = Error::Timeout {
                        license: self.license.clone(),
                        minutes: in_words(self.timeout),
                        strays: self.session.strays(),
                    };
                    break Err(self.custody.ended(flow, timeout));
                }
            }
        };
        spinner.finish_and_clear();
        ended
    }

    /// A moving line with the time left, on standard error, where a person watches.
    fn spinner(&self, until: Instant) -> ProgressBar {
        if !self.call.env.terminal.can_animate() {
            return ProgressBar::hidden();
        }
        let left = move |_: &ProgressState, out: &mut dyn Write| {
            let left = until.saturating_duration_since(Instant::now());
            let _ = out.write_str(&in_words(SignedDuration::try_from(left).unwrap_or_default()));
        };
        let spinner = ProgressBar::new_spinner().with_message("Waiting for the admin to grant access");
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({left} left; Ctrl-C stops)") {
            spinner.set_style(style.with_key("left", left));
        }
        spinner.enable_steady_tick(Duration::from_millis(200));
        spinner
    }
}

/// Finishes what an earlier run had left of this licence. A grant that came of it is this command's answer.
fn finish_left_over(
    call: &Call<'_>,
    custody: &mut Custody<'_>,
    exchange: &Exchange,
    key: &Key,
) -> Result<Option<Outcome>> {
    let license = &key.license;
    let mut done = None;
    for recovered in custody.recover(exchange, key)? {
        match recovered {
            Recovered::Dropped => {}
            Recovered::Finished(kept) => {
                call.env.terminal.say(&format!("Finished the grant of {license} that an earlier run had left."));
                done = Some(kept);
            }
            Recovered::Uncertain => call.env.terminal.say(&format!(
                "An earlier run ended while a grant of {license} was on its way; whether it was made is uncertain. Asking again."
            )),
            Recovered::Failed(e) => {
                call.env.terminal.say(&format!("What an earlier run had left of {license} can't be used: {e}"));
            }
        }
    }
    done.map(|kept| outcome_of(call, custody, key, kept)).transpose()
}

/// What a stored grant means for the command; a held one is asked about where a person is.
fn outcome_of(call: &Call<'_>, custody: &mut Custody<'_>, key: &Key, kept: Kept) -> Result<Outcome> {
    let mut outcome = Outcome {
        key: key.clone(),
        ending: Ending::Granted,
        authorize_url: None,
        standing: custody.standing(key)?,
        error: None,
    };
    let Kept::Held { granted_by } = kept else { return Ok(outcome) };
    let terminal = &call.env.terminal;
    let username = outcome.standing.as_ref().map_or_else(String::new, |it| it.record.username.to_string());
    let question = format!("{} was granted by {granted_by}, not {username}. Take this grant?", key.license);
    if terminal.attended() && terminal.confirm(&question)? {
        custody.take_held(key)?;
        outcome.standing = custody.standing(key)?;
        return Ok(outcome);
    }
    outcome.ending = Ending::Held;
    outcome.error = Some(Error::OtherAdmin {
        license: key.license.to_string(),
        granted_by,
        username,
        next: outcome
            .standing
            .as_ref()
            .map_or_else(String::new, |it| next("renew", &it.record, custody.provider().other_profile)),
    });
    Ok(outcome)
}

/// The words under which a terminal learns of a stored grant.
pub(super) fn told(
    call: &Call<'_>,
    custody: &Custody<'_>,
    provider: &Provider,
    outcome: &Outcome,
) -> Result<String> {
    match (&outcome.standing, &outcome.error) {
        (Some(standing), None) => {
            let now = call.env.clock.now();
            call.card(custody.ledger(), &Row::at(now, standing, provider), now)
        }
        _ => Ok(String::new()),
    }
}
