//! One license's consent as a person at the terminal sees it.

use super::args::HandOffArgs;
use super::remote::from_afar;
use crate::command::Invocation;
use crate::consent::{OpenMethod, ProgressReporter};
use crate::custody::Custody;
use crate::error::clean;
use crate::model::consent::Fact;
use crate::model::duration::in_words;
use crate::model::outcome::Outcome;
use crate::model::pace::Pace;
use crate::model::plan::PlannedLicense;
use crate::model::provider::Provider;
use crate::report::consent_card;
use crate::system::{LaunchOutcome, MovingLines};
use jiff::SignedDuration;
use std::time::{Duration, Instant};
use url::Url;

/// On a terminal with no more rows than this, the first lines have scrolled away.
const LOW: u16 = 30;

/// The status line while no answer has arrived.
const WAITING: &str = "Waiting for the admin to grant access";

/// The frames of the moving sign that shows that the command still waits, and the time between two frames.
const SIGNS: [char; 8] = ['⠁', '⠂', '⠄', '⡀', '⢀', '⠠', '⠐', '⠈'];
const FRAME: Duration = Duration::from_millis(200);

/// The consent card, the address, and a moving line with the time left.
pub(super) struct SingleReporter<'v> {
    call: &'v Invocation<'v>,
    handing_off: &'v HandOffArgs,
    provider: &'v Provider,
    /// What is pasted meanwhile is read.
    takes_pastes: bool,
    waiting: MovingLines,
    until: Instant,
}

impl<'v> SingleReporter<'v> {
    pub fn new(
        call: &'v Invocation<'v>,
        handing_off: &'v HandOffArgs,
        provider: &'v Provider,
        takes_pastes: bool,
    ) -> Self {
        let (waiting, until) = (MovingLines::hidden(), Instant::now());
        Self { call, handing_off, provider, takes_pastes, waiting, until }
    }

    /// What is done, and how much time is left for it.
    fn show(&self, what: &'static str) {
        let (began, until) = (Instant::now(), self.until);
        self.waiting.show_drawn(Some(FRAME), move || {
            let frame = began.elapsed().as_millis() / FRAME.as_millis();
            let sign = SIGNS[usize::try_from(frame).unwrap_or_default() % SIGNS.len()];
            let left = until.saturating_duration_since(Instant::now());
            let left = in_words(SignedDuration::try_from(left).unwrap_or_default());
            format!("{sign} {what} ({left} left; press Ctrl-C to stop)")
        });
    }

    /// What the page must show, in a line.
    fn facts(&self, item: &PlannedLicense) -> String {
        let fact = |fact: Fact| Some(format!("{} {}", fact.label(), fact.shown(self.provider, &item.key)?));
        Fact::ALL.into_iter().filter_map(fact).collect::<Vec<_>>().join(", ")
    }
}

impl ProgressReporter for SingleReporter<'_> {
    fn opened(&mut self, item: &PlannedLicense, address: &str, how: OpenMethod, until: Instant) {
        let terminal = &self.call.env.terminal;
        terminal.info(&consent_card(self.provider, &item.key, &item.username));
        terminal.print_always(&format!("Open this address in a browser on this machine:\n\n  {address}\n"));
        self.handing_off.show(self.call, address, Some(address));
        let advice = from_afar(self.call.env, waiting_port(address).as_slice());
        match how {
            OpenMethod::Browser(LaunchOutcome::Failed(why)) => {
                let why = clean(&why);
                // defense: S25 no-browser-is-no-end
                terminal.print_always(&format!(
                    "No browser could be opened ({why}). Open the address above by hand."
                ));
            }
            // Where there is no display, what was started shows nothing.
            OpenMethod::Browser(LaunchOutcome::Started) if advice.is_some() => {}
            OpenMethod::Browser(LaunchOutcome::Started) => terminal.info("Opening it in a browser."),
            OpenMethod::Address | OpenMethod::Worklist => {}
        }
        if let Some(advice) = advice {
            terminal.info(&advice);
        }
        if self.takes_pastes {
            terminal.info("If the admin's browser says that it can't connect, paste the address from its address bar here and press Enter.");
        }
        // On a low terminal the card has scrolled away by now, and the page is compared with it.
        if terminal.rows().is_some_and(|rows| rows <= LOW) {
            terminal.info(&format!("The page must say: {}.", self.facts(item)));
        }
        self.until = until;
        self.waiting = terminal.progress_lines();
        self.show(WAITING);
    }

    fn storing(&mut self, _: &PlannedLicense) {
        self.show("BioTrack answered; storing the grant");
    }

    fn waits_on(&mut self, _: &PlannedLicense) {
        self.show(WAITING);
    }

    fn remarks(&mut self, _: &PlannedLicense, remarks: &[String]) {
        remarks.iter().for_each(|remark| self.call.env.terminal.print_always(remark));
    }

    fn ended(&mut self, _: &PlannedLicense, _: &Outcome, _: Option<&str>) {
        self.waiting = MovingLines::hidden();
    }

    fn notice(&mut self, text: &str) {
        self.call.env.terminal.info(text);
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
