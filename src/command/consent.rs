//! One person's consent, from the question to the stored grant: what register and renew share.

use super::{Bench, Call, outcome_or_error};
use crate::custody::{Custody, Kept, Question, Recovered};
use crate::edge::{BrowserChoice, Opened};
use crate::error::{Error, Result, clean};
use crate::grant;
use crate::model::authorization::{Authorization, next};
use crate::model::duration::{in_words, parse};
use crate::model::flow::Purpose;
use crate::model::ids::{FlowId, Key, Username};
use crate::model::outcome::{Ending, Outcome};
use crate::report::consent_card;
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

/// Whose consent, and for what.
pub(super) struct Asked<'q> {
    /// About which licence.
    pub key: &'q Key,
    /// Who is asked.
    pub username: &'q Username,
    /// What for.
    pub purpose: Purpose,
    /// Whichever admin user grants will do.
    pub any_user: bool,
}

/// Has one licence consented. `wanted` makes the record as it shall be while the question is open out of the one
/// that there is by then, or refuses: after what an earlier run had left is recovered.
pub(super) fn consent<'a>(
    call: &Call<'a>,
    bench: &mut Bench<'a>,
    asked: &Asked<'_>,
    wanted: impl FnOnce(Option<Authorization>) -> Result<Authorization>,
    waiting: &Waiting,
) -> Result<Outcome> {
    let timeout = parse("timeout", &waiting.timeout)?;
    let choice = waiting.choice(call, asked.key.license.as_str());
    if choice.is_err() && !bench.custody.can_finish_alone(asked.key)? {
        // At once, before anything is touched.
        choice?;
        return Err(Error::Failed("nobody was asked".into()));
    }
    let exchange = match super::online::exchange(call, &bench.provider, &bench.custody) {
        Ok(exchange) => exchange,
        Err(e) => return outcome_or_error(asked.key, bench.custody.standing(asked.key)?, e),
    };
    bench.custody.connect(exchange.clone());
    let ended = match finish_left_over(call, &mut bench.custody, asked)? {
        Some(kept) => Ok(kept),
        None => ask_and_wait(call, bench, asked, wanted, &choice?, waiting.port, timeout, &exchange),
    };
    match ended {
        Ok(kept) => outcome_of(call, bench, asked, kept),
        Err(e) => outcome_or_error(asked.key, bench.custody.standing(asked.key)?, e),
    }
}

#[expect(clippy::too_many_arguments, reason = "each is one part of the question")]
fn ask_and_wait<'a>(
    call: &Call<'a>,
    bench: &mut Bench<'a>,
    asked: &Asked<'_>,
    wanted: impl FnOnce(Option<Authorization>) -> Result<Authorization>,
    choice: &BrowserChoice,
    port: Option<u16>,
    timeout: SignedDuration,
    exchange: &Exchange,
) -> Result<Kept> {
    let (terminal, custody, key) = (&call.env.terminal, &mut bench.custody, asked.key);
    custody.probe()?;
    let mut session = Session::bind(call.env, exchange.clone(), port)?;
    let now = call.env.clock.now();
    let deadline = now.saturating_add(timeout).unwrap_or(now);
    let base = session.redirect_uri();
    let random = call.env.random.as_ref();
    let ask = grant::ask(&bench.provider, &exchange.endpoints, key, asked.username, &base, random)?;
    let record = wanted(custody.standing(key)?.map(|standing| standing.record))?;
    let question = Question { ask, record, purpose: asked.purpose, deadline };
    let logged =
        custody.ask(vec![question])?.pop().ok_or_else(|| Error::Failed("nothing was asked".into()))??;

    terminal.say(&consent_card(&bench.provider, key, asked.username));
    let address = &logged.get().1.address;
    terminal.insist(&format!("Open this address in a browser on this machine:\n\n  {address}\n"));
    match session.open(call.env, &logged, choice) {
        Some(Opened::Failed(why)) => {
            let why = clean(&why);
            terminal.insist(&format!("No browser could be opened ({why}). Open the address above by hand."));
        }
        Some(Opened::Started) => terminal.say("A browser has been asked to open it."),
        None => {}
    }
    let flow = logged.get().0.clone();
    let license = key.license.to_string();
    Wait { call, custody, exchange, session: &session, license, timeout, purpose: asked.purpose }
        .until_stored(&flow)
}

/// The waiting itself.
struct Wait<'w, 'e> {
    call: &'w Call<'w>,
    custody: &'w mut Custody<'e>,
    exchange: &'w Exchange,
    session: &'w Session,
    license: String,
    timeout: SignedDuration,
    purpose: Purpose,
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
                    let kept = self.custody.exchanged(flow, *result);
                    if let Some(reply) = waiting_browser.take() {
                        match &kept {
                            Ok(Kept::Live { .. }) => reply.granted(),
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
                    let next = match self.purpose {
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
fn finish_left_over(call: &Call<'_>, custody: &mut Custody<'_>, asked: &Asked<'_>) -> Result<Option<Kept>> {
    let license = &asked.key.license;
    let say = |text: &str| call.env.terminal.say(text);
    let mut done = None;
    for recovered in custody.recover(asked.key)? {
        match recovered {
            Recovered::Dropped => {}
            Recovered::Finished { kept, username } => {
                say(&format!("Finished the grant of {license} that an earlier run had left."));
                if !username.same_as(asked.username.as_str()) {
                    say(&format!(
                        "It was asked of {username}; to ask {}, run the command again.",
                        asked.username
                    ));
                }
                done = Some(kept);
            }
            Recovered::Uncertain => say(&format!(
                "An earlier run ended while a grant of {license} was on its way; whether it was made is uncertain. Asking again."
            )),
            Recovered::UncertainDeactivation => say(&format!(
                "An earlier run ended while {license} was being deactivated; whether BioTrack revoked its grant is uncertain. Asking for a new one."
            )),
            Recovered::Failed(e) => {
                say(&format!("What an earlier run had left of {license} can't be used: {e}"));
            }
        }
    }
    Ok(done)
}

/// What a stored grant means for the command; a held one is asked about where a person is.
fn outcome_of<'a>(call: &Call<'a>, bench: &mut Bench<'a>, asked: &Asked<'_>, kept: Kept) -> Result<Outcome> {
    let (terminal, custody, key) = (&call.env.terminal, &mut bench.custody, asked.key);
    let granted =
        |custody: &Custody<'_>| Ok(Outcome::of(key.clone(), Ending::Granted, custody.standing(key)?));
    let granted_by = match kept {
        Kept::Live { unconfirmed } => {
            if !unconfirmed.is_empty() {
                let facts: Vec<_> = unconfirmed.iter().map(|fact| fact.label()).collect();
                terminal.say(&format!("Not confirmed by BioTrack's answer: {}.", facts.join(", ")));
            }
            return granted(custody);
        }
        Kept::Held { granted_by } => granted_by,
    };
    if asked.any_user {
        custody.take_held(key)?;
        return granted(custody);
    }
    let mut outcome = Outcome::of(key.clone(), Ending::Held, custody.standing(key)?);
    let record = outcome.standing.as_ref().map(|standing| &standing.record);
    let username = record.map_or_else(String::new, |record| record.username.to_string());
    let next = |command| {
        record.map_or_else(String::new, |record| next(command, record, bench.provider.other_profile))
    };
    let (take, throw_away) = (format!("{} --any-user", next("renew")), next("deactivate"));
    if terminal.attended() {
        match terminal.confirm(&format!(
            "{} was granted by {granted_by}, not {username}. Take this grant?",
            key.license
        )) {
            Ok(true) => {
                custody.take_held(key)?;
                return granted(custody);
            }
            Ok(false) => {}
            Err(Error::Interrupted { .. }) => {
                terminal.say(&format!("\nThe grant of {granted_by} is held, not live."));
                outcome.error = Some(Error::Interrupted { next: Some(take) });
                return Ok(outcome);
            }
            Err(e) => return Err(e),
        }
    }
    let license = key.license.to_string();
    outcome.error = Some(Error::OtherAdmin { license, granted_by, username, take, throw_away });
    Ok(outcome)
}
