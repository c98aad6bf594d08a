//! One license's consent as a person at the terminal sees it.

use super::args::HandingOff;
use super::remote::from_afar;
use crate::command::Call;
use crate::consent::{OpenMethod, ProgressReporter};
use crate::custody::Custody;
use crate::error::clean;
use crate::model::duration::in_words;
use crate::model::outcome::Outcome;
use crate::model::pace::Pace;
use crate::model::plan::Planned;
use crate::model::provider::Provider;
use crate::report::consent_card;
use crate::system::{Opened, threads};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use jiff::SignedDuration;
use std::fmt::Write;
use std::time::{Duration, Instant};
use url::Url;

/// What it does while nobody has answered.
const WAITING: &str = "Waiting for the admin to grant access";

/// The consent card, the address, and a moving line with the time left.
pub(super) struct SingleReporter<'v> {
    call: &'v Call<'v>,
    handing_off: &'v HandingOff,
    provider: &'v Provider,
    spinner: ProgressBar,
}

impl<'v> SingleReporter<'v> {
    pub fn new(call: &'v Call<'v>, handing_off: &'v HandingOff, provider: &'v Provider) -> Self {
        Self { call, handing_off, provider, spinner: ProgressBar::hidden() }
    }
}

impl ProgressReporter for SingleReporter<'_> {
    fn opened(&mut self, item: &Planned, address: &str, how: OpenMethod, until: Instant) {
        let terminal = &self.call.env.terminal;
        terminal.say(&consent_card(self.provider, &item.key, &item.username));
        terminal.insist(&format!("Open this address in a browser on this machine:\n\n  {address}\n"));
        self.handing_off.show(self.call, address, Some(address));
        match how {
            OpenMethod::Browser(Opened::Failed(why)) => {
                let why = clean(&why);
                // defense: S25 no-browser-is-no-end
                terminal
                    .insist(&format!("No browser could be opened ({why}). Open the address above by hand."));
            }
            OpenMethod::Browser(Opened::Started) => terminal.say("A browser has been asked to open it."),
            OpenMethod::Address | OpenMethod::Worklist => {}
        }
        if let Some(advice) = from_afar(self.call.env, waiting_port(address).as_slice()) {
            terminal.say(&advice);
        }
        if terminal.attended() {
            terminal.say("If the admin's browser says that it can't connect, paste the address in its bar here, then Enter.");
        }
        if terminal.can_animate() {
            self.spinner = spinner(until);
        }
    }

    fn storing(&mut self, _: &Planned) {
        self.spinner.set_message("BioTrack answered; storing the grant");
    }

    fn waits_on(&mut self, _: &Planned) {
        self.spinner.set_message(WAITING);
    }

    fn remarks(&mut self, _: &Planned, remarks: &[String]) {
        self.spinner.suspend(|| remarks.iter().for_each(|remark| self.call.env.terminal.say(remark)));
    }

    fn ended(&mut self, _: &Planned, _: &Outcome, _: Option<&str>) {
        self.spinner.finish_and_clear();
    }

    fn notice(&mut self, text: &str) {
        self.spinner.suspend(|| self.call.env.terminal.say(text));
    }

    fn between(&mut self, _: &mut Custody<'_>) {}

    fn turn(&mut self, _: &Pace, _: Option<&str>) {}

    fn every(&self) -> Option<Duration> {
        None
    }
}

/// The port of this machine that the answer comes to; none where it comes to another name.
fn waiting_port(address: &str) -> Option<u16> {
    let address = Url::parse(address).ok()?;
    let (_, back) = address.query_pairs().find(|(name, _)| name == "redirect_uri")?;
    let back = Url::parse(&back).ok()?;
    matches!(back.host_str()?, "127.0.0.1" | "localhost").then_some(back.port()?)
}

fn spinner(until: Instant) -> ProgressBar {
    let left = move |_: &ProgressState, out: &mut dyn Write| {
        let left = until.saturating_duration_since(Instant::now());
        let _ = out.write_str(&in_words(SignedDuration::try_from(left).unwrap_or_default()));
    };
    let spinner = ProgressBar::new_spinner().with_message(WAITING);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({left} left; Ctrl-C stops)") {
        spinner.set_style(style.with_key("left", left));
    }
    // Its thread, which it starts without asking whether it gets one.
    if threads::rehearse(1).is_ok() {
        spinner.enable_steady_tick(Duration::from_millis(200));
    }
    spinner
}
