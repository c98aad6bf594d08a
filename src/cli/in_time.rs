//! Commands that somebody waits for who doesn't wait long: a monitor, and a person at a key. They run on a thread that is left
//! behind where a server, a name service or a file system hangs; none of these has an end of its own.

use super::{broken, failed, is_exec, run};
use crate::command::{completions, ledger_place};
use crate::error::{Error, LedgerError};
use crate::model::server::LedgerPlace;
use crate::system::{Env, fault};
use std::ffi::OsString;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Monitors give a check ten seconds, and want a cause in them.
const CHECK: Duration = Duration::from_millis(7500);
/// A person who pressed a key goes on typing.
const KEY: Duration = Duration::from_secs(1);
/// Whose ledger it is that doesn't answer is read in no time, or not at all.
const CAUSE: Duration = Duration::from_millis(300);
/// What the main thread has.
const STACK: usize = 8 * 1024 * 1024;

/// Runs the program on its arguments as [`run`] does, for no longer than whoever asked waits.
pub fn run_in_time(arguments: &[OsString], env: Env) -> u8 {
    let is_key = env.variables.get(completions::VARIABLE).is_some();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // What the provider says of many grants takes as long as it takes.
    let is_check = !is_exec(arguments) && has("--check") && !has("--online");
    if !is_key && !is_check {
        return run(arguments, env);
    }
    let mut here = env.within(env.paths.clone(), env.clock.clone(), env.browser.clone());
    if let Some(file) = completions::flag(arguments, "--config") {
        here.paths.config = file.into();
    }
    let words = arguments.to_vec();
    let Some(ended) = on_a_thread(move || fault::caught(|| run(&words, env))) else {
        return run(arguments, here);
    };
    match ended.recv_timeout(if is_key { KEY } else { CHECK }) {
        Ok(Some(exit)) => exit,
        Err(_) if is_key => 0,
        Err(_) => failed(&silent(&here), None, false, arguments, &here),
        Ok(None) => broken(arguments),
    }
}

/// What hangs.
fn silent(env: &Env) -> Error {
    let seconds = CHECK.as_secs();
    let reason = format!("no answer within {seconds} seconds");
    let at = env.within(env.paths.clone(), env.clock.clone(), env.browser.clone());
    let place = on_a_thread(move || ledger_place(&at)).and_then(|it| it.recv_timeout(CAUSE).ok());
    match place {
        Some(Ok(LedgerPlace::Server(server))) => LedgerError::Away { place: server.address, reason }.into(),
        Some(Ok(LedgerPlace::File)) => {
            LedgerError::Busy { path: env.paths.ledger().display().to_string(), seconds }.into()
        }
        Some(Err(e)) => e,
        None => Error::File { path: env.paths.config.display().to_string(), reason },
    }
}

/// What the work comes to, once it does; `None` where there is no thread for it.
fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<Receiver<T>> {
    let (done, ended) = channel();
    let thread = std::thread::Builder::new().name("command".into()).stack_size(STACK);
    thread
        .spawn(move || {
            // Nobody waits any more where it came too late.
            let _ = done.send(work());
        })
        .ok()
        .map(|_| ended)
}
