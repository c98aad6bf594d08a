//! The form in which a command answers.

use super::{Invocation, error_as_json};
use crate::error::{Error, Result};
use crate::ledger::{EventGrant, Ledger};
use crate::model::ids::LicenseId;
use crate::model::provider::Provider;
use crate::model::reminder::GrantEventKey;
use crate::model::run_counts::RunCounts;
use crate::report::RunEvent;
use std::collections::HashMap;

/// How the answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people
    Text,
    /// One document, at the end
    Json,
    /// A line for each thing that happens, as it happens
    Jsonl,
}

impl OutputFormat {
    /// What each license's events have in common, where events are told.
    pub(super) fn common<'k>(
        self,
        ledger: &Ledger,
        provider: &Provider,
        keys: impl Iterator<Item = &'k LicenseId>,
    ) -> Result<HashMap<LicenseId, GrantEventKey>> {
        if self != Self::Jsonl {
            return Ok(HashMap::new());
        }
        let common =
            |key: &LicenseId| Ok((key.clone(), ledger.event_key(&provider.profile, key, EventGrant::Now)?));
        keys.map(common).collect()
    }

    pub(super) fn of(format: Option<Self>, json: bool) -> Result<Self> {
        format_of(format, json.then_some(Self::Json), Self::Text)
    }
}

/// `--format`, or what `--json` stands for, which goes with no other; else the usual.
pub(super) fn format_of<F: PartialEq>(format: Option<F>, json: Option<F>, usual: F) -> Result<F> {
    match (format, json) {
        (Some(format), Some(json)) if format != json => Err(Error::Usage {
            what: "--json can't be combined with another --format".into(),
            hint: "Remove one of them.".into(),
        }),
        (format, json) => Ok(json.or(format).unwrap_or(usual)),
    }
}

/// What stands before a CSV.
#[derive(Debug, clap::Args)]
pub(super) struct ByteOrderMark {
    /// Begin the CSV with a byte order mark, so that Excel reads it as UTF-8
    #[arg(long)]
    bom: bool,
}

impl ByteOrderMark {
    /// The mark, where it was asked for: `register`, `renew` and `import` read past it. A terminal has no use for it.
    ///
    /// # Errors
    /// It was asked for, and the answer is no CSV.
    pub(super) fn before(&self, is_csv: bool, to_terminal: bool) -> Result<&'static str> {
        match (self.bom, is_csv) {
            (true, false) => Err(Error::Usage {
                what: "--bom is only for CSV".into(),
                hint: "Choose CSV with --format csv, or remove --bom.".into(),
            }),
            (true, true) if !to_terminal => Ok("\u{feff}"),
            _ => Ok(""),
        }
    }
}

/// The call as a whole is refused: that too in the form that was asked for. `--json` is answered where every
/// command's is.
pub(super) fn refused(form: OutputFormat, call: &Invocation<'_>, error: Error) -> Result<u8> {
    match form {
        OutputFormat::Json if !call.json => {
            let text = super::as_json(error_as_json(&error, error.exit()))?;
            call.env.terminal.answer(&format!("{text}\n"))?;
        }
        OutputFormat::Jsonl => {
            let now = call.env.clock.now();
            let last = RunEvent::summary(now, RunCounts::default(), error.exit(), Some(&error));
            call.env.terminal.answer(&call.json_line(&last)?)?;
        }
        _ => {}
    }
    Err(error)
}
