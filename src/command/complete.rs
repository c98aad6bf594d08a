//! `complete`: finishes a hand-off with the redirect address that the admin sent back.

use super::consent::{answered, settled};
use super::{Invocation, Workspace, outcome_or_error};
use crate::custody::FoundFlow;
use crate::error::{HandoffError, Result};
use crate::model::ids::LicenseId;
use crate::model::secret::Secret;
use crate::oauth::PastedCandidates;

/// Finish a hand-off with the address that the admin sent back
///
/// After Grant Access, the admin's browser goes to an address that it can't reach and says that it can't connect. The admin
/// sends back the address from the address bar. Text around the address is ignored: a sentence, a quoted mail, or a mail
/// filter's rewritten link. The address must arrive at once, because its code is valid for minutes. A wrong address changes
/// nothing: the right one is still accepted afterwards.
///
/// The address holds a code, which is useless to others without the verifier in the vault. With `-` instead of the address,
/// the command reads standard input, which keeps the address out of process lists and the shell history.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth complete -                                # paste the address, or the whole mail, then Enter
  wl-paste | biotrack-auth complete -
  biotrack-auth complete 'http://127.0.0.1:18273/callback?code=…&state=…'")]
pub struct Args {
    /// Give the whole redirect address, or `-` to read it from standard input
    #[arg(value_name = "URL|-", allow_hyphen_values = true)]
    address: GivenAddress,
}

/// What was given as the address. It holds a code: its debug output says nothing.
#[derive(Debug, Clone)]
struct GivenAddress(Secret);

impl std::str::FromStr for GivenAddress {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(Self(Secret::new(text)))
    }
}

pub(super) fn run(args: &Args, call: &Invocation<'_>) -> Result<u8> {
    let text = match args.address.0.is("-") {
        false => args.address.0.clone(),
        true => {
            let question = "Paste the address that the admin's browser shows, then press Enter:";
            Secret::from(call.env.terminal.read_pasted(question, crate::oauth::LONGEST_PASTE)?)
        }
    };
    let pasted =
        PastedCandidates::of(text.expose()).map_err(|problem| HandoffError::Unreadable { problem })?;
    call.workspace()?.work(call, |workspace| complete(&pasted, call, workspace))
}

fn complete<'a>(
    pasted: &PastedCandidates,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    let returned = workspace.custody.recognize(pasted, None)?;
    let flow = match workspace.custody.find(&returned)? {
        FoundFlow::Waiting(flow) | FoundFlow::Left(flow) => *flow,
    };
    let key = flow.key.clone();
    finish(&key, pasted, call, workspace).or_else(|e| workspace.refused(call, &key, e))
}

fn finish<'a>(
    key: &LicenseId,
    pasted: &PastedCandidates,
    call: &Invocation<'a>,
    workspace: &mut Workspace<'a>,
) -> Result<u8> {
    let done = workspace.connect(call).and_then(|client| answered(call, workspace, pasted, &client));
    let outcome = match done {
        Ok(outcome) => settled(call, workspace, outcome)?,
        Err(e) => outcome_or_error(workspace, key, e)?,
    };
    workspace.finish(call, outcome)
}
