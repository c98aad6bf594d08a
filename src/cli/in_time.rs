//! Commands that somebody waits for who doesn't wait long: a monitor, and a person at a key. They run on a thread that is left
//! behind where a server, a name service or a file system hangs; none of these has an end of its own.

use crate::command::ledger_place;
use crate::error::{Error, LedgerError};
use crate::model::server::LedgerPlace;
use crate::system::Env;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Monitors give a check ten seconds, and want a cause in them.
pub(super) const CHECK: Duration = Duration::from_millis(7500);
/// A person who pressed a key goes on typing.
pub(super) const KEY: Duration = Duration::from_secs(1);
/// Whose ledger it is that doesn't answer is read in no time, or not at all.
const CAUSE: Duration = Duration::from_millis(300);
/// What the main thread has.
const STACK: usize = 8 * 1024 * 1024;

/// What hangs where a check brought nothing in its time: it reads the configuration and the ledger, and nothing else.
pub(super) fn what_hangs(env: &Env) -> Error {
    let seconds = CHECK.as_secs();
    let reason = format!("no answer within {seconds} seconds");
    let at = env.within(env.paths.clone(), env.clock.clone(), env.browser.clone());
    let place = on_a_thread(move || ledger_place(&at)).and_then(|it| it.recv_timeout(CAUSE).ok());
    match place {
        Some(Ok(LedgerPlace::Server(server))) => LedgerError::Away { place: server.address, reason }.into(),
        Some(Ok(LedgerPlace::File)) => {
            LedgerError::Busy { path: env.paths.ledger().display().to_string(), seconds: Some(seconds) }
                .into()
        }
        Some(Err(e)) => e,
        None => Error::File { path: env.paths.config.display().to_string(), reason },
    }
}

/// What the work comes to, once it does; `None` where there is no thread for it.
pub(super) fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<Receiver<T>> {
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
