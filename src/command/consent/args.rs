//! How the person is reached and how long is waited, or how a link is made instead: the flags that register and renew share.

use crate::command::Invocation;
use crate::consent::LIFE;
use crate::error::{Error, Result, clean};
use crate::model::blocked_ports::browsers_port;
use crate::model::command_words::{CommandFault, command_words};
use crate::model::duration::parse;
use crate::report::qr;
use crate::system::BrowserChoice;
use jiff::SignedDuration;

/// How to reach the person, and how long to wait.
#[derive(Debug, clap::Args)]
pub struct ConsentArgs {
    /// Print the address and wait; open no browser
    #[arg(long, conflicts_with = "browser")]
    pub no_browser: bool,

    /// Have CMD open the page, by a one-time address that becomes its last argument (no shell is used)
    #[arg(long, value_name = "CMD")]
    pub browser: Option<String>,

    /// Listen for the answer on this port [default: any free one, or the profile's]
    #[arg(long, value_name = "PORT", value_parser = browsers_port)]
    pub port: Option<u16>,

    /// Wait this long for the consent
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub timeout: String,

    #[command(flatten)]
    pub handing_off: HandOffArgs,
}

impl ConsentArgs {
    /// Which browser opens the address; an error where a person is needed and none can be asked here.
    pub(in crate::command) fn choice(
        &self,
        call: &Invocation<'_>,
        licenses: impl Iterator<Item = String>,
    ) -> Result<BrowserChoice> {
        if self.no_browser {
            return Ok(BrowserChoice::None);
        }
        if let Some(command) = &self.browser {
            let words = command_words(command).map_err(|e| Error::BadValue {
                name: "browser command",
                problem: match e {
                    CommandFault::Unreadable => "can't be read: a quote isn't closed, or it's empty".into(),
                    CommandFault::ForAShell { what, .. } => format!(
                        "has {} in it, which only a shell understands, and none is used: quote it, or name a script",
                        clean(&what)
                    ),
                },
            })?;
            return Ok(BrowserChoice::Command(words));
        }
        match call.env.terminal.interactive() {
            true => Ok(BrowserChoice::System),
            false => {
                Err(Error::NeedsPerson { licenses: licenses.collect(), command: call.line_at_a_terminal() })
            }
        }
    }

    /// How long a person may take.
    pub(in crate::command) fn timeout(&self) -> Result<SignedDuration> {
        let timeout = parse("timeout", &self.timeout)?;
        match timeout.is_zero() {
            true => Err(Error::BadValue { name: "timeout", problem: "leaves nobody any time".into() }),
            false => Ok(timeout),
        }
    }
}

/// How a hand-off is made and shown.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Hand-off options")]
pub struct HandOffArgs {
    /// Don't wait: print the address for an admin who sits elsewhere, and leave; complete takes what they send back
    #[arg(long, conflicts_with_all = ["browser", "no_browser", "timeout"])]
    pub no_wait: bool,

    /// With --no-wait: until when the answer counts [default: 7d]
    #[arg(long, value_name = "TIME", requires = "no_wait")]
    pub expires: Option<String>,

    /// With --no-wait: also for licenses that have a link out, whose earlier link dies; one that is named gets a new one anyway
    #[arg(long, requires = "no_wait")]
    pub resend: bool,

    /// With --no-wait: print text ready to mail, one message for each admin user with all their locations
    #[arg(long, requires = "no_wait")]
    pub message: bool,

    /// Show the address as a QR code, on standard error
    #[arg(long)]
    pub qr: bool,

    /// Put the address, or the message, into the terminal's clipboard (OSC 52)
    #[arg(long)]
    pub copy: bool,
}

impl HandOffArgs {
    /// How long a hand-off lives.
    pub(in crate::command) fn life(&self) -> Result<SignedDuration> {
        match &self.expires {
            None => Ok(LIFE),
            Some(text) => match parse("hand-off's time", text)? {
                none if none.is_zero() => Err(Error::BadValue {
                    name: "hand-off's time",
                    problem: "can't be zero: nobody could answer".into(),
                }),
                life => Ok(life),
            },
        }
    }

    /// What doesn't go together, and clap can't know.
    pub(in crate::command) fn check(&self, json: bool, several: bool) -> Result<()> {
        let wrong = |what: &str, hint: &str| Err(Error::Usage { what: what.into(), hint: hint.into() });
        // Clap drops a requirement that conflicts with another flag.
        if !self.no_wait && (self.message || self.resend || self.expires.is_some()) {
            return wrong(
                "--message, --resend and --expires are for a hand-off",
                "Add --no-wait, and leave --browser out.",
            );
        }
        if json && self.message {
            return wrong(
                "--message is text, which doesn't go with JSON",
                "Leave --message out: authorize_url is in the results; or leave --json or --format out.",
            );
        }
        if several && !self.no_wait && (self.qr || self.copy) {
            return wrong(
                "--qr and --copy are for one license, or for --no-wait",
                "Leave them out, or add --no-wait.",
            );
        }
        Ok(())
    }

    /// Shows an address that is on the terminal already in the further ways that were asked for.
    pub(in crate::command) fn show(&self, call: &Invocation<'_>, address: &str, copied: Option<&str>) {
        let terminal = &call.env.terminal;
        if self.qr {
            match qr(address, !terminal.color_err()) {
                Some(code) => {
                    terminal.picture(&code);
                    let (rows, high) = (terminal.rows(), code.lines().count() + 1);
                    if let Some(rows) = rows.map(usize::from).filter(|rows| *rows < high) {
                        terminal.always(&format!(
                            "The code has {high} rows, and this terminal {rows}: make the window higher or its letters smaller before you scan it."
                        ));
                    }
                }
                None => terminal.always("The address is too long for a QR code."),
            }
        }
        if let Some(copied) = copied.filter(|_| self.copy) {
            match terminal.copy(copied) {
                true => terminal.info("It's in the clipboard, where the terminal allows that."),
                false => terminal.info("Nothing was copied: standard error is no terminal."),
            }
        }
    }
}
