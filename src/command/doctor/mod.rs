//! `doctor`: what works here, and what to do about what doesn't.

mod ledger;
mod machine;
mod platform;
mod provider;
mod vault;

use super::Invocation;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::provider::Provider;
use crate::report::{DoctorDocument, Finding, FindingLevel};
use std::sync::Arc;

/// Check what works here, and say how to fix what doesn't
///
/// The command checks the configuration, provider, vault, ledger, redirect and browser, each within a bounded time, and names
/// what nobody has tested yet on this platform. The
/// output is safe to paste: it contains no tokens or secrets, and it shortens e-mail addresses and home folders. To test the
/// vault, the command writes, reads and deletes an item; it changes nothing else without --fix.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth doctor
  biotrack-auth doctor --json
  biotrack-auth doctor --fix                # migrate an older ledger, and clean up leftovers")]
pub struct Args {
    /// Fix an older ledger, leftovers of dead processes, vault items without a record, folder modes, and rows of the ledger that can't
    /// be used
    #[arg(long)]
    fix: bool,
}

/// What is looked at, and what was found so far.
struct Examination<'c, 'e> {
    call: &'c Invocation<'e>,
    fix: bool,
    config: Option<Config>,
    provider: Option<Arc<Provider>>,
    findings: Vec<Finding>,
}

impl Examination<'_, '_> {
    fn well(&mut self, check: &'static str, found: impl Into<String>) {
        self.findings.push(Finding { check, health: FindingLevel::Well, found: found.into(), fix: None });
    }

    fn note(&mut self, check: &'static str, found: impl Into<String>, fix: Option<String>) {
        self.findings.push(Finding { check, health: FindingLevel::Note, found: found.into(), fix });
    }

    fn fixed(&mut self, check: &'static str, found: impl Into<String>) {
        self.findings.push(Finding { check, health: FindingLevel::Fixed, found: found.into(), fix: None });
    }

    fn problem(&mut self, check: &'static str, found: impl Into<String>, fix: impl Into<String>) {
        let fix = Some(fix.into());
        self.findings.push(Finding { check, health: FindingLevel::Problem, found: found.into(), fix });
    }

    /// Reports an error as a problem, unless an earlier check has reported the same one: a file that several checks need is
    /// named once.
    fn failed(&mut self, check: &'static str, error: &Error) {
        let found = error.to_string();
        if self.findings.iter().any(|it| matches!(it.health, FindingLevel::Problem) && it.found == found) {
            return;
        }
        self.findings.push(Finding { check, health: FindingLevel::Problem, found, fix: error.hint() });
    }

    /// The words that a suggested command needs to act on this profile.
    fn named(&self) -> String {
        match &self.provider {
            Some(provider) if provider.other_profile => format!(" --profile {}", provider.profile),
            _ => String::new(),
        }
    }

    fn configuration(&mut self) {
        let paths = &self.call.env.paths;
        let (config, problems) = match Config::examine(paths) {
            Ok(examined) => examined,
            Err(e) => return self.failed("config", &e),
        };
        let shown = config.file.display().to_string();
        let sound = problems.is_empty();
        for problem in problems {
            self.failed("config", &problem.into());
        }
        let chosen = config
            .profile_name(self.call.profile.as_deref(), &self.call.env.variables)
            .and_then(|(name, origin)| Ok((config.provider(&name)?, origin)));
        match chosen {
            Ok((provider, origin)) => {
                if sound {
                    let name = &provider.profile;
                    let preset = &provider.preset;
                    self.well("config", format!("{shown}: profile {name} ({origin}), preset {preset}"));
                }
                self.provider = Some(Arc::new(provider));
            }
            Err(e) => self.failed("config", &e),
        }
        self.config = Some(config);
    }
}

pub(super) fn run(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    let mut examination =
        Examination { call, fix: args.fix, config: None, provider: None, findings: Vec::new() };
    examination.platform();
    examination.configuration();
    examination.provider();
    examination.machine();
    examination.ledger();
    examination.vault();
    examination.completions();
    let platform = examination.here();
    let Examination { provider, findings, .. } = examination;
    let home = call.env.variables.get("HOME").or_else(|| call.env.variables.get("USERPROFILE"));
    let document = DoctorDocument::of(platform, provider.map(|it| it.profile.clone()), findings, home);
    let text = if call.json { call.json_text(&document)? } else { document.in_words() };
    call.env.terminal.answer(&text)?;
    Ok(u8::from(document.problems() > 0))
}
