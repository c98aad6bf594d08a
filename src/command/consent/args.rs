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
    /// Print the address and wait, without opening a browser
    #[arg(long, conflicts_with = "browser")]
    pub no_browser: bool,

    /// Open the page with CMD, which gets a one-time address as its last argument (no shell is used)
    #[arg(long, value_name = "CMD")]
    pub browser: Option<String>,

    /// Listen for the answer on this port [default: the profile's port, or any free port]
    #[arg(long, value_name = "PORT", value_parser = browsers_port)]
    pub port: Option<u16>,

    /// Wait this long for the admin to grant access
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
                    CommandFault::Unreadable => "can't be read: it is empty, or a quote isn't closed".into(),
                    CommandFault::ForAShell { what, .. } => format!(
                        "contains {}, which needs a shell, but no shell is used: quote it, or use a script",
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
            true => Err(Error::BadValue { name: "timeout", problem: "must be longer than zero".into() }),
            false => Ok(timeout),
        }
    }
}

/// How a hand-off is made and shown.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Hand-off options")]
pub struct HandOffArgs {
    /// Print a link to send to the admin, and exit; finish with `complete` and the address that the admin sends back
    #[arg(long, conflicts_with_all = ["browser", "no_browser", "timeout"])]
    pub no_wait: bool,

    /// With --no-wait: accept the answer for this long [default: 7d]
    #[arg(long, value_name = "TIME", requires = "no_wait")]
    pub expires: Option<String>,

    /// With --no-wait: also replace links that are still open; a license that is named always gets a new link
    #[arg(long, requires = "no_wait")]
    pub resend: bool,

    /// With --no-wait: print a message to mail to each admin user, with all of their locations
    #[arg(long, requires = "no_wait")]
    pub message: bool,

    /// Show the address as a QR code on standard error
    #[arg(long)]
    pub qr: bool,

    /// Copy the address, or the message, to the terminal's clipboard (OSC 52)
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
                    problem: "must be longer than zero".into(),
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
                "--message, --resend and --expires need --no-wait",
                "Add --no-wait, and remove --browser.",
            );
        }
        if json && self.message {
            return wrong(
                "--message prints text and can't be combined with JSON",
                "Remove --message (the results contain authorize_url), or remove --json or --format.",
            );
        }
        if several && !self.no_wait && (self.qr || self.copy) {
            return wrong(
                "--qr and --copy work with one license, or with --no-wait",
                "Remove them, or add --no-wait.",
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
                    terminal.print_picture(&code);
                    let (rows, high) = (terminal.rows(), code.lines().count() + 1);
                    if let Some(rows) = rows.map(usize::from).filter(|rows| *rows < high) {
                        terminal.print_always(&format!(
                            "The QR code has {high} rows, but this terminal has {rows}: enlarge the window or use a smaller font, then scan the code."
                        ));
                    }
                }
                None => terminal.print_always("The address is too long for a QR code."),
            }
        }
        if let Some(copied) = copied.filter(|_| self.copy) {
            match terminal.copy(copied) {
                true => terminal.info("Copied to the clipboard, if the terminal allows it."),
                false => terminal.info("Nothing was copied: standard error isn't a terminal that can copy."),
            }
        }
    }
}
