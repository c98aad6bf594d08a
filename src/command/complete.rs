//! `complete`: finishes a hand-off with the redirect address that the admin sent back.

use super::consent::{answered, settled};
use super::{Invocation, Workspace, online, outcome_or_error};
use crate::custody::FoundFlow;
use crate::error::{HandoffError, Result};
use crate::model::ids::Key;
use crate::model::secret::Secret;
use crate::oauth::Pasted;

/// Finish a hand-off: take the address that the admin's browser ended at
///
/// After Grant Access the admin's browser is sent to an address at which nobody listens: it says that it can't connect,
/// and the address in its bar is what they send back. What stands around it is left out: a sentence, a whole mail that
/// quotes it, a link that a mail filter made of it. It must come at once: the code in it lives minutes. An address that
/// isn't the answer changes nothing: the right one is taken afterwards.
///
/// The address holds a code. It's worthless to others without the verifier, which never leaves the vault; with - instead
/// of the address it's read from standard input, and so stands in no process list and in no shell's history.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth complete -                                # paste the address, or the whole mail, then Enter
  wl-paste | biotrack-auth complete -
  biotrack-auth complete 'http://127.0.0.1:18273/callback?code=…&state=…'")]
pub struct Args {
    /// The whole redirect address, or - to read it from standard input
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
    let pasted = Pasted::of(text.expose()).map_err(|problem| HandoffError::Unreadable { problem })?;
    call.bench()?.work(call, |bench| complete(&pasted, call, bench))
}

fn complete<'a>(pasted: &Pasted, call: &Invocation<'a>, bench: &mut Workspace<'a>) -> Result<u8> {
    let returned = bench.custody.recognize(pasted, None)?;
    let flow = match bench.custody.find(&returned)? {
        FoundFlow::Waiting(flow) | FoundFlow::Left(flow) => *flow,
    };
    let key = flow.key.clone();
    finish(&key, pasted, call, bench).or_else(|e| bench.refused(call, &key, e))
}

fn finish<'a>(key: &Key, pasted: &Pasted, call: &Invocation<'a>, bench: &mut Workspace<'a>) -> Result<u8> {
    let done = online::connect(call, &bench.provider, &bench.custody).and_then(|client| {
        bench.custody.connect(client.clone());
        answered(call, bench, pasted, &client)
    });
    let outcome = match done {
        Ok(outcome) => settled(call, bench, outcome)?,
        Err(e) => outcome_or_error(bench, key, bench.custody.standing(key)?, e)?,
    };
    bench.finish(call, outcome)
}
