//! `exec`: runs a command with a fresh access token in its environment, in this process's place where the system can do that.

use super::{Invocation, token};
use crate::error::{Error, Result, clean};
use crate::model::duration::parse;
use crate::system::ReplaceOutcome;
use std::ffi::OsString;

/// What `env` and `timeout` end with too: their own failure, a command that can't be run, and one that isn't there.
pub const OWN_FAILURE: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Run a command with a fresh access token in its environment
///
/// CMD gets BIOTRACK_ACCESS_TOKEN, BIOTRACK_UBI and BIOTRACK_LICENSE. The token is refreshed first if it's valid for less
/// than 10 minutes, as `token` does. CMD replaces this process: signals, terminal and exit code are its own. On Windows it
/// runs beside this process, which waits for it: Ctrl-C is left to CMD, and its exit code is passed on. Other processes of
/// the same user can read the environment of a process.
///
/// A failure before CMD runs exits with 125; if CMD can't be run, the exit code is 126; if CMD is not found, 127.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  biotrack-auth exec 101-X0007-D1 -- ./report-sales --yesterday
  biotrack-auth exec 101-X0007-D1 -- sh -c 'curl -H \"Authorization: Bearer $BIOTRACK_ACCESS_TOKEN\" …'")]
pub struct Args {
    /// Select a license by license, UBI/LICENSE, OCM license or store name
    #[arg(value_name = "SELECTOR", allow_hyphen_values = true)]
    selector: String,

    /// Run this command with these arguments; no shell is used
    #[arg(value_name = "CMD", required = true, last = true)]
    command: Vec<OsString>,
}

pub(super) fn run<'a>(args: Args, call: &Invocation<'a>) -> Result<u32> {
    let min = parse("time", token::MIN_VALID)?;
    let (mut fresh, mut interrupts) = (None, None);
    call.workspace()?.work(call, |workspace| {
        let handed_over = fresh.insert(token::fresh(call, workspace, &args.selector, min)?);
        workspace.custody.note_use(&handed_over.record);
        interrupts = workspace.custody.interrupts();
        Ok(0)
    })?;
    if interrupts.is_some_and(|interrupts| interrupts.any()) {
        // It came while the hooks ran: the command isn't wanted any more.
        return Err(Error::Interrupted { next: None });
    }
    let Some(fresh) = fresh else { return Err(Error::Internal("the token vanished".into())) };
    let (program, arguments) =
        args.command.split_first().ok_or_else(|| Error::Internal("an argument vanished".into()))?;
    let key = &fresh.record.key;
    let variables = [
        // defense: S28 exec-tells-no-token
        ("BIOTRACK_ACCESS_TOKEN", fresh.token.expose()),
        ("BIOTRACK_UBI", key.ubi.as_str()),
        ("BIOTRACK_LICENSE", key.license.as_str()),
    ];
    match call.env.replace(program, arguments, &variables) {
        ReplaceOutcome::Taken(code) => Ok(code),
        ReplaceOutcome::Kept(e) => {
            let (reason, code) = match e.kind() {
                std::io::ErrorKind::NotFound => ("command not found".to_owned(), NOT_FOUND),
                _ => (e.to_string(), CANNOT_RUN),
            };
            let command = clean(&program.to_string_lossy());
            call.env.terminal.error(&Error::NotRun { command, reason });
            Ok(code.into())
        }
    }
}
